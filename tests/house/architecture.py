"""Draw docs/architecture.svg: ``python tests/house/architecture.py``.

The layout is stated here; the arrows between rooms come from the imports in the sources.
"""

from __future__ import annotations

import ast
import textwrap
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
# Rooms by floor, from top to bottom, with what each holds. Arrows between rooms lead to the right.
FLOORS: dict[str, dict[str, str]] = {
    "experiments": {
        "cli": "one command a file",
        "studies": "several runs, compared",
        "bench": "speed and regret",
        "judges": "trains the judge",
        "make_vlm": "gives a model eyes",
        "pretrain": "trains the model",
        "benchmarks": "published tests",
        "evaluation": "tests, comparisons",
        "audit": "people's verdicts",
        "release": "limits, provenance",
        "report": "a run's page",
        "run": "recipe to rows",
        "estimate": "memory of a run",
    },
    "agents": {
        "judges": "learned reward models",
        "online": "TRL's trainers",
        "monitor": "metrics, alarms",
        "explore": "controllers",
        "sampling": "rollout engines",
        "policy": "the model",
    },
    "envs": {
        "variants": "the same problem, asked another way",
        "datasets": "files of problems",
        "families": "generated problems",
    },
    "rewards": {
        "diagnostics": "checks of a panel",
        "models": "reward models",
        "verifier": "is the answer right?",
    },
}
# What the files directly on a floor hold.
SHARED = {
    "experiments": "statistics, tables, figures, rows",
    "agents": "configuration, types, the agents and their loop",
    "envs": "problem, task, Gymnasium environments, registry",
    "rewards": "types, panel, rules, voting, registry",
}
COLORS = {"experiments": "#7c5cbf", "agents": "#2f6fb5", "envs": "#2e8b6f", "rewards": "#b5732f"}
WIDTH, MARGIN, GAP = 1300, 20, 14
LETTER = 6  # width of a letter of a purpose, on average
FLOOR, ROOM, ARC = 172, 64, 50  # heights of a floor, a room, and the space for its arrows


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports() -> set[tuple[str, str]]:
    """Pairs of rooms of one floor, (importing, imported), such as agents/online, agents/policy."""
    found = set()
    for floor, rooms in FLOORS.items():
        for room in rooms:
            for path in (ROOT / floor / room).rglob("*.py"):
                for node in ast.walk(tree(path)):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        parts = node.module.split(".")
                        if parts[:2] == ["mstar", floor] and parts[2:3] != [room]:
                            found |= {(f"{floor}/{room}", f"{floor}/{r}") for r in parts[2:3]}
    return {(a, b) for a, b in found if b.split("/")[1] in FLOORS[b.split("/")[0]]}


def draw() -> str:
    """The picture as SVG; every arrow has the id ``importing--imported``."""
    height = FLOOR * len(FLOORS) + (len(FLOORS) - 1) * GAP + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    middles: dict[str, tuple[float, float]] = {}
    for number, (floor, rooms) in enumerate(FLOORS.items()):
        top = MARGIN + number * (FLOOR + GAP)
        parts += floor_of(floor, top)
        width = (WIDTH - 2 * MARGIN - GAP) / len(rooms) - GAP
        for place, (room, purpose) in enumerate(rooms.items()):
            left = MARGIN + GAP + place * (width + GAP)
            middles[f"{floor}/{room}"] = (left + width / 2, top + FLOOR - ROOM - GAP)
            parts += room_of(room, purpose, left, top + FLOOR - ROOM - GAP, width, COLORS[floor])
        if number:  # floors import those below
            middle = WIDTH / 2
            parts.append(arrow(f"{floor}.down", f"M{middle} {top - GAP} L{middle} {top - 1}", 2.5))
    for one, other in sorted(imports()):
        (start, top), (end, _) = middles[one], middles[other]
        rise = 14 + (ARC - 14) * min(1.0, abs(end - start) / 560)
        path = f"M{start + 12:.0f} {top} C{start + 30:.0f} {top - rise * 1.3:.0f} "
        path += f"{end - 30:.0f} {top - rise * 1.3:.0f} {end - 12:.0f} {top - 1}"
        parts.append(arrow(f"{one}--{other}".replace("/", "."), path, 1.2))
    return "\n".join([*parts, "</svg>", ""])


def floor_of(floor: str, top: float) -> list[str]:
    """The band of a floor, its name, and what its own files hold."""
    return [
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{FLOOR}" rx="8" '
        f'fill="{COLORS[floor]}" fill-opacity="0.08" stroke="{COLORS[floor]}"/>',
        f'<text x="{MARGIN + GAP}" y="{top + 26}" font-size="18" font-weight="bold" '
        f'fill="{COLORS[floor]}">{floor}</text>',
        f'<text x="{WIDTH - MARGIN - GAP}" y="{top + 26}" font-size="13" text-anchor="end" '
        f'fill="#333">{SHARED[floor]}</text>',
    ]


def room_of(
    room: str, purpose: str, left: float, top: float, width: float, color: str
) -> list[str]:
    """The box of a room, its name, and its purpose in as many lines as it takes."""
    middle = left + width / 2
    lines = textwrap.wrap(purpose, int(width / LETTER))
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{ROOM}" rx="6" fill="#fff" '
        f'stroke="{color}"/>',
        f'<text x="{middle:.0f}" y="{top + 21}" font-size="13" font-weight="bold" '
        f'text-anchor="middle">{room}</text>',
        *(
            f'<text x="{middle:.0f}" y="{top + 38 + 14 * number}" font-size="11" '
            f'text-anchor="middle" fill="#333">{line}</text>'
            for number, line in enumerate(lines)
        ),
    ]


def arrow(name: str, path: str, width: float) -> str:
    """An arrow along a path."""
    return (
        f'<path id="{name}" d="{path}" fill="none" stroke="#555" stroke-width="{width}" '
        'marker-end="url(#head)"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
