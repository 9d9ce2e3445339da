"""Random lines between numbered dots such that a question about them has a wanted answer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mstar.envs.families.parts.graph import Lines, pieces


def star(order: list[int], extra: int, rng: np.random.Generator) -> Lines:
    """Two to five lines at the first dot, and `extra` ones between the others."""
    count = int(rng.integers(2, 6))
    lines = {_line(order[0], other) for other in order[1 : count + 1]}
    return _more(lines, [(a, b) for a in order[1:] for b in order[1:] if a < b], extra, rng)


def layers(order: list[int], longest: int, extra: int, rng: np.random.Generator) -> Lines:
    """A way of two to `longest` lines from the first to the second dot, and none shorter."""
    length = int(rng.integers(2, longest + 1))
    a, b, *rest = order
    path = [a, *rest[: length - 1], b]
    layer = {dot: index for index, dot in enumerate(path)}
    lines = {_line(*pair) for pair in pairwise(path)}
    for dot in rest[length - 1 :]:
        joined = list(layer)[rng.integers(len(layer))]
        layer[dot] = layer[joined] + 1
        lines.add(_line(dot, joined))
    # Lines within a layer or to the next one make no way shorter.
    near = [(i, j) for i in order for j in order if i < j and abs(layer[i] - layer[j]) < 2]
    return _more(lines, near, extra, rng)


def parts(order: list[int], together: bool, extra: int, rng: np.random.Generator) -> Lines:
    """Two connected parts, with the first two dots in one of them or apart."""
    a, b, *rest = order
    cut = int(rng.integers(1, len(rest)))
    first, second = [a, *rest[:cut]], [b, *rest[cut:]]
    if together:
        first, second = [*first, b], second[1:]
    lines: Lines = set()
    for part in (first, second):
        # Chains rather than stars, so that a way takes some following.
        for index, dot in enumerate(part[1:], 1):
            lines.add(_line(dot, part[max(0, index - int(rng.integers(1, 3)))]))
    within = [(i, j) for part in (first, second) for i in part for j in part if i < j]
    return _more(lines, within, extra, rng)


def forest(order: list[int], loop: bool, rng: np.random.Generator) -> Lines:
    """Lines that join part to part, around one closed loop where there is to be one."""
    count = len(order) - int(rng.integers(1, 4))
    ring = order[: int(rng.integers(3, count + 1))] if loop else []
    lines = {_line(*pair) for pair in zip(ring, [*ring[1:], *ring[:1]], strict=True)}
    while len(lines) < count:
        a, b = (int(i) for i in rng.permutation(len(order))[:2])
        if not any(a in part and b in part for part in pieces(len(order), lines)):
            lines.add(_line(a, b))
    return lines


def _line(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))


def _more(
    lines: Lines, pairs: list[tuple[int, int]], extra: int, rng: np.random.Generator
) -> Lines:
    new = [pair for pair in pairs if pair not in lines]
    return lines | {new[i] for i in rng.permutation(len(new))[:extra]}
