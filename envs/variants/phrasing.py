"""The same problem phrased differently: wording, instruction, option layout, order, language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from mstar.envs.problem import Problem
from mstar.envs.variants.instructions import INSTRUCTIONS, STYLES, InstructionStyle, instruction
from mstar.envs.variants.multiple_choice import family_of, problem_rng
from mstar.envs.variants.option_layout import (
    OPTION_LAYOUTS,
    OptionLayout,
    join_question,
    layout_for,
    split_question,
)
from mstar.envs.variants.unlabelled import withhold
from mstar.rewards.base import Answer
from mstar.rewards.verifier.choice import read_choice

Axis = Literal["wording", "instruction", "letters", "order", "language"]
AXES: tuple[Axis, ...] = get_args(Axis)
WORDINGS = 6  # drawn from these many; a template with fewer takes the number modulo its own
ORDERS = 24  # orders of options that are drawn from
# Options with such words refer to one another ("both of the above"), so they must not move.
REFERENCE = re.compile(r"\b(?:above|below|both|neither|none|all of|options?|choices?)\b", re.I)


@dataclass(frozen=True, slots=True)
class Phrasing:
    """How a problem is asked; the defaults leave it as it was drawn. All are JSON values.

    Attributes:
        wording: index of the wording in its template, modulo the number of wordings; None keeps
            the wording.
        instruction: a style of ``INSTRUCTIONS``; None uses the environment's instruction.
        letters: the layout of the options; None keeps it.
        order: 0 keeps the order of the options; every other number is another order.
        language: of the instruction; one other than English implies the style ``steps`` if none is
            given.

    Raises:
        ValueError: an unknown style, language or layout, or a negative number.
    """

    wording: int | None = None
    instruction: InstructionStyle | None = None
    letters: OptionLayout | None = None
    order: int = 0
    language: str = "en"

    def __post_init__(self) -> None:
        instruction(self.instruction or "steps", self.language)
        if self.letters not in (None, *OPTION_LAYOUTS):
            known = ", ".join(OPTION_LAYOUTS)
            raise ValueError(f"no option layout {self.letters!r}; known layouts: {known}")
        if self.order < 0 or (self.wording or 0) < 0:
            raise ValueError(f"{self}: wording and order must be 0 or more")

    @property
    def text(self) -> str | None:
        """The instruction as text; None if it is the environment's."""
        if self.instruction is None and self.language == "en":
            return None
        return instruction(self.instruction or "steps", self.language)

    @property
    def label(self) -> str:
        """What differs from the problem as drawn, such as ``wording=1 letters=A.``, or "".

        >>> Phrasing(wording=1, letters="A.").label
        'wording=1 letters=A.'
        """
        default = Phrasing()
        pairs = [(axis, getattr(self, axis), getattr(default, axis)) for axis in AXES]
        return " ".join(f"{axis}={value}" for axis, value, usual in pairs if value != usual)

    @classmethod
    def read(cls, label: str) -> Phrasing:
        """The phrasing with this label.

        Raises:
            ValueError: not a label of a phrasing.

        >>> Phrasing.read("wording=1 order=3")
        Phrasing(wording=1, instruction=None, letters=None, order=3, language='en')
        """
        parts: dict[str, str] = dict(part.split("=", 1) for part in label.split())
        if unknown := set(parts) - set(AXES):
            raise ValueError(f"{label!r} is not a phrasing: {sorted(unknown)} not among {AXES}")
        return cls(
            wording=int(parts["wording"]) if "wording" in parts else None,
            instruction=parts.get("instruction"),  # type: ignore[arg-type]  # __post_init__ checks
            letters=parts.get("letters"),  # type: ignore[arg-type]
            order=int(parts.get("order", 0)),
            language=parts.get("language", "en"),
        )


