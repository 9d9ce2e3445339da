"""Lines between numbered dots: which are joined, what hangs together, the shortest way."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

Lines = set[tuple[int, int]]  # pairs of dots, the smaller first


def neighbors(lines: Collection[tuple[int, int]], dot: int) -> list[int]:
    """The dots that share a line with a dot, in their order.

    >>> neighbors({(0, 2), (1, 2)}, 2)
    [0, 1]
    """
    return sorted(b if a == dot else a for a, b in lines if dot in (a, b))


def pieces(count: int, lines: Collection[tuple[int, int]]) -> list[set[int]]:
    """What hangs together among the dots 0 to `count` - 1.

    >>> pieces(3, {(0, 2)})
    [{0, 2}, {1}]
    """
    part = list(range(count))
    for a, b in lines:
        old, new = part[b], part[a]
        part = [new if p == old else p for p in part]
    return [{dot for dot in range(count) if part[dot] == p} for p in dict.fromkeys(part)]


def way(lines: Collection[tuple[int, int]], start: int, end: int) -> list[int]:
    """The dots on a shortest way, both ends included; raises ValueError if there is none."""
    before, queue = {start: start}, deque([start])
    while queue and end not in before:
        dot = queue.popleft()
        for other in neighbors(lines, dot):
            if other not in before:
                before[other] = dot
                queue.append(other)
    if end not in before:
        raise ValueError(f"no way leads from dot {start} to dot {end}: ask `pieces` first")
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]
