"""The first page of ``mstar train --help``: what most runs need, a line each."""

from __future__ import annotations

import shutil
import textwrap

from mstar.agents.config import SETTINGS, Recipe
from mstar.experiments.cli.options import setting_doc
from mstar.experiments.run.recipes import RECIPES

BASIC: dict[str, tuple[str, ...]] = {
    "data and model": ("env", "families", "model", "lora_rank"),
    "training": ("agent", "rounds", "prompts", "samples", "panel", "updates", "learning_rate"),
    "evaluation": ("validation_problems", "test", "test_env", "seed"),
}
OTHER = {
    "out": "The run's folder; give that of a killed run to go on with it.",
    "track": "Experiment trackers: tensorboard, trackio, wandb, mlflow, ...",
    "dry_run": "Print what would be done, and do nothing.",
    "json": "Print the result as JSON.",
}
FLAG = 24  # columns of a flag


def first_page(recipe: Recipe, out: str) -> str:
    """The help, as wide as the terminal.

    Args:
        recipe: whose values are the defaults.
        out: the default of ``--out``.
    """
    width = min(100, shutil.get_terminal_size().columns)
    lines = [
        "usage: mstar train [RECIPE|FILE.yaml] [--SETTING VALUE ...]",
        "",
        "Train a policy on its own best answers.",
        "",
        *_entry("recipes", ", ".join(RECIPES), width),
    ]
    values = recipe.settings()
    for title, names in BASIC.items():
        lines += ["", f"{title}:"]
        for name in names:
            text = setting_doc(name).partition(". ")[0].rstrip(".")
            text += "" if values[name] is None else f" ({_shown(values[name])})"
            lines += _entry(_flag(name), text, width)
    lines += ["", "this command:"]
    for name, text in OTHER.items():
        lines += _entry(_flag(name), f"{text} ({out})" if name == "out" else text, width)
    lines += [
        "",
        f"mstar train --help-all  all {len(SETTINGS)} settings",
        "mstar config [RECIPE]   the same, as a YAML file",
    ]
    return "\n".join(lines)


def _entry(name: str, text: str, width: int) -> list[str]:
    indent = " " * FLAG
    wrapped = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
    return [f"  {name:{FLAG - 2}}{wrapped[0][FLAG:]}", *wrapped[1:]]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(value: object) -> str:
    return (" ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
