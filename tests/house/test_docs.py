"""The papers say what is so: their code runs and prints what they say, their commands exist."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
from architecture import FLOORS, PICTURE, draw
from PIL import Image

from mstar.agents.catalog import AGENTS
from mstar.envs import FAMILIES
from mstar.experiments.cli import main as cli
from mstar.experiments.run.recipes import RECIPES
from mstar.experiments.studies.catalog import STUDIES

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SHOWN = re.compile(r"^ *print\(.*\)  # (.+)$", re.M)
LEAF = re.compile(r"^( *)([\w./*-]+)  ", re.M)


def blocks(language: str, *papers: str) -> list[pytest.ParameterSet]:
    return [
        pytest.param(found[2], id=f"{paper}:{text.count(chr(10), 0, found.start()) + 1}")
        for paper in papers
        for text in [(ROOT / paper).read_text(encoding="utf-8")]
        for found in FENCED.finditer(text)
        if found[1] == language
    ]


def options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}


@pytest.fixture
def folder_of_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files that the papers speak of, and a registry that forgets what their code adds."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for index in range(12):
        Image.new("RGB", (64, 64), (20 * index, 0, 0)).save(f"{index}.png")
        row = {"hint": "Look.", "question": f"How many bars has chart {index}?"}
        rows.append(json.dumps({**row, "image": f"{index}.png", "gold": str(index)}))
    Path("problems.jsonl").write_text("\n".join(rows), encoding="utf-8")
    before, families, agents = set(gymnasium.registry), set(FAMILIES), set(AGENTS)
    yield
    for added in set(AGENTS) - agents:
        del AGENTS[added]
    for added in set(gymnasium.registry) - before:
        del gymnasium.registry[added]
    for added in set(FAMILIES) - families:
        del FAMILIES[added]


@pytest.mark.parametrize(
    "code",
    blocks("python", "README.md", "docs/plug-ins.md", "docs/datasets.md", "docs/run-folder.md"),
)
@pytest.mark.usefixtures("folder_of_a_reader")
def test_the_code_runs_and_prints_what_it_says(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "block", "exec", dont_inherit=True), {"__name__": "block"})
    assert capsys.readouterr().out.splitlines() == SHOWN.findall(code)


@pytest.mark.parametrize("code", blocks("python", "README.md"))
def test_an_example_of_the_readme_imports_from_two_modules_of_ours_at_most(code: str) -> None:
    assert len(set(re.findall(r"^(?:from|import) (mstar[\w.]*)", code, flags=re.M))) <= 2


@pytest.mark.parametrize(
    "code", blocks("sh", "README.md", "CONTRIBUTING.md", "docs/tutorial.md", "docs/datasets.md")
)
def test_the_commands_exist_with_these_options(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = re.sub(r" #.*$", "", code.replace("\\\n", " "), flags=re.M)
    for line in (part.removeprefix(" do ") for part in re.split(r"[;\n]", bare)):
        words = shlex.split(line)
        if words[:1] == ["make"]:
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(f"\n{target}:" in makefile for target in words[1:]), line
        elif words[:1] == ["bash"]:
            assert (ROOT / words[1]).is_file(), line
        elif words[:2] == ["accelerate", "launch"]:
            assert (ROOT / words[3]).is_file(), line
            assert words[4:] == ["-m", "mstar.experiments.cli", "train"], line
        elif words[:1] == ["mstar"]:
            several = words[1] == "envs" or (words[2:3] and words[2] in STUDIES)
            command = words[1:3] if several else words[1:2]
            if words[1] == "train" and len(words) > 2 and not words[2].startswith("-"):
                assert words[2] in RECIPES, line
            if not options(words):
                assert words[1] in cli.COMMANDS, line
                continue
            whole = "--help-all" if words[1] == "train" else "--help"
            assert cli.main([*command, whole]) == 0, line
            assert options(words) <= set(re.findall(r"--[\w-]+", capsys.readouterr().out)), line
        else:
            assert words[:1] in ([], ["git"], ["cd"], ["for"], ["done"]), f"nobody checks {line!r}"


def test_the_reader_meets_code_within_twelve_lines() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert min(lines.index("```sh"), lines.index("```python")) < 12


PAGES = [
    *ROOT.glob("*.md"),
    *(path for folder in ("docs", *FLOORS) for path in (ROOT / folder).rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    text = re.sub(r"`[^`]+`", "", FENCED.sub("", page.read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def test_the_tree_names_only_what_exists() -> None:
    (drawn,) = [block.values[0] for block in blocks("text", "README.md")]
    folder = ROOT
    leaves = LEAF.findall(str(drawn))
    assert len(leaves) == len(str(drawn).splitlines())
    for indent, name in leaves:
        path = (folder if indent else ROOT) / name
        folder = folder if indent else path
        assert path.exists(), f"README.md draws {name}, and there is none"


def rooms() -> set[str]:
    """The packages on each floor, and the floors themselves."""
    inside = {path.parent for floor in FLOORS for path in (ROOT / floor).glob("*/__init__.py")}
    return set(FLOORS) | {path.relative_to(ROOT).as_posix() for path in inside}


def test_the_page_on_the_architecture_has_every_room_and_names_only_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w/]+)` \|", text, flags=re.M)) == rooms()
    files = re.findall(r"`((?:rewards|envs|agents|experiments|tests)/[\w/]+\.py)`", text)
    assert len(files) > 30
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_the_picture_of_the_architecture_shows_the_rooms_and_the_imports_between_them() -> None:
    drawn = PICTURE.read_text(encoding="utf-8")
    assert (
        set(FLOORS) | {f"{floor}/{room}" for floor in FLOORS for room in FLOORS[floor]} == rooms()
    )
    assert drawn == draw(), "draw it again: python tests/house/architecture.py"


def test_every_fault_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| .*\| (`test_.*) \|$", (ROOT / "docs/faults.md").read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert {name for name in named if f"def {name}(" not in tests} == set()
