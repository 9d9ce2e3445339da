"""Scales in balance with boxes and weights on them: how heavy is one box?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import DIGITS
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, Color, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step

SIDE, PITCH, BLOCK = 0.08, 0.1, 0.175  # side of a box, pitch of boxes, width of a weight
PANS = (0.255, 0.745)  # centres of the left and the right pan
STONE: Color = (225, 220, 210)

Load = list[list[Any]]  # the load of one pan: [color, how many] or ["weight", how heavy]


class Balance(Family):
    """One to three balanced scales; boxes of one colour weigh the same, weights are numbered."""

    name: ClassVar[str] = "Balance"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "measures"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("one", "sides", "chain", "eliminate"),
        (
            "The scales are in balance. How heavy is one {a} box?",
            "Both sides weigh the same. What does a single {a} box weigh?",
            "The scales are level. Find the weight of one {a} box.",
        ),
    )

    extra = Difficulty("distractor", False, True, True)  # a scale that is not needed
    heaviest = Difficulty("perception", 12, 12, 15)
    templates = Difficulty(
        "reasoning", ("one",), ("one", "sides", "chain"), ("sides", "chain", "eliminate")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """The load of each scale, the arrangement of the scales, and the box that is asked for."""
        template = choose(self.templates, rng)
        needed = (1 if template in ("one", "sides") else 2) + self.extra
        colors = choose_several(COLORS, needed, rng)
        ask = {"template": template, "a": colors[0]}
        return self.vary({"colors": colors, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other weights and numbers of boxes of the same colours."""
        colors = latent["colors"]
        boxes = {c: int(rng.integers(2, self.heaviest + 1)) for c in colors}
        scales = []
        for left, right in LOADS[latent["ask"]["template"]](colors, rng):
            # The lighter side gets the weight that balances the scale.
            rest = _weigh(left, boxes) - _weigh(right, boxes)
            scales.append([left, [*right, ["weight", rest]]])
        if self.extra:
            count = int(rng.integers(1, 4))
            scales.append([[[colors[-1], count]], [["weight", count * boxes[colors[-1]]]]])
        order = [int(i) for i in rng.permutation(len(scales))]
        flipped = [int(i) for i in rng.integers(2, size=len(scales))]
        return {**latent, "scales": scales, "order": order, "flipped": flipped}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Solve by linear elimination."""
        template, color = latent["ask"]["template"], latent["ask"]["a"]
        solve = {"chain": _solve_chain, "eliminate": _solve_eliminate}.get(template, _solve_sides)
        steps = solve(latent, color)
        result = int(steps[-1].value)
        weights = [load[-1][1] for scale in latent["scales"] for load in scale]
        return Solution.number(
            steps, (*(int(step.value) for step in steps), *weights, result + 1, result - 1)
        )

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw one scale below the other."""
        drawing = Drawing(style.background)
        for at, scale in enumerate(latent["scales"]):
            y = _plank(latent, at)
            drawing.polygon([(0.5, y), (0.44, y + 0.09), (0.56, y + 0.09)], fill=INK)
            drawing.line([(0.02, y + 0.01), (0.98, y + 0.01)], color=INK, width=0.02)
            for side, load in enumerate(scale):
                _stack(drawing, load, (PANS[side ^ latent["flipped"][at]], y), style)
        return drawing


def _one(colors: list[str], rng: np.random.Generator) -> list[tuple[Load, Load]]:
    """Boxes and a weight on the left; the balancing weight on the right is added later."""
    return [([[colors[0], int(rng.integers(1, 4))], ["weight", int(rng.integers(1, 21))]], [])]


def _sides(colors: list[str], rng: np.random.Generator) -> list[tuple[Load, Load]]:
    """Boxes of one colour on both sides, fewer on the right."""
    more, fewer = ((2, 1), (3, 1), (3, 2))[rng.integers(3)]
    weight = ["weight", int(rng.integers(1, 13))]
    return [([[colors[0], more], weight], [[colors[0], fewer]])]


def _chain(colors: list[str], rng: np.random.Generator) -> list[tuple[Load, Load]]:
    """One scale determines the other colour; with it the second determines the one asked for."""
    several, again, asked = (
        int(rng.integers(2, 4)),
        int(rng.integers(1, 3)),
        int(rng.integers(1, 3)),
    )
    return [([[colors[1], several]], []), ([[colors[1], again], [colors[0], asked]], [])]


def _eliminate(colors: list[str], rng: np.random.Generator) -> list[tuple[Load, Load]]:
    """The same two colours on both scales, which differ in the number of one of them."""
    lone, other = (colors[1], colors[0]) if rng.integers(2) else (colors[0], colors[1])
    few, many = ((1, 2), (1, 3), (2, 3))[rng.integers(3)]
    return [([[lone, 1], [other, few]], []), ([[lone, 1], [other, many]], [])]


