"""What one turn of the self-evolving loop did, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mstar.agents.collect import Rollout
from mstar.agents.dynamics import Dynamics
from mstar.agents.explore import SamplingPlan
from mstar.agents.learner import Tuned
from mstar.agents.select import Selection


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent since the start of a run, measuring included.

    Attributes:
        responses: sampled.
        tokens: generated.
        flops: estimated, 2 per weight and token forwards and 6 in training (Kaplan et al. 2020).
        seconds: of wall time.
    """

    responses: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0


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
