"""Questions about what is in an image, with answers that can be read off it.

They are made from the train split of the families: descriptions, values and positions, from the
reading steps of exact solutions; and from words, numbers and tables that are drawn. No worked
solution, and no answer to a problem that asks for more than reading, is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mstar.envs.families.base import Latent
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Split, Step
from mstar.experiments.pretrain.corpus import DESCRIBE

KINDS = ("describe", "value", "position", "words", "table")
# Those whose reading steps name what they are about, so that each has one answer.
READ = (
    *("BarChart", "PieChart", "Histogram", "Pictograph", "Counting", "Dice", "Shapes"),
    *("FunctionGraph", "Clock", "Calendar", "Ruler", "Table", "Coins", "Venn", "IconArithmetic"),
)
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "center", "right")
WORDS = (
    *("apple", "bird", "book", "boat", "chair", "cloud", "cup", "door", "fish", "fox", "hat"),
    *("house", "key", "lamp", "leaf", "moon", "north", "river", "road", "sand", "ship", "star"),
    *("stone", "sun", "table", "tree", "watch", "wind", "window", "year"),
)
PAPER, INK = "white", "black"


@dataclass(frozen=True, slots=True)
class Perception:
    """A question about an image.

    Attributes:
        kind: one of ``KINDS``.
        question: what is asked.
        answer: what is in the image.
        image: RGB.
    """

    kind: str
    question: str
    answer: str
    image: Image.Image


def draw_perception(
    families: Sequence[str], split: Split, seed: int, index: int, size: int
) -> Perception:
    """Question number `index` of a seed and a split; the kinds take turns.

    Args:
        families: names, out of which problems are drawn.
        split: of the problems; the questions of two splits share no problem.
        seed: of everything.
        index: 0 or more.
        size: side of the image in pixels.
    """
    kind = KINDS[index % len(KINDS)]
    rng = np.random.default_rng([seed, index, len(split)])
    if kind == "words":
        return _words(rng, size)
    if kind == "table":
        return _table(rng, size)
    for attempt in range(100):  # a problem may have no reading step of the kind
        name = families[int(rng.integers(len(families)))]
        level = 1 + int(rng.integers(2))
        problem = FAMILIES[name](level).problem(split, seed, 100 * index + attempt)
        image = problem.images[0].render(size)
        if (asked := ABOUT[kind](problem, rng)) is not None:
            return Perception(kind, *asked, image)
    raise ValueError(f"none of the families {families} has a reading step for {kind!r}")


def _describe(problem: Problem, rng: np.random.Generator) -> tuple[str, str] | None:
    """The whole image where a family says how; otherwise what its question needs of it."""
    name = problem.tags["family"]
    if name in DESCRIBE:
        latent: Latent = dict(problem.latent)
        return "Describe the picture.", DESCRIBE[name](latent)
    read = "\n".join(step.text for step in problem.steps if step.kind == "perceive")
    return (f"What in the picture is needed to answer: {problem.question}", read) if read else None


def _value(problem: Problem, rng: np.random.Generator) -> tuple[str, str] | None:
    steps = [step for step in _readings(problem) if step.text.endswith(step.value)]
    if not steps:
        return None
    step = steps[int(rng.integers(len(steps)))]
    known = step.text.removesuffix(step.value).rstrip()
    return f"Look at {_names(step)} and complete: {known} ...", step.value


def _position(problem: Problem, rng: np.random.Generator) -> tuple[str, str] | None:
    steps = [step for step in _readings(problem) if step.box is not None]
    if not steps:
        return None
    step = steps[int(rng.integers(len(steps)))]
    assert step.box is not None
    left, top, right, bottom = step.box
    row, column = (min(2, int(3 * (a + b) / 2)) for a, b in ((top, bottom), (left, right)))
    return f"In which part of the picture is {_names(step)}?", f"{ROWS[row]} {COLUMNS[column]}"


ABOUT: dict[str, Callable[[Problem, np.random.Generator], tuple[str, str] | None]] = {
    "describe": _describe,
    "value": _value,
    "position": _position,
}


def _readings(problem: Problem) -> list[Step]:
    return [step for step in problem.steps if step.kind == "perceive" and step.refs]


def _names(step: Step) -> str:
    return " and ".join(dict.fromkeys(step.refs))


def _words(rng: np.random.Generator, size: int) -> Perception:
    """One to three words or numbers, each on a line of its own."""
    count = int(rng.integers(1, 4))
    texts = [
        str(rng.integers(1000)) if rng.random() < 0.5 else WORDS[int(rng.integers(len(WORDS)))]
        for _ in range(count)
    ]
    image = Image.new("RGB", (size, size), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size * float(rng.uniform(0.1, 0.16)))
    for line, text in enumerate(texts):
        left = rng.uniform(0.02, 0.4) * size
        pen.text((left, (line + rng.uniform(0.1, 0.4)) * size / count), text, fill=INK, font=font)
    return Perception("words", "Read the text in the picture.", "\n".join(texts), image)


def _table(rng: np.random.Generator, size: int) -> Perception:
    """A table of numbers, and what stands in one of its cells."""
    rows, columns = (int(rng.integers(2, 5)) for _ in range(2))
    cells = rng.integers(0, 100, (rows, columns))
    image = Image.new("RGB", (size, size), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(0.1 * size)
    width, height = 0.96 * size / columns, 0.96 * size / rows
    for row in range(rows):
        for column in range(columns):
            left, top = 0.02 * size + column * width, 0.02 * size + row * height
            pen.rectangle((left, top, left + width, top + height), outline=INK)
            center = (left + width / 2, top + height / 2)
            pen.text(center, str(cells[row, column]), fill=INK, font=font, anchor="mm")
    row, column = int(rng.integers(rows)), int(rng.integers(columns))
    question = f"What number is in row {row + 1}, column {column + 1} of the table?"
    return Perception("table", question, str(cells[row, column]), image)
