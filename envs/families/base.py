"""The base of all procedural families: it assembles problems from what a family defines."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Generic, Literal, TypeVar, final

import numpy as np

from mstar.envs.families.parts.drawing import COLORS, Color
from mstar.envs.families.solution import Solution
from mstar.envs.problem import Problem, Split
from mstar.rewards.base import LazyImage

ROOT_SEED = 20260101  # part of the seed of every problem of every family
LEVELS = (1, 2, 3)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Latent = dict[str, Any]  # a latent state; JSON values only
Value = TypeVar("Value")


class Difficulty(Generic[Value]):
    """A difficulty parameter: a class attribute with one value for each of the three levels.

    >>> class Example:
    ...     bars = Difficulty("perception", 3, 4, 6)
    ...     level = 2
    >>> Example().bars
    4

    Args:
        axis: what a higher level makes harder: perceiving, reasoning, or ignoring distractors.
        easy: the value at level 1.
        middle: the value at level 2.
        hard: the value at level 3.
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


Knob = Difficulty  # the former name, kept for one version


@dataclass(frozen=True, slots=True)
class Style:
    """The appearance of an image and the wording of its question; it never affects the answer.

    Attributes:
        background: a light colour.
        tint: added to each channel of every named colour; small enough that names stay true.
        shift: (x, y) in [-1, 1]; a family may move its layout a little by it.
        scale: in [0.9, 1.1]; a family may stretch its layout a little by it.
        grid: whether to draw helper lines, where the family has any.
        wording: selects one of the wordings of the question, modulo their number.
    """

    background: Color = (255, 255, 255)
    tint: tuple[int, int, int] = (0, 0, 0)
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    grid: bool = True
    wording: int = 0

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Style:
        """A random style."""
        shade = int(rng.integers(238, 256))
        tint = rng.integers(-12, 13, size=3)
        shift = rng.uniform(-1, 1, size=2)
        return cls(
            background=(shade, shade, shade),
            tint=(int(tint[0]), int(tint[1]), int(tint[2])),
            shift=(float(shift[0]), float(shift[1])),
            scale=float(rng.uniform(0.9, 1.1)),
            grid=bool(rng.random() < 0.5),
            wording=int(rng.integers(0, 60)),  # 60 is divisible by 1 to 6 wordings
        )

    def color(self, name: str) -> Color:
        """A named colour with this style's tint."""
        return _tinted(name, self.tint)


@lru_cache(maxsize=64)  # a drawing asks for the same few colours mark by mark
def _tinted(name: str, tint: tuple[int, int, int]) -> Color:
    r, g, b = (min(255, max(0, c + t)) for c, t in zip(COLORS[name], tint, strict=True))
    return (r, g, b)


