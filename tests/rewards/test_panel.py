from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstar.rewards import (
    RULES,
    Attempt,
    ProxyGuard,
    RewardPanel,
    ScoreTable,
    adapted_weights,
    agreement,
    panel_health,
    recombine,
    rescore,
    spearman,
)
from mstar.rewards.rules import (
    gated,
    mean_minus_std,
    minimum,
    normalise_then_sum,
    outcome_anchor,
    second_lowest,
    weighted_sum,
)

NAN = float("nan")


@dataclass
class FixedScores:
    """A reward model with given scores by response, which counts its calls."""

    name: str
    scores: Mapping[str, float]
    calls: int = 0

    def score(self, attempts: Sequence[Attempt]) -> np.ndarray:
        self.calls += 1
        return np.array([self.scores[a.response] for a in attempts], np.float32)


def table(groups: Sequence[str] = (), **columns: Sequence[float]) -> ScoreTable:
    scores = np.array(list(columns.values()), np.float32).T
    return ScoreTable(tuple(columns), scores, tuple(groups) or ("g",) * len(scores))


def ones(of: ScoreTable) -> dict[str, float]:
    return dict.fromkeys(of.names, 1.0)


def test_the_weighted_sum_leaves_abstentions_out() -> None:
    scores = table(correctness=[1, 1, NAN], judge=[0, NAN, NAN])
    reward = weighted_sum(scores, {"correctness": 3, "judge": 1})
    np.testing.assert_allclose(reward, [0.75, 1.0, NAN])


def test_gated_gives_a_wrong_answer_zero_and_abstains_where_the_gate_abstains() -> None:
    scores = table(correctness=[1, 0, NAN, 1], process=[0.5, 1.0, 1.0, NAN])
    np.testing.assert_allclose(gated(scores, ones(scores)), [0.75, 0.0, NAN, 1.0])
    np.testing.assert_allclose(
        gated(scores, {"correctness": 0, "process": 1}), [0.5, 0.0, NAN, 1.0]
    )


def test_a_missing_gate_column_is_an_error_that_lists_the_columns() -> None:
    scores = table(format=[1.0])
    with pytest.raises(KeyError, match="no column 'correctness', only format"):
        gated(scores, ones(scores))


def test_the_minimum_is_over_models_with_weight_that_did_not_abstain() -> None:
    scores = table(a=[0.9, NAN, NAN], b=[0.2, 0.4, NAN], c=[0.0, 0.0, 0.0])
    reward = minimum(scores, {"a": 1, "b": 1, "c": 0})
    np.testing.assert_allclose(reward, np.float32([0.2, 0.4, NAN]))


def test_a_single_low_score_does_not_determine_the_second_lowest() -> None:
    scores = table(a=[0.0, 0.0, NAN], b=[0.8, NAN, NAN], c=[0.9, 0.7, 0.6])
    np.testing.assert_allclose(second_lowest(scores, ones(scores)), np.float32([0.8, 0.7, 0.6]))


def test_disagreement_lowers_the_reward_by_penalty_times_the_standard_deviation() -> None:
    scores = table(a=[1, 0.5, NAN], b=[0, 0.5, NAN])
    np.testing.assert_allclose(mean_minus_std(scores, ones(scores)), [0.0, 0.5, NAN])
    half = mean_minus_std(scores, ones(scores), penalty=0.5)
    np.testing.assert_allclose(half, [0.25, 0.5, NAN])


def two_rewards_beside_one() -> ScoreTable:
    """Group x earns (1, 1) or (0, 0), group y (0, 1) or (0, 0)."""
    return table("xxxxyyyy", a=[1, 1, 0, 0, 0, 0, 0, 0], b=[1, 1, 0, 0, 1, 1, 0, 0])


def test_within_one_group_normalisation_hides_whether_one_or_two_rewards_differ() -> None:
    both = two_rewards_beside_one()
    for group in "xy":
        rows = [i for i, name in enumerate(both.groups) if name == group]
        alone = ScoreTable(both.names, both.scores[rows], (group,) * 4)
        reward = normalise_then_sum(alone, ones(both))
        np.testing.assert_allclose(reward, [0.866, 0.866, -0.866, -0.866], atol=1e-3)


def test_over_a_batch_normalisation_ranks_two_rewards_above_one() -> None:
    reward = normalise_then_sum(two_rewards_beside_one(), ones(two_rewards_beside_one()))
    assert reward[0] == pytest.approx(2 * reward[4])
    assert reward.mean() == pytest.approx(0, abs=1e-6)
    assert reward.std(ddof=1) == pytest.approx(1)


