"""What people say of responses: how they are asked, what is stored, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from rollout_doubles import rollout

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.worked_examples import solutions_in
from mstar.envs.task import Task
from mstar.experiments.audit.errors import (
    agreements,
    cohen_kappa,
    judge_error,
    share,
    summarise_verdicts,
)
from mstar.experiments.audit.examples import write_examples
from mstar.experiments.audit.gradio_page import KEYS, view
from mstar.experiments.audit.panel_fit import fit_panel, fit_weights
from mstar.experiments.audit.population import open_subject
from mstar.experiments.audit.session import Session
from mstar.experiments.audit.strata import STRATA, draw_sample
from mstar.experiments.cli.audit import default_file
from mstar.experiments.cli.main import main
from mstar.experiments.cli.options import read_recipe
from mstar.experiments.evaluation.rescore_options import RescoreOptions, with_recipe
from mstar.experiments.rows import write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder, write_rollouts
from mstar.experiments.verdicts import (
    FILE,
    KINDS,
    Item,
    Verdict,
    append,
    called_bad,
    read_verdicts,
    taken_back,
)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} **bold**\nAnswer: 1"
RECIPE = Recipe.of(
    families=("BarChart",),
    extra_families=(),
    training_problems=12,
    panel=("correctness", "format"),
    rank="reward",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one round: twelve problems, six responses each, every third one right."""
    folder = RunFolder.create(tmp_path / "run", RECIPE)
    add_round(folder, 1)
    return folder.path


def add_round(folder: RunFolder, number: int) -> None:
    task = open_task(RECIPE, "train")
    rollouts = [
        replace(
            rollout(
                text=f"{EVIL if k == 1 else 'Answer:'} {number}{k}",
                right=float(k % 3 == 0),
                reward=(k + 1) / 6,
                format=float(k < 5),
            ),
            problem=problem,
        )
        for problem in task.draw(12)
        for k in range(6)
    ]
    write_rollouts(folder.rollouts_path(number), rollouts, {0, 7})
    before = folder.rounds() or [{"number": 0, "plan": None}]
    write_rows(folder.path / "rounds.jsonl", [*before, {"number": number, "plan": {}}])


def session(run: Path, user: str = "ann", size: int = 24) -> Session:
    return Session(open_subject(str(run), run / FILE, (), "train", size), user, size)


def verdict(kind: Any = "right", user: str = "ann", *, problem: str = "p", **item: Any) -> Verdict:
    seen = Item(f"{problem}/{item.pop('id', 0)}", problem, "", "how many?", "3", "Answer: 3")
    return Verdict(f"{user}/{seen.id}", user, "2026-01-01", kind, "", replace(seen, **item))


def store(path: Path, verdicts: Sequence[Verdict]) -> Path:
    for each in verdicts:
        append(path, each)
    return path


# What is shown


def test_half_of_the_sample_is_random_and_every_part_comes_early(run: Path) -> None:
    sample = session(run).sample()
    parts = Counter(item.stratum for item in sample)
    assert len(sample) == 24
    assert parts["random"] > 12  # two responses were kept, so others fill up
    assert set(parts) == {"random", *STRATA}
    assert {item.stratum for item in sample[:8]} == set(parts)
    assert {i.probability for i in sample if i.stratum == "random"} == {parts["random"] / 72}


def test_a_stratum_holds_what_its_name_says(run: Path) -> None:
    sample = session(run).sample()
    assert all(item.kept for item in sample if item.stratum == "kept for training")
    alone = [item for item in sample if item.stratum == "high reward, low agreement"]
    assert all(item.reward is not None and item.reward > 0.7 for item in alone)


def test_a_sample_keeps_its_random_items_as_the_run_goes_on(run: Path) -> None:
    going_on = session(run)
    before = [item.id for item in going_on.sample() if item.stratum == "random"]
    add_round(RunFolder(run), 2)
    after = [item.id for item in going_on.sample() if item.stratum == "random"]
    assert {item.round for item in going_on.sample()} == {1, 2}
    kept = [id for id in after if id in before]
    assert kept == [id for id in before if id in after]  # in the same order
    assert 0 < len(kept) < len(before)


