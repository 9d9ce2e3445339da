"""What stands for a label where there is none, and how far it may be trusted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from failing_runs import MAJORITY
from rollout_doubles import rollout
from tiny_runs import TINY, Even, agent_of

from mstar.agents.config import Recipe
from mstar.agents.explore.data_mix import Adaptive, Scheduled
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import whole_turns
from mstar.agents.pseudo_labels import (
    VoteRecord,
    draw_problems,
    pseudo_accuracy,
    pseudo_labelled,
    vote_record,
)
from mstar.agents.selection import select
from mstar.agents.types import Rollout, SamplingPlan, SFTExample
from mstar.agents.worked_examples import WorkedExamples
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.envs.variants.unlabelled import withhold
from mstar.experiments.run.round_row import describe
from mstar.rewards import Correctness, RewardPanel, SelfCertainty
from mstar.rewards.base import Answer, Attempt
from mstar.rewards.soft_votes import agreement_vote, judged_factor, judged_vote
from mstar.rewards.voting import guarded_vote, plain_vote, vote_weights

KIND = Answer("number", "")


def responses(*answers: str | None) -> list[Attempt]:
    """A group without a label; None gives no answer."""
    texts = ["" if answer is None else f"Answer: {answer}" for answer in answers]
    return [Attempt("how many?", text, group="g", answer_spec=KIND) for text in texts]


def ones(group: list[Attempt]) -> list[float]:
    return [1.0] * len(group)


def test_the_vote_is_weighted() -> None:
    group = responses("3", "3", "5", None)
    assert plain_vote(group, [1, 1, 1, 9]).tolist() == [1, 1, 0, 0]
    assert plain_vote(group, [0.2, 0.2, 0.9, 1]).tolist() == [0, 0, 1, 0]


def test_with_agreement_texts_pass_in_proportion_to_their_summed_weights() -> None:
    passed = np.zeros(6)
    for place in range(400):  # as many groups, each with draws of its own
        group = [replace(a, group=f"g{place}") for a in responses("3", "3", "3", "3.0", "5", None)]
        passed += agreement_vote(group, ones(group)) / 400
    assert passed[0] == passed[1] == passed[2]
    assert passed[0] == pytest.approx(3 * (4 / 6) ** 0.7 / 6, abs=0.06)
    assert passed[3] == pytest.approx((4 / 6) ** 0.7 / 6, abs=0.04)
    assert passed[4] == pytest.approx((1 / 6) ** 0.7 / 6, abs=0.03)
    assert passed[5] == 0
    group = responses("3", "3", "5")
    assert agreement_vote(group, ones(group)).tolist() == agreement_vote(group, [9, 0, 1]).tolist()
    assert agreement_vote(responses("3", "3"), [1, 1]).tolist() == [1, 1]
    assert agreement_vote(responses("3"), [1]).tolist() == [1]
    assert np.isnan(agreement_vote(responses(None, None), [1, 1])).all()


def test_groups_that_agree_give_more_lessons_than_groups_that_do_not() -> None:
    lessons = {"one text": 0, "eight answers": 0}
    for place in range(100):
        for name, answers in (("one text", "3" * 8), ("eight answers", "12345678")):
            group = [replace(a, group=f"g{place}") for a in responses(*answers)]
            passing = agreement_vote(group, ones(group)) == 1
            lessons[name] += len({a.response for a, won in zip(group, passing, strict=True) if won})
    assert lessons["one text"] == 100
    assert 10 < lessons["eight answers"] < 40  # (1/8)^0.7 is 0.23


def test_the_judge_moves_agreement_within_its_bounds_alone() -> None:
    factors = judged_factor(np.linspace(0, 1, 101))
    assert (np.diff(factors) >= 0).all()
    assert 0.8 <= factors.min() < 0.81
    assert 1.18 < factors.max() <= 1.2
    kept = {0.0: 0.0, 0.7: 0.0, 1.0: 0.0}
    for score in kept:
        for place in range(400):
            group = [replace(a, group=f"g{place}") for a in responses("3", "3", "7", "9")]
            kept[score] += float(judged_vote(group, [score, score, 0.7, 0.7])[0]) / 400
    assert kept[0.0] < kept[0.7] < kept[1.0]
    assert kept[1.0] / kept[0.0] < 2


def test_a_frozen_judge_is_required_for_the_judged_vote() -> None:
    with pytest.raises(ValueError, match="does not learn"):
        Recipe.of(unlabelled=0.5, vote="judged")
    Recipe.of(unlabelled=0.5, vote="judged", panel=("correctness", "process"), rank="process")


def test_without_a_winner_a_problem_counts_by_the_share_of_its_passing_responses() -> None:
    hidden = [
        replace(
            rollout("a", f"Answer: {answer}", right=nan, pseudo=float(passes)),
            problem=withhold(rollout("a").problem),
        )
        for answer, passes in (("3", True), ("3", True), ("5", True), ("7", False))
    ]
    found = pseudo_accuracy(hidden)
    assert found is not None
    assert found.label_accuracy == pytest.approx(2 / 3)


def test_the_plain_vote_counts_texts_and_the_guarded_vote_equivalent_answers() -> None:
    group = responses("3", "3.0", "three", "5", "5")
    assert plain_vote(group, ones(group)).tolist() == [0, 0, 0, 1, 1]
    clear = responses("3", "3.0", "three", "3", "5")
    assert guarded_vote(clear, ones(clear)).tolist() == [1, 1, 1, 1, 0]


def test_responses_without_an_answer_do_not_vote() -> None:
    group = responses(None, None, "4")
    assert plain_vote(group, ones(group)).tolist() == [0, 0, 1]
    silent = responses(None, None)
    assert np.isnan(plain_vote(silent, ones(silent))).all()
    assert np.isnan(guarded_vote(silent, ones(silent))).all()


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (("3", "3", "4", "5", "6"), "the winner has less than half of the votes"),
        (("3", "3", "3", None, None, None, None), "silence counts against the winner"),
        (("3", "3", "3", "3", "4", "4"), "the minority is half as strong as the majority"),
    ],
)
def test_the_guarded_vote_abstains_where(answers: tuple[str | None, ...], why: str) -> None:
    group = responses(*answers)
    assert np.isnan(guarded_vote(group, ones(group))).all(), why
    assert not np.isnan(plain_vote(group, ones(group))).any()


def test_a_responses_own_vote_is_not_evidence_for_it() -> None:
    alone = responses("3", None)
    assert plain_vote(alone, ones(alone)).tolist() == [1, 0]
    assert guarded_vote(alone, ones(alone)).tolist() == [0, 0]
    # By its own weight the first is elected; the others would not have elected it.
    group = responses("3", "3", "4")
    assert guarded_vote(group, [1.0, 0.1, 0.2]).tolist() == [0, 1, 0]


def test_an_abstention_gets_the_mean_weight_of_the_others() -> None:
    assert vote_weights([0.2, 0.4, nan]) == pytest.approx([0.2, 0.4, 0.3])
    assert vote_weights([nan, nan]) == [1.0, 1.0]
    assert vote_weights([0.0, 0.0]) == [1.0, 1.0]


def rollouts(*answers: str, gold: str | None = None, id: str = "u") -> list[Rollout]:
    """Judged responses to one problem whose gold is "3"; withheld unless it is given here."""
    made = [rollout(id, f"Answer: {answer}", right=float(answer == "3")) for answer in answers]
    if gold is not None:
        return made
    hidden: Problem = withhold(made[0].problem)
    return [replace(r, problem=hidden, scores={**r.scores, "correctness": nan}) for r in made]


def test_unlabelled_problems_are_gated_by_the_vote() -> None:
    judged = [*rollouts("3", "4", gold="3", id="l"), *rollouts("4", "4", "4", "3")]
    assert select(judged, "all", 9, 0.0, seed=0).kept == (0,)
    labelled = pseudo_labelled(judged, "guarded", "reward")
    assert [r.scores["pseudo"] for r in labelled[2:]] == [1, 1, 1, 0]
    assert all(isnan(r.scores["pseudo"]) for r in labelled[:2])
    chosen = select(labelled, "all", 9, 0.0, seed=0)
    assert chosen.kept == (0, 2)  # of equal texts one
    assert (chosen.solved, chosen.passed) == (1.0, 4 / 6)


def test_labelled_problems_get_no_pseudo_label() -> None:
    judged = rollouts("3", "4", gold="3")
    assert pseudo_labelled(judged, "guarded", "reward") == judged
    assert pseudo_accuracy(judged) is None


def test_pseudo_label_accuracy_uses_the_withheld_labels() -> None:
    judged = [
        *rollouts("3", "3", "3", "5", id="right"),
        *rollouts("4", "4", "4", "3", id="wrong"),
        *rollouts("1", "2", "3", "4", id="silent"),
    ]
    found = pseudo_accuracy(pseudo_labelled(judged, "guarded", "reward"))
    assert found is not None
    assert (found.problems, found.labelled, found.label_accuracy) == (3, 2 / 3, 1 / 2)
    assert found.reward_accuracy == 1 / 2  # all four of the first, none of the second


def problems(share: float) -> Task:
    return Task(source="Dice", size=96, seed=0, unlabelled=share)


@pytest.mark.parametrize("mix_in", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_unlabelled_problems_are_mixed_in_from_a_share_of_the_rounds(mix_in: float) -> None:
    mixing = Scheduled(Recipe.of(rounds=4, unlabelled=0.5, mix_in=mix_in))
    task, plan = problems(0.5), SamplingPlan()
    shares = [mixing.plan(number, plan).unlabelled for number in (1, 2, 3, 4)]
    drawn = [draw_problems(task, 12, share) for share in shares]
    hidden = [any(p.answer is None for p in asked) for asked in drawn]
    assert hidden == [number > 4 * mix_in for number in (1, 2, 3, 4)]
    assert [len(asked) for asked in drawn] == [12] * 4
    ids = [p.id for asked in drawn for p in asked]
    assert len(set(ids)) == len(ids)


def test_mixing_in_later_needs_labels_to_begin_with() -> None:
    with pytest.raises(ValueError, match="no labelled problems for unlabelled_start"):
        Recipe.of(unlabelled=1.0, mix_in=0.5)
    with pytest.raises(ValueError, match="a round needs 2 labelled problems"):
        draw_problems(problems(1.0), 2, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75])
def test_a_round_has_the_share_of_unlabelled_problems_that_is_wanted(share: float) -> None:
    drawn = draw_problems(problems(0.5), 12, share)
    assert sum(problem.answer is None for problem in drawn) == 12 * share
    assert len({problem.id for problem in drawn}) == 12


# The mix that follows the vote


def voted(right: int, wrong: int, unsolved: int = 0) -> list[Rollout]:
    """Labelled problems whose votes are right, wrong, or that nobody solves or votes on."""
    texts = {"right": "3333", "wrong": "4443", "unsolved": "4567"}
    counts = {"right": right, "wrong": wrong, "unsolved": unsolved}
    return [
        made
        for kind, count in counts.items()
        for index in range(count)
        for made in rollouts(*texts[kind], gold="3", id=f"{kind} {index}")
    ]


def test_votes_on_labelled_problems_are_held_to_their_labels() -> None:
    seen = vote_record([*voted(3, 2, 1), *rollouts("3", "3", "3")], "guarded", "reward")
    assert seen == VoteRecord(problems=6, solved=5, voted=5, right=3)


def test_unlabelled_problems_come_as_the_vote_proves_right_and_go_as_it_proves_wrong() -> None:
    mixing, plan = Adaptive(Recipe.of(unlabelled=0.5, mixing="adaptive")), SamplingPlan()
    assert mixing.plan(1, plan).unlabelled == 0.0
    shares = []
    for right, wrong in [(5, 0), (50, 0), (50, 0), (50, 0), (50, 0), (42, 8), (20, 30), (20, 30)]:
        mixing.observe(voted(right, wrong), "reward")
        shares.append(mixing.plan(2, plan).unlabelled)
    assert shares == [0.0, 0.25, 0.5, 0.75, 0.75, 0.75, 0.5, 0.25]
    resumed = Adaptive(Recipe.of(unlabelled=0.5, mixing="adaptive"))
    resumed.restore(mixing.state())
    assert resumed.plan(3, plan) == mixing.plan(3, plan)


def test_worked_examples_replace_unsolved_problems() -> None:
    mixing, plan = Adaptive(Recipe.of(gold=0.3, mixing="adaptive")), SamplingPlan()
    assert mixing.plan(1, plan).worked_examples == 0.3
    mixing.observe(voted(30, 0, unsolved=70), "reward")
    assert mixing.plan(2, plan).worked_examples == 0.3
    mixing.observe(voted(90, 0, unsolved=10), "reward")
    assert mixing.plan(3, plan).worked_examples == pytest.approx(0.1)
    assert mixing.plan(3, plan).unlabelled is None
    mixing.observe(rollouts("3"), "reward")  # without a label nothing can be told
    assert mixing.plan(4, plan).worked_examples == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"unlabelled": 1.0}, "no labelled problems for unlabelled_start"),
        ({"unlabelled": 0.5, "mix_in": 0.5}, "decides by itself"),
        ({}, "nothing to mix"),
    ],
)
def test_a_mix_that_cannot_be_adapted_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recipe.of(mixing="adaptive", **wrong)


def test_online_agents_get_no_worked_examples() -> None:
    with pytest.raises(ValueError, match="grpo learns from rewards and is shown no solutions"):
        Recipe.of(agent="grpo", gold=0.1)


def test_a_run_mixes_by_its_votes_and_its_rows_say_so(policy: Policy, tmp_path: Path) -> None:
    setting = {"mixing": "adaptive", "unlabelled": 0.5, "gold": 0.5, "gold_set": 2, "rounds": 2}
    agent = agent_of(policy, tmp_path, RewardPanel([Even(), SelfCertainty()]), **setting)
    *_, first, second = [describe(done) for done in agent.learn()]
    agent.close()
    assert first["plan"]["unlabelled"] == 0.0
    spread = first["dynamics"]["spread"]["1.0"]
    assert first["state"]["mixing"]["gold"] == pytest.approx(min(0.5, 1 - spread["pass_k"]))
    assert first["state"]["mixing"]["gold"] == second["plan"]["gold"]


def test_a_run_without_labels_learns_from_its_votes_and_tells_their_accuracy(
    policy: Policy, tmp_path: Path
) -> None:
    setting = {**MAJORITY, "rounds": 1, "panel": RewardPanel([Correctness(), SelfCertainty()])}
    agent = agent_of(policy, tmp_path, **setting)
    *_, done = agent.learn()
    agent.close()
    assert done.selection is not None
    assert done.selection.kept
    assert {r.scores["pseudo"] for r in (done.rollouts[i] for i in done.selection.kept)} == {1.0}
    assert all(isnan(r.scores["correctness"]) for r in done.rollouts)
    row = describe(done)["pseudo"]
    assert row["problems"] == 8
    assert 0 < row["labelled"] <= 1
    assert row["label_accuracy"] == 0.0  # a random model's majority is wrong


def examples(count: int) -> list[SFTExample]:
    """Responses of the policy's own, of one token each, which no solution has."""
    task = problems(0.0)
    prompt = task.prompt(task.draw(1)[0])
    return [SFTExample(prompt, (i,)) for i in range(count)]


