"""The report's sentences: what came of a run, why temperatures were chosen, which run is better."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tiny_runs import TINY

from mstar.experiments.audit.errors import AuditSummary, JudgeError, Share
from mstar.experiments.page import TEMPLATES
from mstar.experiments.report.beside import compare_policies, distinct_names
from mstar.experiments.report.choices import reason
from mstar.experiments.report.responses import LONGEST, image_address, shortened
from mstar.experiments.report.summary import Comparison, Summary
from mstar.experiments.report.verdict import verdict_of
from mstar.experiments.run.train import train
from mstar.experiments.stats import Estimate

COST = {"seconds": 190.0, "responses": 1200, "tokens": 34000}


def comparison(group: str, mean: float, half: float) -> Comparison:
    base, evolved = (Estimate(m, m - 0.1, m + 0.1, 50, 1) for m in (0.4, 0.4 + mean))
    return Comparison(
        group, "greedy", base, evolved, Estimate(mean, mean - half, mean + half, 50, 1)
    )


def sentences(*compared: Comparison, audit: AuditSummary | None = None, **row: Any) -> list[str]:
    rounds = [{"number": 1, "cost": COST, "cut": 0.0, **row}]
    found = verdict_of(Summary(compared), rounds, audit, "runs/mine")
    return [f"{each.tone or '-'} {each.text}" for each in found]


def test_a_sure_gain_is_good_news_and_comes_first() -> None:
    said = sentences(comparison("trained", 0.2, 0.1), comparison("not trained", -0.2, 0.1))
    assert said[0] == (
        "good The model got better: 40.0 % of 50 unseen problems right before, 60.0 % after: +20.0 "
        "points [+10.0, +30.0]."
    )
    assert said[1].startswith("bad It cost something elsewhere: -20.0 points")
    assert said[-1] == (
        "- It took 3.2 minutes, 1,200 responses and 34,000 tokens, measuring included."
    )


def test_what_judges_took_is_said() -> None:
    asked = {"judge_calls": 8, "judge_prompt_tokens": 900, "judge_reply_tokens": 100}
    said = sentences(comparison("trained", 0.2, 0.1), cost=COST | asked | {"judge_price": 0.5})
    assert said[-1] == "- Judges behind an address took 8 calls, 1,000 tokens, 0.5 in all."


def test_a_loss_is_said_and_so_is_what_cannot_be_told() -> None:
    assert sentences(comparison("trained", -0.2, 0.1))[0].startswith("bad The model got worse")
    unsure = sentences(comparison("trained", 0.2, 0.3))[0]
    assert unsure.startswith("- It cannot be told whether the model got better")


def test_a_budget_that_the_base_alone_uses_up_is_told(model: str, tmp_path: Path) -> None:
    recipe = TINY.replace(model=model, controller="paired", token_budget=1)
    said = io.StringIO()
    folder = train(recipe, tmp_path / "run", Console(file=said, width=300))
    assert [row["number"] for row in folder.rounds()] == [0]
    for text in (said.getvalue(), (folder.path / "report.html").read_text()):
        assert "No round was trained" in text


def test_alarms_and_cut_responses_speak_against_a_run() -> None:
    said = sentences(comparison("trained", 0.2, 0.1), cut=0.3, alarms=[{"name": "drift"}])
    assert "bad 1 alarm was raised (drift); see below." in said
    assert any(
        line.startswith("bad 30.0 % of the last round's responses were cut") for line in said
    )


def test_the_verifier_is_only_trusted_as_far_as_people_have_looked() -> None:
    gained = comparison("trained", 0.2, 0.1)
    assert any("Nobody has checked yet" in line for line in sentences(gained))
    wrong = Share(0.1, 0.05, 0.2, 80)
    judge = JudgeError("correctness", wrong, None, None, 0.9, None)
    audit = AuditSummary({"ann": 80}, {}, 80, 0, None, None, (judge,), ())
    said = sentences(gained, audit=audit)
    assert "- People say that the verifier is wrong in 10.0 % [5.0, 20.0], n = 80." in said


@pytest.mark.parametrize(
    ("measured", "before", "chosen", "expected"),
    [
        ([(0.8, 0.5, 0.3), (1.0, 0.4, 0.3)], 1.0, 0.8, "highest Reward-Pass@2 of the 2 measured"),
        ([(0.8, 0.5, 0.3), (1.0, 0.4, 0.3)], 1.0, 1.0, "50.0 % at 0.80 against 40.0 %: too little"),
        ([(0.8, 0.5, 0.3), (1.0, 0.4, 0.3)], 0.8, 1.0, "earlier rounds count as well"),
        ([(0.8, 0.5, 0.3), (1.0, 0.4, 0.3)], 1.0, 0.9, "between what was measured"),
        ([(1.0, 0.5, 0.3)], 1.0, 1.0, "nothing else was measured"),
        ([(1.0, 0.5, 0.3)], 1.0, 0.9, "by its schedule"),
        ([(1.0, None, None), (0.8, None, None)], 1.0, 1.0, "nothing else was measured"),
        ([(1.0, 0.5, 0.3)], 1.0, None, "no round follows"),
    ],
)
def test_the_figures_behind_a_choice_are_named(
    measured: Any, before: float, chosen: float | None, expected: str
) -> None:
    assert expected in reason(measured, before, chosen)


def row(id: str, right: bool) -> dict[str, Any]:
    answer = {"greedy": right, "samples": [right, not right]}
    return {"id": id, "group": "trained", "policy": "evolved", **answer}


def test_runs_are_paired_only_on_the_same_problems() -> None:
    one = [row(str(n), n < 8) for n in range(10)]
    other = [row(str(n), n < 3) for n in range(10)]
    greedy = compare_policies(one, other)[0]
    assert greedy.difference is not None
    assert greedy.difference.mean == pytest.approx(0.5)
    elsewhere = compare_policies(one, [row(f"x{n}", True) for n in range(10)])[0]
    assert elsewhere.difference is None
    assert compare_policies(one, [{**each, "group": "harder"} for each in other]) == []


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Any) -> None:
    assert distinct_names(tmp_path / "a" / "run", tmp_path / "b" / "run") == ("a/run", "b/run")


def test_very_long_responses_and_photographs_stay_small() -> None:
    assert shortened("x" * (LONGEST + 1500)).endswith("… (1,500 more characters)")
    assert shortened("a\x1b[2J") == "a\\x1b[2J"
    assert shortened("x" * LONGEST + "\x1b") == "x" * LONGEST + " … (1 more characters)"
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise).resize((600, 450)).resize((1200, 900))
    assert len(image_address([photograph])) < 60_000
    assert image_address([Image.new("RGB", (400, 300), "white")]).startswith("data:image/")
    assert image_address([]) == ""


@pytest.mark.parametrize("template", [*TEMPLATES.list_templates(extensions=["jinja"])])
def test_every_table_of_a_page_stands_in_a_box_that_a_phone_can_stack(template: str) -> None:
    text = Path(str(TEMPLATES.get_template(template).filename)).read_text()
    assert text.count("<table") == text.count('<div class="wide"><table')
