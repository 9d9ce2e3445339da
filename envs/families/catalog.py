"""The procedural families by name; a new family is one file and one line here."""

from __future__ import annotations

from mstar.envs.families.balance import Balance
from mstar.envs.families.bar_chart import BarChart
from mstar.envs.families.base import Family
from mstar.envs.families.calendar_page import Calendar
from mstar.envs.families.clock import Clock
from mstar.envs.families.coins import Coins
from mstar.envs.families.counting import Counting
from mstar.envs.families.dice import Dice
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