GOLDEN = TINY.replace(gold=0.25, gold_set=3, updates=4, batch=4)


@pytest.mark.parametrize("own", [1, 12, 40])
def test_worked_examples_have_their_share_of_the_training_examples(
    loaded: Policy, own: int
) -> None:
    gold = WorkedExamples(loaded, problems(0.5), GOLDEN)
    mixed = gold.mixed_into(examples(own), 0.25, 1)
    golden = [example for example in mixed if len(example.tokens) > 1]
    assert (len(mixed), len(golden)) == (16, 4)
    assert {example.tokens for example in golden} <= {g.tokens for g in gold.examples}
    assert [m.tokens for m in mixed] == [m.tokens for m in gold.mixed_into(examples(own), 0.25, 1)]
    assert [m.tokens for m in mixed] != [m.tokens for m in gold.mixed_into(examples(own), 0.25, 2)]


def test_worked_examples_are_verified_labelled_and_worked_out(loaded: Policy) -> None:
    gold = WorkedExamples(loaded, problems(0.5), GOLDEN).examples
    assert len({example.prompt.key for example in gold}) == 3
    task = problems(0.5)
    for example in gold:
        problem = task.find(example.prompt.key)
        assert [example.tokens] == whole_turns(loaded, [problem.solution])
    assert all(one.prompt.key != other.prompt.key for one, other in pairwise(gold))


def test_without_worked_examples_the_training_examples_are_unchanged(loaded: Policy) -> None:
    own = examples(2)
    assert WorkedExamples(loaded, problems(1.0), TINY).mixed_into(own, 0.0, 1) == own


def test_missing_worked_examples_are_named(loaded: Policy) -> None:
    with pytest.raises(ValueError, match="gave 0 labelled problems"):
        _ = WorkedExamples(loaded, problems(1.0), GOLDEN).examples