def test_the_dead_band_suppresses_the_noise_of_a_nearly_constant_judge() -> None:
    rng = np.random.default_rng(0)
    correct = np.array([1, 0, 0, 1, 0, 1, 0, 0])
    jitter = table(correctness=correct, judge=0.9 + 0.005 * rng.standard_normal(8))

    def follows(reward: np.ndarray) -> float:
        return float(np.corrcoef(reward, correct)[0, 1])

    assert follows(weighted_sum(jitter, ones(jitter))) > 0.999
    assert follows(normalise_then_sum(jitter, ones(jitter), dead_band=0.0)) < 0.9
    assert follows(normalise_then_sum(jitter, ones(jitter))) > 0.999


def test_normalisation_ignores_abstentions() -> None:
    scores = table(a=[1, 0, NAN, NAN], b=[NAN, NAN, NAN, NAN])
    reward = normalise_then_sum(scores, ones(scores))
    np.testing.assert_allclose(reward, [0.7071, -0.7071, NAN, NAN], atol=1e-4)


def test_process_scores_rank_correct_attempts_and_do_not_lift_wrong_ones() -> None:
    scores = table(correctness=[1, 1, 0, 0], process=[0.9, 0.1, 1.0, 0.0])
    reward = outcome_anchor(scores, ones(scores))
    assert reward[0] > reward[1]
    assert reward[2] == reward[3] == pytest.approx(-0.866, abs=1e-3)
    assert reward[:2].mean() == pytest.approx(0.866, abs=1e-3)


def test_a_single_correct_attempt_gets_no_process_score() -> None:
    scores = table(correctness=[1, 0, NAN], process=[0.1, 0.9, 0.5])
    reward = outcome_anchor(scores, ones(scores))
    np.testing.assert_allclose(reward, [0.7071, -0.7071, NAN], atol=1e-4)


