"""Benchmarks by name: to add one, write a class and add a line here."""

from __future__ import annotations

from mstar.experiments.benchmarks.base import Benchmark
from mstar.experiments.benchmarks.chartqa import ChartQA
from mstar.experiments.benchmarks.math_v import MathV
from mstar.experiments.benchmarks.mathvista import MathVista

BENCHMARKS: dict[str, Benchmark] = {
    "mathvista": MathVista(),
    "math-v": MathV(),
    "chartqa": ChartQA(),
}
