"""The rules of the house that a machine can check; they look at the sources, not at a wheel."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from architecture import tree

ROOT = Path(__file__).parents[2]
FLOORS = ("rewards", "envs", "agents", "experiments")  # each may import those before it
LONGEST_FUNCTION = 60  # lines, docstring included
RECORDS = ROOT / "experiments" / "results"  # what README's numbers come from; no code reads it
VAGUE = {"utils", "common", "helpers", "misc", "manager", "factory"}

# Addresses that mean something in one workplace only. Written so that they don't match themselves.
ELSEWHERE = re.compile(
    rb"/(?<![\w.}]/)(?:wor[k]|roo[t]|hom[e]|Use[r]s|op[t]|mn[t]|tm[p]|privat[e])/\w"
    rb"|pyp[i]\.|pythonhoste[d]|inde[x]-url"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"no sources in {folders}: this test must be run in the repository"
    return found


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file, the file itself first."""
    return tuple(ast.walk(tree(path)))


def at(path: Path, node: ast.AST | None = None) -> str:
    line = "" if node is None else f":{getattr(node, 'lineno', '?')}"
    return f"{path.relative_to(ROOT)}{line}"


@cache
def imported(path: Path) -> tuple[tuple[str, ast.AST], ...]:
    """Every module that a file names in an import, inside functions and TYPE_CHECKING too."""
    return tuple(imports_among(nodes(path)))


def imports_among(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every module that is named in an import among these nodes."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            inside = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((name, node) for name in (inside if module == "mstar" else [module]))


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public classes, functions and methods by dotted name."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{owner}{node.name}.")


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def files() -> tuple[Path, ...]:
    """What git keeps, and what it would keep if it were added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    paths = {ROOT / name for name in listed.decode().split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file() and not path.is_symlink()))


# Who may import whom


def test_imports_run_down_only() -> None:
    wrong = []
    for height, floor in enumerate(FLOORS):
        allowed = {f"mstar.{name}" for name in FLOORS[: height + 1]}
        for path in sources(floor):
            for name, node in imported(path):
                if name.split(".")[0] == "mstar" and ".".join(name.split(".")[:2]) not in allowed:
                    wrong.append(f"{at(path, node)} imports {name}")
    assert wrong == []


def test_no_files_import_one_another_in_a_circle() -> None:
    """Imports inside functions and under TYPE_CHECKING count as well."""
    modules = {
        f"mstar.{at(path)[:-3]}".replace("/", ".").removesuffix(".__init__"): path
        for path in sources(*FLOORS)
    }
    uses: dict[str, set[str]] = {}
    for module, path in modules.items():
        uses[module] = {name for name, _ in imported(path) if name in modules}
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                named = inside & set(modules)
                uses[module] |= named
                if named == inside:  # the package is only on the way to them
                    uses[module].discard(node.module)
    TopologicalSorter(uses).prepare()  # its error names the circle


def test_no_file_of_ours_is_imported_for_its_types_alone() -> None:
    """It would hide that two files need one another; what both need has a file of its own."""
    wrong = [
        f"{at(path, node)} imports {name}"
        for path in sources(*FLOORS)
        for branch in nodes(path)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for name, node in imports_among(ast.walk(branch))
        if name.split(".")[0] == "mstar"
    ]
    assert wrong == []


def test_the_four_folders_are_imported_by_their_full_names() -> None:
    bare = {*FLOORS, "tests"}
    wrong = [
        f"{at(path, node)} imports {name}"
        for path in sources(*FLOORS, "tests")
        for name, node in imported(path)
        if name.split(".")[0] in bare or name.startswith(".")
    ]
    assert wrong == []


def test_nothing_needs_torchvision() -> None:
    wrong = [
        at(path, node)
        for path in sources(*FLOORS, "tests")
        for name, node in imported(path)
        if name.split(".")[0] == "torchvision"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("mstar.rewards", {"torch", "transformers", "trl", "PIL", "sympy", "math_verify"}),
        ("mstar.envs", {"torch", "transformers", "trl", "sympy", "datasets", "matplotlib"}),
    ],
)
def test_a_low_floor_loads_fast(module: str, heavy: set[str]) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert heavy & set(json.loads(done.stdout)) == set()


# What goes into the wheel


def test_every_folder_with_code_is_a_package_of_the_wheel() -> None:
    setuptools = project()["tool"]["setuptools"]
    folders = {path.parent for path in files() if path.suffix == ".py"}
    with_code = {at(folder) for folder in folders} - {"docs"}
    with_code = {folder for folder in with_code if not folder.startswith("tests")}
    assert with_code == set(setuptools["package-dir"].values())
    assert sorted(setuptools["packages"]) == sorted(setuptools["package-dir"])
    assert all(
        f"mstar.{path.replace('/', '.')}" == name
        for name, path in setuptools["package-dir"].items()
    )


def test_every_file_that_the_code_reads_is_package_data() -> None:
    patterns = project()["tool"]["setuptools"]["package-data"]
    for floor in FLOORS:
        packed = {
            path for pattern in patterns[f"mstar.{floor}"] for path in (ROOT / floor).glob(pattern)
        }
        inside = {path for path in files() if path.is_relative_to(ROOT / floor)}
        read = {path for path in inside if path.suffix != ".py" and RECORDS not in path.parents}
        assert {at(path) for path in read - packed} == set()


def test_a_type_checker_finds_each_folder() -> None:
    links = {link.name: link.resolve() for link in (ROOT / ".types" / "mstar").iterdir()}
    assert links == {floor: ROOT / floor for floor in FLOORS}


# What a reader meets


def test_no_file_is_named_after_nothing() -> None:
    wrong = [at(path) for path in sources(*FLOORS, "tests") if VAGUE & set(path.stem.split("_"))]
    assert wrong == []


def test_the_folders_of_tests_are_those_of_the_code() -> None:
    folders = {at(path.parent) for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders == {f"tests/{name}" for name in (*FLOORS, "house")}


def test_every_function_can_be_seen_at_once() -> None:
    wrong = [
        f"{at(path, node)} {node.name}: {length} lines"
        for path in sources(*FLOORS)
        for node in nodes(path)
        if isinstance(node, Function)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert wrong == []


def test_every_file_and_everything_public_says_what_it_is() -> None:
    wrong = []
    for path in sources(*FLOORS):
        named: list[tuple[str, Any]] = [("the file", tree(path)), *public(tree(path).body)]
        wrong += [f"{at(path)} {name}" for name, node in named if not ast.get_docstring(node)]
    assert wrong == []


def test_no_kept_file_points_into_a_workplace() -> None:
    wrong = [
        f"{at(path)}: {found[0].decode(errors='replace')!r}"
        for path in files()
        for found in [ELSEWHERE.search(path.read_bytes())]
        if found
    ]
    assert wrong == []
