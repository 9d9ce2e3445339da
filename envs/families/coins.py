"""Coins on a table and a price on a tag: how much in all, how much change, is it enough?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.drawing import INK, WHITE, Drawing, Point
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, conclude, perceive

RADII = {1: 0.085, 2: 0.09, 5: 0.095, 10: 0.1, 20: 0.105, 50: 0.11}  # by value
ACROSS, CELLS = 4, 12  # the table has room for three rows of four
TAG = (0.5, 0.88)  # centre
MOST = 4  # coins of one value, at most


class Coins(Family):
    """Three to nine coins of two or three values; from level 2 on square tokens don't count."""

    name: ClassVar[str] = "Coins"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "money"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "total": (
            "How much are the round coins worth in all?",
            "What is the total value of the round coins?",
            "Add up the values of all round coins.",
        ),
        "change": (
            "You pay the price on the tag with all the round coins. How much change do you get?",
            "How much money is left after you pay the price on the tag with the round coins?",
            "All the round coins are used to pay the price on the tag. How much change is due?",
        ),
        "afford": (
            "Are the round coins enough to pay the price on the tag?",
            "Can the price on the tag be paid with the round coins?",
            "Is the value of the round coins at least the price on the tag?",
        ),
        "missing": (
            "The round coins do not cover the price on the tag. How much is missing?",
            "How much more is needed to pay the price on the tag with the round coins?",
            "By how much does the price on the tag exceed the value of the round coins?",
        ),
    }

    values = Difficulty("perception", (1, 2, 5, 10), (1, 2, 5, 10, 20), (1, 2, 5, 10, 20, 50))
    coins = Difficulty("perception", 5, 7, 9)  # at most
    kinds = Difficulty("reasoning", 2, 3, 3)
    tokens = Difficulty("distractor", 0, 1, 3)
    templates = ("total", "change", "afford", "missing")

    def latent(self, rng: np.random.Generator) -> Latent:
        """Coins and tokens with their cells on the table, the price (0: no tag), what is asked."""
        ask = {"template": choose(self.templates, rng)}
        return {**self._table(ask["template"], bool(rng.integers(2)), rng), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other coins and another price; where they were enough, they no longer are."""
        enough = sum(latent["coins"]) >= latent["price"]
        return {**latent, **self._table(latent["ask"]["template"], not enough, rng)}

    def _table(self, template: str, enough: bool, rng: np.random.Generator) -> Latent:
        kinds = shuffled(self.values, rng)[: self.kinds]
        counts = [MOST] * self.kinds
        while sum(counts) > self.coins or len(set(counts)) == 1:
            counts = [int(n) for n in rng.integers(1, MOST + 1, size=self.kinds)]
        coins = [value for value, n in zip(kinds, counts, strict=True) for _ in range(n)]
        tokens = [choose(self.values, rng) for _ in range(self.tokens)]
        cells = [int(c) for c in rng.permutation(CELLS)[: len(coins) + len(tokens)]]
        total = sum(coins)
        if template == "total":
            price = int(rng.integers(1, 2 * total)) if self.tokens else 0
        elif template == "afford":
            apart = int(rng.integers(1, 2 + total // 3))  # close, so that it must be added up
            price = total - apart if enough else total + apart
        else:
            apart = int(rng.integers(1, total))
            price = total - apart if template == "change" else total + apart
        return {"coins": coins, "tokens": tokens, "cells": cells, "price": price}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Count the coins of each value, add them up, and compare with the price."""
        template, price = latent["ask"]["template"], latent["price"]
        coins: Counter[int] = Counter(latent["coins"])
        total = sum(coins.elements())
        spots = [_spot(cell, style) for cell in latent["cells"]]
        boxes = {value: _coin_boxes(value, latent["coins"], spots) for value in coins}
        steps = [
            perceive(f"coins of {value}: {n}", n, (f"coin {value}",), boxes[value])
            for value, n in coins.items()
        ]
        if template != "total":
            box = around(TAG, 0.2, 0.08)
            steps.append(perceive(f"the price is {price}", price, ("tag",), box))
        products = " + ".join(f"{n} * {value}" for value, n in coins.items())
        refs = tuple(f"coin {value}" for value in coins)
        steps.append(compute(products, total, refs))
        if template == "afford":
            verdict = "yes" if total >= price else "no"
            than = "more" if total >= price else "less"
            text = f"{total} is {than} than {price}: {verdict}"
            return Solution.yes_no([*steps, conclude(text, verdict, ("tag",))])
        if template != "total":
            high, low = (total, price) if template == "change" else (price, total)
            steps.append(compute(f"{high} - {low}", high - low, ("tag",)))
        right, extra = int(steps[-1].value), sum(latent["tokens"])
        near = (total, total + extra, right + extra, len(latent["coins"]), sum(coins), price)
        return Solution.number(steps, (v for v in near if v > 0))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw coins, tokens and the tag."""
        drawing = Drawing(style.background)
        values = [*latent["coins"], *latent["tokens"]]
        for index, (value, cell) in enumerate(zip(values, latent["cells"], strict=True)):
            spot, copper = _spot(cell, style), value < 10
            if index < len(latent["coins"]):
                color = style.color("brown" if copper else "orange")
                drawing.ellipse(spot, RADII[value], fill=color, outline=INK)
            else:
                x, y = spot
                drawing.rectangle(
                    (x - 0.09, y - 0.09), (x + 0.09, y + 0.09), fill=WHITE, outline=INK
                )
            light = index < len(latent["coins"]) and copper
            drawing.text(spot, str(value), height=0.11, color=WHITE if light else INK)
        if latent["price"]:
            x, y = TAG
            low, high = (x - 0.2, y - 0.075), (x + 0.2, y + 0.075)
            drawing.rectangle(low, high, fill=style.color("pink"), outline=INK)
            drawing.polygon([(low[0], low[1]), (low[0], high[1]), (low[0] - 0.09, y)], fill=INK)
            drawing.text(TAG, str(latent["price"]), height=0.12)
        return drawing


def _spot(cell: int, style: Style) -> Point:
    row, column = divmod(cell, ACROSS)
    return (
        0.14 + 0.24 * column + 0.02 * style.shift[0],
        0.14 + 0.24 * row + 0.015 * style.shift[1],
    )


def _coin_boxes(value: int, coins: list[int], spots: list[Point]) -> Box:
    """The box around all coins of a value; tokens come after the coins in `spots`."""
    found = [spot for coin, spot in zip(coins, spots, strict=False) if coin == value]
    return enclosing(around(spot, RADII[value]) for spot in found)
