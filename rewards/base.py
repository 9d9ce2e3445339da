"""The types that all of rewards/ shares: Answer, Attempt, RewardModel, ScoreTable, Rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # Pillow is not needed to score text
    import PIL.Image

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


class LazyImage(Protocol):
    """An image that is drawn or opened only when it is rendered, so that attempts stay small."""

    def render(self, size: int | None = None) -> PIL.Image.Image:
        """An RGB image; drawings are rendered `size` pixels square, stored images keep theirs."""
        ...


Picture = LazyImage  # the old name, for one version


@dataclass(frozen=True, slots=True)
class Answer:
    """The reference answer of a problem and how answers are compared with it.

    Attributes:
        type: how both sides are read and compared.
        value: the reference answer as text; for ``choice`` the option's text or its letter.
        choices: the options in their order, for ``choice``.
        unit: the unit of the value, such as ``"cm"``, ``"$"`` or ``"%"``.
        tolerance: relative tolerance for numbers, such as 0.05; None compares exactly, up to the
            precision to which the reference answer is rounded.

    Raises:
        ValueError: the type is not one of ``ANSWER_TYPES``.
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
    """One response to one problem, with all that a reward model may use to score it.

    Attributes:
        question: the problem's question, without the instruction.
        response: the whole text that the policy generated.
        answer: the reference answer; None for an unlabelled problem.
        images: the problem's images.
        group: id of the problem; attempts of one group answer the same problem.
        facts: what a correct reading of the image contains, for generated problems.
        counterfactual: the reference answer of the counterfactual problem: the same question about
            another image; None where there is none.
        counterfactual_images: the images of the counterfactual problem.
        certainty: mean over tokens of KL(uniform || policy) in nats, if the sampler recorded it.
        logprob: sum of the response's token log-probabilities, if the sampler recorded it.
        answer_spec: how to read answers where there is no reference answer: type, choices and
            unit; its value is "".
        finished: whether the policy ended the response, and not the limit on its length; see
            ``RewardPanel`` for what an unfinished one earns.
    """

    question: str
    response: str
    answer: Answer | None = None
    images: tuple[LazyImage, ...] = ()
    group: str = ""
    facts: tuple[str, ...] = ()
    counterfactual: Answer | None = None
    counterfactual_images: tuple[LazyImage, ...] = ()
    certainty: float | None = None
    logprob: float | None = None
    answer_spec: Answer | None = None
    finished: bool = True

    @property
    def pictures(self) -> tuple[LazyImage, ...]:
        """The old name of ``images``, for one version."""
        return self.images

    @property
    def twin(self) -> Answer | None:
        """The old name of ``counterfactual``, for one version."""
        return self.counterfactual

    @property
    def kind(self) -> Answer | None:
        """The old name of ``answer_spec``, for one version."""
        return self.answer_spec


def rows_by_group(attempts: Sequence[Attempt]) -> list[NDArray[np.int64]]:
    """Row indices of each group, in order of first appearance, without rows that have no group.

    >>> a, b = (Attempt("How many?", "3", group=group) for group in "ab")
    >>> [rows.tolist() for rows in rows_by_group([a, b, a, Attempt("How many?", "3")])]
    [[0, 2], [1]]
    """
    rows: dict[str, list[int]] = {}
    for row, attempt in enumerate(attempts):
        if attempt.group:
            rows.setdefault(attempt.group, []).append(row)
    return [np.array(members, np.int64) for members in rows.values()]


class RewardModel(Protocol):
    """Scores attempts.

    ``score`` returns (N,) float32 in [0, 1], one score per attempt in their order, and NaN where
    the model abstains: no label, no group, a judge that failed. An abstention is never a 0.
    """

    @property
    def name(self) -> str:
        """The column's name in a score table: short, lower case, unique in a panel."""
        ...

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Score N attempts; (N,) float32 in [0, 1] or NaN."""
        ...


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores that a panel gives N attempts.

    Attributes:
        names: the K reward models, in the panel's order.
        scores: (N, K) float32 in [0, 1], NaN where a model abstained.
        groups: (N,) id of the problem that each attempt answers.
        reward: (N,) float32, the combined reward; NaN where every model that counts abstained.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    groups: tuple[str, ...]
    reward: Scores = field(default_factory=lambda: np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, name: str) -> Scores:
        """The (N,) column of one reward model.

        Raises:
            KeyError: the table has no such column; the message lists those it has.
        """
        if name not in self.names:
            raise KeyError(
                f"the score table has no column {name!r}, only {', '.join(self.names) or 'none'}: "
                "add that reward model to the panel, or name one of these columns"
            )
        return self.scores[:, self.names.index(name)]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(N, K) bool: False where a model abstained."""
        return ~np.isnan(self.scores)


Rule = Callable[[ScoreTable, Mapping[str, float]], Scores]
"""Combines a table's columns, with a weight by name, into one reward per attempt."""
