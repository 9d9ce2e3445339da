"""The command line: what it says of mistakes, before anything is trained, and a run to the end."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_models import save_tiny_model

from mstar.agents.config import SETTINGS, Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.families.base import LEVELS
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Step, StepKind
from mstar.experiments import plots
from mstar.experiments.bench.catalog import BENCHES
from mstar.experiments.cli import envs
from mstar.experiments.cli.main import COMMANDS, main
from mstar.experiments.evaluation import evaluate_subjects
from mstar.experiments.evaluation.evaluate import skill_of
from mstar.experiments.evaluation.evaluate_subjects import ASKING, unequal_settings
from mstar.experiments.evaluation.subject import Subject
from mstar.experiments.rows import read_rows, write_rows
from mstar.experiments.run import train as training
from mstar.experiments.run.lock import locked
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.recipes import RECIPES
from mstar.experiments.run.run_folder import read_rollouts
from mstar.experiments.run.train import length_warnings
from mstar.experiments.terminal import folded

SMALL = shlex.split(
    """--families BarChart --extra-families Dice --rounds 1 --prompts 4 --samples 2 --size 96
 --max-new-tokens 6 --panel correctness random self_certainty --gate random --updates 2 --batch 2
 --held-out 2 --held-out-samples 2 --test 2 --test-samples 1 --threads 1
 --canaries warn --guards watch"""
)
HOSTILE = '<script>alert("1")</script> & more'


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.setenv("COLUMNS", "100")

    def said(*words: object) -> Said:
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return said


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No model may be loaded and nothing sampled in this test."""

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was loaded before the mistake was found")

    monkeypatch.setattr(Policy, "load", reached)
    yield
    assert list(tmp_path.rglob("*.parquet")) == []


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no report in this test, which looks at other files."""
    monkeypatch.setattr(training, "write_report", lambda *_: None)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have no figures in this test, which looks at their words."""
    monkeypatch.setattr(plots, "svg", lambda figure: "<svg/>")


