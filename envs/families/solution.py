"""The solution of a latent state: its answer, exact steps, and answers of a careless solver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mstar.envs.families.parts.boxes import Box
from mstar.envs.problem import Step
from mstar.rewards.base import Answer


@dataclass(frozen=True, slots=True)
class Solution:
    """What ``Family.solve`` returns. The last step establishes the answer.

    Attributes:
        answer: the reference answer.
        steps: an exact solution; the answer line is not among them.
        distractors: wrong answers that a careless solver would give.
    """

    answer: Answer
    steps: tuple[Step, ...]
    distractors: tuple[str, ...] = ()

    @classmethod
    def number(
        cls,
        steps: Sequence[Step],
        careless: Iterable[int] = (),
        type: Literal["number", "count"] = "number",
        unit: str | None = None,
    ) -> Solution:
        """A whole number, the value of the last step; see ``distractors`` for `careless`."""
        result = steps[-1].value
        answer = Answer(type, result, unit=unit)
        return cls(answer, tuple(steps), distractors(int(result), *careless))

    @classmethod
    def yes_no(cls, steps: Sequence[Step]) -> Solution:
        """Yes or no, the value of the last step; the other one is the distractor."""
        result = steps[-1].value
        return cls(Answer("yes_no", result), tuple(steps), ("no" if result == "yes" else "yes",))

    @classmethod
    def text(cls, steps: Sequence[Step], distractors: Iterable[str] = ()) -> Solution:
        """A name or a word, the value of the last step."""
        return cls(Answer("text", steps[-1].value), tuple(steps), tuple(distractors))


def perceive(text: str, value: object, refs: tuple[str, ...] = (), box: Box | None = None) -> Step:
    """A step that reads `value` from the image, within `box`."""
    return Step(text, "perceive", str(value), refs, box)


def compute(expression: str, value: int, refs: tuple[str, ...] = ()) -> Step:
    """A step of arithmetic.

    >>> compute("12 - 7", 5).text
    '12 - 7 = 5'
    """
    return Step(f"{expression} = {value}", "compute", str(value), refs)


def conclude(text: str, value: object, refs: tuple[str, ...] = ()) -> Step:
    """A closing step that states the answer without arithmetic."""
    return Step(text, "conclude", str(value), refs)


def add_ones(count: int, refs: tuple[str, ...] = ()) -> Step:
    """The arithmetic of counting.

    >>> add_ones(3).text
    '1 + 1 + 1 = 3'
    """
    return compute(" + ".join("1" * count), count, refs)


def distractors(right: int, *careless: int) -> tuple[str, ...]:
    """Up to five wrong answers: those of a careless solver first, then the nearest numbers.

    >>> distractors(7, 4, 7)
    ('4', '8', '6', '9', '5')
    """
    wrong = (*careless, right + 1, right - 1, right + 2, right - 2)
    return tuple(str(v) for v in dict.fromkeys(wrong) if v != right and v >= 0)[:5]
