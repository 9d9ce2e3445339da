"""Convert a round to its row in ``rounds.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mstar.agents.monitor.metrics import cut_share
from mstar.agents.pseudo_labels import pseudo_accuracy
from mstar.agents.types import Metrics, Round, SamplingPlan
from mstar.experiments.rows import Row


def describe(done: Round) -> Row:
    """A round as the row of ``rounds.jsonl``; without its rollouts."""
    rewards = [r.reward for r in done.rollouts if r.reward == r.reward]
    pseudo = pseudo_accuracy(done.rollouts)
    row: Row = {
        "number": done.number,
        "problems": len({r.problem.id for r in done.rollouts}),
        "plan": _plan(done.plan) if done.plan else None,
        "selection": {
            "kept": len(done.selection.kept),
            "solved": done.selection.solved,
            "passed": done.selection.passed,
            "unjudged": done.selection.unjudged,
            "replaced": done.selection.replaced,
        }
        if done.selection
        else None,
        "cut": cut_share(done.rollouts) if done.rollouts else None,
        "reward": sum(rewards) / len(rewards) if rewards else None,
        "tuned": {
            "loss": done.finetuned.loss,
            "updates": done.finetuned.updates,
            "learning_rate": done.finetuned.learning_rate,
        }
        if done.finetuned
        else None,
        "pseudo": asdict(pseudo) if pseudo else None,
        "dynamics": _dynamics(done.metrics),
        "alarms": [{**asdict(alarm), "text": str(alarm)} for alarm in done.alarms],
        "back_to": done.back_to,
        "note": done.note,
        "cost": asdict(done.cost),
        "seconds": dict(done.seconds),
        "state": dict(done.state),
    }
    valid: Row = _without_nan(row)
    return valid


def _plan(plan: SamplingPlan) -> Row:
    """Under the original names of the columns, so that older runs can be read."""
    return {
        "temperature": plan.temperature,
        "samples": plan.samples,
        "keep": plan.top_k,
        "threshold": plan.threshold,
        "unlabelled": plan.unlabelled,
        "gold": plan.worked_examples,
    }


def _dynamics(metrics: Metrics) -> Row:
    """Under the original names of the columns, so that older runs can be read."""
    row = asdict(metrics)
    spread = row.pop("by_temperature")
    health, agreement, drift = row.pop("health"), row.pop("agreement"), row.pop("drift")
    return {
        **row,
        "spread": {str(t): {**spread[t], "gap": metrics.gap(t)} for t in spread},
        "health": health,
        "agreement": agreement,
        "drift": drift,
    }


def _without_nan(value: Any) -> Any:
    """The same JSON value with null for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and value != value else value