def one_message(said: Said, *expected: str) -> None:
    """The command failed with one message, and it says what is expected."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("mstar: ")
    assert said.err.count("mstar: ") == 1
    assert "Traceback" not in said.err
    for words in expected:
        assert words in said.err


# Help


def test_without_a_word_it_says_what_there_is(say: Say) -> None:
    for words in ((), ("--help",), ("-h",)):
        said = say(*words)
        assert (said.code, said.err) == (0, "")
        assert all(f"mstar {command}" in said.out for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [*([c] for c in COMMANDS), ["envs", "show"], *(["bench", name] for name in BENCHES), []],
)
def test_every_command_has_help_that_fits_a_narrow_terminal(
    say: Say, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said = say(*command, "--help")
    assert (said.code, said.err) == (0, "")
    assert not command or f"usage: mstar {' '.join(command)}" in said.out
    assert max(map(len, said.out.splitlines())) <= 60


def test_every_benchmark_is_listed(say: Say) -> None:
    listed = [line.split()[0] for line in say("bench").out.splitlines() if line.startswith("  ")]
    assert listed[:-1] == list(BENCHES)


def test_without_colour_a_terminal_gets_none() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "60", "TERM": "xterm"}
    command = [sys.executable, "-m", "mstar.experiments.cli", "runs", "--help"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    with suppress(OSError), open(ours, "rb", buffering=0) as terminal:  # it ends in an error
        while part := terminal.read(1 << 16):
            said += part
    assert process.wait() == 0
    assert b"usage: mstar runs" in said
    assert b"\x1b" not in said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_printed_is_folded_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        assert [main(words) for words in (["envs", "list"], ["train", "mstr"])] == [0, 1]
        widest = max(map(len, stream.getvalue().splitlines()))
        assert (widest <= 60) == stream.isatty()
        assert "\x1b" not in stream.getvalue()
    assert folded("a  b" + " words" * 20, 30).splitlines()[1].startswith("   words")


def test_the_whole_help_of_train_explains_every_field(say: Say) -> None:
    out = " ".join(say("train", "--help-all").out.split())
    for name in SETTINGS:
        assert f"--{name.replace('_', '-')}" in out
    assert "Responses per problem" in out
    assert "the run's folder" in out


@pytest.mark.parametrize(("columns", "most"), [(60, 64), (80, 50), (200, 50)])
def test_the_first_page_of_train_is_short_and_leads_to_the_rest(
    say: Say, monkeypatch: pytest.MonkeyPatch, columns: int, most: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = say("train", "smoke", "--help").out.splitlines()
    assert len(lines) <= most
    assert max(map(len, lines)) <= min(columns, 100)
    assert any("--rounds" in line for line in lines)
    assert any("--help-all" in line for line in lines)
    assert any("runs/smoke" in line for line in lines)


@pytest.mark.usefixtures("untrained")
def test_a_dry_run_says_what_would_be_done_and_does_nothing(say: Say, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = say("train", "smoke", "--rounds", 1, "--dry-run", "--out", out)
    assert (said.code, said.err) == (0, "")
    recipe = RECIPES["smoke"].replace(rounds=1)
    responses = recipe.run.rounds * recipe.sampling.prompts * recipe.sampling.samples
    assert f"{responses} for training" in said.out
    assert f"{responses * recipe.max_new_tokens:,} of them for training" in said.out
    assert " 1 round, in " in said.out
    assert f"at most {recipe.run.rounds * recipe.optim.updates} of 8 responses" in said.out
    assert "24 trained, 12 not trained" in said.out
    for held in ("weights: ", "activations of 8 responses", "keys and values"):
        assert held in said.out
    assert not out.exists()
    one_message(say("train", "smoke", "--dry-run", "--env", tmp_path / "gone.jsonl"), "gone.jsonl")
    groups = ("train", "smoke", "--agent", "grpo", "--samples", 3, "--out", out)
    for words in (groups, (*groups, "--dry-run")):
        one_message(say(*words), "batch x minibatches is 32; it must be a multiple of samples (3)")
    assert not out.exists()


def test_a_length_term_that_pays_for_wrong_answers_is_warned_about() -> None:
    recipe = Recipe.of(
        agent="grpo", panel=("correctness", "brevity"), rank="reward", weights=(1.0, 1.0)
    )
    assert length_warnings(recipe) == []
    (warning,) = length_warnings(recipe.replace(rule="weighted_sum"))
    assert "paid for being short" in warning


# Mistakes


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], ["unknown command 'trian'", "did you mean 'train'"]),
        (["train", "smok"], ["unknown recipe 'smok'", "did you mean 'smoke'"]),
        (["train", "--env", "mstar/BarChar-v0"], ["mstar/BarChart-v1"]),
        (["train", "--families", "BarChart", "Clok"], ["'Clok'", "Clock"]),
        (["train", "--extra-families", "Rulr"], ["'Rulr'", "Ruler"]),
        (["train", "--env", "no/such/problems.jsonl"], ["no/such/problems.jsonl", "no such file"]),
        (
            ["train", "continuous", "--rank", "reward", "--panel", "correctness", "niceness"],
            ["'niceness'", "known: correctness"],
        ),
        (["train", "--agent", "gpro"], ["unknown agent 'gpro'; did you mean 'grpo'?", "rest-em"]),
        (["train", "my.yaml"], ["my.yaml", "No such file"]),
        (["train", "--gate", "brevity"], ["the gate 'brevity' is not in the panel"]),
        (
            ["train", "--rank", "brevity"],
            ["the rank 'brevity' is neither 'reward' nor in", "--rank reward"],
        ),
        (["train", "--level", "4"], ["level must be one of (1, 2, 3)"]),
        (["train", "--size", "20"], ["96 to 448"]),
        (["report", "nowhere"], ["nowhere is not a run folder"]),
        (["rescore", "nowhere"], ["nowhere is not a run folder"]),
        (["rescore", "nowhere", "--panel", "niceness"], ["'niceness'"]),
        (["rescore", "nowhere", "--rule", "vote"], ["'vote'", "weighted_sum"]),
        (["compare", "onlin"], ["unknown study 'onlin'; did you mean 'online'?", "run's folder"]),
        (
            ["envs", "lst"],
            ["'lst'; did you mean 'list'?", "show, validate, solve-rate, blind, gallery"],
        ),
        (["train", "--test-env", "Clock", "--test-env", "Dice"], ["--test-env is given twice"]),
        (["runs", "nowhere"], ["there are no runs in nowhere"]),
        (["train", "--agent", "no_such:Agent"], ["'no_such:Agent' cannot be loaded", "no_such"]),
        (
            ["train", "continuous", "--rank", "reward", "--panel", "correctness", "formt"],
            ["did you mean 'format'?"],
        ),
        (
            ["train", "continuous", "--rank", "a", "--panel", "correctness", "mine.py:a"],
            ["mine.py: no such file"],
        ),
        (["envs", "show", "Clok"], ["'Clok'", "Clock"]),
        (["envs", "show", "Clock", "--model", "./mien"], ["neither a folder"]),
        (["envs", "solve-rate", "Clock", "--model", "./mien"], ["neither a folder"]),
        (["evaluate", "embedded", "./mien"], ["neither a folder"]),
        (["chat", "./mien", "a.png", "What?"], ["neither a folder"]),
        (["train", "--model", "./mien"], ["neither a folder"]),
        (["envs", "validate", "nowhere.jsonl"], ["nowhere.jsonl"]),
        (["bench", "verifier", "--cases", "none.jsonl"], ["none.jsonl"]),
        (["bench", "sampelr"], ["benchmark 'sampelr'; did you mean 'sampler'?"]),
    ],
)
def test_a_mistake_is_one_message(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["--test", "4"] if words[0] == "train" else []  # some are found behind their drawing
    one_message(say(*words, *few), *expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--rouds", "3"], "--rounds"),
        (["train", "--rounds", "three"], "three"),
        (["train", "--schedule", "polynomial"], "cosine"),
        (["train", "--panel", "format", "process"], "lacks 'correctness'"),
        (["train", "--rounds", "0"], "rounds must be at least 1"),
        (["train", "--threads", "0"], "threads must be at least 1"),
        (["train", "--seed", "-1"], "seed must be 0 or more"),
        (["train", "--learning-rate", "0"], "learning_rate must be above 0"),
        (["report"], "the run's folder. (required)"),
    ],
)
def test_options_that_cannot_be_read_are_named(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = say(*words)
    assert (said.code, said.out) == (2, "")
    assert expected in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_model_is_found_before_anything_is_sampled(say: Say, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = say("train", "smoke", "--model", tmp_path / "nowhere", "--out", out)
    assert said.err.count("mstar: ") == 1
    assert f"model '{tmp_path / 'nowhere'}' is neither a folder" in said.err
    assert said.code == 1
    assert not out.exists()


@pytest.mark.usefixtures("untrained")
def test_a_folder_that_cannot_be_written_is_named(say: Say, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = say("train", "smoke", "--out", tmp_path / "file" / "run")
    one_message(said, "cannot write the folder", "--out")


PLAIN = {"question": "How many bars?", "image": "a.png", "answer": "3"}
BROKEN = {
    "missing image": ([{**PLAIN, "image": "gone.png"}], "gone.png"),
    "broken line": (['{"question": "How'], "line 11"),
    "image that is only marked": ([{"question": "<image> How many?", "answer": "3"}], "line 11"),
    "gold that is no option": (
        [{**PLAIN, "choices": ["red", "green"], "answer": "blue"}],
        "'blue'",
    ),
    "gold that its type cannot read": (
        [{**PLAIN, "answer_type": "number", "answer": "many"}],
        "'many'",
    ),
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("kind", BROKEN)
def test_problems_that_cannot_be_used_are_found_first(say: Say, tmp_path: Path, kind: str) -> None:
    rows, expected = BROKEN[kind]
    path = problems(tmp_path, *rows)
    out = tmp_path / "run"
    said = say("train", "smoke", "--env", path, "--out", out)
    one_message(said, "problems.jsonl", expected)
    assert not out.exists()
    checked = say("envs", "validate", path)
    assert checked.code == 1
    assert expected in checked.out + checked.err


def test_sound_problems_are_called_so(say: Say, tmp_path: Path) -> None:
    said = say("envs", "validate", problems(tmp_path))
    assert (said.code, said.err) == (0, "")
    assert "10 problems in 10 rows" in said.out


def test_a_map_on_the_command_line_is_taken_by_every_command(say: Say, tmp_path: Path) -> None:
    path = problems(tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    renamed = [
        {"hint": "Look.", "ask": r["question"], "pic": r["image"], "key": r["answer"]} for r in rows
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in renamed))
    one_message(say("envs", "show", path), "can't tell which column", "--fields question=COLUMN")
    said = [
        "--fields",
        "question={hint} {ask}",
        "image=pic",
        "answer=key",
        "type=count",
        "unit==bars",
    ]
    checked = say("envs", "validate", path, *said)
    assert checked.code == 0, checked.err
    assert "count 10" in checked.out
    shown = say("envs", "show", path, "--count", 1, *said)
    assert shown.out.splitlines()[1:3] == ["[image 1]", "Look. How many bars?"]
    asked = ["--answer-form", "boxed", "--system", "Be careful."]
    shown = say("envs", "show", path, "--count", 1, "--show", "none", *asked, *said)
    assert shown.out.splitlines()[1:3] == ["system: Be careful.", "Look. How many bars?"]
    assert "\\boxed{}" in shown.out.splitlines()[3]
    checked = say("envs", "validate", path, "--instruction", "none", *asked[2:], *said)
    told = "the first problem as it is asked:\nsystem: Be careful.\n[image 1]\nLook. How many bars?"
    assert checked.out.rstrip().endswith(told)
    recipe = Recipe.of(env=str(path), fields=tuple(said[1:]))
    (problem,) = open_task(recipe, "test").draw(1)
    assert problem.answer is not None
    assert (problem.answer.type, problem.answer.unit) == ("count", "bars")


def test_a_generated_family_is_not_validated_but_measured(say: Say) -> None:
    one_message(say("envs", "validate", "BarChart"), "mstar envs blind")


def test_rows_that_hold_no_problem_are_left_out_on_request(say: Say, tmp_path: Path) -> None:
    path = problems(tmp_path, {**PLAIN, "image": "gone.png"})
    one_message(say("envs", "show", path), "gone.png", "--fields on_error=skip")
    with pytest.warns(UserWarning, match="(?s)left out: .*gone.png"):
        shown = say("envs", "show", path, "--count", 1, "--fields", "on_error=skip")
    assert (shown.code, shown.out.count("\nAnswer: ")) == (0, 1)


@pytest.mark.parametrize(
    ("env", "field", "words"),
    [
        ("problems.jsonl", "answer", "write KEY=COLUMN"),
        ("problems.jsonl", "anser=gold", "keys are schema, question"),
        ("problems.jsonl", "type=numbr", "did you mean 'number'?"),
        ("problems.jsonl", "on_error=ignore", "must be 'raise' or 'skip'"),
        ("BarChart", "answer=gold", "'BarChart' is neither a file"),
    ],
)
def test_a_field_that_means_nothing_is_one_message(
    say: Say, tmp_path: Path, env: str, field: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems(tmp_path)
    monkeypatch.chdir(tmp_path)
    one_message(say("envs", "show", env, "--fields", field), words)


def problems(folder: Path, *more: Any) -> Path:
    """Ten sound problems, and `more` rows, in a file."""
    rows: list[Any] = []
    for number in range(10):
        Image.new("RGB", (40, 40), (20 * number, 0, 0)).save(folder / f"{number}.png")
        rows.append({**PLAIN, "image": f"{number}.png", "answer": str(number)})
    Image.new("RGB", (40, 40)).save(folder / "a.png")
    path = folder / "problems.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in [*rows, *more]]
    path.write_text("\n".join(lines) + "\n")
    return path


# A run to the end


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model("llava", tmp_path_factory.mktemp("models") / "llava")


@pytest.fixture(scope="module")
def ended(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The folder of a run that one round was trained in, after a typo, and what it said."""
    out = tmp_path_factory.mktemp("runs") / "small"
    words = ["train", "smoke", "--out", str(out)]
    printed, told = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(told):
        patch.setenv("COLUMNS", "100")
        assert main([*words, "--model", str(out.parent / "typo")]) == 1
        code = main([*words, "--model", str(model), *SMALL])
    return out, Said(code, printed.getvalue(), told.getvalue())


