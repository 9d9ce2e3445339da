"""The procedural families by name; a new family is one file and one line here."""

from __future__ import annotations

from mstar.envs.balance import Balance
from mstar.envs.bar_chart import BarChart
from mstar.envs.calendar_page import Calendar
from mstar.envs.clock import Clock
from mstar.envs.coins import Coins
from mstar.envs.counting import Counting
from mstar.envs.dice import Dice
from mstar.envs.family import Family
from mstar.envs.function_graph import FunctionGraph
from mstar.envs.graph_picture import GraphPicture
from mstar.envs.grid_path import GridPath
from mstar.envs.histogram import Histogram
from mstar.envs.icon_arithmetic import IconArithmetic
from mstar.envs.line_chart import LineChart
from mstar.envs.logic_gates import LogicGates
from mstar.envs.number_pattern import NumberPattern
from mstar.envs.pictograph import Pictograph
from mstar.envs.pie_chart import PieChart
from mstar.envs.ruler import Ruler
from mstar.envs.scatter import Scatter
from mstar.envs.shape_matrix import ShapeMatrix
from mstar.envs.shapes import Shapes
from mstar.envs.spatial_scene import SpatialScene
from mstar.envs.table import Table
from mstar.envs.timetable import Timetable
from mstar.envs.tree import Tree
from mstar.envs.venn import Venn

# mstar/Mixture-v0 is made of all but these, which are younger than its version.
NOT_MIXED = frozenset({"LogicGates", "ShapeMatrix"})
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
