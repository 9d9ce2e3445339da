"""Build the documentation as a site: ``make docs``, or ``python docs/build_site.py``.

README and the pages of docs are taken as they stand, in the folders in which they stand, so that
their links hold. To them come pages that are made from the code, and the notebook as it runs.
Zensical makes the site and fails at a link that leads nowhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from inspect import getdoc, isclass, isfunction
from pathlib import Path
from typing import Any, get_type_hints

from mstar.agents import AGENTS, CONTROLLERS
from mstar.agents import __all__ as agents_names
from mstar.agents.config import GROUPS, SETTINGS, Recipe
from mstar.agents.registry import resolve
from mstar.agents.sampling.catalog import ENGINES
from mstar.envs import FAMILIES
from mstar.experiments.cli.gallery import write_page
from mstar.experiments.cli.options import setting_doc
from mstar.rewards import REWARDS, RULES

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "docs"
PAGES = OUT / "pages"
LINK = re.compile(r"\]\(([^)\s#]+)")
IMAGE_SIZE = 224  # pixels, of the gallery
# The Python API by package; what else these packages export is data or an alias.
API = ("mstar.rewards", "mstar.envs", "mstar.agents", "mstar.experiments")


def stage() -> None:
    """Write all pages and what they link to below ``PAGES``."""
    shutil.rmtree(OUT, ignore_errors=True)
    results = (ROOT / "experiments" / "results").rglob("*.md")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *results]
    for page in pages:
        copy(page)
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for link in LINK.findall(re.sub(r"`[^`]+`", "", text)):
            linked = (page.parent / link).resolve()
            if not link.startswith("http") and linked.is_file():
                copy(linked)
    copy(ROOT / "docs" / "site.css")
    made = PAGES / "docs"
    (made / "settings.md").write_text(settings(), encoding="utf-8")
    (made / "api.md").write_text(api(), encoding="utf-8")
    write_page(FAMILIES, made, IMAGE_SIZE)
    run_notebook(ROOT / "docs" / "first-run.ipynb", made)


def copy(path: Path) -> None:
    """Copy a file of the repository to its place among the pages."""
    target = PAGES / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def run_notebook(path: Path, out: Path) -> None:
    """Run a notebook, and write it with what it shows as a page with images.

    Raises:
        CellExecutionError: a cell failed.
    """
    import nbformat  # the other pages do without
    from nbconvert import MarkdownExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor

    read = nbformat.read(path, nbformat.NO_CONVERT)
    ExecutePreprocessor(timeout=600).preprocess(read, {"metadata": {"path": str(path.parent)}})
    CoalesceStreamsPreprocessor().preprocess(read, {})  # what a cell prints in one piece
    body, resources = MarkdownExporter().from_notebook_node(read)
    images = out / path.stem
    images.mkdir()
    for name, content in resources["outputs"].items():
        (images / name).write_bytes(content)
        body = body.replace(f"({name})", f"({path.stem}/{name})")
    (out / f"{path.stem}.md").write_text(body, encoding="utf-8")


def settings() -> str:
    """The page with every setting, and what the names in them stand for."""
    recipe = Recipe()
    parts = [
        "# Settings",
        "Every setting of a run, with its default for the embedded model. On the command line a "
        "setting is `--its-name VALUE`, in a file it stands in its group: `mstar config` prints "
        "one. The default recipe of `mstar train` and the other named recipes change some of them.",
    ]
    hints = get_type_hints(Recipe)
    values = recipe.resolved().settings()
    for group in GROUPS:
        own = [name for name, (of, _) in SETTINGS.items() if of == group]
        rows = [(f"`{name}`", cell(values[name]), setting_doc(name)) for name in own]
        parts += [f"## {group}", str(getdoc(hints[group])), table("setting", "default", rows)]
    catalogs: dict[str, tuple[dict[str, Any], str]] = {
        "Reward models": (dict(REWARDS), "reward model"),
        "Rules": (dict(RULES), "rule"),
        "Agents": (AGENTS, "agent"),
        "Exploration controllers": (CONTROLLERS, "controller"),
        "Rollout engines": (ENGINES, "engine"),
    }
    for title, (catalog, kind) in catalogs.items():
        made = {name: resolve(kind, catalog, name) for name in catalog}
        rows = [(f"`{name}`", "", first_line(thing)) for name, thing in made.items()]
        parts += [f"## {title}", table(kind, "", rows)]
    return "\n\n".join(parts) + "\n"


def table(first: str, second: str, rows: list[tuple[str, str, str]]) -> str:
    """A table of three columns, or of two if the second has no name."""
    shown = [row if second else (row[0], row[2]) for row in rows]
    head = (first, second, "meaning") if second else (first, "meaning")
    lines = [head, ("---",) * len(head), *shown]
    return "\n".join(f"| {' | '.join(escaped(text) for text in line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text of a docstring as a cell of a table."""
    one_line = " ".join(text.split()).replace("``", "`").replace("|", "\\|")
    return re.sub(r"<(?=\w)", "&lt;", one_line)


def cell(value: object) -> str:
    """A default as code."""
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    return f"`{value}`" if value not in ("", None) else "none"


def first_line(thing: object) -> str:
    """The first line of a docstring."""
    return str(getdoc(thing)).partition("\n")[0]


def api() -> str:
    """The page from which mkdocstrings makes the reference."""
    parts = ["# Python API", "What the four packages export, from their docstrings."]
    for package in API:
        module = import_module(package)
        names = agents_names if package == "mstar.agents" else module.__all__
        parts.append(f"## {package}")
        seen = set()
        for name in names:
            thing = getattr(module, name)
            if (isclass(thing) or isfunction(thing)) and thing.__name__ == name:
                seen.add(f"::: {thing.__module__}.{name}")
        parts += sorted(seen)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    stage()
    command = ["zensical", "build", "--strict", "--config-file", str(ROOT / "zensical.toml")]
    sys.exit(subprocess.run([sys.executable, "-m", *command], check=False).returncode)
