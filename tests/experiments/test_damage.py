"""Damage to the folder of a run, and a run that goes wrong by itself, are told in one sentence."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from killed_runs import run
from rich.console import Console
from tiny_runs import TINY

from mstar.agents.config import Recipe
from mstar.agents.policy import processors
from mstar.agents.policy.policy import Policy
from mstar.envs.problem import Prompt
from mstar.experiments.report.run_report import write_report
from mstar.experiments.rows import add_row, read_rows, write_rows
from mstar.experiments.run.checksums import checksums
from mstar.experiments.run.failures import explained
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import train

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def recipe(model: str) -> Recipe:
    return TINY.replace(model=model, rounds=2, test=1, extra_families=())


@pytest.fixture(scope="module")
def finished(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(recipe, tmp_path_factory.mktemp("runs") / "run", Console(quiet=True)).path


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(finished, tmp_path / "run")))


def missing(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 64
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", [WEIGHTS, "optimizer.pt", "trainer_state.json"])
@pytest.mark.parametrize("damage", [missing, cut, flipped])
def test_a_damaged_checkpoint_is_not_gone_on_from(
    folder: RunFolder, recipe: Recipe, damage: Callable[[Path], None], name: str
) -> None:
    newest = folder.checkpoint(2)
    damage(newest / name)
    told = rf"{name} is (missing|not as it was written): restore it.*export .* --round 1 --out DIR"
    with pytest.raises(ValueError, match=told):
        RunFolder.create(folder.path, recipe)
    flipped(folder.checkpoint(1) / WEIGHTS)  # then there is no other round to start from
    with pytest.raises(ValueError, match=r"or start anew with another --out"):
        RunFolder.create(folder.path, recipe)


def test_moments_that_were_deleted_by_intention_are_no_damage(folder: RunFolder) -> None:
    folder.check(folder.checkpoint(1), to_train=False)
    (folder.checkpoint(2) / "optimizer.pt").unlink()
    folder.check(folder.checkpoint(2), to_train=False)
    flipped(folder.checkpoint(2) / WEIGHTS)
    with pytest.raises(ValueError, match=WEIGHTS):
        folder.check(folder.checkpoint(2), to_train=False)


def test_cut_weights_are_a_sentence(model: str, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(model, tmp_path / "model"))
    cut(copied / WEIGHTS)
    with pytest.raises(ValueError, match=r"weights of model .* cannot be read .*copy or download"):
        Policy.load(str(copied))


def test_a_checksum_covers_every_piece_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mstar.experiments.run.checksums.PIECE", 4)
    contents = [b"", b"abcd", b"abcde", b"abcdabcd", b"abcdabcf", b"abceabcd", b"abcdabce"]
    found = set()
    for content in contents:
        (tmp_path / "file").write_bytes(content)
        found.add(checksums(tmp_path)["file"])
    assert len(found) == len(contents)


def test_a_last_line_that_was_cut_is_left_out_with_a_warning(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    cut(folder.path / "rounds.jsonl")
    with caplog.at_level(logging.WARNING):
        assert [row["number"] for row in folder.rounds()] == [0, 1]
    assert "rounds.jsonl ends in the middle of line 3, which is left out" in caplog.text
    add_row(folder.path / "rounds.jsonl", {"number": 2})
    assert [row["number"] for row in folder.rounds()] == [0, 1, 2]


def test_a_row_is_added_behind_a_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}')
    for number in (2, 3):
        add_row(path, {"a": number})
    assert read_rows(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_another_line_that_is_broken_is_named(folder: RunFolder, recipe: Recipe) -> None:
    path = folder.path / "rounds.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    for broken in ("{nonsense\n", "\n", "\0\0\0\n"):
        path.write_text("".join([lines[0], broken, lines[2]]))
        with pytest.raises(ValueError, match=r"line 2 of .*rounds\.jsonl is not JSON.*restore"):
            RunFolder.create(folder.path, recipe)


def test_the_report_names_responses_that_are_missing_or_damaged(folder: RunFolder) -> None:
    assert folder.lost_rollouts() == []
    missing(folder.rollouts_path(1))
    cut(folder.rollouts_path(2))
    report = write_report(folder).read_text()
    assert "not shown: rollouts/round-0001.parquet, rollouts/round-0002.parquet." in report


# The first rate leads to infinite weights, the second to a loss that is none.
@pytest.mark.parametrize(("agent", "rate"), [("continuous", 1e39), ("grpo", 1e30)])
def test_a_run_that_diverges_stops_and_names_the_last_good_round(
    recipe: Recipe, tmp_path: Path, agent: str, rate: float
) -> None:
    fast = recipe.replace(
        agent=agent, minibatches=2, learning_rate=rate, online_learning_rate=rate, warmup=0
    )
    told = r"(weights are not finite after|the loss of) update \d.*; round 0 is the last good one"
    with pytest.raises(FloatingPointError, match=told):
        run(fast, tmp_path)
    assert len(RunFolder(tmp_path).rounds()) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0"),
    ],
)
def test_a_full_disk_is_told_with_what_is_kept(folder: RunFolder, error: Exception) -> None:
    told = r"disk of .* is full: .*; round 2 is the last good one.*Make room.*same command"
    with pytest.raises(OSError, match=told), explained(folder):
        raise error


def test_a_server_that_ends_during_a_run_is_a_sentence(folder: RunFolder) -> None:
    told = r"^no server .*; round 2 is the last good one.*Once the server answers.*same command"
    with pytest.raises(ConnectionError, match=told), explained(folder):
        raise ConnectionError("no server can be reached at http://localhost:8000")


def test_other_errors_stay_as_they_are(folder: RunFolder) -> None:
    with pytest.raises(RuntimeError, match=r"^a defect$"), explained(folder):
        raise RuntimeError("a defect")


def test_a_folder_that_is_deleted_while_the_run_goes_on_is_a_sentence(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Progress, "finished", lambda *_: shutil.rmtree(tmp_path / "run"))
    with pytest.raises(FileNotFoundError, match="was deleted or moved while the run went on"):
        run(recipe, tmp_path / "run")


def test_rows_of_an_older_version_have_no_checksums_and_are_accepted(
    folder: RunFolder, recipe: Recipe
) -> None:
    rows = [{k: v for k, v in row.items() if k != "files"} for row in folder.rounds()]
    write_rows(folder.path / "rounds.jsonl", rows)
    flipped(folder.checkpoint(2) / "trainer_state.json")
    assert RunFolder.create(folder.path, recipe).rounds() == rows


def test_control_characters_of_a_response_are_shown_as_marks(folder: RunFolder) -> None:
    path = folder.rollouts_path(1)
    stored = pq.read_table(path)
    texts = pa.array(["a\0b\x1b[2Jc"] * len(stored))
    place = stored.column_names.index("response")
    pq.write_table(stored.set_column(place, "response", texts), path)
    report = write_report(folder).read_text()
    assert "a\\x00b\\x1b[2Jc" in report
    assert "\0" not in report


ENDLESS = "{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (ENDLESS, "has not written one user turn in 0 seconds; mend chat_template.jinja"),
        ("{% for x in range(10 ** 9) %}{% endfor %}", "cannot write a user turn .*Range too big"),
        (
            "{{ messages.__class__.__mro__[1].__subclasses__() }}",
            "cannot write a user turn .*unsafe",
        ),
        ("{% for x in %}", "cannot write a user turn"),
    ],
    ids=["endless", "too long", "unsafe", "broken"],
)
def test_a_chat_template_that_cannot_be_used_is_a_sentence_before_the_weights_are_read(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, template: str, words: str
) -> None:
    monkeypatch.setattr(processors, "TEMPLATE_SECONDS", 0.2)
    ended = threading.Event()
    render = policy.processor.apply_chat_template

    class Bounded:
        """The processor, whose rendering is given up once the test is done."""

        def apply_chat_template(self, turn: object, **options: object) -> object:
            if template == ENDLESS:
                ended.wait(20)
                return ""
            return render(turn, chat_template=template, **options)

    with pytest.raises(ValueError, match=words):
        processors.check_template("a model", Bounded())
    ended.set()


@pytest.mark.parametrize("template", ["{{ raise_exception('no system turn') }}", "{% for x in %}"])
def test_a_chat_template_that_raises_is_a_sentence(policy: Policy, template: str) -> None:
    policy.processor.chat_template, before = template, policy.processor.chat_template
    try:
        with pytest.raises(ValueError, match=r"chat template refuses a user turn .*chat_template"):
            policy.encode([Prompt("how many?", (), "p")])
    finally:  # the processor is shared
        policy.processor.chat_template = before
