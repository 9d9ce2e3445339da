"""A family of problems: latent state in, picture, question, answer and exact steps out."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from mstar.envs.families.parts.drawing import COLORS, Color
from mstar.envs.problem import Problem, Split

ROOT = 20260101  # every problem of every family descends from this number
LEVELS = (1, 2, 3)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Latent = dict[str, Any]  # JSON values only
Value = TypeVar("Value")


class Knob(Generic[Value]):
    """A named difficulty that takes one value at each of the three levels.

    >>> class Example:
    ...     bars = Knob("perception", 3, 4, 6)
    ...     level = 2
    >>> Example().bars
    4
    """

    def __init__(
        self,
        axis: Literal["perception", "reasoning", "distractor"],
        easy: Value,
        middle: Value,
        hard: Value,
    ) -> None:
        self.axis = axis
        self.values = (easy, middle, hard)

    def __get__(self, family: Any, owner: type | None = None) -> Value:
        return self.values[(family.level if family is not None else 1) - 1]


@dataclass(frozen=True, slots=True)
class Style:
    """What a picture looks like and how its question is worded, apart from what it says.

    Attributes:
        background: a light colour.
        tint: added to each channel of each named colour; small, so that names stay true.
        shift: (x, y) in [-1, 1] that a family may use to move its layout a little.
        scale: in [0.9, 1.1], for a family to stretch its layout a little.
        grid: whether to draw helper lines, where the family has any.
        wording: picks one of the wordings of the question.
    """

    background: Color = (255, 255, 255)
    tint: tuple[int, int, int] = (0, 0, 0)
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    grid: bool = True
    wording: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Style:
        """A style by chance."""
        shade = int(rng.integers(238, 256))
        tint = rng.integers(-12, 13, size=3)
        shift = rng.uniform(-1, 1, size=2)
        return cls(
            background=(shade, shade, shade),
            tint=(int(tint[0]), int(tint[1]), int(tint[2])),
            shift=(float(shift[0]), float(shift[1])),
            scale=float(rng.uniform(0.9, 1.1)),
            grid=bool(rng.random() < 0.5),
            wording=int(rng.integers(0, 60)),  # 60 divides evenly by 1 to 6 wordings
        )

    def color(self, name: str) -> Color:
        """A named colour under this style's tint."""
        r, g, b = (min(255, max(0, c + t)) for c, t in zip(COLORS[name], self.tint, strict=True))
        return (r, g, b)


class Family(ABC):
    """One kind of problem. A family is one file with one subclass.

    ``latent`` draws what decides the answer, ``build`` turns it into a problem, ``vary`` changes
    it so that the same question gets another answer. All chance comes from the generator handed
    in; style is separate from the latent. See ``bar_chart.py`` for one to copy.

    Args:
        level: difficulty from 1 to 3; each ``Knob`` of the class takes its value from it.
    """

    name: ClassVar[str]  # in CamelCase; the environment is mstar/{name}-v{version}
    version: ClassVar[int] = 0  # rises when the problems that a seed draws change
    size: ClassVar[int | None] = None  # a family has no end of problems
    topic: ClassVar[str]
    wordings: ClassVar[Mapping[str, tuple[str, ...]]]  # by template; str.format fields

    def __init__(self, level: int = 1) -> None:
        if level not in LEVELS:
            raise ValueError(f"level must be one of {LEVELS}, got {level!r}")
        self.level = level

    @abstractmethod
    def latent(self, rng: np.random.Generator) -> Latent:
        """What decides picture, question and answer: JSON values, always with "ask"."""

    @abstractmethod
    def build(self, latent: Latent, style: Style) -> Problem:
        """The problem of a latent in a style; the id and the twin are added by ``draw``."""

    @abstractmethod
    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """A latent with the same question and another picture, for the twin."""

    def word(self, template: str, style: Style, **fields: object) -> str:
        """The question of a template in this style's wording."""
        wordings = self.wordings[template]
        return wordings[style.wording % len(wordings)].format(**fields)

    def reword(self, latent: Latent, wording: int) -> str:
        """The question of a latent in another wording; no picture is rendered for it."""
        return self.build(latent, Style(wording=wording)).question

    def draw(self, rng: np.random.Generator) -> Problem:
        """Draw one problem with its twin; all chance comes from `rng`."""
        latent, style = self.latent(rng), Style.draw(rng)
        return self._with_twin(self.build(latent, style), latent, style, rng)

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed in a split: the same on every machine.

        The latent decides the split by its hash, so train and test share no problem whatever the
        seeds.

        Raises:
            ValueError: an unknown split, or 10,000 draws gave no latent of that split.
        """
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        family = _number(f"{self.name}/{self.level}")
        rng = np.random.Generator(
            np.random.PCG64(
                np.random.SeedSequence(
                    [ROOT, family, self.version, SPLITS.index(split), seed, index]
                )
            )
        )
        for _ in range(10_000):
            latent = self.latent(rng)
            if split_of(self.name, latent) == split:
                break
        else:
            raise ValueError(f"{self.name} at level {self.level} has no problem in {split!r}")
        style = Style.draw(rng)
        problem = self._with_twin(self.build(latent, style), latent, style, rng)
        return replace(
            problem,
            id=f"{self.name}-v{self.version}/{split}/L{self.level}/{seed}/{index}",
            tags={
                "family": self.name,
                "level": str(self.level),
                "wording": str(style.wording % len(self.wordings[problem.template])),
            },
        )

    def _with_twin(
        self, problem: Problem, latent: Latent, style: Style, rng: np.random.Generator
    ) -> Problem:
        for _ in range(8):
            twin = self.build(self.vary(latent, rng), style)
            if twin.question == problem.question and twin.answer != problem.answer:
                return replace(problem, twin=twin)
        return problem


def split_of(name: str, latent: Latent) -> Split:
    """The split that a latent belongs to: 80 % train, 10 % validation, 10 % test, by its hash.

    >>> split_of("BarChart", {"values": [1, 2]}) in SPLITS
    True
    """
    share = _number(name + json.dumps(latent, sort_keys=True)) % 10
    return "train" if share < 8 else "validation" if share == 8 else "test"


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