@pytest.fixture(scope="module")
def finished(ended: tuple[Path, Said]) -> Path:
    """The folder of a run that one round was trained in."""
    return ended[0]


def test_a_run_leaves_its_folder_behind(finished: Path) -> None:
    described = json.loads((finished / "recipe.json").read_text())
    assert described["recipe"]["data"]["families"] == ["BarChart-v1"]
    assert {"torch", "mstar-rl", "trl"} <= described["versions"].keys()
    assert [row["number"] for row in read_rows(finished / "rounds.jsonl")] == [0, 1]
    assert len(read_rollouts(finished / "rollouts" / "round-0001.parquet")) == 8
    evaluated = read_rows(finished / "evaluation.jsonl")
    assert [(r["policy"], r["group"]) for r in evaluated] == [
        (policy, group)
        for policy in ("base", "evolved")
        for group in ("trained", "trained", "not trained")
    ]
    assert "Base against evolved" in (finished / "report.html").read_text()


def test_runs_are_listed_with_their_state(say: Say, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "deep" / "done")
    stopped = another(finished, tmp_path / "stopped", rounds=5)
    (stopped / "evaluation.jsonl").unlink()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "recipe.json").write_text('{"recipe": {"nothing": 1}}')
    said = say("runs", tmp_path)
    assert said.code == 0
    lines = {line.split()[0]: line for line in said.out.splitlines()[1:]}
    assert " finished " in lines[str(tmp_path / "deep" / "done")]
    assert " stopped " in lines[str(stopped)]
    assert " 1/5 " in lines[str(stopped)]
    assert " unreadable " in lines[str(tmp_path / "odd")]
    with locked(stopped):  # as a process that runs there does
        listed = [line.split()[:2] for line in say("runs", tmp_path).out.splitlines()]
    assert [str(stopped), "running"] in listed
    rows = {row["path"]: row for row in json.loads(say("runs", tmp_path, "--json").out)}
    greedy = read_rows(finished / "rounds.jsonl")[-1]["dynamics"]["greedy"]
    assert rows[str(stopped)]["greedy"] == greedy
    assert rows[str(stopped)]["agent"] == "continuous"


