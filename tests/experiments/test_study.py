"""A study from its name to its page: what is planned, what is run, and what becomes of failures."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from study_doubles import STUDY, TUNED, Doubles, round_row, size, write_run

from mstar.agents.config import SETTINGS, Recipe
from mstar.agents.online.agent import check_batches
from mstar.experiments import packed_rows
from mstar.experiments.cli.compare import given
from mstar.experiments.cli.main import main
from mstar.experiments.cli.train import TrainOptions, train_options
from mstar.experiments.packed_rows import PACKED, PackOptions, unpack
from mstar.experiments.rows import read_rows
from mstar.experiments.run.lock import locked
from mstar.experiments.studies import page, runner
from mstar.experiments.studies.catalog import PASSES, POOL, STUDIES, UPDATES, interval
from mstar.experiments.studies.page import missing
from mstar.experiments.studies.plan import Plan, PlannedRun, saved_plan
from mstar.experiments.studies.plots import COSTS
from mstar.experiments.studies.rows import StudyRows, load
from mstar.experiments.studies.runner import RunnerOptions, execute, failure_of
from mstar.experiments.studies.study import Study, TuningGrid
from mstar.experiments.studies.tables import as_json, probe_tokens, updates
from mstar.experiments.studies.tuning import chosen, tune

QUIET = RunnerOptions(jobs=2, keep_checkpoints=False, console=Console(quiet=True))
Use = Callable[[Doubles], Doubles]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setitem(STUDIES, "small", STUDY)
    monkeypatch.setitem(STUDIES, "tuned", TUNED)
    if "drawn" not in request.fixturenames:  # drawing takes most of the time
        monkeypatch.setattr(page, "figures", sketches)


@pytest.fixture
def drawn() -> None:
    """This test needs the real figures."""


def sketches(rows: StudyRows, *_: Any) -> dict[str, str]:
    """What stands for the figures."""
    names = [*(f"curves-{cost}" for cost in COSTS), *(f"differences-{g}" for g in rows.groups)]
    return {name: f"<svg>{name}</svg>" for name in [*names, "cost"]}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def used(doubles: Doubles) -> Doubles:
        monkeypatch.setattr(runner, "start", doubles.start)
        monkeypatch.setattr(runner, "POLL", 0.01)
        return doubles

    return used


def two() -> Plan:
    """Two arms, two seeds."""
    return Plan("small", ("plain", "bold"), (0, 1))


# The studies that there are


@pytest.mark.parametrize(
    "name",
    [
        *("method-interval", "online", "selection", "hints", "exploration", "unlabelled"),
        *("language-model", "language-model-tuned", "language-model-unlabelled"),
        "language-model-examples",
    ],
)
def test_every_arm_of_every_study_is_a_recipe_that_can_run(name: str) -> None:
    study = STUDIES[name]
    assert study.baseline in study.usual
    for arm in study.arms:
        recipe = study.recipe(arm, 2, {"batch_rows": 2048})
        assert (recipe.run.seed, recipe.sampling.batch_rows) == (2, 2048)
        small = name.startswith("language-model") and name != "language-model-tuned"
        assert recipe.evaluation.test_harder == (not small)
        assert (recipe.optim.schedule, recipe.optim.warmup) == ("constant", 0)
        if recipe.learns_online:
            check_batches(recipe)


@pytest.mark.parametrize(
    ("counts", "back", "total"),
    [
        ((6, 12, 18), {}, 18),
        ((6, 6, 4), {}, 16),  # a new optimizer every round
        ((6, 12, 12, 18), {2: 1}, 24),  # round 3 goes on from round 1
        ((6, 12, 6), {2: 0}, 18),
        ((6, None, 12, 12), {3: 2}, 18),  # nothing was learned in round 2
    ],
)
def test_updates_are_counted_where_a_round_starts_from_an_earlier_one(
    counts: Sequence[int | None], back: dict[int, int], total: int
) -> None:
    rows = [{"number": 0, "tuned": None, "back_to": None}]
    for number, count in enumerate(counts, 1):
        tuned = None if count is None else {"updates": count}
        rows.append({"number": number, "tuned": tuned, "back_to": back.get(number)})
    assert updates(rows) == total


def test_all_arms_of_the_interval_see_the_same_prompts_and_make_the_same_updates() -> None:
    recipes = [STUDIES["method-interval"].recipe(arm, 0, {}) for arm in METHODS]
    assert {r.data.training_problems for r in recipes} == {POOL}
    total = (PASSES * POOL, PASSES * UPDATES)
    prompts = [r.run.rounds * r.sampling.prompts for r in recipes]
    updates = [r.run.rounds * r.optim.updates for r in recipes]
    assert set(zip(prompts, updates, strict=True)) == {total}
    assert [POOL / r.sampling.prompts for r in recipes][3:] == [1, 2, 4, 8, 16]
    with pytest.raises(ValueError, match="arms would not be equal"):
        interval(1 / 128)


METHODS = tuple(STUDIES["method-interval"].arms)


def test_all_arms_of_the_online_study_make_as_many_updates_of_as_many_prompts() -> None:
    study = STUDIES["online"]
    for arm in study.arms:
        r = study.recipe(arm, 0, {})
        prompts, samples = r.sampling.prompts, r.sampling.samples
        updates = prompts * samples // r.optim.batch if r.learns_online else r.optim.updates
        assert (prompts, samples, updates) == (256, 8, 16)
        assert r.run.token_budget > 0


def test_arms_that_select_differ_in_nothing_that_costs_tokens() -> None:
    study = STUDIES["selection"]
    arms = [study.recipe(arm, 0, {}).settings() for arm in study.arms]

    def kinds(*names: str) -> int:
        return len({tuple(arm[name] for name in names) for arm in arms})

    assert kinds("rounds", "prompts", "samples", "updates", "batch") == 1
    assert kinds("selection", "rank", "judge_refresh") == len(arms)


@pytest.mark.parametrize("label", ["a b", "base", "tuning", "", "../up"])
def test_an_arm_is_called_what_a_folder_can_be_called(label: str) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        Study(**{**vars(STUDY), "arms": {**STUDY.arms, label: {}}})
    with pytest.raises(ValueError, match="'gone' is not among the arms: plain"):
        Study(**{**vars(STUDY), "baseline": "gone"})


# What is planned


@pytest.mark.parametrize(
    ("name", "arm"), [("method-interval", "sft"), ("online", "mstar"), ("online", "dapo")]
)
def test_the_command_of_a_run_gives_its_very_recipe(name: str, arm: str, tmp_path: Path) -> None:
    plan = Plan(name, (arm,), (3,), {"beta": 0.1, "weights": (1.0, 0.5, 0.25), "bf16": True})
    (run,) = plan.runs(tmp_path)
    words = run.command()
    assert words[0] == "train"
    options = train_options(words[1:])
    shared = tmp_path / "base" / "seed-3.jsonl"
    assert options == TrainOptions(run.recipe, run.folder, shared, json=True)


def test_what_is_given_for_all_arms_wins_over_what_an_arm_says() -> None:
    plan = Plan("small", ("bold",), (0,), {"samples": 2})
    assert plan.recipe("bold", 0).sampling.samples == 2
    assert given(Recipe.of(rounds=6), ["--rounds", "6", "--arms", "seed", "--no-bf16"]) == {
        "rounds": 6,
        "bf16": False,
    }
    assert given(Recipe(), ["--batch_rows=256"]) == {"batch_rows": 256}


def test_runs_go_seed_by_seed_and_optional_arms_only_by_name(tmp_path: Path) -> None:
    plan = Plan("small", STUDY.usual, STUDY.seeds)
    assert [(run.arm, run.seed) for run in plan.runs(tmp_path)][:4] == [
        ("plain", 0),
        ("bold", 0),
        ("online", 0),
        ("plain", 1),
    ]
    with pytest.raises(ValueError, match=r"out of: plain, bold, online, rare"):
        Plan("small", ("italic",), (0,))


def test_a_folder_remembers_its_plan_and_grows(tmp_path: Path) -> None:
    assert saved_plan(tmp_path, "small") is None
    replace(two(), changes={"families": ("Dice",)}).save(tmp_path)
    Plan("small", ("online",), (5,), {"families": ("Dice",)}).save(tmp_path)
    grown = saved_plan(tmp_path, "small")
    assert grown == Plan("small", ("plain", "bold", "online"), (0, 1, 5), {"families": ("Dice",)})
    with pytest.raises(ValueError, match="holds the study 'small', and not 'tuned'"):
        saved_plan(tmp_path, "tuned")


# What is run


def test_a_run_that_fails_stops_no_other_and_finished_ones_are_not_run_again(
    use: Use, tmp_path: Path
) -> None:
    doubles = use(Doubles(failing=("bold, seed 0",)))
    said = io.StringIO()
    aloud = replace(QUIET, console=Console(file=said, width=200))
    (failure,) = execute(two().runs(tmp_path), tmp_path, aloud)
    assert "started plain, seed 0" in said.getvalue()
    assert "of 4): mstar: <i>no</i>" in said.getvalue()
    assert said.getvalue().count("done   ") == 3
    assert str(failure).startswith("bold, seed 0: mstar: <i>no</i> (")
    assert len(doubles.begun) == 4
    assert list(tmp_path.rglob("checkpoints")) == []
    again = use(Doubles())
    assert execute(two().runs(tmp_path), tmp_path, QUIET) == []
    assert again.begun == ["bold, seed 0"]


def test_no_more_runs_than_jobs_live_at_the_same_time(use: Use, tmp_path: Path) -> None:
    doubles = use(Doubles(lasting=0.3))
    execute(two().runs(tmp_path), tmp_path, replace(QUIET, keep_checkpoints=True))
    assert doubles.most == 2
    assert len(list(tmp_path.rglob("checkpoints"))) == 4


def test_a_folder_with_other_settings_is_found_before_anything_is_run(
    use: Use, tmp_path: Path
) -> None:
    doubles = use(Doubles())
    execute(two().runs(tmp_path), tmp_path, QUIET)
    doubles.begun.clear()
    changed = replace(two(), changes={"rounds": 9}, seeds=(0, 7))
    with pytest.raises(ValueError, match=r"2 of 4 runs .* other settings, such as .*\(rounds\)"):
        execute(changed.runs(tmp_path), tmp_path, QUIET)
    assert doubles.begun == []


def test_a_run_that_says_nothing_and_one_that_ends_too_soon_have_failed(tmp_path: Path) -> None:
    run = two().runs(tmp_path)[0]
    run.folder.mkdir(parents=True)
    (run.folder / "log.txt").touch()
    failure = failure_of(run, 0)
    assert failure is not None
    assert "ended with code 0 and an empty log" in str(failure)
    write_run(run)
    assert failure_of(run, 0) is None
    assert failure_of(run, 1) is not None


def test_two_do_not_work_on_one_study(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(
            ValueError, match=r"is in use by process \d+ on .*, or by one that it has started"
        ),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_whoever_ends_the_study_ends_its_runs(use: Use, tmp_path: Path) -> None:
    doubles = use(Doubles(lasting=60))
    ending = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGTERM))
    ending.start()
    with pytest.raises(KeyboardInterrupt):
        execute(two().runs(tmp_path), tmp_path, QUIET)
    assert [child.poll() for child in doubles.living] == [-signal.SIGTERM] * 2
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_real_process_says_why_it_failed(tmp_path: Path) -> None:
    run = PlannedRun(
        "broken", "plain", 0, Recipe.of(env="no/such/problems.jsonl"), tmp_path / "run"
    )
    (failure,) = execute([run], tmp_path, QUIET)
    assert failure.message.startswith("mstar: no/such/problems.jsonl: no such file")


# TuningGrid


def test_every_arm_is_tuned_on_validation_problems_with_the_same_grid(
    use: Use, tmp_path: Path
) -> None:
    doubles = use(Doubles())
    plan = Plan("tuned", ("plain", "online"), (0,))
    assert tune(plan, tmp_path, QUIET) == []
    assert len(doubles.begun) == 6
    grid = read_rows(tmp_path / "tuning.jsonl")
    assert [row["rate"] for row in grid] == [1.5e-4, 3e-4, 6e-4, 5e-5, 1e-4, 2e-4]
    assert [row["chosen"] for row in grid] == [False, False, True] * 2
    assert grid[2]["edge"]
    assert grid[0]["score"] == pytest.approx(0.3 + 3 * 1.5e-4)  # the last of three rounds
    plan = replace(plan, rates=chosen(tmp_path))
    assert plan.recipe("plain", 0).optim.learning_rate == 6e-4
    assert plan.recipe("online", 0).online.learning_rate == 2e-4
    assert plan.recipe("online", 0).optim.learning_rate == 3e-4
    stored = json.loads(next((tmp_path / "tuning").rglob("recipe.json")).read_text())["recipe"]
    recipe = Recipe.from_stored(stored)
    assert (recipe.run.seed, recipe.run.token_budget) == (1000, 1250)
    assert recipe.evaluation.test_problems == 1
    doubles.begun.clear()
    assert tune(replace(plan, arms=("plain", "bold")), tmp_path, QUIET) == []
    assert all(label.startswith("bold") for label in doubles.begun)


def test_a_grid_that_is_widened_is_filled_up(
    use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubles = use(Doubles())
    plan = Plan("tuned", ("plain",), (0,))
    assert tune(plan, tmp_path, QUIET) == []
    wider = Study(**{**vars(TUNED), "tuning": TuningGrid(factors=(0.5, 1.0, 2.0, 4.0))})
    monkeypatch.setitem(STUDIES, "wider", wider)
    doubles.begun.clear()
    assert tune(replace(plan, name="wider"), tmp_path, QUIET) == []
    assert doubles.begun == ["plain, tuning at 0.0012"]
    grid = read_rows(tmp_path / "tuning.jsonl")
    assert [row["rate"] for row in grid] == [1.5e-4, 3e-4, 6e-4, 1.2e-3]
    assert [row["edge"] for row in grid] == [row["chosen"] for row in grid] == [False] * 3 + [True]
    assert tune(replace(plan, name="wider"), tmp_path, QUIET) == []
    assert len(doubles.begun) == 1


def test_an_arm_whose_tuning_failed_is_not_compared(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(Doubles(failing=("bold, tuning at 0.0003",)))
    words = ["compare", "tuned", "--arms", "plain", "bold", "--seeds", "0", "--out", tmp_path]
    assert main(list(map(str, words))) == 1
    assert "bold, tuning at 0.0003: mstar: <i>no</i>" in capsys.readouterr().err
    assert not (tmp_path / "bold").exists()
    page = (tmp_path / "study.html").read_text()
    assert "mstar: &lt;i&gt;no&lt;/i&gt;" in page
    use(Doubles())
    assert main(list(map(str, words))) == 0
    assert "at the edge" in capsys.readouterr().out


# The command, and what it leaves behind


def compared(out: Path, *more: object) -> int:
    words = ["compare", "small", "--out", out, "--jobs", 2, *more]
    return main([str(word) for word in words])


def test_where_every_run_failed_each_is_named(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(Doubles(failing=("plain, seed 0", "bold, seed 0")))
    assert compared(tmp_path, "--seeds", 0, "--arms", "plain", "bold") == 1
    last = capsys.readouterr().err.strip().splitlines()[-3:]
    assert last[0] == "mstar: 2 runs failed; the same command tries them again"
    assert last[1].startswith("plain, seed 0: mstar: <i>no</i> (")


def test_a_study_is_one_command_and_wider_with_one_option(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles())
    assert compared(tmp_path, "--seeds", 0, 1, "--rounds", 2, "--json") == 0
    tables = json.loads(capsys.readouterr().out)
    assert {row["arm"] for row in tables["difference"]} == {"bold", "online"}
    assert len(doubles.begun) == 6
    assert compared(tmp_path, "--seeds", 2, "--arms", "plain", "rare") == 0
    assert doubles.begun[6:] == ["plain, seed 2", "rare, seed 2"]
    there = saved_plan(tmp_path, "small")
    assert there is not None
    assert there.changes == {"rounds": 2}
    assert missing(load(there, tmp_path)) == [
        "bold, seed 2",
        "online, seed 2",
        "rare, seed 0",
        "rare, seed 1",
    ]
    assert "Missing: bold, seed 2; " in (tmp_path / "study.md").read_text()
    assert "| 3 |" in capsys.readouterr().out


@pytest.mark.usefixtures("drawn")
def test_the_rows_that_are_kept_give_the_same_tables_and_page(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles())
    full, kept = tmp_path / "full", tmp_path / "kept"
    assert compared(full, "--rows", kept, "--json") == 0
    tables = json.loads(capsys.readouterr().out)
    assert [path.name for path in kept.iterdir()] == [PACKED]
    assert size(kept) < size(full) / 5
    rows = unpack(kept / PACKED)
    assert "so it is" not in str(rows)
    doubles.begun.clear()
    assert compared(kept, "--no-run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == tables
    assert (kept / "study.html").read_text() == (full / "study.html").read_text()
    for figure in sorted((full / "figures").iterdir()):
        assert (kept / "figures" / figure.name).read_text() == figure.read_text()


def test_packed_rows_are_continued_once_they_are_unpacked(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles())
    kept, again = tmp_path / "kept", tmp_path / "again"
    assert compared(tmp_path / "full", "--seeds", 0, "--rows", kept) == 0
    assert compared(kept, "--seeds", 0, 1) == 1
    assert "give --no-run to see their tables, or unpack them" in capsys.readouterr().err
    packed_rows.run(PackOptions(kept / PACKED, again))
    doubles.begun.clear()
    assert compared(again, "--seeds", 0, 1) == 0
    assert doubles.begun == ["plain, seed 1", "bold, seed 1", "online, seed 1"]


def test_rows_of_a_study_that_has_changed_still_give_their_page(
    use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles())
    assert compared(tmp_path, "--seeds", 0) == 0
    before = capsys.readouterr().out
    changed = replace(STUDY, base=STUDY.base.replace(rounds=9))
    monkeypatch.setitem(STUDIES, "small", changed)
    assert compared(tmp_path) == 1
    assert "other settings, such as" in capsys.readouterr().err
    assert compared(tmp_path, "--no-run") == 0
    assert capsys.readouterr().out == before
    assert len(doubles.begun) == 3
    assert compared(tmp_path / "empty", "--no-run") == 1
    assert "holds no finished run of small" in capsys.readouterr().err


@pytest.mark.usefixtures("drawn")
def test_the_page_is_one_file_that_escapes_what_it_is_given(use: Use, tmp_path: Path) -> None:
    use(Doubles(failing=("online, seed 1",)))
    assert compared(tmp_path, "--env", "<script>alert(1)</script>") == 1
    page = (tmp_path / "study.html").read_text()
    assert "<script>alert" not in page
    assert "Is &lt;b&gt;bold&lt;/b&gt; better?" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Missing: online, seed 1" in page
    assert page.count("<svg") == 4 + 2 + 1
    assert 'src="' not in page
    assert 'href="http' not in page


def test_the_page_says_when_its_runs_are_of_several_versions(use: Use, tmp_path: Path) -> None:
    use(Doubles())
    words = ("--seeds", 0, "--arms", "plain", "bold")
    assert compared(tmp_path, *words) == 0
    assert "Not all runs" not in (tmp_path / "study.html").read_text()
    path = tmp_path / "bold" / "seed-0" / "recipe.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "commit": "abcdef0123456789"}))
    assert compared(tmp_path, *words) == 0
    page = (tmp_path / "study.html").read_text()
    assert "commit unknown, ? cores; and with commit abcdef0123, ? cores" in page
    assert "Not all runs are of one version or machine." in page


def test_runs_of_an_older_version_count_by_the_defaults_and_that_is_said(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles())
    words = ("--seeds", 0, "--arms", "plain", "bold")
    assert compared(tmp_path, *words) == 0
    tables = capsys.readouterr().out
    path = tmp_path / "bold" / "seed-0" / "recipe.json"
    stored = json.loads(path.read_text())
    del stored["recipe"]["data"]["training_problems"]
    del stored["recipe"]["online"]["kl_coefficient"]
    path.write_text(json.dumps(stored))
    doubles.begun.clear()
    assert compared(tmp_path, *words) == 0
    said = capsys.readouterr()
    assert (said.out, doubles.begun) == (tables, [])
    assert "without training_problems, kl_coefficient: the defaults stand for them" in said.err
    assert compared(tmp_path, *words, "--pool", 9) == 1
    assert "2 of 2 runs exist with other settings" in capsys.readouterr().err


def test_a_study_has_seeds_and_not_a_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(tmp_path, "--seed", 3) == 1
    assert "give --seeds 0 1 2, not --seed" in capsys.readouterr().err
    assert main(["compare"]) == 1
    assert "or a study: default, method-interval, online" in capsys.readouterr().err
    assert main(["compare", "small", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in shown for name in SETTINGS)
    assert max(map(len, shown.splitlines())) <= 100


def test_an_interrupted_command_ends_with_130_and_leaves_no_run_behind(
    use: Use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubles = use(Doubles(lasting=60))

    def end_once_a_run_is_finished() -> None:
        while not list(tmp_path.rglob("evaluation.jsonl")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_once_a_run_is_finished).start()
    words = ["compare", "small", "--jobs", "1", "--out", tmp_path, "--rows", tmp_path / "kept"]
    assert main(list(map(str, words))) == 130
    assert "the same command resumes" in capsys.readouterr().err
    kept = unpack(tmp_path / "kept" / PACKED)
    assert len([name for name in kept if name.endswith("evaluation.jsonl")]) == 1
    assert [child.poll() for child in doubles.living] == [-signal.SIGTERM]
    with locked(tmp_path):  # no run holds it any more
        pass


def test_tables_of_made_up_runs_are_right(use: Use, tmp_path: Path) -> None:
    use(Doubles())
    plan = Plan("small", ("plain", "bold", "online"), (0, 1, 2))
    execute(plan.runs(tmp_path), tmp_path, QUIET)
    tables: dict[str, Any] = as_json(load(plan, tmp_path))
    found = {(d["arm"], d["group"], d["metric"]): d for d in tables["difference"]}
    bold = found["bold", "trained", "pass@1"]
    assert 0.15 < bold["over_problems"]["mean"] < 0.25
    assert bold["over_seeds"]["low"] > 0
    assert bold["corrected"] == pytest.approx(2 * bold["chance"])
    assert bold["improves"] == 1.0
    same = found["online", "trained", "greedy"]
    assert (same["over_problems"]["mean"], same["improves"], same["corrected"]) == (0, 0.5, 1)
    spent = {s["arm"]: s for s in tables["spending"]}["plain"]
    assert (spent["rounds"], spent["updates"], spent["tokens"]) == (3, 12, 3000)
    assert (spent["overshoot"], spent["probed"], spent["measured_tokens"]) == (500, 400, 400)
    assert (spent["responses"], spent["seconds"]) == (150, 9)
    assert (probe_tokens(round_row(0, 0.3), 1.0), probe_tokens(round_row(0, 0.3), 0.7)) == (0, 400)
