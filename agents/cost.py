"""What a round adds to the cost of a run."""

from __future__ import annotations

from collections.abc import Sequence

from mstar.agents.monitor.evaluation import EvaluationCost
from mstar.agents.policy import distributed
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.types import Cost, FinetuneResult
from mstar.rewards.models.endpoint import Endpoint


def add_cost(
    before: Cost,
    sampler: RolloutEngine,
    size: int,
    seconds: float,
    evaluation_seconds: float,
    finetuned: FinetuneResult | None,
    evaluation: EvaluationCost,
    endpoints: Sequence[Endpoint] = (),
    prices: Sequence[float] = (),
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
        endpoints: asked by judges; their counts are reset.
        prices: of a million tokens of their prompts, and of their replies; () if they have none.
    """
    asked = [endpoint.usage.take() for endpoint in endpoints]
    calls, judged, replied = distributed.total(
        *(sum(column) for column in zip((0, 0, 0), *asked, strict=True))
    )
    price = sum(n * each / 1e6 for n, each in zip((judged, replied), prices, strict=False))
    read, written, prompts, responses = distributed.total(
        sampler.prompt_tokens,
        sampler.tokens_generated,
        sampler.prompts_prefilled,
        sampler.responses,
    )
    shared = finetuned.prompts if finetuned else 1.0
    mean = shared * read / max(1, prompts) + written / max(1, responses)
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
        before.judge_calls + calls,
        before.judge_prompt_tokens + judged,
        before.judge_reply_tokens + replied,
        before.judge_price + price,
    )
    sampler.reset_counts()
    return cost
