"""Walks over the cells of a grid: distances and shortest paths around walls."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from itertools import groupby

MOVES = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}  # (rows, columns)

Cell = tuple[int, int]  # (row, column), from 0 at the left top


def distances(start: Cell, free: Collection[Cell]) -> dict[Cell, int]:
    """Moves from a cell to each cell that can be reached over free cells, itself included."""
    open_cells, far, queue = set(free), {start: 0}, deque([start])
    while queue:
        row, column = queue.popleft()
        for down, right in MOVES.values():
            cell = (row + down, column + right)
            if cell in open_cells and cell not in far:
                far[cell] = far[row, column] + 1
                queue.append(cell)
    return far


def shortest(start: Cell, goal: Cell, free: Collection[Cell]) -> list[str] | None:
    """The moves of a shortest path with few turns; None if there is no path."""
    far = distances(goal, free)
    if start not in far:
        return None
    cell, moves = start, [""]
    while cell != goal:
        for name in sorted(MOVES, key=lambda move: move != moves[-1]):
            step = (cell[0] + MOVES[name][0], cell[1] + MOVES[name][1])
            if far.get(step) == far[cell] - 1:
                moves.append(name)
                cell = step
                break
    return moves[1:]


def runs(moves: Sequence[str]) -> list[tuple[str, int]]:
    """The straight segments of a path: runs of equal moves.

    >>> runs(["up", "up", "left"])
    [('up', 2), ('left', 1)]
    """
    return [(name, len(list(group))) for name, group in groupby(moves)]


def walk(start: Cell, moves: Sequence[str]) -> list[Cell]:
    """The cells on the path of these moves, without the start.

    >>> walk((0, 0), ["down", "right"])
    [(1, 0), (1, 1)]
    """
    cells = [start]
    for name in moves:
        cells.append((cells[-1][0] + MOVES[name][0], cells[-1][1] + MOVES[name][1]))
    return cells[1:]
