"""Bars over bins of a number line: the fullest bin, how many between, how many from here on?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.axes import FLOOR, LEFT, RIGHT, TOP, Scale, frame, rightward, upward
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

TOP_UNIT = 10  # counts are whole units from 1 to this

Solved = tuple[tuple[Step, ...], int, tuple[int, ...]]  # steps, result, wrong answers


class Histogram(Family):
    """Four or six bins with edges written below; a rule at every second unit."""

    name: ClassVar[str] = "Histogram"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mode": (
            "At which number does the fullest bin start?",
            "Where on the scale does the tallest bar begin?",
            "What is the lower edge of the bin with the most values?",
        ),
        "middle": (
            "What is the middle of the fullest bin?",
            "Which number lies in the middle below the tallest bar?",
            "What is the midpoint of the bin with the most values?",
        ),
        "between": (
            "How many values lie between {low} and {high}?",
            "Count the values from {low} to {high}.",
            "What do the bars from {low} to {high} add up to?",
        ),
        "above": (
            "How many values are above {low}?",
            "Count the values that are more than {low}.",
            "What do the bars to the right of {low} add up to?",
        ),
    }

    bins = Knob("perception", 4, 6, 6)
    units = Knob("perception", (1,), (1, 2), (2, 5))
    asked = Knob("reasoning", (2,), (2, 3), (3, 4))  # bins in a total
    numbered = Knob("perception", 1, 2, 2)  # bins from one written edge to the next
    marked = Knob("distractor", False, True, True)  # one bar in another colour, for no reason
    templates = Knob(
        "reasoning",
        ("mode", "between", "above"),
        ("mode", "middle", "between", "above"),
        ("middle", "between", "above"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Edges, counts in units, the bar marked (-1: none) and what is asked."""
        width = (4, 6, 10)[rng.integers(3)]
        first = int(rng.integers(-(-12 // width), (96 - self.bins * width) // width + 1))
        edges = [width * (first + i) for i in range(self.bins + 1)]
        ask: dict[str, Any] = {"template": self.templates[rng.integers(len(self.templates))]}
        span = self.asked[rng.integers(len(self.asked))]
        if ask["template"] == "above":
            ask["low"] = edges[self.bins - span]
        elif ask["template"] == "between":
            at = int(rng.integers(self.bins - span + 1))
            ask |= {"low": edges[at], "high": edges[at + span]}
        unit = self.units[rng.integers(len(self.units))]
        latent = {"edges": edges, "unit": unit, "ask": ask}
        return self.vary(latent, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other counts over the same bins; the fullest is two units ahead of all others."""
        barred = {v // latent["unit"] for k, v in latent["ask"].items() if k != "template"}
        counts: list[int] = []
        while not counts or barred & set(counts):  # no count is a number of the question
            fullest = int(rng.integers(5, TOP_UNIT + 1))
            counts = [int(c) for c in rng.integers(1, fullest - 1, size=self.bins)]
            counts[rng.integers(self.bins)] = fullest
        marked = int(rng.integers(self.bins)) if self.marked else -1
        return {**latent, "counts": counts, "marked": marked}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the bars, word the question, and solve it."""
        ask, unit = latent["ask"], latent["unit"]
        counts = [c * unit for c in latent["counts"]]
        scale = Scale(0, TOP_UNIT * unit, FLOOR, TOP)
        boxes = [
            (self._x(i), scale.at(count), self._x(i + 1), FLOOR) for i, count in enumerate(counts)
        ]
        solve = self._mode if ask["template"] in ("mode", "middle") else self._total
        steps, result, wrong = solve(latent["edges"], counts, boxes, ask)
        return Problem(
            id="",
            pictures=(self._picture(latent, scale, boxes, style),),
            question=self.word(ask["template"], style, low=ask.get("low"), high=ask.get("high")),
            answer=Answer("number", str(result)),
            steps=steps,
            latent=latent,
            template=ask["template"],
            distractors=distractors(result, *wrong),
        )

    def _mode(
        self, edges: list[int], counts: list[int], boxes: list[Box], ask: Mapping[str, Any]
    ) -> Solved:
        at = counts.index(max(counts))
        low, high, refs, box = edges[at], edges[at + 1], (f"bin {at + 1}",), boxes[at]
        start = Step(f"the tallest bar starts at {low}", "perceive", str(low), refs, box)
        if ask["template"] == "mode":
            last = Step(f"the fullest bin starts at {low}", "conclude", str(low), refs)
            return (start, last), low, (high, counts[at], (low + high) // 2, *edges)
        middle = (low + high) // 2
        steps = (
            start,
            Step(f"it ends at {high}", "perceive", str(high), refs, box),
            Step(f"{low} + {high} = {low + high}", "compute", str(low + high), refs),
            Step(f"{low + high} / 2 = {middle}", "compute", str(middle), refs),
        )
        return steps, middle, (low, high, low + high, counts[at], middle + high - low)

    def _total(
        self, edges: list[int], counts: list[int], boxes: list[Box], ask: Mapping[str, Any]
    ) -> Solved:
        first = edges.index(ask["low"])
        last = edges.index(ask.get("high", edges[-1]))
        asked = range(first, last)
        total = sum(counts[i] for i in asked)
        refs = tuple(f"bin {i + 1}" for i in asked)
        steps = [
            Step(f"bin {i + 1} holds {counts[i]}", "perceive", str(counts[i]), (ref,), boxes[i])
            for i, ref in zip(asked, refs, strict=True)
        ]
        line = " + ".join(str(counts[i]) for i in asked)
        steps.append(Step(f"{line} = {total}", "compute", str(total), refs))
        wrong = (
            total - counts[first],
            total - counts[last - 1],
            sum(counts),
            len(asked),
            total + 1,
        )
        return tuple(steps), total, wrong

    def _x(self, index: int) -> float:
        return LEFT + 0.02 + (RIGHT - LEFT - 0.06) * index / self.bins

    def _picture(self, latent: Latent, scale: Scale, boxes: list[Box], style: Style) -> Drawing:
        drawing = Drawing(style.background)
        step = int(scale.high) // 5
        upward(drawing, scale, range(step, 5 * step + 1, step))  # a 0 would touch the first edge
        names = list(COLORS)
        at = round((style.shift[0] + 1) / 2 * (len(names) - 1))
        for index, box in enumerate(boxes):
            name = names[at - 1] if index == latent["marked"] else names[at]
            drawing.rectangle(box[:2], box[2:], fill=style.color(name), outline=INK, width=0.006)
        edges = latent["edges"]
        across = Scale(edges[0], edges[-1], self._x(0), self._x(self.bins))
        rightward(drawing, across, edges[:: self.numbered], lines=False)
        frame(drawing)
        return drawing