class Family(ABC):
    """One kind of problem; a family is one file with one subclass.

    A family defines four methods: ``latent`` samples a latent state, ``vary`` another one for the
    same question, ``solve`` solves a latent state exactly, and ``draw`` renders it. The base words
    the question from ``wordings`` and assembles the ``Problem``, its counterfactual and its id.
    ``latent`` and ``vary`` take all randomness from the generator they are given; ``solve`` and
    ``draw`` are deterministic. ``bar_chart.py`` is a good file to copy.

    Args:
        level: difficulty from 1 to 3; each ``Difficulty`` of the class takes its value from it.

    Raises:
        ValueError: a level that is not 1, 2 or 3.
    """

    name: ClassVar[str]  # in CamelCase; the environment is mstar/{name}-v{version}
    version: ClassVar[int] = 0  # raise it when the problems of a seed change, or their words
    reworded: ClassVar[int] = 0  # how many versions changed words alone: they draw the same
    size: ClassVar[int | None] = None  # the number of problems: unlimited
    topic: ClassVar[str]
    wordings: ClassVar[Mapping[str, tuple[str, ...]]]  # by template; str.format fields

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            raise TypeError(
                f"{cls.__qualname__} defines build, but Family now assembles the Problem itself: "
                "define solve(latent, style) -> Solution(answer, steps, distractors) and "
                "draw(latent, style) -> Drawing instead; fields(latent) where the question has "
                'placeholders other than the values of latent["ask"]; see docs/plug-ins.md'
            )

    def __init__(self, level: int = 1) -> None:
        if level not in LEVELS:
            raise ValueError(f"level must be one of {LEVELS}, got {level!r}")
        self.level = level

    @abstractmethod
    def latent(self, rng: np.random.Generator) -> Latent:
        """Sample a latent state: everything that determines image, question and answer.

        It holds JSON values only. Its "ask" holds the "template" of the question, a key of
        ``wordings``, and usually the values of the question's placeholders.
        """

    @abstractmethod
    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Sample a latent state with the same question and another image."""

    @abstractmethod
    def solve(self, latent: Latent, style: Style) -> Solution:
        """Solve a latent state exactly.

        The style decides nothing but where things are in the image, and so the boxes of the steps.
        """

    @abstractmethod
    def draw(self, latent: Latent, style: Style) -> LazyImage | tuple[LazyImage, ...]:
        """Draw the image of a latent state, or several images."""

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of the question's placeholders: by default those of "ask"."""
        ask: Mapping[str, object] = latent["ask"]
        return ask

    def question(self, latent: Latent, wording: int = 0) -> str:
        """The question of a latent state in one of its wordings, modulo their number."""
        wordings = self.wordings[latent["ask"]["template"]]
        return wordings[wording % len(wordings)].format(**self.fields(latent))

    @final
    def build(self, latent: Latent, style: Style) -> Problem:
        """Assemble the problem of a latent state in a style, without id and counterfactual."""
        return self._draw(latent, style, self.solve(latent, style))

    def _draw(self, latent: Latent, style: Style, solution: Solution) -> Problem:
        drawn = self.draw(latent, style)
        return Problem(
            id="",
            images=drawn if isinstance(drawn, tuple) else (drawn,),
            question=self.question(latent, style.wording),
            answer=solution.answer,
            steps=solution.steps,
            latent=latent,
            template=latent["ask"]["template"],
            distractors=solution.distractors,
        )

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed in a split: the same on every machine.

        A hash of the latent state decides its split, so that no two splits share a problem,
        whatever the seeds.

        Raises:
            ValueError: an unknown split, or none of 10,000 latent states was of that split.
        """
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        entropy = [
            ROOT_SEED,
            _hash(f"{self.name}/{self.level}"),
            self.version - self.reworded,
            SPLITS.index(split),
            seed,
            index,
        ]
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        for _ in range(10_000):
            latent = self.latent(rng)
            if split_of(self.name, latent) == split:
                break
        else:
            raise ValueError(f"{self.name} at level {self.level} has no problem in {split!r}")
        style = Style.sample(rng)
        problem = self.build(latent, style)
        return replace(
            problem,
            id=f"{self.name}-v{self.version}/{split}/L{self.level}/{seed}/{index}",
            counterfactual=self._counterfactual(problem, style, rng),
            tags={
                "family": self.name,
                "level": str(self.level),
                "wording": str(style.wording % len(self.wordings[problem.template])),
            },
        )

    def _counterfactual(
        self, problem: Problem, style: Style, rng: np.random.Generator
    ) -> Problem | None:
        """The same question about another image with another answer; None if 8 tries find none."""
        for _ in range(8):
            latent = self.vary(dict(problem.latent), rng)
            question, solution = self.question(latent, style.wording), self.solve(latent, style)
            if question == problem.question and solution.answer != problem.answer:
                return self._draw(latent, style, solution)
        return None


def split_of(name: str, latent: Latent) -> Split:
    """The split of a latent state: 80 % train, 10 % validation, 10 % test, by its hash.

    >>> split_of("BarChart", {"values": [1, 2]}) in SPLITS
    True
    """
    bucket = _hash(name + json.dumps(latent, sort_keys=True)) % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"


def _hash(text: str) -> int:
    """The first 64 bits of the SHA-256 of a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
