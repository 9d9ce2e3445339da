"""The procedural families by name; a new family is one file and one line here."""

from __future__ import annotations

from mstar.envs.bar_chart import BarChart
from mstar.envs.clock import Clock
from mstar.envs.counting import Counting
from mstar.envs.family import Family
from mstar.envs.shapes import Shapes
from mstar.envs.table import Table

FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (  # by topic
        BarChart,
        Counting,
        Shapes,
        Clock,
        Table,
    )
}
