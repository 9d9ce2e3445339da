"""The procedural families by name; a new family is one file and one line here.

A name without a version means the newest one; ``FORMER`` has the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mstar.envs.families.balance import Balance
from mstar.envs.families.bar_chart import BarChart
from mstar.envs.families.base import Family
from mstar.envs.families.calendar_page import Calendar
from mstar.envs.families.clock import Clock
from mstar.envs.families.coins import Coins
from mstar.envs.families.counting import Counting
from mstar.envs.families.dice import Dice
from mstar.envs.families.former_wordings import FORMER_WORDINGS
from mstar.envs.families.function_graph import FunctionGraph
from mstar.envs.families.graph_picture import GraphPicture
from mstar.envs.families.grid_path import GridPath
from mstar.envs.families.histogram import Histogram
from mstar.envs.families.icon_arithmetic import IconArithmetic
from mstar.envs.families.line_chart import LineChart
from mstar.envs.families.logic_gates import LogicGates
from mstar.envs.families.number_pattern import NumberPattern
from mstar.envs.families.pictograph import Pictograph
from mstar.envs.families.pie_chart import PieChart
from mstar.envs.families.ruler import Ruler
from mstar.envs.families.scatter import Scatter
from mstar.envs.families.shape_matrix import ShapeMatrix
from mstar.envs.families.shapes import Shapes
from mstar.envs.families.spatial_scene import SpatialScene
from mstar.envs.families.table import Table
from mstar.envs.families.timetable import Timetable
from mstar.envs.families.tree import Tree
from mstar.envs.families.venn import Venn

FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (  # by topic
        BarChart,
        LineChart,
        PieChart,
        Scatter,
        Histogram,
        Pictograph,
        Counting,
        Dice,
        Shapes,
        FunctionGraph,
        Clock,
        Calendar,
        Timetable,
        Ruler,
        Balance,
        Table,
        Coins,
        IconArithmetic,
        NumberPattern,
        ShapeMatrix,
        Venn,
        LogicGates,
        GraphPicture,
        Tree,
        GridPath,
        SpatialScene,
    )
}


def _former(version: str, sentences: Mapping[tuple[str, int], str]) -> type[Family]:
    """A family as it was, such as ``Shapes-v0``: with other sentences in some of its wordings."""
    name, _, number = version.partition("-v")
    newest = FAMILIES[name]
    changed: dict[str, Any] = {
        "__doc__": newest.__doc__,
        "version": int(number),
        "reworded": newest.reworded - (newest.version - int(number)),  # so that it draws the same
        "wordings": {
            template: tuple(sentences.get((template, i), each) for i, each in enumerate(wordings))
            for template, wordings in newest.wordings.items()
        },
    }
    made: type[Family] = type(name, (newest,), changed)
    return made


FORMER: dict[str, type[Family]] = {
    version: _former(version, sentences) for version, sentences in FORMER_WORDINGS.items()
}

# What a name meant in recipes that did not keep versions yet, where it means another one now.
FIRST: dict[str, str] = {family.name: version for version, family in FORMER.items()}


def family_called(name: str, version: int | None = None) -> type[Family]:
    """A family in a version; the newest without one.

    Raises:
        ValueError: there is no such version.
        KeyError: there is no such family.
    """
    newest = FAMILIES[name]
    if version in (None, newest.version):
        return newest
    if (former := FORMER.get(f"{name}-v{version}")) is None:
        raise ValueError(f"there is no {name}-v{version}: {name} is at version {newest.version}")
    return former


def with_version(name: str) -> str:
    """A family's name with the version that it means; any other name as it is.

    >>> with_version("Counting"), with_version("Shapes-v0"), with_version("charts.jsonl")
    ('Counting-v0', 'Shapes-v0', 'charts.jsonl')
    """
    return f"{name}-v{FAMILIES[name].version}" if name in FAMILIES else name