SCORE = st.one_of(st.just(NAN), st.floats(0, 1, width=16))


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("xyz"), SCORE, SCORE, SCORE), min_size=1))
def test_a_rule_does_not_depend_on_the_order_of_rows_or_change_the_table(
    rule: str, rows: list[tuple[str, float, float, float]]
) -> None:
    def rewards(of: list[tuple[str, float, float, float]]) -> np.ndarray:
        columns = dict(zip(("correctness", "a", "b"), list(zip(*of, strict=True))[1:], strict=True))
        scores = table([row[0] for row in of], **columns)
        before = scores.scores.copy()
        reward = RULES[rule](scores, {"correctness": 1, "a": 0.5, "b": 2})
        np.testing.assert_array_equal(scores.scores, before)
        assert reward.shape == (len(of),)
        assert reward.dtype == np.float32
        return reward

    order = np.random.default_rng(len(rows)).permutation(len(rows))
    np.testing.assert_allclose(
        rewards(rows)[order], rewards([rows[i] for i in order]), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_accepts_an_empty_table(rule: str) -> None:
    empty = ScoreTable(("correctness", "a"), np.zeros((0, 2), np.float32), ())
    assert RULES[rule](empty, ones(empty)).shape == (0,)


def test_a_panel_combines_scores_by_its_rule() -> None:
    models = [
        FixedScores("correctness", {"x": 1, "y": 0}),
        FixedScores("judge", {"x": 0.5, "y": 1}),
    ]
    attempts = [Attempt("q", "x"), Attempt("q", "y")]
    panel = RewardPanel(models, {"judge": 3}, partial(gated, gate="judge"))
    np.testing.assert_allclose(panel.score(attempts).reward, [0.5 * 2.5 / 4, 0.75])


@pytest.mark.parametrize("bad", [1.5, -0.1])
def test_a_score_outside_the_unit_interval_is_an_error_with_the_models_name(bad: float) -> None:
    with pytest.raises(ValueError, match=r"'wild' returned .*scores must lie in \[0, 1\]"):
        RewardPanel([FixedScores("wild", {"x": bad})]).score([Attempt("q", "x")])


def test_stored_scores_are_recombined_without_a_model() -> None:
    stored = table(correctness=[1, 0], judge=[0.5, 1.0], brevity=[0, 1])
    again = recombine(stored, {"correctness": 1, "judge": 1}, minimum)
    assert again.names == ("correctness", "judge")
    np.testing.assert_allclose(again.reward, [0.5, 0.0])
    with pytest.raises(KeyError, match="process"):
        recombine(stored, {"process": 1})


def test_rescoring_calls_only_new_models_and_those_listed_in_again() -> None:
    old, new = (
        FixedScores("correctness", {"x": 1, "y": 0}),
        FixedScores("judge", {"x": 0.2, "y": 0.4}),
    )
    attempts = [Attempt("q", "x", group="g"), Attempt("q", "y", group="g")]
    stored = RewardPanel([replace(old, scores={"x": 0, "y": 0})]).score(attempts)
    kept = rescore(stored, attempts, RewardPanel([new, old]))
    assert (old.calls, new.calls) == (0, 1)
    np.testing.assert_allclose(kept["correctness"], [0, 0])
    np.testing.assert_allclose(kept["judge"], np.float32([0.2, 0.4]))
    changed = rescore(stored, attempts, RewardPanel([new, old]), again=["correctness"])
    np.testing.assert_allclose(changed["correctness"], [1, 0])
    with pytest.raises(ValueError, match="2 rows, got 1 attempts"):
        rescore(stored, attempts[:1], RewardPanel([old]))


def test_spearman_uses_ranks_and_averages_ties() -> None:
    rising = np.array([0.1, 0.2, 0.3, 0.4])
    assert spearman(rising, rising**3) == 1.0
    assert spearman(rising, -rising) == -1.0
    tied = spearman(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert tied == pytest.approx(0.8944, abs=1e-4)
    assert np.isnan(spearman(rising, np.ones(4)))
    assert np.isnan(spearman(rising, np.array([1, 2, NAN, NAN])))


def test_health_compares_each_model_with_the_verifier() -> None:
    scores = table(
        correctness=[1, 1, 0, 0, NAN], fair=[0.9, 0.8, 0.2, 0.1, NAN], gulled=[0.4, 0.4, 1, 0.9, 1]
    )
    health = panel_health(scores, np.array([5, 6, 50, 40, 60]))
    assert health["correctness"].brier == 0
    assert health["fair"].brier == pytest.approx(0.025)
    assert health["fair"].abstained == pytest.approx(0.2)
    assert health["fair"].agreement > 0.8
    assert health["gulled"].agreement < -0.8
    assert (health["gulled"].fooled, health["gulled"].missed) == (1.0, 1.0)
    assert health["gulled"].length > 0.8
    matrix = agreement(scores)
    np.testing.assert_allclose(matrix, matrix.T)
    assert matrix[1, 2] < -0.5


def test_adapted_weights_follow_agreement_on_validation_problems() -> None:
    rng = np.random.default_rng(1)
    correct = (rng.random(400) < 0.5).astype(float)
    held_out = table(
        correctness=correct,
        good=np.clip(0.8 * correct + 0.2 * rng.random(400), 0, 1),
        noise=rng.random(400),
        inverse=1 - correct,
        silent=np.full(400, NAN),
    )
    weights = adapted_weights(ones(held_out), held_out)
    assert weights["correctness"] == 1
    assert 0.7 < weights["good"] < 1
    assert weights["noise"] < 0.1
    assert weights["inverse"] == 0
    assert weights["silent"] == 1


def observe_all(guard: ProxyGuard, judge: Sequence[float], correct: Sequence[float]) -> ProxyGuard:
    for round_, (proxy, truth) in enumerate(zip(judge, correct, strict=True)):
        guard = guard.observe(round_, {"correctness": truth, "judge": proxy})
    return guard


def test_a_proxy_that_rises_without_correctness_is_frozen_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = observe_all(ProxyGuard(), [0.5, 0.55, 0.6, 0.65, 0.7], [0.4, 0.41, 0.4, 0.39, 0.4])
    assert [(each.name, each.round) for each in guard.frozen] == [("judge", 3)]
    assert "'judge' is frozen" in caplog.text
    weights = guard.weights({"correctness": 1.0, "judge": 0.5})
    assert weights == {"correctness": 1.0, "judge": 0.0}
    assert ProxyGuard.from_state(guard.state()) == guard


@pytest.mark.parametrize(
    ("judge", "correct"),
    [
        ([0.5, 0.55, 0.6, 0.65], [0.4, 0.45, 0.5, 0.55]),
        ([0.5, 0.5, 0.51, 0.5], [0.4, 0.3, 0.3, 0.2]),
        ([0.5, 0.6, 0.7], [0.4, 0.4, 0.4]),
        ([0.5, NAN, 0.6, 0.7], [0.4, 0.4, 0.4, 0.4]),
    ],
    ids=[
        "both rise",
        "neither rises",
        "fewer evaluations than the window",
        "an abstention in the window",
    ],
)
def test_a_proxy_is_not_frozen_otherwise(judge: list[float], correct: list[float]) -> None:
    assert observe_all(ProxyGuard(), judge, correct).frozen == ()


def test_observe_does_not_change_the_guard() -> None:
    guard = ProxyGuard()
    guard.observe(0, {"correctness": 0.5})
    assert guard == ProxyGuard()
    with pytest.raises(KeyError, match="correctness"):
        guard.observe(0, {"judge": 0.5})
