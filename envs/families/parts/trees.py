"""Rooted trees as lists of parents: ancestors, leaves, random trees, layout."""

from __future__ import annotations

import numpy as np

from mstar.envs.families.parts.drawing import Point

Parents = list[int]  # by node: its parent, -1 for the root


def ancestors(parents: Parents, node: int) -> list[int]:
    """The nodes above a node, its parent first.

    >>> ancestors([-1, 0, 1], 2)
    [1, 0]
    """
    line = []
    while parents[node] >= 0:
        node = parents[node]
        line.append(node)
    return line


def leaves(parents: Parents) -> list[int]:
    """The nodes without children, in ascending order.

    >>> leaves([-1, 0, 0])
    [1, 2]
    """
    return [node for node in range(len(parents)) if node not in parents]


def grow(
    nodes: int, ends: int, line: int, limits: tuple[int, int], rng: np.random.Generator
) -> Parents:
    """A random tree with a path of `line` edges down from the root, node 0.

    Args:
        nodes: how many in all, at least `line` + `ends`.
        ends: how many leaves.
        line: edges of the path; its nodes are 0 to `line`.
        limits: the greatest depth of a node, and the most children of one.
        rng: the source of randomness.
    """
    deepest, children = limits
    while True:
        parents = list(range(-1, line))
        while len(parents) < nodes:
            tips = leaves(parents)
            fork = int(rng.integers(nodes - len(parents))) < ends - len(tips)
            fit = [
                node
                for node in range(len(parents))
                if (node not in tips) == fork
                and len(ancestors(parents, node)) < deepest
                and parents.count(node) < children
            ]
            if not fit:
                break
            parents.append(fit[rng.integers(len(fit))])
        else:
            return parents


def spread(parents: Parents) -> list[Point]:
    """(x, depth) of each node: leaves at x = 0, 1, 2, ..., others centred over their children."""
    places: dict[int, float] = {}
    used = 0

    def place(node: int) -> float:
        nonlocal used
        below = [child for child, parent in enumerate(parents) if parent == node]
        if below:
            places[node] = sum(place(child) for child in below) / len(below)
        else:
            places[node] = used
            used += 1
        return places[node]

    place(parents.index(-1))
    return [(places[node], len(ancestors(parents, node))) for node in range(len(parents))]
