"""The words of the reward floor: Answer, Attempt, RewardModel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # Pillow is not needed to score text
    from PIL.Image import Image

AnswerType = Literal[
    "number",
    "count",
    "fraction",
    "percent",
    "choice",
    "yes_no",
    "time",
    "duration",
    "date",
    "year",
    "chart_number",
    "list",
    "set",
    "tuple",
    "interval",
    "equation",
    "expression",
    "text",
]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)

Scores = NDArray[np.float32]  # (N,) in [0, 1]; NaN where the model abstains


class Picture(Protocol):
    """Something to look at, drawn or opened only when asked, so that an attempt stays small."""

    def render(self, size: int | None = None) -> Image:
        """An RGB picture; drawings are made `size` pixels square, stored pictures keep theirs."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The gold answer of a problem and how it is compared.

    Attributes:
        type: how both sides are read and compared.
        value: the gold, as text; for ``choice`` the option's text or its letter.
        choices: the options in their order, for ``choice``.
        unit: the unit that the value is given in, such as ``"cm"``, ``"$"`` or ``"%"``.
        tolerance: relative tolerance for numbers, such as 0.05; None compares exactly, up to the
            rounding that the gold itself shows.
    """

    type: AnswerType
    value: str
    choices: tuple[str, ...] | None = None
    unit: str | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.type not in ANSWER_TYPES:
            raise ValueError(
                f"answer type {self.type!r} is not known; use one of: {', '.join(ANSWER_TYPES)}"
            )


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that a reward model may look at: one response to one problem.

    Attributes:
        question: the problem's question, without the instruction.
        response: the whole text that the policy wrote.
        answer: the gold; None for an unlabelled problem.
        pictures: the problem's pictures.
        group: id of the problem; attempts with one group answer the same problem.
        facts: what a right reading of the picture states, where the problem is generated.
        twin: gold of the swapped twin: same question, another picture; None where there is none.
        twin_pictures: the twin's pictures.
        certainty: mean over tokens of KL(uniform || policy) in nats, where the sampler kept it.
        logprob: sum of the response's token log-probabilities, where the sampler kept it.
        kind: how answers are read where there is no gold: type, options and unit; its value is "".
    """

    question: str
    response: str
    answer: Answer | None = None
    pictures: tuple[Picture, ...] = ()
    group: str = ""
    facts: tuple[str, ...] = ()
    twin: Answer | None = None
    twin_pictures: tuple[Picture, ...] = ()
    certainty: float | None = None
    logprob: float | None = None
    kind: Answer | None = None


class RewardModel(Protocol):
    """Says what an attempt is worth.

    ``score`` returns (N,) float32 in [0, 1], one per attempt in their order, and NaN where it
    abstains: no label, no group, a judge that failed. An abstention is never a 0.
    """

    @property
    def name(self) -> str:
        """The column's name in a score table: short, lower case, unique in a panel."""
        ...

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Score N attempts; (N,) float32 in [0, 1] or NaN."""
        ...