LOADS: Mapping[str, Callable[[list[str], np.random.Generator], list[tuple[Load, Load]]]] = {
    "one": _one,
    "sides": _sides,
    "chain": _chain,
    "eliminate": _eliminate,
}


def _solve_sides(latent: Latent, color: str) -> tuple[Step, ...]:
    left, right = latent["scales"][0]
    known, heavy = left[-1][1], right[-1][1]
    boxes = left[0][1] - (right[0][1] if len(right) > 1 else 0)
    steps = [
        perceive(f"one side: {_named(left)}", known, (color,), _box(latent, 0, 0)),
        perceive(f"other side: {_named(right)}", heavy, (color,), _box(latent, 0, 1)),
    ]
    if len(right) > 1:
        steps.append(_difference(left[0][1], right[0][1], color))
    return (*steps, _difference(heavy, known, color), *_shared(heavy - known, boxes, color))


def _solve_chain(latent: Latent, color: str) -> tuple[Step, ...]:
    (((other, several),), _), (((_, again), (_, asked)), (_,)) = latent["scales"][:2]
    first, second = (scale[1][-1][1] for scale in latent["scales"][:2])
    one, left = first // several, second - again * first // several
    return (
        *_balanced(latent),
        *_shared(first, several, other),
        compute(f"{second} - {again} * {one}", left, (color, other)),
        *_shared(left, asked, color),
    )


def _solve_eliminate(latent: Latent, color: str) -> tuple[Step, ...]:
    (((lone, _), (other, few)), _), ((_, (_, many)), _) = latent["scales"][:2]
    first, second = (scale[1][-1][1] for scale in latent["scales"][:2])
    one = (second - first) // (many - few)
    steps = (
        *_balanced(latent),
        _difference(second, first, other),
        *_shared(second - first, many - few, other),
    )
    if color == other:
        return steps
    rest = first - few * one
    return (*steps, compute(f"{first} - {few} * {one}", rest, (lone,)))


def _balanced(latent: Latent) -> list[Step]:
    """The steps that read the total weight of the boxes on each of the first two scales."""
    return [
        perceive(
            f"{_named(left)} weigh {right[-1][1]}",
            right[-1][1],
            tuple(name for name, _ in left),
            _box(latent, at, None),
        )
        for at, (left, right) in enumerate(latent["scales"][:2])
    ]


def _difference(more: int, less: int, color: str) -> Step:
    return compute(f"{more} - {less}", more - less, (color,))


def _shared(weight: int, boxes: int, color: str) -> tuple[Step, ...]:
    """Division of a weight among boxes of one colour; no step for a single box."""
    one = weight // boxes
    return () if boxes == 1 else (compute(f"{weight} / {boxes}", one, (color,)),)


def _weigh(load: Load, boxes: Mapping[str, int]) -> int:
    return sum(int(amount) * boxes.get(name, 1) for name, amount in load)


def _named(load: Load) -> str:
    return " and ".join(str(n) if name == "weight" else f"{n} {name}" for name, n in load)


def _plank(latent: Latent, at: int) -> float:
    """The y coordinate of a scale's plank."""
    order: list[int] = latent["order"]
    return (order.index(at) + 0.5) / len(order) + 0.04


def _box(latent: Latent, at: int, side: int | None) -> Box:
    """The box around one side of a scale, or both if `side` is None."""
    bottom, top = _plank(latent, at), _plank(latent, at) - 0.12
    if side is None:
        return (0.02, top, 0.98, bottom)
    middle = PANS[side ^ latent["flipped"][at]]
    return (middle - 0.235, top, middle + 0.235, bottom)


def _stack(drawing: Drawing, load: Load, at: tuple[float, float], style: Style) -> None:
    """Draw boxes and the weight side by side, centred at `at`."""
    width = sum(BLOCK if name == "weight" else PITCH * n for name, n in load)
    x, y = at[0] - width / 2, at[1]
    for name, amount in load:
        if name == "weight":
            low, high = (x + 0.005, y - 0.115), (x + BLOCK - 0.005, y)
            drawing.rectangle(low, high, fill=STONE, outline=INK, width=0.008)
            drawing.text((x + BLOCK / 2, y - 0.058), str(amount), DIGITS)
            continue
        for _ in range(amount):
            low, high = (x + (PITCH - SIDE) / 2, y - SIDE), (x + (PITCH + SIDE) / 2, y)
            drawing.rectangle(low, high, fill=style.color(name), outline=INK, width=0.008)
            x += PITCH
