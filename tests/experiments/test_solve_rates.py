"""Solve rates of a first pass: kept in a file, gone on with, and used to choose problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstar.agents.config import Recipe
from mstar.agents.sampling.base import Response
from mstar.envs.problem import Prompt
from mstar.experiments.evaluation import solve_rates as measuring
from mstar.experiments.evaluation.solve_rates import measure_solve_rates
from mstar.experiments.evaluation.subject import Subject
from mstar.experiments.run.problems import how_chosen, open_task
from mstar.experiments.run.solve_rates import SolveRates, solve_rates_path
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

PANEL = RewardPanel([Correctness()])


class Knows:
    """Says 0, 1, 2, ..., so that a small reference answer is met by one response."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sample(
        self, prompts: Sequence[Prompt], samples: int, temperature: Any, seed: int
    ) -> list[list[Response]]:
        self.asked += [prompt.key for prompt in prompts]
        said = [
            Response(f"Answer: {n}", (1,), logprob=0.0, entropy=0.0, certainty=0.0, finished=True)
            for n in range(samples)
        ]
        return [said for _ in prompts]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty problems in words only, a tenth of which have the answer 0, 1, and so on."""
    path = tmp_path / "data" / "train.jsonl"
    path.parent.mkdir()
    rows = [{"question": f"{n} mod 10 = ?", "answer": str(n % 10), "id": n} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Knows:
    known = Knows()
    monkeypatch.setattr(measuring, "sampler_of", lambda *_: known)
    monkeypatch.setattr(Subject, "policy", lambda _: None)
    return known


def recipe_of(data: Path, **changes: Any) -> Recipe:
    return Recipe.of(env=str(data), fields=("image=",), samples=2, **changes)


def test_rates_are_measured_once_stored_beside_the_data_and_choose_problems(
    data: Path, knows: Knows
) -> None:
    recipe = recipe_of(data)
    said: list[str] = []
    found = measure_solve_rates(Subject("embedded", recipe), 0, None, said.append)
    assert found.rates.path == solve_rates_path(recipe)
    assert found.rates.path.parent.parent == data.parent
    answers = {p.id: p.answer.value for p in open_task(recipe, "train", panel=PANEL).draw(60)}
    assert found.rates.right == {id: int(answers[id] in ("0", "1")) for id in answers}
    fitting = found.rates.between(0.1, 0.9)
    assert f"%  {len(fitting)} problems" in found.text()
    measure_solve_rates(Subject("embedded", recipe), 0, None, said.append)
    assert sorted(knows.asked) == sorted(answers)  # nothing is asked again

    chosen = open_task(recipe.replace(solve_rate=(0.1, 0.9)), "train", panel=PANEL)
    drawn = [problem.id for problem in chosen.draw(2 * len(fitting))]
    assert sorted(drawn) == sorted(2 * fitting)
    stays = f"{len(fitting)} of {len(answers)} training problems have a solve rate from 0.1 to 0.9"
    assert how_chosen(chosen).startswith(stays)
    assert how_chosen(open_task(recipe, "train", panel=PANEL)) == ""
    with pytest.raises(ValueError, match="none has such a solve rate"):
        open_task(recipe.replace(solve_rate=(0.8, 1.0)), "train", panel=PANEL)


def test_a_pass_that_was_killed_goes_on(data: Path, knows: Knows) -> None:
    recipe = recipe_of(data)
    path = measure_solve_rates(Subject("embedded", recipe), 0, None, print).rates.path
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:10])
    knows.asked.clear()
    measure_solve_rates(Subject("embedded", recipe), 0, None, print)
    assert len(knows.asked) == len(lines) - 4
    assert sorted(path.read_text().splitlines()) == sorted(whole.splitlines())


def test_rates_of_another_origin_are_refused(data: Path, knows: Knows) -> None:
    recipe = recipe_of(data)
    with pytest.raises(FileNotFoundError, match="get them by `mstar envs solve-rate"):
        open_task(recipe.replace(solve_rate=(0.1, 0.9)), "train", panel=PANEL)
    path = measure_solve_rates(Subject("embedded", recipe), 0, None, print).rates.path
    with pytest.raises(ValueError, match="of other samples: give another --out"):
        measure_solve_rates(Subject("embedded", recipe.replace(samples=3)), 0, None, print)
    data.write_text(data.read_text().replace("mod 10 = ?", "modulo 10?"))
    with pytest.raises(ValueError, match="holds solve rates of other problems"):
        measure_solve_rates(Subject("embedded", recipe), 0, None, print)
    with pytest.raises(ValueError, match="none of them is a problem of this run"):
        open_task(recipe.replace(solve_rate=(0.1, 0.9)), "train", panel=PANEL)
    path.write_text('{"a": 1}\n{"b": 2}\n')
    with pytest.raises(ValueError, match="is no file of `mstar envs solve-rate`"):
        SolveRates.read(path)


def test_generated_problems_are_found_by_their_ids(
    tmp_path: Path, knows: Knows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.of(env="mstar/Counting-v0", samples=6)
    subject = Subject("embedded", recipe)
    with pytest.raises(ValueError, match="say how many to ask with --count"):
        measure_solve_rates(subject, 0, None, print)
    rates = measure_solve_rates(subject, 12, None, print).rates
    fitting = rates.between(0.1, 0.9)
    assert 0 < len(fitting) < 12
    task = open_task(recipe.replace(solve_rate=(0.1, 0.9)), "train", panel=PANEL)
    assert {problem.id for problem in task.draw(len(fitting))} == set(fitting)


@pytest.mark.parametrize("range", [(0.5,), (0.9, 0.1), (-0.1, 0.5), (0.1, 0.2, 0.3)])
def test_a_range_is_two_shares_in_order(range: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="the smaller one first"):
        Recipe.of(solve_rate=range)
