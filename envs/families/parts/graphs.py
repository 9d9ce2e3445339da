"""Undirected graphs: components, shortest paths, and random graphs for a wanted answer.

Nodes are the numbers 0, 1, ...; an edge is a pair of nodes, the smaller one first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import pairwise

import numpy as np

Edges = set[tuple[int, int]]


def neighbors(edges: Collection[tuple[int, int]], node: int) -> list[int]:
    """The nodes that share an edge with a node, in ascending order.

    >>> neighbors({(0, 2), (1, 2)}, 2)
    [0, 1]
    """
    return sorted(b if a == node else a for a, b in edges if node in (a, b))


def components(count: int, edges: Collection[tuple[int, int]]) -> list[set[int]]:
    """The connected components of the nodes 0 to `count` - 1.

    >>> components(3, {(0, 2)})
    [{0, 2}, {1}]
    """
    label = list(range(count))
    for a, b in edges:
        old, new = label[b], label[a]
        label = [new if other == old else other for other in label]
    return [{node for node in range(count) if label[node] == own} for own in dict.fromkeys(label)]


def shortest_path(edges: Collection[tuple[int, int]], start: int, end: int) -> list[int]:
    """The nodes on a shortest path, both ends included.

    Raises:
        ValueError: no path leads from `start` to `end`.
    """
    before, queue = {start: start}, deque([start])
    while queue and end not in before:
        node = queue.popleft()
        for other in neighbors(edges, node):
            if other not in before:
                before[other] = node
                queue.append(other)
    if end not in before:
        raise ValueError(f"no path leads from {start} to {end}; test with `components` first")
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def star(order: list[int], extra: int, rng: np.random.Generator) -> Edges:
    """Two to five edges at the first node, and `extra` edges between the others."""
    count = int(rng.integers(2, 6))
    edges = {_edge(order[0], other) for other in order[1 : count + 1]}
    return _more(edges, [(a, b) for a in order[1:] for b in order[1:] if a < b], extra, rng)


def layered(order: list[int], longest: int, extra: int, rng: np.random.Generator) -> Edges:
    """A graph whose first two nodes have a distance of two to `longest` edges."""
    length = int(rng.integers(2, longest + 1))
    a, b, *rest = order
    path = [a, *rest[: length - 1], b]
    layer = {node: index for index, node in enumerate(path)}
    edges = {_edge(*pair) for pair in pairwise(path)}
    for node in rest[length - 1 :]:
        joined = list(layer)[rng.integers(len(layer))]
        layer[node] = layer[joined] + 1
        edges.add(_edge(node, joined))
    # Edges within a layer or to the next one make no path shorter.
    near = [(i, j) for i in order for j in order if i < j and abs(layer[i] - layer[j]) < 2]
    return _more(edges, near, extra, rng)


def two_components(order: list[int], together: bool, extra: int, rng: np.random.Generator) -> Edges:
    """Two components that hold the first two nodes together or apart."""
    a, b, *rest = order
    cut = int(rng.integers(1, len(rest)))
    first, second = [a, *rest[:cut]], [b, *rest[cut:]]
    if together:
        first, second = [*first, b], second[1:]
    edges: Edges = set()
    for component in (first, second):
        # Chains rather than stars, so that a path has to be followed.
        for index, node in enumerate(component[1:], 1):
            edges.add(_edge(node, component[max(0, index - int(rng.integers(1, 3)))]))
    within = [(i, j) for nodes in (first, second) for i in nodes for j in nodes if i < j]
    return _more(edges, within, extra, rng)


def forest(order: list[int], cycle: bool, rng: np.random.Generator) -> Edges:
    """A random forest, or a graph with exactly one cycle."""
    count = len(order) - int(rng.integers(1, 4))
    ring = order[: int(rng.integers(3, count + 1))] if cycle else []
    edges = {_edge(*pair) for pair in zip(ring, [*ring[1:], *ring[:1]], strict=True)}
    while len(edges) < count:
        a, b = (int(i) for i in rng.permutation(len(order))[:2])
        if not any({a, b} <= component for component in components(len(order), edges)):
            edges.add(_edge(a, b))
    return edges


def _edge(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))


def _more(
    edges: Edges, pairs: list[tuple[int, int]], extra: int, rng: np.random.Generator
) -> Edges:
    new = [pair for pair in pairs if pair not in edges]
    return edges | {new[i] for i in rng.permutation(len(new))[:extra]}