def test_equal_responses_are_shown_once_and_counted(run: Path) -> None:
    subject = open_subject(str(run), run / FILE, (), "train", 9)
    found = subject.candidates()
    folder = RunFolder(run)
    write_rows(run / "rounds.jsonl", [*folder.rounds(), {"number": 2, "plan": {}}])
    folder.rollouts_path(2).write_bytes(folder.rollouts_path(1).read_bytes())
    again = subject.candidates()
    assert [each.item.id for each in again] == [each.item.id for each in found]
    assert {each.item.copies for each in again} == {2}


def test_problems_of_a_data_set_are_shown_without_a_response(tmp_path: Path) -> None:
    subject = open_subject("mstar/BarChart-v1", tmp_path / FILE, (), "train", 5)
    shown = Session(subject, "ann", 5)
    item = shown.shown()
    assert item is not None
    assert item.response is None
    assert shown.kinds(item) == ("right", "bad question", "bad reference")
    assert "Response" not in view(shown)[1]
    for each in shown.sample():
        shown.judge(each.id, "right")
    assert view(shown)[0].rstrip().endswith("Nothing is left to judge.</p>")


@pytest.mark.parametrize("name", ["charts/problems.jsonl", "charts/problems"])
def test_the_verdicts_on_a_data_set_have_a_file_of_its_name(name: str) -> None:
    assert default_file(name) == Path("audits/charts-problems.jsonl")


def test_a_run_that_has_sampled_nothing_is_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", RECIPE)
    with pytest.raises(ValueError, match="no responses to look at yet"):
        session(folder.path)


def test_what_the_policy_wrote_is_text_and_no_markup(run: Path) -> None:
    looking = session(run, size=72)
    shown = next(i for i in looking.sample() if i.response and i.response.startswith(EVIL))
    for item in looking.sample():
        if item.id == shown.id:
            break
        looking.judge(item.id, "right")
    page = view(looking)[1]
    assert shown.id in page
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<img ") == 1  # the problem's own


def test_scores_lead_nobody_where_they_are_hidden(run: Path) -> None:
    blind = Session(
        open_subject(str(run), run / FILE, (), "train", 9), "ann", 9, scores_shown=False
    )
    assert "correctness" not in view(blind)[1]
    item = blind.shown()
    assert item is not None
    blind.judge(item.id, "right")
    assert [each.scores_shown for each in read_verdicts(run / FILE)] == [False]


# What is stored


def test_a_verdict_says_who_saw_what_and_a_new_page_goes_on_behind_it(run: Path) -> None:
    looking = session(run)
    first = looking.shown()
    assert first is not None
    assert looking.judge(first.id, "bad question", "no bar is pink")
    (stored,) = read_verdicts(run / FILE)
    assert (stored.user, stored.kind, stored.note) == ("ann", "bad question", "no bar is pink")
    assert stored.item == first
    assert len(stored.images[0]) == 32
    assert session(run).shown() == looking.shown() == looking.sample()[1]
    assert session(run).progress() == (1, 24)


def test_a_key_that_is_hit_twice_judges_no_item_that_nobody_saw(run: Path) -> None:
    looking = session(run)
    shown = looking.shown()
    assert shown is not None
    assert looking.judge(shown.id, "right")
    assert not looking.judge(shown.id, "wrong")
    assert [each.kind for each in read_verdicts(run / FILE)] == ["right"]


def test_a_round_that_ends_meanwhile_takes_no_item_off_the_page(run: Path) -> None:
    looking = session(run)
    seen = set()
    for number in range(2, 8):
        item = looking.shown()
        assert item is not None
        seen.add(item.id)
        add_round(RunFolder(run), number)  # its items may come before this one
        assert looking.judge(item.id, "right")
    assert {each.item.id for each in read_verdicts(run / FILE)} == seen


