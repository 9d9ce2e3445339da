"""What a round adds to the cost of a run."""

from __future__ import annotations

from mstar.agents.monitor.evaluation import EvaluationCost
from mstar.agents.policy import distributed
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.types import Cost, FinetuneResult


def add_cost(
    before: Cost,
    sampler: RolloutEngine,
    size: int,
    seconds: float,
    evaluation_seconds: float,
    finetuned: FinetuneResult | None,
    evaluation: EvaluationCost,
) -> Cost:
    """The cost so far, with the round that the sampler has counted; its counts are reset.

    Args:
        before: the cost of the rounds before.
        sampler: of this process; the counts of all processes are summed.
        size: weights of the policy.
        seconds: of the round.
        evaluation_seconds: of its evaluation, probes included.
        finetuned: says how many responses were trained on; None where there was no training.
        evaluation: the common part of the evaluation.
    """
    read, written, prompts, responses = distributed.total(
        sampler.prompt_tokens,
        sampler.tokens_generated,
        sampler.prompts_prefilled,
        sampler.responses,
    )
    mean = read / max(1, prompts) + written / max(1, responses)
    trained = mean * (finetuned.examples if finetuned else 0)
    scored = mean * (finetuned.scored if finetuned else 0)
    cost = Cost(
        before.responses + responses,
        before.tokens + written,
        before.flops + size * (2.0 * (read + written + scored) + 6.0 * trained),
        before.seconds + seconds,
        before.measured_responses + evaluation.responses,
        before.measured_tokens + evaluation.tokens,
        before.measured_flops + size * 2.0 * (evaluation.prompt_tokens + evaluation.tokens),
        before.measured_seconds + evaluation.share * evaluation_seconds,
    )
    sampler.reset_counts()
    return cost
