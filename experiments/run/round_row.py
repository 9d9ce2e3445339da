"""A round as the row of ``rounds.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mstar.agents.monitor.metrics import Dynamics
from mstar.agents.pseudo_labels import pseudo_accuracy
from mstar.agents.round import Round
from mstar.experiments.rows import Row


def describe(done: Round) -> Row:
    """A round as the row of ``rounds.jsonl``; without its rollouts."""
    rewards = [r.reward for r in done.rollouts if r.reward == r.reward]
    pseudo = pseudo_accuracy(done.rollouts)
    row: Row = {
        "number": done.number,
        "problems": len({r.problem.id for r in done.rollouts}),
        "plan": asdict(done.plan) if done.plan else None,
        "selection": {
            "kept": len(done.selection.kept),
            "solved": done.selection.solved,
            "passed": done.selection.passed,
        }
        if done.selection
        else None,
        "reward": sum(rewards) / len(rewards) if rewards else None,
        "tuned": {
            "loss": done.tuned.loss,
            "updates": done.tuned.updates,
            "learning_rate": done.tuned.learning_rate,
        }
        if done.tuned
        else None,
        "pseudo": asdict(pseudo) if pseudo else None,
        "dynamics": _dynamics(done.dynamics),
        "alarms": [{**asdict(alarm), "text": str(alarm)} for alarm in done.alarms],
        "back_to": done.back_to,
        "cost": asdict(done.cost),
        "seconds": dict(done.seconds),
        "state": dict(done.state),
    }
    told: Row = _told(row)
    return told


def _dynamics(measured: Dynamics) -> Row:
    row = asdict(measured)
    row["spread"] = {str(t): {**row["spread"][t], "gap": measured.gap(t)} for t in measured.spread}
    return row


def _told(value: Any) -> Any:
    """The same JSON value with null for what is NaN, which JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _told(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_told(part) for part in value]
    return None if isinstance(value, float) and value != value else value