def test_undo_takes_back_ones_own_last_verdict_and_shows_its_item(run: Path) -> None:
    ann, ben = session(run), session(run, "ben")
    items = ann.sample()
    for item in items[:3]:
        ann.judge(item.id, "right")
    ben.judge(items[0].id, "wrong")
    undone = ann.undo()
    assert undone is not None
    assert undone.item == items[2] == ann.shown()
    assert [(v.user, v.kind) for v in read_verdicts(run / FILE)] == [
        ("ann", "right"),
        ("ann", "right"),
        ("ben", "wrong"),
    ]
    assert len((run / FILE).read_text().splitlines()) == 5  # nothing is deleted
    assert ann.judge(items[2].id, "wrong")
    assert ann.shown() == items[3]


def test_nothing_to_take_back_is_no_error(run: Path) -> None:
    assert session(run).undo() is None


def test_a_line_that_was_cut_is_replaced_by_the_next(tmp_path: Path) -> None:
    path = store(tmp_path / FILE, [verdict(problem="a")])
    with path.open("a") as file:
        file.write('{"id": "half')
    assert len(read_verdicts(path)) == 1
    append(path, verdict(problem="b"))
    assert [each.item.problem for each in read_verdicts(path)] == ["a", "b"]


def test_several_people_at_once_lose_nothing(tmp_path: Path) -> None:
    def judge(user: str) -> None:
        store(tmp_path / FILE, [verdict(user=user, problem=str(n)) for n in range(20)])

    people = [Thread(target=judge, args=(name,)) for name in ("ann", "ben", "cem")]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert Counter(v.user for v in read_verdicts(tmp_path / FILE)) == dict.fromkeys(
        ("ann", "ben", "cem"), 20
    )


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"question": "why?"}\n')
    with pytest.raises(ValueError, match=r"line 1 of .* is no verdict"):
        read_verdicts(tmp_path / FILE)


# What is estimated


def test_a_share_has_wilsons_interval() -> None:
    """1 of 10: [0.0179, 0.4042] (Newcombe 1998, table I, for 1 / 10)."""
    found = share([verdict(problem=str(n)) for n in range(10)], [n == 0 for n in range(10)])
    assert found is not None
    assert (found.mean, found.n) == (0.1, 10)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0179, 0.4042)


def test_responses_to_one_problem_do_not_count_as_independent() -> None:
    flags = [n % 2 == 0 for n in range(12)]
    apart = share([verdict(problem=str(n)) for n in range(12)], flags)
    alike = share([verdict(problem=str(n % 3), id=n) for n in range(12)], flags)
    assert apart is not None
    assert alike is not None
    assert alike.mean == apart.mean
    assert alike.high - alike.low > 1.4 * (apart.high - apart.low)


def test_copies_and_probabilities_weigh() -> None:
    often = verdict(problem="a", copies=3, probability=0.5)
    rare = verdict(problem="b", copies=1, probability=0.25)
    found = share([often, rare], [True, False])
    assert found is not None
    assert found.mean == pytest.approx(6 / 10)


def test_only_the_random_part_is_estimated_from(tmp_path: Path) -> None:
    """The parts that tell most hold more errors than there are: they would frighten people."""
    good = [verdict(problem=f"r{n}", scores={"correctness": 1.0}) for n in range(20)]
    telling = [
        verdict("wrong", problem=f"t{n}", scores={"correctness": 1.0}, stratum="judges disagree")
        for n in range(20)
    ]
    summary = summarise_verdicts(store(tmp_path / FILE, [*good, *telling]))
    assert summary.random == 20
    (judge,) = summary.judges
    assert judge.wrong is not None
    assert judge.wrong.mean == 0.0
    assert 0.1 < judge.wrong.high < 0.2
    assert "0.0 % [0.0, 16.1], n = 20" in summary.text()


