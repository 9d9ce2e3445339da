"""The same problem asked another way: wording, instruction, letters, order, language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from mstar.envs.problem import Problem
from mstar.envs.variants.instructions import INSTRUCTIONS, STYLES, InstructionStyle, instruction
from mstar.envs.variants.multiple_choice import chance, family_of, lettering_for
from mstar.envs.variants.option_layout import LETTERINGS, Lettering, put_together, take_apart
from mstar.envs.variants.unlabelled import withhold
from mstar.rewards.base import Answer

Axis = Literal["wording", "instruction", "letters", "order", "language"]
AXES: tuple[Axis, ...] = get_args(Axis)
WORDINGS, ORDERS = 6, 24  # drawn from; a template with fewer wordings begins again
REFERS = re.compile(r"\b(?:above|below|both|neither|none|all of|options?|choices?)\b", re.I)


@dataclass(frozen=True, slots=True)
class Phrasing:
    """How a problem is asked; what is left out stays as it was drawn. All are JSON values.

    Attributes:
        wording: which of the wordings of its template, from 0, modulo their number.
        instruction: a style of ``INSTRUCTIONS``; None is the environment's own.
        letters: how the options are marked.
        order: 0 leaves the options in their order; each other number is another order.
        language: of the instruction; another one than English needs no style to be named.
    """

    wording: int | None = None
    instruction: InstructionStyle | None = None
    letters: Lettering | None = None
    order: int = 0
    language: str = "en"

    def __post_init__(self) -> None:
        instruction(self.instruction or "steps", self.language)
        if self.letters not in (None, *LETTERINGS):
            raise ValueError(f"no letters {self.letters!r}; there are: {', '.join(LETTERINGS)}")
        if self.order < 0 or (self.wording or 0) < 0:
            raise ValueError(f"{self}: wording and order must be 0 or more")

    @property
    def text(self) -> str | None:
        """The instruction in words; None is the environment's own."""
        if self.instruction is None and self.language == "en":
            return None
        return instruction(self.instruction or "steps", self.language)

    @property
    def label(self) -> str:
        """What differs from the problem as drawn, such as ``wording=1 letters=A.``; "" if nothing.

        >>> Phrasing(wording=1, letters="A.").label
        'wording=1 letters=A.'
        """
        drawn = Phrasing()
        pairs = [(axis, getattr(self, axis), getattr(drawn, axis)) for axis in AXES]
        return " ".join(f"{axis}={value}" for axis, value, usual in pairs if value != usual)

    @classmethod
    def read(cls, label: str) -> Phrasing:
        """The phrasing of a label.

        >>> Phrasing.read("wording=1 order=3")
        Phrasing(wording=1, instruction=None, letters=None, order=3, language='en')
        """
        parts: dict[str, str] = dict(part.split("=", 1) for part in label.split())
        if unknown := set(parts) - set(AXES):
            raise ValueError(f"{label!r} is no phrasing: {sorted(unknown)} are not among {AXES}")
        return cls(
            wording=int(parts["wording"]) if "wording" in parts else None,
            instruction=parts.get("instruction"),  # type: ignore[arg-type]  # checked above
            letters=parts.get("letters"),  # type: ignore[arg-type]
            order=int(parts.get("order", 0)),
            language=parts.get("language", "en"),
        )


def phrase(problem: Problem, phrasing: Phrasing) -> Problem:
    """The same problem, by id and gold, asked another way.

    Only what fits is applied, and ``tags["phrasing"]`` says what was: a stored question has one
    wording, an open one has no options, and options stay where they are when they speak of one
    another ("both of the above"), are letters that the picture may show, or stand in the text in
    a form that is not known.

    Args:
        problem: as it was drawn.
        phrasing: how to ask.
    """
    if problem.withheld is not None:
        return withhold(phrase(problem.withheld, phrasing))
    question, wording = _worded(problem, phrasing.wording)
    kind = problem.answer or problem.kind
    choices = (kind.choices if kind else None) or ()
    lettering = take_apart(problem.question, choices).lettering
    letters, order, ordered = None, 0, tuple(choices)
    if lettering is not None:
        alike = lettering_for(choices) == "-"
        free = not any(map(REFERS.search, choices)) and (not alike or lettering == "-")
        letters = None if alike else phrasing.letters
        order = phrasing.order if free else 0
        if order:
            places = chance(problem.id, order).permutation(len(choices))
            ordered = tuple(choices[i] for i in places)
        stem = take_apart(question, choices)
        question = put_together(stem, ordered, letters or lettering)
    applied = replace(phrasing, wording=wording, letters=letters, order=order)
    twin = problem.twin
    if twin is not None and twin.question == problem.question:
        twin = replace(twin, question=question, answer=_ordered(twin.answer, choices, ordered))
    return replace(
        problem,
        question=question,
        answer=_ordered(problem.answer, choices, ordered),
        kind=_ordered(problem.kind, choices, ordered),
        instruction=applied.text,
        twin=twin,
        tags={
            **problem.tags,
            **({} if wording is None else {"wording": str(wording)}),
            "phrasing": applied.label,
        },
    )


def draw_phrasing(rng: np.random.Generator, axes: Sequence[Axis]) -> Phrasing:
    """A phrasing by chance that differs on these axes only."""
    drawn = Phrasing(
        wording=int(rng.integers(WORDINGS)),
        instruction=STYLES[rng.integers(len(STYLES))],
        letters=LETTERINGS[rng.integers(len(LETTERINGS))],
        order=int(rng.integers(ORDERS)),
        language=list(INSTRUCTIONS)[rng.integers(len(INSTRUCTIONS))],
    )
    return Phrasing(**{axis: getattr(drawn, axis) for axis in axes})


def phrased(problems: Sequence[Problem], axes: Sequence[Axis], seed: int) -> list[Problem]:
    """Each problem in a phrasing of its own, which its id and the seed decide; as is without axes.

    Args:
        problems: as they were drawn.
        axes: what may vary.
        seed: of the round, so that a problem that comes back is asked another way.
    """
    if not axes:
        return list(problems)
    return [phrase(p, draw_phrasing(chance(p.id, seed), axes)) for p in problems]


def variants(count: int, axes: Sequence[Axis], seed: int = 0) -> list[Phrasing]:
    """Distinct phrasings to ask every problem in; the first is as drawn.

    Raises:
        ValueError: the axes don't give so many, or none are asked for.
    """
    rng = np.random.default_rng([seed, count])
    found = dict.fromkeys([Phrasing()])
    for _ in range(50 * count):
        if len(found) >= count:
            break
        found.setdefault(draw_phrasing(rng, axes))
    if count < 1 or len(found) != count:
        raise ValueError(f"can't ask in {count} phrasings: the axes {list(axes)} don't give them")
    return list(found)


def _worded(problem: Problem, wording: int | None) -> tuple[str, int | None]:
    """The question in a wording and which one that is; None where there is only one."""
    family = family_of(problem) if wording is not None else None
    if family is None or wording is None:
        return problem.question, None
    wording %= len(family.wordings[problem.template])
    return family.reword(dict(problem.latent), wording), wording


def _ordered(answer: Answer | None, before: Sequence[str], after: tuple[str, ...]) -> Answer | None:
    """An answer whose options have moved; a gold that is a letter becomes the option's text."""
    if answer is None or not answer.choices or tuple(before) == after:
        return answer
    value = answer.value
    if value and value not in before:
        from mstar.rewards.verifier.choice import read_choice

        place = read_choice(value, answer)
        value = value if place is None else before[place]
    return replace(answer, value=value, choices=after)
