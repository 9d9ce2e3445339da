"""The simulated bench of exploration: its world, its regret, and the table that it gave."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from stored_results import packed

from mstar.agents.config import Recipe
from mstar.agents.explore.base import Fixed
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.explore.samples import pass_at, reward_pass_2_at
from mstar.agents.registry import resolve
from mstar.agents.types import Samples
from mstar.experiments.bench.exploration.bench import (
    PUBLISHED,
    STRONGEST,
    Contender,
    bench_exploration,
    contenders,
    run_course,
)
from mstar.experiments.bench.exploration.learner import (
    SELDOM,
    accuracy,
    bench_learning,
    learned,
    learning_table,
    sampled,
)
from mstar.experiments.bench.exploration.sample_allocation import RULES, replay, replay_warming
from mstar.experiments.bench.exploration.scenarios import REPORTED, ROUNDS, TUNING, varied
from mstar.experiments.bench.exploration.simulated_policy import (
    CERTAINTY,
    PAPER,
    PROCESS,
    ProblemKind,
    SimulatedProblems,
    entropy,
    pass_k,
    reward_pass_2,
)

CURVES = packed("exploration-bench")["curves.jsonl"]


def measured(policy: str, rank: str) -> dict[float, Samples]:
    """The stored samples of a policy by temperature, in the order in which they were drawn."""
    found = {}
    for heat in sorted({row["temperature"] for row in CURVES}):
        rows = [r for r in CURVES if r["policy"] == policy and r["temperature"] == heat]
        right = np.array([[float(c) for c in row["right"]] for row in rows])
        order = np.array([[int(c, 16) for c in row[rank]] for row in rows])
        scores = np.empty(order.shape)
        np.put_along_axis(scores, order, -np.arange(16.0)[None], axis=1)
        found[heat] = Samples(heat, right, scores)
    return found


def together(one: Samples, other: Samples) -> float:
    """Correlation, within problems, of being right for the same sample numbers."""
    mine = one.right - one.right.mean(axis=1, keepdims=True)
    its = other.right - other.right.mean(axis=1, keepdims=True)
    return float((mine * its).sum() / np.sqrt((mine**2).sum() * (its**2).sum()))


# The world


@pytest.mark.parametrize("kind", [PAPER[0], PAPER[2], PROCESS[0], CERTAINTY[1]])
@pytest.mark.parametrize("temperature", [0.4, 1.1])
def test_closed_forms_agree_with_sampling(kind: ProblemKind, temperature: float) -> None:
    (seen,) = SimulatedProblems(0, 6000, 8, paired=True).sample((kind,), (temperature,))
    for k in (2, 4, 8):
        simulated = reward_pass_2_at(seen, k)
        error = simulated.std() / len(simulated) ** 0.5
        exact = reward_pass_2((kind,), temperature, k)
        assert abs(simulated.mean() - exact) < 5 * error + 0.005
        assert abs(pass_at(seen, k).mean() - pass_k((kind,), temperature, k)) < 0.035
        assert exact <= pass_k((kind,), temperature, k) + 1e-9


def test_two_samples_leave_nothing_to_rank_and_a_perfect_ranking_loses_nothing() -> None:
    perfect = ProblemKind(0.2, 1.0, 2.0, 2.0, trust=40.0)
    assert reward_pass_2((PAPER[1],), 0.8, 2) == pytest.approx(pass_k((PAPER[1],), 0.8, 2))
    assert reward_pass_2((perfect,), 0.8, 8) == pytest.approx(pass_k((perfect,), 0.8, 8))


def test_a_sharper_policy_is_less_entropic_and_wants_more_heat() -> None:
    kind = PROCESS[0]
    heats = np.arange(0.3, 1.61, 0.05)

    def best(kind: ProblemKind) -> float:
        return float(heats[np.argmax([reward_pass_2((kind,), t, 8) for t in heats])])

    assert entropy((kind.sharper(2),)) < entropy((kind,))
    assert best(kind.sharper(2)) > best(kind) + 0.2


@pytest.mark.parametrize(("place", "update"), list(enumerate((773, 4842, 10066))))
def test_the_papers_policies_are_fitted_to_the_papers_tables(place: int, update: int) -> None:
    rows = [row for row in packed("exploration-bench")["paper.jsonl"] if row["update"] == update]
    policy = (PAPER[place],)
    off = [100 * pass_k(policy, row["temperature"], 16) - row["pass@16"] for row in rows]
    off += [
        100 * reward_pass_2(policy, row["temperature"], 16) - row["reward-pass@2"] for row in rows
    ]
    assert len(off) == 14
    assert np.sqrt(np.mean(np.square(off))) < 2.0


@pytest.mark.parametrize(
    ("policy", "rank", "kind"),
    [
        ("base", "process", PROCESS[0]),
        ("round 4", "process", PROCESS[1]),
        ("base", "self_certainty", CERTAINTY[0]),
        ("round 4", "self_certainty", CERTAINTY[1]),
    ],
)
def test_the_embedded_policies_are_fitted_to_measured_curves(
    policy: str, rank: str, kind: ProblemKind
) -> None:
    off = []
    for heat, seen in measured(policy, rank).items():
        off += [pass_k((kind,), heat, k) - pass_at(seen, k).mean() for k in (1, 8)]
        off += [reward_pass_2((kind,), heat, k) - reward_pass_2_at(seen, k).mean() for k in (4, 8)]
    assert len(off) == 28
    assert np.sqrt(np.mean(np.square(off))) < 0.035


def test_noise_is_correlated_as_measured() -> None:
    found = measured("base", "process")
    later = measured("round 4", "process")
    world = SimulatedProblems(0, 300, 16, paired=True)
    simulated = dict(zip(found, world.sample((PROCESS[0],), list(found)), strict=True))
    trained = dict(zip(found, world.sample((PROCESS[1],), list(found)), strict=True))
    pairs = list(pairwise(found))[:-1]  # at 1.6 the model rambles, and little is shared
    real = np.mean([together(found[a], found[b]) for a, b in pairs])
    ours = np.mean([together(simulated[a], simulated[b]) for a, b in pairs])
    assert ours < real < ours + 0.15  # the bench is the harder one
    real = np.mean([together(found[t], later[t]) for t in found])
    ours = np.mean([together(simulated[t], trained[t]) for t in found])
    assert abs(real - ours) < 0.1
    apart = SimulatedProblems(0, 300, 16, paired=False).sample((PROCESS[0],), [0.6, 0.8])
    assert abs(together(*apart)) < 0.05


# The scenarios


def test_scenarios_are_as_long_as_they_say_and_reported_ones_were_not_tuned_on() -> None:
    for scenario in (*TUNING.values(), *REPORTED.values()):
        assert len(scenario) == ROUNDS + 1
    assert set(REPORTED.values()).isdisjoint(TUNING.values())


def test_a_seed_always_varies_a_scenario_in_the_same_way() -> None:
    scenario = REPORTED["two kinds"]
    assert varied(scenario, 3) == varied(scenario, 3)
    assert varied(scenario, 3) != varied(scenario, 4)
    assert all(len(policy) == 2 for policy in varied(scenario, 3))


# Regret


def test_regret_is_the_loss_of_the_chosen_temperature() -> None:
    policies = [(PROCESS[0],)] * 3
    best = [0.9, 0.1, 0.9]
    course = run_course(Contender(lambda plan: Fixed(plan, Recipe())), policies, best, seed=0)
    reached = reward_pass_2(policies[0], 1.0, 8)
    assert course.regret == pytest.approx((0.9 - reached, 0.0))
    assert course.temperatures == (1.0, 1.0)
    assert course.samples == 0


def test_every_controller_runs_through_the_bench_and_is_counted() -> None:
    rows = bench_exploration([0], {"flat": REPORTED["flat"]})
    assert [row["controller"] for row in rows] == list(contenders())
    without_ladder = [n for n in CONTROLLERS if not resolve("controller", CONTROLLERS, n).ladder]
    assert len(rows) == len(without_ladder) + 2
    samples = {row["controller"]: row["samples"] for row in rows}
    # 10 or 11 sweeps of 13 or 14 further temperatures, 120 problems x 8 samples each.
    assert 10 * 13 * 960 <= samples[PUBLISHED] <= 10 * 14 * 960
    assert 11 * 13 * 960 <= samples[STRONGEST] <= 11 * 14 * 960
    assert samples["fixed"] == samples["schedule"] == samples["entropy"] == 0
    assert rows == bench_exploration([0], {"flat": REPORTED["flat"]})


def test_ours_has_less_than_half_the_regret_of_the_published_sweep() -> None:
    # Three seeds, where the stored 200 give less than a quarter: far from chance.
    rows = bench_exploration(range(3), {"drifting": REPORTED["drifting"]}, (PUBLISHED, "paired"))
    regret = {row["controller"]: np.mean(row["regret"]) for row in rows}
    samples = {row["controller"]: row["samples"] for row in rows}
    assert regret["paired"] < regret[PUBLISHED] / 2
    assert samples["paired"] < samples[PUBLISHED]


# A policy that learns


def test_samples_of_a_learning_policy_follow_its_formula_and_their_weights_have_mean_1() -> None:
    kinds, difficulty = SELDOM[::3], np.zeros(6000)
    seen = sampled(kinds, difficulty, 0.8, 8, np.random.default_rng(0), (0.7, 1.0))
    for place, kind in enumerate(kinds):
        share = float(kind.right(np.zeros(1), 0.8)[0])
        assert seen.right[place::3].mean() == pytest.approx(share, abs=0.01)
    for other in (0.7, 1.0):
        weights = np.exp(seen.ladder[other] - seen.ladder[0.8])
        assert weights.mean() == pytest.approx(1.0, abs=0.05)
        shares = [float(kind.right(np.zeros(1), other)[0]) for kind in kinds]
        assert (weights * seen.right).mean() == pytest.approx(np.mean(shares), abs=0.01)


def test_only_what_was_found_is_learned() -> None:
    right = np.zeros((9, 4))
    right[0] = 1.0
    kinds = SELDOM[2:5]
    after = learned(kinds, Samples(1.0, right, right))
    assert after[1:] == kinds[1:]
    assert accuracy(after[:1]) > accuracy(kinds[:1])


def test_a_base_that_seldom_succeeds_is_as_rare_as_it_says() -> None:
    shares = {t: pass_k(SELDOM, t, 1) for t in (0.7, 1.0)}
    assert 0.03 < shares[0.7] < 0.08
    assert 0.01 < shares[1.0] < 0.03


def test_discovery_leads_further_than_reward_pass_2_where_right_answers_are_rare() -> None:
    names = ("oracle of discovery", "oracle of Reward-Pass@2")
    rows = bench_learning([0], names)
    reached = {r["controller"]: r["accuracy"][0] for r in rows if r["scenario"] == "seldom right"}
    assert reached["oracle of discovery"] > reached["oracle of Reward-Pass@2"] + 5
    assert rows == bench_learning([0], names)
    assert learning_table(rows).count("\n") == len(rows) + 1


# Samples by prompt, replayed


def test_without_warming_the_replay_is_that_of_by_prompt() -> None:
    found = measured("base", "process")
    right = [found[heat].right for heat in sorted(found)]
    plain = replay(found[0.6].right, RULES["by-prompt"])
    same = replay_warming(right, sorted(found).index(0.6), 0)
    for name in plain:
        assert np.mean(same[name]) == pytest.approx(np.mean(plain[name]), abs=0.03)


def test_warming_helps_where_the_round_is_too_cold_and_harms_where_it_is_not() -> None:
    found = measured("base", "process")
    right = [found[heat].right for heat in sorted(found)]
    solved = {
        (start, step): replay_warming(right, sorted(found).index(start), step)["solved"].mean()
        for start in (0.3, 1.0)
        for step in (0, 1)
    }
    assert solved[0.3, 1] > solved[0.3, 0] + 0.03
    assert solved[1.0, 1] < solved[1.0, 0] - 0.03


def test_by_prompt_finds_more_from_no_more_samples_and_mixed_groups_alone_find_less() -> None:
    for policy in ("base", "round 4"):
        for heat in (0.6, 1.0):
            right = measured(policy, "process")[heat].right
            found = {name: replay(right, rule) for name, rule in RULES.items()}
            ours, uniform, mixed = (found[n] for n in ("by-prompt", "uniform", "mixed only"))
            assert ours["samples"].mean() <= uniform["samples"].mean() == 8
            assert ours["examples"].mean() > uniform["examples"].mean() + 0.05
            assert mixed["examples"].mean() < uniform["examples"].mean()