def test_a_random_part_finds_the_error_of_everything(run: Path) -> None:
    """Every response is judged by a rule, of which the verifier is wrong in a sixth."""
    candidates = open_subject(str(run), run / FILE, (), "train", 60).candidates()

    def truly_right(item: Item) -> bool:
        flipped = int(item.id, 16) % 6 == 0
        return (item.scores["correctness"] == 1.0) != flipped

    true = np.mean([int(each.item.id, 16) % 6 == 0 for each in candidates])
    covered = 0
    for seed in range(40):
        sample = draw_sample(candidates, 60, seed)
        judged = [
            replace(verdict("right" if truly_right(item) else "wrong"), item=item)
            for item in sample
            if item.stratum == "random"
        ]
        wrong = judge_error("correctness", judged).wrong
        assert wrong is not None
        covered += wrong.low <= true <= wrong.high
    assert covered >= 38  # of 40, at 95 % or better, as a third of the whole is seen


def test_the_verifier_is_held_against_the_answer_and_others_against_the_reasons() -> None:
    scores = {"correctness": 1.0, "process": 1.0}
    lucky = [verdict("right for wrong reasons", problem=str(n), scores=scores) for n in range(4)]
    verifier, process = judge_error("correctness", lucky), judge_error("process", lucky)
    assert verifier.fooled is not None
    assert process.fooled is not None
    assert (verifier.fooled.mean, process.fooled.mean) == (0.0, 1.0)


def test_an_abstention_is_no_error() -> None:
    silent = [verdict(problem=str(n), scores={"process": None}) for n in range(3)]
    judge = judge_error("process", silent)
    assert judge.wrong is None
    assert judge.abstained is not None
    assert judge.abstained.mean == 1.0


def test_people_are_compared_on_what_both_saw() -> None:
    said = [
        verdict("right", "ann", problem="a"),
        verdict("wrong", "ben", problem="a"),
        verdict("right", "ann", problem="b"),
        verdict("right", "ben", problem="b"),
        verdict("right", "ann", problem="c"),
    ]
    (pair,) = agreements(said)
    assert (pair.one, pair.other, pair.n, pair.same, pair.kappa) == ("ann", "ben", 2, 0.5, 0.0)


