"""A recipe on the command line and in a YAML file."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import yaml
from tyro.conf import arg

from mstar.agents.config import HINTS, RENAMED, SETTINGS, Recipe
from mstar.agents.registry import unknown
from mstar.experiments.run.recipes import RECIPES, recipe_for

Options = TypeVar("Options")
USUAL = Recipe().settings()


def with_settings(options: type[Options], names: Sequence[str], recipe: Recipe) -> type[Options]:
    """A dataclass of options with some settings of a recipe added, for ``tyro.cli``.

    Args:
        options: a frozen dataclass whose fields have defaults, except for positional ones.
        names: short names of settings.
        recipe: gives their defaults.
    """
    values, fields = recipe.settings(), []
    annotated: Any = Annotated  # with hints that only the running program knows
    for name in names:
        flag, text = name.replace("_", "-"), setting_doc(name)
        hint = annotated[HINTS[SETTINGS[name]], arg(name=flag, help=text)]
        fields.append((name, hint, dataclasses.field(default=values[name])))
    made: type[Options] = dataclasses.make_dataclass(
        options.__name__, fields, bases=(options,), frozen=True, kw_only=True
    )
    return made


def setting_doc(name: str) -> str:
    """What a setting is, in plain text."""
    group, own = SETTINGS[name]
    return _field_docs(get_type_hints(Recipe)[group])[own].replace("``", "")


def given_settings(
    options: object, names: Sequence[str], arguments: Sequence[str]
) -> dict[str, Any]:
    """Of the settings that ``with_settings`` added, those that the arguments name."""
    return {name: getattr(options, name) for name in names if name in named(arguments)}


def named(arguments: Sequence[str]) -> set[str]:
    """Names of the flags among the arguments; of ``--no-json`` both ``no_json`` and ``json``."""
    flags = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    names = {flag.lstrip("-").replace("-", "_") for flag in flags}
    return names | {name.removeprefix("no_") for name in names}


def current_names(arguments: Sequence[str]) -> list[str]:
    """The arguments, with flags that version 0.2 renamed replaced by their present names.

    Raises:
        ValueError: a setting that is a list is given twice, so that one of the lists would be lost.

    >>> current_names(["--keep", "3", "--mix-in=0.5"])
    ['--top-k', '3', '--unlabelled-start=0.5']
    """
    found = []
    for word in arguments:
        flag, sign, value = word.partition("=")
        name = flag[2:].replace("-", "_")
        renamed = flag.startswith("--") and name in RENAMED
        found.append(f"--{RENAMED[name].replace('_', '-')}{sign}{value}" if renamed else word)
    flags = [word.partition("=")[0] for word in found if word.startswith("--")]
    for flag in dict.fromkeys(flags):
        listed = isinstance(USUAL.get(flag[2:].replace("-", "_")), tuple)
        if listed and flags.count(flag) > 1:
            raise ValueError(f"{flag} is given twice; give all its values behind one: {flag} A B")
    return found


def given(recipe: Recipe, arguments: Sequence[str]) -> dict[str, Any]:
    """The settings of a recipe that were named on the command line, with their values."""
    values, names = recipe.settings(), named(arguments)
    return {name: values[name] for name in SETTINGS if name in names}


def start_recipe(arguments: list[str]) -> tuple[Recipe, str]:
    """The recipe to start from, and its name; removes the name from the arguments.

    It is the recipe, or the one in the YAML file, that the first argument names; else the one that
    ``--agent`` names; else the default one.

    Raises:
        ValueError: there is no such recipe, or the file does not hold one.
    """
    if arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        if name.endswith((".yaml", ".yml")):
            return read_recipe(Path(name)), Path(name).stem
        if name not in RECIPES:
            raise ValueError(unknown("recipe", name, RECIPES))
        return RECIPES[name], name
    words = " ".join(arguments).replace("=", " ").split()
    agents = [word for before, word in pairwise(words) if before == "--agent"]
    return (recipe_for(agents[-1]), agents[-1]) if agents else (RECIPES["default"], "default")


def read_recipe(path: Path) -> Recipe:
    """The recipe of a YAML file, as ``recipe_text`` writes it; missing settings have defaults.

    Raises:
        ValueError: it is not YAML, names a setting that does not exist, or holds a value of the
            wrong type or out of range.
        OSError: the file cannot be read.
    """
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from None
    if not isinstance(stored, dict):
        raise ValueError(f"{path} holds no settings; `mstar config` prints a file that does")
    try:
        return Recipe.from_stored(stored)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recipe_text(recipe: Recipe) -> str:
    """A recipe as YAML: its groups of settings, each setting with its description above it."""
    lines: list[str] = []
    for group, kind in get_type_hints(Recipe).items():
        lines += ["", f"# {inspect.cleandoc(kind.__doc__).splitlines()[0]}", f"{group}:"]
        texts = _field_docs(kind)
        for own in dataclasses.fields(kind):
            value = getattr(getattr(recipe, group), own.name)
            value = list(value) if isinstance(value, tuple) else value
            lines += textwrap.wrap(
                texts[own.name], 96, initial_indent="  # ", subsequent_indent="  # "
            )
            flow = None if isinstance(value, list) else False  # write a list on one line
            entry = yaml.safe_dump({own.name: value}, default_flow_style=flow, width=1000)
            lines.append(f"  {entry.strip()}")
    return "\n".join(lines[1:]) + "\n"


@cache
def _field_docs(kind: type) -> dict[str, str]:
    """The docstring under each field of a group."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
