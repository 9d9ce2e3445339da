"""The data that passes between the parts of an agent, as frozen dataclasses.

A round goes plan -> rollouts -> selection -> SFT examples -> fine-tuning -> metrics and alarms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mstar.agents.sampling.base import Response
from mstar.envs.problem import Problem, Prompt
from mstar.rewards.diagnostics.calibration import Calibration, calibration
from mstar.rewards.diagnostics.health import ModelHealth

UNKNOWN = calibration(np.zeros(0), np.zeros(0, bool))


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How a round samples and selects.

    Attributes:
        temperature: of sampling, > 0.
        samples: responses per problem.
        top_k: how many right responses of a problem are learned from.
        threshold: least ranking score to be kept, under the selection rule ``threshold``.
        unlabelled: share of the problems that have no label; None takes them as they come.
        worked_examples: share of the training examples that are worked solutions.
    """

    temperature: float = 1.0
    samples: int = 8
    top_k: int = 2
    threshold: float = 0.0
    unlabelled: float | None = None
    worked_examples: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10 or self.samples < 1 or self.top_k < 1:
            raise ValueError(
                f"{self}: temperature must lie in (0, 10), samples and top_k must be at least 1"
            )
        if not 0 <= (self.unlabelled or 0.0) <= 1 or not 0 <= self.worked_examples < 1:
            raise ValueError(f"{self}: unlabelled must lie in [0, 1] and worked_examples in [0, 1)")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One judged response.

    Attributes:
        problem: that it answers.
        prompt: the problem as the policy was asked, but without a hint.
        response: text, tokens and log-probability.
        temperature: that it was sampled at; 0 is greedy.
        version: number of rounds that the policy had been trained for.
        scores: every reward model's score by name; NaN where one abstained.
        reward: the panel's combined reward; NaN where all abstained.
        extra: sampled because of what the first samples of its problem showed, so that estimates
            of what the policy can do must leave it out.
        counts: whether the response was judged by what it says; one that was cut off does not,
            unless the panel lets it, and is neither right nor learned from; see ``RewardPanel``.
    """

    problem: Problem
    prompt: Prompt
    response: Response
    temperature: float
    version: int
    scores: dict[str, float]
    reward: float
    extra: bool = False
    counts: bool = True

    @property
    def judged(self) -> str:
        """The text that was judged: none of a response that does not count."""
        return self.response.text if self.counts else ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rollouts of a round are learned from.

    Attributes:
        kept: their indices, ascending.
        solved: share of the problems with at least one rollout that passes the gate.
        passed: share of the rollouts that pass the gate.
        unjudged: rollouts that a judge failed on, and that are left out.
        replaced: groups that dynamic sampling has replaced by others, which are among these.
    """

    kept: tuple[int, ...]
    solved: float
    passed: float
    unjudged: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class SFTExample:
    """One response to be fine-tuned on, and the prompt that it answers.

    Attributes:
        prompt: as it was sampled from, but without a hint.
        tokens: ids of the response as they were drawn, with the end token if one was; of a text
            that the policy did not write, see ``whole_turns``.
    """

    prompt: Prompt
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """What a round of fine-tuning did.

    Attributes:
        loss: mean over the round's updates.
        updates: of the optimizer since the start.
        learning_rate: after the last of them.
        examples: responses trained on, each counted as often as it was seen.
        checkpoint: the folder with weights, optimizer and schedule.
        scored: responses read once more without training, counted likewise.
        micro_batch: responses of one forward and backward pass; 0 where they are not counted.
        prompts: that were read for each response; below 1 where responses shared one.
    """

    loss: float
    updates: int
    learning_rate: float
    examples: int
    checkpoint: Path
    scored: int = 0
    micro_batch: int = 0
    prompts: float = 1.0