@pytest.mark.usefixtures("unreported")
def test_the_same_command_again_prints_the_same_result(
    say: Say, finished: Path, model: Path
) -> None:
    before = (finished / "evaluation.jsonl").read_text()
    said = say("train", "smoke", "--model", model, "--out", finished, "--json", *SMALL)
    assert said.code == 0
    compared = json.loads(said.out)
    assert [c["metric"] for c in compared] == ["greedy", "pass@1", "pass@k"] * 2
    assert compared[0]["gain"]["n"] == 2
    assert (finished / "evaluation.jsonl").read_text() == before


@pytest.mark.usefixtures("unreported")
def test_runs_share_the_test_of_their_base_where_it_is_the_same_test(
    say: Say, model: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "base" / "seed-0.jsonl"
    words = ["train", "smoke", "--model", model, *SMALL, "--base-test", shared, "--out"]
    assert say(*words, tmp_path / "one").code == 0
    rows = read_rows(shared)
    assert rows == [r for r in read_rows(tmp_path / "one" / "evaluation.jsonl") if r in rows]
    marked = [{**row, "response": "as it was left"} for row in rows]
    shared.write_text("".join(json.dumps(row) + "\n" for row in marked))
    assert say(*words, tmp_path / "two", "--keep", 1).code == 0
    assert read_rows(tmp_path / "two" / "evaluation.jsonl")[: len(rows)] == marked
    assert say(*words, tmp_path / "three", "--test-samples", 2).code == 0  # another test
    assert read_rows(tmp_path / "three" / "evaluation.jsonl")[0]["response"] != "as it was left"
    assert read_rows(shared) == marked


@pytest.mark.usefixtures("untrained")
def test_a_folder_of_another_recipe_is_left_alone(say: Say, finished: Path, model: Path) -> None:
    before = (finished / "recipe.json").read_text()
    words = ["train", "smoke", "--model", model, "--out", finished, *SMALL, "--seed", 3]
    one_message(say(*words), "another recipe", "seed", "--out")
    assert (finished / "recipe.json").read_text() == before


def test_a_run_that_never_began_gives_way(ended: tuple[Path, Said], model: Path) -> None:
    out, said = ended
    assert said.code == 0
    assert f"report: {out / 'report.html'}" in said.out
    assert "points" in said.out
    assert "round  1" in said.err
    assert json.loads((out / "recipe.json").read_text())["recipe"]["model"]["name"] == str(model)


@pytest.mark.usefixtures("undrawn")
def test_the_report_escapes_what_the_policy_wrote(say: Say, finished: Path) -> None:
    path = finished / "rollouts" / "round-0001.parquet"
    kept = path.read_bytes()
    table = pq.read_table(path)
    hostile = pa.array([HOSTILE] * len(table))
    place = table.column_names.index("response")
    pq.write_table(table.set_column(place, "response", hostile), path)
    said = say("report", finished)
    path.write_bytes(kept)
    assert (said.code, said.out.strip()) == (0, str(finished / "report.html"))
    page = (finished / "report.html").read_text()
    assert page.count("<script") == 2  # those of the filters and of tables on a phone
    assert page.count("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; more") >= 2


@pytest.mark.usefixtures("undrawn")
def test_two_runs_are_shown_side_by_side(say: Say, finished: Path, tmp_path: Path) -> None:
    other = another(finished, tmp_path / "other", top_k=3)
    said = say("report", finished, "--beside", other)
    assert (said.code, said.out.strip()) == (0, str(finished / "beside-other.html"))
    page = (finished / "beside-other.html").read_text()
    assert "Neither is surely better" in page  # they are the same but for a setting
    assert '<td>top_k</td><td class="name">2</td><td class="name">3</td>' in page
    one_message(say("report", finished, "--beside", finished), "are the same run", "give two")


def test_rows_of_version_0_1_still_give_a_report(say: Say, finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "old"))
    rows = read_rows(folder / "rounds.jsonl")
    for row in rows:  # without what later versions added
        for part, name in ((row, "files"), (row, "cut"), (row["dynamics"], "cut")):
            part.pop(name, None)
        (row["selection"] or {}).pop("unjudged", None)
    write_rows(folder / "rounds.jsonl", rows)
    said = say("report", folder)
    assert (said.code, said.err) == (0, "")


