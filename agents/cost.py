"""What a round adds to the cost of a run."""

from __future__ import annotations

from mstar.agents.policy import distributed
from mstar.agents.round import Cost, Measuring
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.sft_trainer import Tuned


def bill(
    before: Cost,
    sampler: RolloutEngine,
    size: int,
    seconds: float,
    tuned: Tuned | None,
    measuring: Measuring,
) -> Cost:
    """The cost so far, with a round in which the sampler counted; it starts to count anew.

    Args:
        before: the cost of the rounds before.
        sampler: of this process; what all of them wrote is added up.
        size: weights of the policy.
        seconds: of the round.
        tuned: what its training read; None where there was none.
        measuring: what of it was spent on measuring.
    """
    read, written, prompts, responses = distributed.total(
        sampler.prompt_tokens,
        sampler.tokens_generated,
        sampler.prompts_prefilled,
        sampler.responses,
    )
    mean = read / max(1, prompts) + written / max(1, responses)
    trained = mean * (tuned.lessons if tuned else 0)
    scored = mean * (tuned.scored if tuned else 0)
    cost = Cost(
        before.responses + responses,
        before.tokens + written,
        before.flops + size * (2.0 * (read + written + scored) + 6.0 * trained),
        before.seconds + seconds,
        before.measured_responses + measuring.responses,
        before.measured_tokens + measuring.tokens,
        before.measured_flops + size * 2.0 * (measuring.read + measuring.tokens),
        before.measured_seconds + measuring.seconds,
    )
    sampler.reset_counts()
    return cost