def test_kappa_is_cohens() -> None:
    """His own example in the form of every textbook: 20, 5, 10, 15 gives 0.4."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert np.isnan(cohen_kappa([("y", "y")]))


# What follows


def judged_panel(path: Path, count: int) -> Path:
    """Right with a chance that follows `good` steeply and `weak` a little; `noise` says nothing."""
    rng = np.random.default_rng(0)
    verdicts = []
    for n in range(count):
        good, weak, noise = rng.random(3)
        chance = 1 / (1 + np.exp(-(6 * good + 2 * weak - 4)))
        scores = {"good": float(good), "weak": float(weak), "noise": float(noise)}
        kind = "right" if rng.random() < chance else "wrong"
        verdicts.append(verdict(kind, problem=str(n), scores=scores, reward=float(noise)))
    write_rows(path, [asdict(each) for each in verdicts])
    return path


def test_a_panel_is_fitted_to_what_people_say(tmp_path: Path) -> None:
    fitted = fit_panel(judged_panel(tmp_path / FILE, 600), ["good", "weak", "noise"])
    assert sum(fitted.weights.values()) == pytest.approx(1.0, abs=1e-3)
    assert fitted.weights["good"] == pytest.approx(0.75, abs=0.1)
    assert fitted.weights["noise"] < 0.1
    assert fitted.ranking > 0.8 > 0.6 > fitted.before
    assert fitted.threshold == pytest.approx(0.5, abs=0.08)  # 6 / 8 + 2 / 8 of it: 4 / 8


def test_a_reward_model_that_is_wrong_gets_no_negative_weight() -> None:
    rng = np.random.default_rng(1)
    good = rng.random(400)
    right = rng.random(400) < 1 / (1 + np.exp(-(8 * good - 4)))
    weights, _ = fit_weights(np.stack([good, 1 - good + 0.3 * rng.random(400)], axis=1), right)
    assert weights[0] > 1
    assert weights[1] == 0


def test_too_few_verdicts_fit_nothing(tmp_path: Path) -> None:
    path = judged_panel(tmp_path / FILE, 20)
    with pytest.raises(ValueError, match=r"3 weights need 15 of each: judge more, or name fewer"):
        fit_panel(path, ["good", "weak", "noise"])
    with pytest.raises(ValueError, match="did you mean 'good'"):
        fit_panel(path, ["goood"])


def test_a_fitted_panel_is_a_recipe_for_training_and_rescoring(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looking = session(run, size=60)
    for item in looking.sample():
        looking.judge(item.id, "right" if item.scores["correctness"] else "wrong")
    assert main(["panel", "fit", str(run), "--precision", "0.8"]) == 0
    assert "ranks right above wrong: 1.000" in capsys.readouterr().out
    recipe = read_recipe(run / "panel.yaml")
    assert (recipe.selection.rule, recipe.selection.rank) == ("threshold", "reward")
    assert recipe.rewards.weights[0] > 0.8  # correctness is what people said
    assert recipe.data == RECIPE.resolved().data
    options = with_recipe(RescoreOptions(run), recipe)
    assert options.panel == recipe.rewards.panel
    assert options.threshold == recipe.selection.threshold > 0


def test_problems_called_bad_are_not_asked_again(run: Path) -> None:
    recipe = RECIPE.replace(audit=str(run))
    task = open_task(recipe, "train")
    asked = [problem.id for problem in task.draw(12)]
    bad, good = asked[3], asked[4]
    for user, kind in (("ann", "bad question"), ("ben", "right"), ("cem", "bad reference")):
        append(run / FILE, verdict(kind, user, problem=bad))
    for user, kind in (("ann", "bad question"), ("ben", "right"), ("cem", "right")):
        append(run / FILE, verdict(kind, user, problem=good))  # one of three
    assert called_bad(run / FILE) == {bad}
    again = [problem.id for problem in task.draw(12)]  # the same task, while the run goes on
    assert len(again) == 12
    assert set(asked) - set(again) == {bad}
    validation = open_task(recipe, "validation").draw(12)
    assert [p.id for p in validation] == [p.id for p in open_task(RECIPE, "validation").draw(12)]


def test_a_verdict_that_was_taken_back_leaves_nothing_out(tmp_path: Path) -> None:
    bad = verdict("bad question")
    path = store(tmp_path / FILE, [bad])
    append(path, taken_back(bad, "later"))
    assert called_bad(path) == frozenset()


def test_a_set_of_which_everything_is_bad_is_an_error() -> None:
    every = {problem.id for problem in Task(source="BarChart", seed=0).draw(3)}
    task = open_task(RECIPE.replace(training_problems=3), "train")
    task = Task(source=task.source, seed=0, left_out=lambda: every)
    with pytest.raises(ValueError, match=r"all problems of .* are left out"):
        task.draw(1)


def test_confirmed_responses_become_worked_examples(
    run: Path, tmp_path: Path, loaded: Policy
) -> None:
    looking = session(run, size=12)
    for item in looking.sample()[:6]:
        looking.judge(item.id, "right" if item.response and "1" in item.response else "wrong")
    confirmed = [v.item for v in read_verdicts(run / FILE) if v.kind == "right"]
    assert confirmed
    out = tmp_path / "examples.jsonl"
    assert write_examples(looking.subject, out) == len(confirmed)
    task = open_task(RECIPE, "train")
    examples = solutions_in(loaded, task, out)
    decode = loaded.processor.tokenizer.decode
    found = {(each.prompt.text.splitlines()[0], decode(each.tokens)) for each in examples}
    assert {question for question, _ in found} == {item.question for item in confirmed}
    for item in confirmed:
        assert any(item.response in text for _, text in found if item.response)
    assert all(len(each.prompt.images) == 1 for each in examples)


def test_no_confirmed_response_gives_no_examples(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="calls no response right"):
        write_examples(session(run).subject, tmp_path / "examples.jsonl")


def test_every_verdict_has_a_key_of_its_own() -> None:
    assert set(KEYS) == set(KINDS)
    assert len(set(KEYS.values())) == len(KEYS)