@dataclass(frozen=True, slots=True)
class Samples:
    """Up to K samples of each of N problems at one temperature.

    Attributes:
        temperature: that they were sampled at.
        right: (N, K), 1 right, 0 wrong, NaN where it is unknown or a problem has fewer than K.
        rank: (N, K), the ranking score, -1 where its model abstained.
        tokens: (N, K), length of the response, NaN where a problem has fewer than K; None if it was
            not recorded.
        ladder: by temperature, the log-probability of each response there, (N, K), in nats; see
            ``Response.ladder``. Empty where it was not recorded.
    """

    temperature: float
    right: NDArray[np.float64]
    rank: NDArray[np.float64]
    tokens: NDArray[np.float64] | None = None
    ladder: Mapping[float, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoundSamples:
    """All samples of a round by temperature, ascending; row i is one problem at all of them.

    Attributes:
        validation: on the validation problems, which are the same after every round.
        training: for training, on problems that the policy had not yet learned from.
    """

    validation: tuple[Samples, ...] = ()
    training: tuple[Samples, ...] = ()


NO_SAMPLES = RoundSamples()


@dataclass(frozen=True, slots=True)
class SamplingMetrics:
    """What K samples of each problem at one temperature show.

    Accuracies are of the samples that the verifier can judge, and NaN without any.

    Attributes:
        pass_1: mean share of the samples that are right.
        pass_k: share of problems with at least one right sample of K: exploration.
        reward_pass_2: share of problems where one of the two samples with the highest ranking
            scores, of all K, is right: how well the reward model exploits the policy.
        entropy: mean entropy of a token, in nats.
        distinct: mean number of different final answers of a problem.
        length: mean number of tokens of a response.
        majority: of each problem's most frequent answer: the share of the samples that give it, as
            a confidence, against whether it is right.
        confidence: of each response: the geometric mean of its tokens' probabilities, as a
            confidence, against whether it is right.
    """

    pass_1: float
    pass_k: float
    reward_pass_2: float
    entropy: float
    distinct: float
    length: float
    majority: Calibration = UNKNOWN
    confidence: Calibration = UNKNOWN


@dataclass(frozen=True, slots=True)
class Metrics:
    """One evaluation of a policy on validation problems.

    Attributes:
        problems: how many.
        samples: K, at each temperature.
        greedy: share that the greedy response gets right, of the problems where that is known; NaN
            where it is known of none.
        by_temperature: what sampling shows.
        health: each reward model against the verifier, over the samples at one temperature.
        agreement: Spearman's correlation of each two reward models over the same samples, by
            ``"one/other"``.
        drift: distance from the base policy, in nats a token; see ``BaseResponses``.
        cut: share of the responses that ``max_new_tokens`` cut off.
    """

    problems: int
    samples: int
    greedy: float
    by_temperature: dict[float, SamplingMetrics]
    health: dict[str, ModelHealth] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    drift: float = nan
    cut: float = 0.0

    def gap(self, temperature: float) -> float:
        """Headroom: Pass@K minus greedy accuracy; near 0, nothing new is left to learn."""
        return self.by_temperature[temperature].pass_k - self.greedy


AlarmName = Literal["collapse", "over-confidence", "proxy gaming", "drift", "cut off"]
Remedy = Literal["explore", "roll back", "freeze", "stop", "none"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A sign that the run goes wrong, and what is done about it.

    Attributes:
        name: of the sign.
        round: after which it was found.
        reason: one sentence with the figures.
        remedy: what answers it; "none" where only another setting would.
        acted: whether the remedy was applied.
        why_not: why it was not.
    """

    name: AlarmName
    round: int
    reason: str
    remedy: Remedy
    acted: bool
    why_not: str = ""

    def __str__(self) -> str:
        if self.remedy == "none":
            return f"ALARM {self.name}: {self.reason}"
        answer = f"-> {self.remedy}" if self.acted else f"(no {self.remedy}: {self.why_not})"
        return f"ALARM {self.name}: {self.reason} {answer}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent since the start of a run: in all, and of that on evaluation.

    Evaluation is what every agent does alike and none learns from: greedy responses and samples at
    one temperature on validation problems. The rest is training: sampling for it, the updates, and
    the further temperatures that a controller asks for. Agents are compared at equal training cost.

    Attributes:
        responses: sampled.
        tokens: generated.
        flops: estimated, 2 per weight and token forwards and 6 in training (Kaplan et al. 2020).
        seconds: of wall time.
        measured_responses: those of evaluation, as are the next three.
        measured_tokens: generated.
        measured_flops: estimated.
        measured_seconds: of the time for evaluation and further temperatures, a share by tokens.
        judge_calls: of judges behind an address, as are the next three.
        judge_prompt_tokens: that they read, images included, as the endpoint reports them.
        judge_reply_tokens: that they wrote, likewise.
        judge_price: of these tokens, in the currency of ``judge_prices``; 0 without prices.
    """

    responses: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    measured_responses: int = 0
    measured_tokens: int = 0
    measured_flops: float = 0.0
    measured_seconds: float = 0.0
    judge_calls: int = 0
    judge_prompt_tokens: int = 0
    judge_reply_tokens: int = 0
    judge_price: float = 0.0

    @property
    def training_tokens(self) -> int:
        """Tokens generated for training; what ``token_budget`` limits."""
        return self.tokens - self.measured_tokens


@dataclass(frozen=True)
class Round:
    """One round of a run; round 0 evaluates the policy as it came.

    Attributes:
        number: 0, 1, 2, ...
        plan: how it sampled; None where it sampled nothing.
        rollouts: sampled for training.
        selection: which of them were learned from.
        finetuned: what fine-tuning did; None where nothing was kept.
        metrics: of the policy after it, on validation problems.
        cost: spent since the start of the run.
        state: all that ``Agent.restore`` needs beside the checkpoint, as JSON values.
        seconds: of each stage.
        alarms: signs that the run goes wrong.
        back_to: the round whose policy replaces this one's; None if it is kept.
        note: what the next round will draw, in one line; "" if there is nothing to say.
    """

    number: int
    plan: SamplingPlan | None
    rollouts: Sequence[Rollout]
    selection: Selection | None
    finetuned: FinetuneResult | None
    metrics: Metrics
    cost: Cost
    state: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    back_to: int | None = None
    note: str = ""