def test_a_run_without_a_test_has_no_report_yet(say: Say, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text((finished / "recipe.json").read_text())
    one_message(say("report", tmp_path), "no evaluation yet", "mstar train")


EVALUATED = shlex.split(
    "--families BarChart --extra-families Dice --test 2 --test-samples 1 --image-size 96 "
    "--max-new-tokens 6"
)


def test_evaluate_takes_a_run_or_a_model(say: Say, finished: Path, model: Path) -> None:
    of_run = say("evaluate", finished, "--json")
    assert of_run.code == 0
    results = json.loads(of_run.out)
    assert [r["test"] for r in results] == ["trained"] * 4 + ["not trained"] * 4
    assert [r["n"] for r in results] == [2] * 4 + [1] * 4
    for result in results:
        assert 0 <= result["low"] <= result["value"] <= result["high"] <= 1
        assert result["seeds"] == 1
    of_model = say("evaluate", model, *EVALUATED)
    assert of_model.code == 0
    lines = [[cell.strip() for cell in line.split("|")] for line in of_model.out.splitlines()]
    assert [line[2:4] for line in lines[2:5]] == [
        ["trained", metric] for metric in ("greedy", "pass@1", "pass@k")
    ]
    nowhere = model.parent / "nowhere"
    one_message_after(
        say("evaluate", nowhere, *EVALUATED), f"model '{nowhere}'", "neither a folder"
    )


def one_message_after(said: Said, *expected: str) -> None:
    """As ``one_message``, behind lines on what was going on."""
    one_message(said._replace(err=said.err[said.err.index("mstar: ") :]), *expected)


def test_evaluate_takes_several_of_both_and_goes_on_where_it_was(
    say: Say, finished: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", finished, model, "--env", "Dice", "--env", "Clock", "--out", tmp_path]
    words += EVALUATED[EVALUATED.index("--test") :]
    first = say(*words)
    assert first.code == 0, first.err
    rows = [row for path in tmp_path.iterdir() for row in read_rows(path)]
    assert {(row["subject"], row["test"]) for row in rows} == {
        (str(subject), env) for subject in (finished, model) for env in ("Dice", "Clock")
    }
    assert "not asked alike" not in first.err
    (gone,) = tmp_path.glob("*small--Clock*")
    gone.unlink()
    loaded: list[Any] = []
    plain = Policy.load
    monkeypatch.setattr(Policy, "load", lambda *a, **k: loaded.append(a) or plain(*a, **k))
    again = say(*words)
    assert again.out == first.out
    assert again.err.count("there already") == 3
    assert len(loaded) == 1


def test_evaluate_tells_under_which_settings_models_are_not_asked_alike() -> None:
    small = Subject("small", Recipe.of(model="small", max_new_tokens=64))
    same, short = Subject("same", Recipe()), Subject("short", Recipe.of(max_new_tokens=8))
    assert unequal_settings([small, same], ASKING) == []
    assert unequal_settings([small, same, short], ASKING) == [
        "not asked alike: max_new_tokens is 64 for small, 64 for same, 8 for short; "
        "--max-new-tokens sets it for all"
    ]


def test_evaluate_tells_that_models_are_tested_on_problems_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [{"test": "trained", "greedy": 1, "samples": [1], "cut": [0]}]
    monkeypatch.setattr(evaluate_subjects, "evaluate_policy", lambda *_, **__: rows)
    monkeypatch.setattr(Subject, "policy", lambda _: None)
    former = Subject("former", Recipe.of(families=("Dice-v0",), extra_families=(), test=1))
    newest = Subject("newest", former.recipe.replace(families=("Dice-v1",)))

    def told(envs: tuple[str, ...]) -> list[str]:
        lines: list[str] = []
        tests = evaluate_subjects.opener(envs, "verifier", "", "", 0)
        evaluate_subjects.evaluate_subjects(
            [former, newest], tests, "verifier", "test", None, lines.append
        )
        return [line for line in lines if line.startswith("not asked alike")]

    assert told(()) == [
        "not asked alike: families is ('Dice-v0',) for former, ('Dice-v1',) for newest; "
        "--families sets it for all"
    ]
    assert told(("Dice",)) == []


def test_evaluate_shows_a_line_for_each_template_and_how_much_was_cut(
    say: Say, model: Path
) -> None:
    words = ["--env", "BarChart", "--test", 8, "--test-samples", 1, "--max-new-tokens", 2]
    asked = [*words, "--by", "template", "--show", "caption", "--json"]
    results = json.loads(say("evaluate", model, *asked).out)
    source = FAMILIES["BarChart"](1)
    drawn = sorted(source.problem("test", 0, index).template for index in range(8))
    found = {r["test"]: r["n"] for r in results}
    assert found == {f"BarChart, {name}": drawn.count(name) for name in drawn}
    assert {r["value"] for r in results if r["metric"] == "cut"} == {1.0}


def test_samples_of_a_test_are_drawn_at_its_temperature(
    say: Say, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def generate(self: LocalSampler, prompts: Any, temperatures: Any, seed: int) -> Any:
        asked.extend(temperatures[0])
        return [[Response("", (1,), 0.0, 0.0, 0.0, True) for _ in each] for each in temperatures]

    monkeypatch.setattr(LocalSampler, "generate", generate)
    words = ["--env", "Dice", "--test", 1, "--test-samples", 2]
    assert say("evaluate", model, *words, "--test-temperature", 0.7).code == 0
    assert asked == [0.0, 0.7, 0.7]


def test_a_problem_asks_for_reading_or_for_reasoning() -> None:
    def of(*kinds: StepKind) -> str:
        return skill_of(Problem("", (), "", None, tuple(Step("", kind, "") for kind in kinds)))

    assert of("perceive", "conclude") == "reading"
    assert of("perceive", "compute", "conclude") == "reasoning"
    assert of() == ""


def test_evaluate_honours_or_refuses_what_it_is_told(
    say: Say, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = say("evaluate", finished, "--test", 1, "--extra-families", "--json")
    assert [r["n"] for r in json.loads(one.out)] == [1, 1, 1, 1]
    monkeypatch.setattr(Policy, "load", lambda *_, **__: pytest.fail("a model was loaded"))
    one_message(say("evaluate", finished, "--env", tmp_path / "gone.jsonl"), "gone.jsonl")
    assert say("evaluate", finished, "--rounds", 3).code == 2
    for words, expected in (
        (["--env", "Dice", "--families", "Clock"], "--families is for the families"),
        (["--env", "mstar/Mixture-v2", "--test-harder"], "--test-harder adds to the test of a run"),
        (["--fields", "answer=gold"], "give one --env"),
        (["--phrasings", "wording"], "give the number of phrasings"),
        (["--variants", 2, "--env", "Dice", "--env", "Clock"], "one --env at most"),
    ):
        one_message(say("evaluate", finished, *words), expected)


def test_rescore_asks_models_too(say: Say, finished: Path) -> None:
    said = say("rescore", finished, "--panel", "correctness", "process", "image_ablation")
    assert said.code == 0
    assert "process" in said.out
    assert "image_ablation" in said.out


def test_rescore_judges_stored_responses_by_another_panel(say: Say, finished: Path) -> None:
    said = say("rescore", finished, "--panel", "random", "grounding", "--rule", "minimum")
    assert (said.code, said.err) == (0, "")
    stored = read_rollouts(finished / "rollouts" / "round-0001.parquet")
    share = sum(row["score/random"] for row in stored) / len(stored)
    assert said.out.startswith(f"round-0001  random {share:.3f}  grounding ")


def another(finished: Path, out: Path, **changes: Any) -> Path:
    """A copy of a run that says it was made with other settings."""
    shutil.copytree(finished, out)
    described = json.loads((out / "recipe.json").read_text())
    recipe = Recipe.from_stored(described["recipe"]).replace(**changes)
    (out / "recipe.json").write_text(json.dumps({**described, "recipe": asdict(recipe)}))
    return out


def test_compare_makes_a_table_of_runs_that_are_seeds_of_one_recipe(
    say: Say, finished: Path, tmp_path: Path
) -> None:
    said = say("compare", finished, another(finished, tmp_path / "b", seed=7, threads=2))
    assert said.code == 0
    head, _, *lines = said.out.splitlines()
    assert "paired gain" in head
    assert len(lines) == 6
    assert all(line.endswith("| 2 |") for line in lines)


def test_compare_pools_no_runs_that_differ(say: Say, finished: Path, tmp_path: Path) -> None:
    other = another(finished, tmp_path / "b", learning_rate=0.5, seed=7)
    said = say("compare", finished, other)
    assert said.code == 0
    assert "differ in their recipe" in said.out
    assert "**learning_rate 0.5** " in said.out
    assert all(line.endswith("| 1 |") for line in said.out.splitlines() if "pass@" in line)
    assert said.out.count("| trained | greedy |") == 2


def test_compare_counts_no_run_twice(say: Say, finished: Path, tmp_path: Path) -> None:
    one_message(say("compare", finished, finished), "is given twice")
    copied = another(finished, tmp_path / "b", threads=3)
    one_message(say("compare", finished, copied), "same seed 0", "two copies are not two seeds")


@pytest.mark.usefixtures("unreported")
def test_a_small_data_set_is_asked_each_problem_once(say: Say, model: Path, tmp_path: Path) -> None:
    out, path = tmp_path / "run", problems(tmp_path)
    words = ["train", "smoke", "--model", model, "--out", out, *SMALL]
    assert say(*words, "--env", path, "--prompts", 30, "--test", 30, "--held-out", 30).code == 0
    asked = [row["problem"] for row in read_rollouts(out / "rollouts" / "round-0001.parquet")]
    assert len(asked) == 2 * len(set(asked)) < 2 * 10
    evaluated = read_rows(out / "evaluation.jsonl")
    assert {row["group"] for row in evaluated} == {"trained"}
    tested = [row["id"] for row in evaluated if row["policy"] == "base"]
    assert len(tested) == len(set(tested)) < 10
    assert {problem.rpartition("/")[2] for problem in asked}.isdisjoint(
        problem.rpartition("/")[2] for problem in tested
    )
    assert all(len(row["samples"]) == 1 for row in evaluated)
    assert say("rescore", out, "--panel", "format").code == 0


@pytest.mark.usefixtures("untrained")
def test_a_benchmark_cannot_be_trained_on(say: Say, tmp_path: Path) -> None:
    path = problems(tmp_path)
    rows = [{**json.loads(line), "split": "test"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = say("train", "smoke", "--env", path, "--out", tmp_path / "run")
    one_message(said, "no problem in split", "benchmark")
    assert not (tmp_path / "run").exists()


# Environments


def test_envs_are_listed_shown_and_drawn(say: Say, tmp_path: Path) -> None:
    listed = say("envs", "list")
    assert listed.code == 0
    assert len(listed.out.splitlines()) == len(FAMILIES) + 1  # former versions in the last
    shown = say("envs", "show", "mstar/Clock-v0", "--count", 2, "--level", 2, "--out", tmp_path)
    assert shown.code == 0
    assert shown.out.count("\nAnswer: ") == 2
    assert "Clock-v0/train/L2/0/1" in shown.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0000-0.png", "0001-0.png"]
    blind = say("envs", "blind", "Clock", "--count", 20, "--json")
    assert json.loads(blind.out)["family"] == "Clock"
    assert say("envs", "blind", "Clock", "--count", 20).out.splitlines()[1].startswith("Clock ")


def test_a_gallery_has_a_sheet_and_solutions_of_each_family(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = dict(list(FAMILIES.items())[::8])
    monkeypatch.setattr(envs, "FAMILIES", some)
    drawn = say("envs", "gallery", "--out", tmp_path / "gallery", "--size", 96)
    assert drawn.code == 0
    *pictures, page = (Path(line) for line in drawn.out.splitlines())
    assert [picture.stem for picture in pictures] == list(some)
    for picture in pictures:
        with Image.open(picture) as sheet:
            assert sheet.width > 3 * 96
    text = page.read_text()
    for name, family in some.items():
        for level in LEVELS:
            assert f"(gallery/{name}-{level}.png)" in text
            assert (page.parent / "gallery" / f"{name}-{level}.png").exists()
            assert family(level).problem("train", 0, 0).solution in text
