"""The pages of docs say everything that there is: columns, settings, agents, fields, figures."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from math import nan
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
from stored_results import RESULTS, ROOT, packed
from test_docs import SHOWN, blocks

from mstar.agents import AGENTS, CONTROLLERS, Policy, Response
from mstar.agents.config import SETTINGS
from mstar.agents.policy import EMBEDDED
from mstar.agents.pseudo_labels import PseudoAccuracy
from mstar.agents.sampling.catalog import ENGINES
from mstar.agents.types import (
    Alarm,
    Cost,
    FinetuneResult,
    Metrics,
    Rollout,
    Round,
    SamplingMetrics,
    SamplingPlan,
    Selection,
)
from mstar.envs import Task
from mstar.envs.datasets.field_map import FIELDS
from mstar.envs.datasets.schemas import SCHEMAS
from mstar.experiments.run import round_row
from mstar.experiments.run.run_folder import write_rollouts
from mstar.rewards import REWARDS, RULES
from mstar.rewards.diagnostics.health import ModelHealth

DOCS = ROOT / "docs"
OPAQUE = ("seconds", "state", "files")  # columns whose inside is not promised
ESTIMATE = re.compile(r"[+-]?\d+\.\d \[[+-]?\d+\.\d, [+-]?\d+\.\d\]")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """What stands as code in the first column of the tables of a page."""
    return set(re.findall(r"^\| `([^`]+)` \|", text, flags=re.M))


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The paths to the leaves of a row."""
    if isinstance(value, Mapping) and path not in OPAQUE:
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield from paths(value[0], path)
    else:
        yield path


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    task = Task(source="BarChart", seed=0)
    (problem,) = task.draw(1)
    response = Response("Answer: 9", (1,), logprob=0.0, entropy=0.0, certainty=0.0, finished=True)
    return Rollout(problem, task.prompt(problem), response, 1.0, 0, {"MODEL": 1.0}, 1.0)


def test_the_page_on_run_folders_has_every_column_of_a_round(
    rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_row, "pseudo_accuracy", lambda _: PseudoAccuracy(1, 1.0, 1.0, 1.0))
    health = ModelHealth("MODEL", *[nan] * 7)
    sampled = SamplingMetrics(0.5, 0.5, 0.5, 0.5, 1.0, 1.0)
    metrics = Metrics(1, 1, 0.5, {1.0: sampled}, {"MODEL": health}, {"A/B": nan})
    done = Round(
        number=1,
        plan=SamplingPlan(),
        rollouts=[rollout],
        selection=Selection((0,), 1.0, 1.0),
        finetuned=FinetuneResult(0.1, 1, 1e-4, 1, Path("checkpoint")),
        metrics=metrics,
        cost=Cost(),
        state={"round": 1},
        seconds={"fine-tune": 1.0},
        alarms=(Alarm("collapse", 1, "It fell.", "explore", acted=True),),
    )
    row = {**round_row.describe(done), "memory": 1, "files": {"model.safetensors": ""}}
    written = {path.replace(".1.0.", ".T.") for path in paths(row)}
    told = first_cells(section(page("run-folder.md"), "rounds.jsonl"))
    assert told == written, "write the new columns into docs/run-folder.md"


def test_the_page_on_run_folders_has_every_column_of_the_responses(
    rollout: Rollout, tmp_path: Path
) -> None:
    write_rollouts(tmp_path / "rollouts.parquet", [rollout], {0})
    columns = pq.read_schema(tmp_path / "rollouts.parquet").names
    told = first_cells(section(page("run-folder.md"), "rollouts/round-0001.parquet"))
    assert told == set(columns), "write the new columns into docs/run-folder.md"


def test_the_page_on_run_folders_has_every_column_of_the_test() -> None:
    row = packed("demo")["demo-seed-0/evaluation.jsonl"][0]
    assert first_cells(section(page("run-folder.md"), "evaluation.jsonl")) == set(row)


def test_every_agent_and_controller_stands_on_the_page_that_helps_to_choose() -> None:
    named = first_cells(page("agents.md"))
    assert set(AGENTS) | set(CONTROLLERS) <= named, "add a line to a table of docs/agents.md"


def test_the_page_on_data_sets_has_every_field_and_published_form() -> None:
    text = page("datasets.md")
    assert first_cells(text) >= set(FIELDS)
    assert set(SCHEMAS) <= set(re.findall(r"`([\w-]+)`", section(text, "Published forms")))


def test_figures_on_the_pages_stand_in_the_tables_of_the_studies() -> None:
    tables = " ".join(path.read_text() for path in RESULTS.glob("*/study.md"))
    shown = set(ESTIMATE.findall(page("agents.md")))
    assert len(shown) > 15
    assert [estimate for estimate in shown if estimate not in tables] == []


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """The script that builds the site."""
    spec = importlib.util.spec_from_file_location("build_site", DOCS / "build_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_has_every_setting_and_name(site: ModuleType) -> None:
    text = site.settings()
    assert first_cells(text) >= {*SETTINGS, *REWARDS, *RULES, *AGENTS, *CONTROLLERS, *ENGINES}
    assert [line for line in text.splitlines() if line.startswith("| `") and "| |" in line] == []


def test_the_site_has_every_class_and_function_that_is_exported(site: ModuleType) -> None:
    named = re.findall(r"^::: mstar\.[\w.]+\.(\w+)$", site.api(), flags=re.M)
    assert {"RewardPanel", "Task", "SelfEvolving", "RunFolder", "verify", "collect"} <= set(named)


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    listed = set(re.findall(r"'((?:docs|experiments)/[^']+)'", str(menu)))
    results = RESULTS.rglob("*.md")
    pages = {path.relative_to(ROOT).as_posix() for path in (*DOCS.glob("*.md"), *results)}
    made = {f"docs/{name}.md" for name in ("settings", "gallery", "api", "first-run")}
    assert listed == pages | made, "write the page into the menu, which is nav in zensical.toml"


def test_the_python_of_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Policy.load(EMBEDDED).save("charts-model")
    for code in (block.values[0] for block in blocks("python", "docs/tutorial.md")):
        exec(compile(str(code), "block", "exec", dont_inherit=True), {"__name__": "block"})
        assert capsys.readouterr().out.splitlines() == SHOWN.findall(str(code))
    assert len(list(Path("charts").glob("*.png"))) == 240


def test_the_notebook_is_kept_without_what_it_shows() -> None:
    cells = json.loads(page("first-run.ipynb"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