def phrase(problem: Problem, phrasing: Phrasing) -> Problem:
    """The same problem, with the same id and reference answer, phrased differently.

    Only what fits the problem is applied, and ``tags["phrasing"]`` records what was. A problem of a
    data set has one wording, and an open question has no options. Options keep their order if they
    refer to one another ("both of the above"), if they are letters that the image may show, or if
    they appear in the question in an unknown layout. Where the text of the question changes, images
    stand in front of it, and the text calls them by their numbers.

    Args:
        problem: as it was drawn.
        phrasing: how to ask it.
    """
    if problem.withheld is not None:
        return withhold(phrase(problem.withheld, phrasing))
    question, wording = _reworded(problem, phrasing.wording)
    form = problem.answer or problem.answer_spec
    choices = (form.choices if form else None) or ()
    layout = split_question(problem.question, choices).layout
    new_layout, order, ordered = None, 0, tuple(choices)
    if layout is not None:
        are_letters = layout_for(choices) == "-"
        movable = not any(map(REFERENCE.search, choices)) and (not are_letters or layout == "-")
        new_layout = None if are_letters else phrasing.letters
        order = phrasing.order if movable else 0
        if order:
            places = problem_rng(problem.id, order).permutation(len(choices))
            ordered = tuple(choices[i] for i in places)
        parts = split_question(question, choices)
        question = join_question(parts, ordered, new_layout or layout)
    applied = replace(phrasing, wording=wording, letters=new_layout, order=order)
    other = problem.counterfactual
    if other is not None and other.question == problem.question:
        other = replace(other, question=question, answer=_reordered(other.answer, choices, ordered))
    return replace(
        problem,
        question=question,
        image_places=problem.image_places if question == problem.question else (),
        answer=_reordered(problem.answer, choices, ordered),
        answer_spec=_reordered(problem.answer_spec, choices, ordered),
        instruction=applied.text,
        counterfactual=other,
        tags={
            **problem.tags,
            **({} if wording is None else {"wording": str(wording)}),
            "phrasing": applied.label,
        },
    )


def draw_phrasing(rng: np.random.Generator, axes: Sequence[Axis]) -> Phrasing:
    """A random phrasing that differs from the default along `axes` only."""
    drawn = Phrasing(
        wording=int(rng.integers(WORDINGS)),
        instruction=STYLES[rng.integers(len(STYLES))],
        letters=OPTION_LAYOUTS[rng.integers(len(OPTION_LAYOUTS))],
        order=int(rng.integers(ORDERS)),
        language=list(INSTRUCTIONS)[rng.integers(len(INSTRUCTIONS))],
    )
    return Phrasing(**{axis: getattr(drawn, axis) for axis in axes})


def phrase_all(problems: Sequence[Problem], axes: Sequence[Axis], seed: int) -> list[Problem]:
    """Each problem in a random phrasing that its id and the seed determine.

    Args:
        problems: as they were drawn.
        axes: what may vary; without any, the problems are returned unchanged.
        seed: of the round, so that a problem that returns later is phrased differently.
    """
    if not axes:
        return list(problems)
    return [phrase(p, draw_phrasing(problem_rng(p.id, seed), axes)) for p in problems]


def distinct_phrasings(count: int, axes: Sequence[Axis], seed: int = 0) -> list[Phrasing]:
    """`count` distinct phrasings, to ask every problem in each; the first is the default.

    Raises:
        ValueError: `count` is below 1, or the axes have fewer combinations.
    """
    rng = np.random.default_rng([seed, count])
    phrasings = dict.fromkeys([Phrasing()])
    for _ in range(50 * count):
        if len(phrasings) >= count:
            break
        phrasings.setdefault(draw_phrasing(rng, axes))
    if count < 1 or len(phrasings) != count:
        raise ValueError(
            f"the axes {list(axes)} do not give {count} phrasings; ask for fewer, at least 1, or "
            "vary more axes"
        )
    return list(phrasings)


def _reworded(problem: Problem, wording: int | None) -> tuple[str, int | None]:
    """The question in a wording, and that wording's index; None if there is only one wording."""
    family = family_of(problem) if wording is not None else None
    if family is None or wording is None:
        return problem.question, None
    wording %= len(family.wordings[problem.template])
    return family.question(dict(problem.latent), wording), wording


def _reordered(
    answer: Answer | None, before: Sequence[str], after: tuple[str, ...]
) -> Answer | None:
    """The answer with its options in a new order; a letter becomes the option's text."""
    if answer is None or not answer.choices or tuple(before) == after:
        return answer
    value = answer.value
    if value and value not in before:
        place = read_choice(value, answer)
        value = value if place is None else before[place]
    return replace(answer, value=value, choices=after)
