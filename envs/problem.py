"""The words of the environment floor: Step and Problem."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mstar.rewards.base import Answer, Attempt, Picture

StepKind = Literal["perceive", "compute", "conclude"]
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an exact solution.

    Attributes:
        text: the step as it is written, one line. Arithmetic is written ``12 - 7 = 5``.
        kind: read from the picture, worked out from earlier steps, or the closing statement.
        value: what the step establishes, as it stands in the text.
        refs: names of the objects in the picture that it speaks of.
        box: (left, top, right, bottom) of what it reads, in [0, 1] of the picture.
    """

    text: str
    kind: StepKind
    value: str
    refs: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A question about one or more pictures, with its answer.

    Attributes:
        id: says where it came from and finds it again, such as ``BarChart-v0/train/L1/7/42``.
        pictures: one or more.
        question: the question alone; instructions are added by the environment.
        answer: the gold, or None where the problem is unlabelled.
        steps: an exact solution, or () where none is known. The answer line is not among them.
        latent: what determines picture, question and answer, as JSON values; {} if unknown.
        template: which kind of question of the family this is.
        distractors: wrong answers that a careless reader would give.
        twin: the same question about another picture, with another answer.
        tags: what the reports group by: family, level, wording, phrasing.
        instruction: follows the question in the prompt; None is the environment's own.
        kind: how answers are read where none is given: type, options and unit; its value is "".
        withheld: the same problem with its label, which nothing but measurement may look at.
    """

    id: str
    pictures: tuple[Picture, ...]
    question: str
    answer: Answer | None
    steps: tuple[Step, ...] = ()
    latent: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""
    distractors: tuple[str, ...] = ()
    twin: Problem | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    instruction: str | None = None
    kind: Answer | None = None
    withheld: Problem | None = None

    @property
    def solution(self) -> str:
        """The steps, one a line, and the answer line; needs an answer."""
        if self.answer is None:
            raise ValueError(f"problem {self.id} is unlabelled, so it has no solution to show")
        return "\n".join([*(step.text for step in self.steps), f"Answer: {self.answer.value}"])

    def attempt(self, response: str, **measured: Any) -> Attempt:
        """What the reward models see of this problem and one response to it.

        Args:
            response: the whole text of the response.
            **measured: ``certainty`` and ``logprob``, where the sampler kept them.
        """
        return Attempt(
            question=self.question,
            response=response,
            answer=self.answer,
            pictures=self.pictures,
            group=self.id,
            facts=tuple(step.value for step in self.steps if step.kind == "perceive"),
            twin=self.twin.answer if self.twin else None,
            twin_pictures=self.twin.pictures if self.twin else (),
            kind=self.kind,
            **measured,
        )


def decisive_numbers(problem: Problem) -> Sequence[str]:
    """Numbers of the question that a right reading would also give; the guard wants none."""
    asked = set(re.findall(r"\d+(?:\.\d+)?", problem.question))
    read = {step.value for step in problem.steps if step.kind == "perceive"}
    return sorted(asked & read)
