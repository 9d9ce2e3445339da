"""What one turn of the self-evolving loop did, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mstar.agents.explore.catalog import SamplingPlan
from mstar.agents.monitor.alarms import Alarm
from mstar.agents.monitor.metrics import Dynamics
from mstar.agents.rollout import Rollout
from mstar.agents.selection import Selection
from mstar.agents.sft_trainer import Tuned


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent since the start of a run: in all, and of it on measuring.

    Measuring is what every agent has in common and no agent learns from: greedy answers and
    samples at the plan's temperature on held-out problems. The rest is practice: sampling for
    training, training itself, and the further temperatures that a controller asks for. Agents are
    compared at equal practice.

    Attributes:
        responses: sampled.
        tokens: generated.
        flops: estimated, 2 per weight and token forwards and 6 in training (Kaplan et al. 2020).
        seconds: of wall time.
        measured_responses: those of measuring; as for the next three.
        measured_tokens: generated.
        measured_flops: estimated.
        measured_seconds: a share of the time to measure and probe, by tokens.
    """

    responses: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    measured_responses: int = 0
    measured_tokens: int = 0
    measured_flops: float = 0.0
    measured_seconds: float = 0.0

    @property
    def practice_tokens(self) -> int:
        """Tokens generated for practice; what ``Recipe.token_budget`` limits."""
        return self.tokens - self.measured_tokens


@dataclass(frozen=True, slots=True)
class Measuring:
    """The part of one look at the held-out problems that every agent has in common.

    Attributes:
        responses: sampled.
        tokens: generated.
        read: tokens of the prompts.
        seconds: of wall time, in proportion to the tokens.
    """

    responses: int
    tokens: int
    read: int
    seconds: float

    @classmethod
    def of(
        cls, probed: Sequence[Rollout], temperature: float, read: int, seconds: float
    ) -> Measuring:
        """What is greedy or at the plan's temperature; the rest the controller has asked for."""
        lengths = [len(r.response.tokens) for r in probed]
        common = [
            length
            for length, rollout in zip(lengths, probed, strict=True)
            if rollout.temperature in (0.0, temperature)
        ]
        share = sum(common) / max(1, sum(lengths))
        return cls(len(common), sum(common), read, share * seconds)


@dataclass(frozen=True)
class Round:
    """One turn of the loop; round 0 is the policy as it came.

    Attributes:
        number: 0, 1, 2, ...
        plan: what it sampled with; None in round 0.
        rollouts: what was sampled for training; none in round 0.
        selection: which of them were learned from.
        tuned: what fine-tuning did; None where nothing was kept.
        dynamics: the policy after it, on held-out problems.
        cost: spent so far.
        state: all that ``SelfEvolving.restore`` needs beside the checkpoint, as JSON values.
        seconds: of each stage.
        alarms: what was found to go wrong.
        back_to: the round whose policy takes the place of this one's; None if it need not.
    """

    number: int
    plan: SamplingPlan | None
    rollouts: Sequence[Rollout]
    selection: Selection | None
    tuned: Tuned | None
    dynamics: Dynamics
    cost: Cost
    state: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    back_to: int | None = None
