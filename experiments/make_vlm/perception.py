"""Images with questions about what is in them, whose answers can be read off.

They are made from the train split of the families: descriptions, captions, values and positions,
from the reading steps of exact solutions; and from words, numbers and tables that are drawn. No
worked solution, and no answer to a problem that asks for more than reading, is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mstar.envs.families.base import LEVELS, Latent
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.families.counting import Counting
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import INK, Drawing
from mstar.envs.problem import Problem, Split, Step
from mstar.envs.shown import caption
from mstar.experiments.pretrain.corpus import DESCRIBE

KINDS = ("describe", "caption", "value", "position", "words", "table")
DRAWN = ("words", "table")  # those of drawn images, not of problems
DRAWN_SHARE = 0.1  # of the images, for each of these
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
WIDE = 0.95  # the box of a step that is as wide does not say where something is


@dataclass(frozen=True, slots=True)
class Question:
    """A question about an image.

    Attributes:
        kind: one of ``KINDS``.
        text: what is asked.
        answer: what is in the image.
    """

    kind: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An image, and what can be read off it.

    Attributes:
        family: of the problem; "" of a drawn text or table.
        level: of the problem, 1 or 2; 0 of a drawn text or table.
        image: RGB.
        questions: at least one, each of another kind, in random order.
        words: in the image, each with the box in [0, 1] of what it names.
    """

    family: str
    level: int
    image: Image.Image
    questions: tuple[Question, ...]
    words: tuple[tuple[str, Box], ...]


def draw_reading(
    families: Sequence[str], split: Split, seed: int, index: int, size: int, kind: str = ""
) -> Reading:
    """Image number `index` of a seed and a split, with all kinds of questions that it allows.

    Args:
        families: names, out of which problems are drawn.
        split: of the problems; the images of two splits share no problem.
        seed: of everything.
        index: 0 or more.
        size: side of the image in pixels.
        kind: of ``KINDS``, that the image shall allow; "" for any.

    Raises:
        ValueError: no problem of these families allows a question of the kind.
    """
    rng = np.random.default_rng([seed, index, len(split)])
    which = rng.random()
    if kind == "words" or (not kind and which < DRAWN_SHARE):
        return _drawn_words(rng, size)
    if kind == "table" or (not kind and which < 2 * DRAWN_SHARE):
        return _drawn_table(rng, size)
    for attempt in range(100):  # a problem may have no reading step of the kind
        name = families[int(rng.integers(len(families)))]
        level = 1 + int(rng.integers(2))
        problem = FAMILIES[name](level).problem(split, seed, 100 * index + attempt)
        asked = [
            Question(kind, *told)
            for kind, about in ABOUT.items()
            if (told := about(problem, rng)) is not None
        ]
        if asked and (not kind or kind in [question.kind for question in asked]):
            order = tuple(asked[int(i)] for i in rng.permutation(len(asked)))
            image = problem.images[0].render(size)
            return Reading(name, level, image, order, _words_of(problem))
    raise ValueError(f"none of the families {families} has a question of the kind {kind!r}")


def _rows_of_cells(latent: Latent) -> str:
    """The shapes of Counting, row by row; the embedded model was taught rows of four."""
    cells = latent["cells"]
    grids = {one.rows * one.columns: one.columns for one in map(Counting, LEVELS)}
    columns = grids[len(cells)]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return "\n".join(" ".join(cell or "none" for cell in row) for row in rows)


# Descriptions of whole images, some of them as the embedded model was taught them.
WHOLE: dict[str, Callable[[Latent], str]] = {
    **DESCRIBE,
    "Counting": _rows_of_cells,
    "Venn": lambda latent: "\n".join(
        f"{_part(part, latent)} {'?' if part and part == latent['hidden'] else number}"
        for part, number in latent["parts"].items()
    ),
    "Pictograph": lambda latent: "\n".join(
        [
            f"{latent['icon']} {latent['worth']}",
            *(f"{c} {n}" for c, n in zip(latent["colors"], latent["counts"], strict=True)),
        ]
    ),
    "IconArithmetic": lambda latent: "\n".join(" ".join(row) for row in latent["rows"]),
}


def _part(part: str, latent: Latent) -> str:
    colors = [latent["colors"]["abc".index(letter)] for letter in part]
    only = " only" if colors and len(colors) < len(latent["colors"]) else ""
    return (" and ".join(colors) or "outside") + only


def _describe(problem: Problem, rng: np.random.Generator) -> tuple[str, str] | None:
    """The whole image, where a family says how."""
    if (whole := WHOLE.get(problem.tags["family"])) is None:
        return None
    return "Describe the picture.", whole(dict(problem.latent))


def _caption(problem: Problem, rng: np.random.Generator) -> tuple[str, str] | None:
    """What ``--show caption`` puts in place of the image."""
    if not any(step.kind == "perceive" for step in problem.steps):
        return None
    return f"What in the picture is needed to answer: {problem.question}", caption(problem)


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
    "caption": _caption,
    "value": _value,
    "position": _position,
}


def _readings(problem: Problem) -> list[Step]:
    return [step for step in problem.steps if step.kind == "perceive" and step.refs]


def _names(step: Step) -> str:
    return " and ".join(dict.fromkeys(step.refs))


def _words_of(problem: Problem) -> tuple[tuple[str, Box], ...]:
    """What is drawn, in words, and what the reading steps find in a part of the image."""
    (image,) = problem.images
    drawn = _shown(image) if isinstance(image, Drawing) else ()
    found = [
        (word, step.box)
        for step in _readings(problem)
        if step.box is not None and step.box[2] - step.box[0] < WIDE
        for word in (*dict.fromkeys(step.refs), step.value)
    ]
    return (*drawn, *found)


def _shown(drawing: Drawing) -> tuple[tuple[str, Box], ...]:
    return tuple((word, (*low, *high)) for word, low, high in drawing.words())


def _drawn_words(rng: np.random.Generator, size: int) -> Reading:
    """One to three words or numbers, each on a line of its own."""
    count = int(rng.integers(1, 4))
    texts = [
        str(rng.integers(1000)) if rng.random() < 0.5 else WORDS[int(rng.integers(len(WORDS)))]
        for _ in range(count)
    ]
    drawing, height = Drawing(), float(rng.uniform(0.1, 0.16))
    for line, text in enumerate(texts):
        at = (float(rng.uniform(0.02, 0.4)), (line + float(rng.uniform(0.1, 0.4))) / count)
        drawing.text(at, text, height, anchor="la")
    asked = Question("words", "Read the text in the picture.", "\n".join(texts))
    return Reading("", 0, drawing.render(size), (asked,), _shown(drawing))


def _drawn_table(rng: np.random.Generator, size: int) -> Reading:
    """A table of numbers, and what stands in one of its cells."""
    rows, columns = (int(rng.integers(2, 5)) for _ in range(2))
    cells = rng.integers(0, 100, (rows, columns))
    drawing = Drawing()
    width, height = 0.96 / columns, 0.96 / rows
    for row in range(rows):
        for column in range(columns):
            left, top = 0.02 + column * width, 0.02 + row * height
            drawing.rectangle((left, top), (left + width, top + height), outline=INK)
            center = (left + width / 2, top + height / 2)
            drawing.text(center, str(cells[row, column]), height=0.1)
    row, column = int(rng.integers(rows)), int(rng.integers(columns))
    question = f"What number is in row {row + 1}, column {column + 1} of the table?"
    asked = Question("table", question, str(cells[row, column]))
    return Reading("", 0, drawing.render(size), (asked,), _shown(drawing))
