"""A user's own reward is found where it is named, and its mistakes are told in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mstar.rewards import Answer, Attempt, RewardPanel, reward_model

OWN = """
from dataclasses import dataclass
import numpy as np

def lines(prompts, completions, **columns):
    return [len(c[0]["content"].splitlines()) / 4 for c in completions]

def signed(prompts, completions, answer, **columns):
    return [1.0 if a in c[0]["content"] else -1.0 for c, a in zip(completions, answer)]

signed.scale = (-1, 1)

def broken(prompts, completions, **columns):
    return [columns["nothing"] for _ in completions]

@dataclass
class Half:
    value: float = 0.5

    def score(self, attempts):
        return np.full(len(attempts), self.value, np.float32)

NUMBER = 3
"""
ATTEMPTS = [
    Attempt("How many?", "red is 7\nAnswer: 7", Answer("number", "7"), group="a"),
    Attempt("How many?", "Answer: 5", Answer("number", "7"), group="a"),
    Attempt("How many?", "Answer: 5", None, group="b"),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_functions_in_the_form_of_trl_and_reward_models_are_taken(own: Path) -> None:
    panel = RewardPanel([reward_model(f"{own}:{name}") for name in ("lines", "signed", "Half")])
    assert panel.names == ("lines", "signed", "Half")
    table = panel.score(ATTEMPTS)
    assert table["lines"].tolist() == [0.5, 0.25, 0.25]
    assert table["signed"][:2].tolist() == [1.0, 0.0]
    assert table.valid[2].tolist() == [True, False, True]  # it needs the answer
    assert table["Half"].tolist() == [0.5] * 3


def test_a_module_is_named_as_python_names_it() -> None:
    model = reward_model("mstar.rewards:Correctness")
    assert model.name == "Correctness"
    assert model.score(ATTEMPTS[:2]).tolist() == [1.0, 0.0]


def test_a_module_in_the_working_folder_is_found_and_the_folder_hides_nothing(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "own_rewards_here.py").write_text(own.read_text())
    (folder / "numpy.py").write_text("1 / 0")
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "own_rewards_here", raising=False)
    before = [*sys.path]
    assert reward_model("own_rewards_here:lines").name == "lines"
    assert sys.path == before
    del sys.modules["own_rewards_here"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{own}:line", "has no 'line'; did you mean 'lines'"),
        ("{own}:NUMBER", "neither a reward model"),
        ("{own}x.py:lines", "no such file"),
        ("no_such_module:lines", "cannot be imported: ModuleNotFoundError"),
        ("correctnes", "did you mean 'correctness'"),
    ],
)
def test_what_cannot_be_found_is_named(own: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reward_model(name.format(own=own))


def test_a_reward_that_fails_is_told_with_its_line(own: Path) -> None:
    line = OWN.splitlines().index('    return [columns["nothing"] for _ in completions]') + 1
    with pytest.raises(ValueError, match=rf"'broken' failed at .*own.py:{line}: KeyError"):
        reward_model(f"{own}:broken").score(ATTEMPTS)


def test_a_file_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ValueError, match=r"bad.py cannot be imported: ZeroDivisionError"):
        reward_model(f"{tmp_path / 'bad.py'}:anything")
