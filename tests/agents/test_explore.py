"""The exploration controllers: when they look, what they choose, and that their state is JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_doubles import rollout

from mstar.agents.config import Recipe
from mstar.agents.explore.balance import Balance, balance
from mstar.agents.explore.base import SWEEP, ExplorationController, Fixed
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.explore.entropy import Entropy
from mstar.agents.explore.paired import START, Paired, passing
from mstar.agents.explore.samples import pass_at, reward_pass_2_at, samples_of
from mstar.agents.explore.schedule import Schedule
from mstar.agents.explore.sweep import PassK, RewardPass2
from mstar.agents.registry import resolve
from mstar.agents.types import Metrics, RoundSamples, Samples, SamplingMetrics, SamplingPlan

PLAN = SamplingPlan(temperature=0.8, samples=4, top_k=1, threshold=0.25)
NAMES = list(CONTROLLERS)


def metrics(reward_pass_2: dict[float, float], entropy: float = 1.0) -> Metrics:
    """A measurement with the given Reward-Pass@2 by temperature, and Pass@K one minus it."""
    return Metrics(
        problems=10,
        samples=4,
        greedy=0.5,
        by_temperature={
            t: SamplingMetrics(0.2, 1 - value, value, entropy, 2.0, 30.0)
            for t, value in reward_pass_2.items()
        },
    )


def samples(temperature: float, groups: list[list[tuple[float, float]]]) -> Samples:
    """Groups of (right, rank)."""
    table = np.array(groups, np.float64)
    return Samples(temperature, table[..., 0], table[..., 1])


def drawn(best: float, probes: tuple[float, ...], seed: int, problems: int = 60) -> RoundSamples:
    """What probes see where the share of right samples is highest at `best`."""
    rng = np.random.default_rng(seed)
    uniform, rank = rng.random((problems, 4)), rng.random((problems, 4))
    found = []
    for heat in probes:
        share = 0.5 * math.exp(-(math.log(heat / best) ** 2) / 0.5)
        found.append(Samples(heat, (uniform < share).astype(float), rank))
    return RoundSamples(validation=tuple(found), training=(found[0],))


def look(controller: ExplorationController, number: int, best: float, seed: int = 0) -> None:
    """One round: what the controller asks for is drawn and shown to it."""
    samples = drawn(best, controller.probes(number), seed + number)
    means = {s.temperature: float(reward_pass_2_at(s, 4).mean()) for s in samples.validation}
    controller.observe(number, metrics(means, entropy=0.5 / (1 + number)), samples)


def controller_of(name: str, plan: SamplingPlan) -> ExplorationController:
    made: ExplorationController = resolve("controller", CONTROLLERS, name)(plan, Recipe())
    return made


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"temperature": 10.0}, {"samples": 0}, {"top_k": 0}]
)
def test_a_plan_that_cannot_be_followed_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        SamplingPlan(**wrong)  # type: ignore[arg-type]


# Every controller


@pytest.mark.parametrize("name", NAMES)
def test_a_controller_resumes_from_its_state(name: str) -> None:
    whole = controller_of(name, PLAN)
    for number in range(3):
        look(whole, number, best=1.2)
    again = controller_of(name, PLAN)
    again.restore(json.loads(json.dumps(whole.state())))
    for number in range(3, 7):
        assert again.plan() == whole.plan()
        assert again.probes(number) == whole.probes(number)
        look(whole, number, best=0.5)
        look(again, number, best=0.5)
        assert again.state() == whole.state()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(start=st.floats(0.3, 1.6), best=st.floats(0.05, 9.0), seed=st.integers(0, 99))
def test_no_controller_leaves_the_range(name: str, start: float, best: float, seed: int) -> None:
    controller = controller_of(name, SamplingPlan(start, samples=4))
    for number in range(6):
        present = controller.plan().temperature
        probes = controller.probes(number)
        assert present in probes
        assert all(SWEEP[0] <= heat <= SWEEP[-1] for heat in (*probes, present))
        look(controller, number, best, seed)


@pytest.mark.parametrize("name", NAMES)
def test_only_temperature_and_threshold_are_moved(name: str) -> None:
    controller = controller_of(name, PLAN)
    for number in range(4):
        look(controller, number, best=1.4)
    assert (controller.plan().samples, controller.plan().top_k) == (4, 1)


# What is known beforehand


def test_fixed_never_moves() -> None:
    controller = Fixed(PLAN, Recipe())
    for number in range(5):
        assert controller.probes(number) == (0.8,)
        controller.observe(number, metrics({0.8: 0.1, 1.2: 0.9}))
        assert controller.plan() == PLAN


@pytest.mark.parametrize(
    ("shape", "expected"),
    [("linear", [1.0, 0.9, 0.8, 0.7, 0.6]), ("cosine", [1.0, 0.9414, 0.8, 0.6586, 0.6])],
)
def test_a_schedule_goes_from_the_first_temperature_to_the_last(
    shape: str, expected: list[float]
) -> None:
    recipe = Recipe.of(rounds=5, last_temperature=0.6, anneal=shape)
    controller = Schedule(SamplingPlan(1.0), recipe)
    found = []
    for number in range(6):
        found.append(controller.plan().temperature)
        controller.observe(number, metrics({found[-1]: 0.5}))
    # After round 0, which samples nothing, the first round is still to come.
    assert found == [1.0, *expected]


# M-STaR's sweep


def test_the_sweep_is_the_papers() -> None:
    assert (SWEEP[0], SWEEP[-1], len(SWEEP)) == (0.3, 1.6, 14)


def test_reward_pass_2_sweeps_every_second_round() -> None:
    controller = RewardPass2(PLAN, Recipe())
    probes = [controller.probes(number) for number in range(5)]
    assert probes == [(0.8,), (0.8,), SWEEP, (0.8,), SWEEP]
    assert RewardPass2(PLAN, Recipe(), at_start=True).probes(0) == SWEEP


def test_the_present_temperature_is_always_among_the_probes() -> None:
    controller = RewardPass2(SamplingPlan(temperature=0.85), Recipe(), sweep=(0.5, 1.0), every=3)
    assert [controller.probes(number) for number in (1, 2, 3)] == [
        (0.85,),
        (0.85,),
        (0.5, 0.85, 1.0),
    ]


def test_reward_pass_2_takes_the_best_and_changes_nothing_else() -> None:
    controller = RewardPass2(PLAN, Recipe())
    controller.observe(2, metrics({0.4: 0.3, 0.8: 0.5, 1.3: 0.6}))
    assert controller.plan() == SamplingPlan(1.3, samples=4, top_k=1, threshold=0.25)
    assert controller.probes(3) == (1.3,)


def test_pass_k_takes_the_temperature_that_explores_most() -> None:
    controller = PassK(PLAN, Recipe())
    controller.observe(2, metrics({0.4: 0.3, 0.8: 0.5, 1.3: 0.6}))
    assert controller.plan().temperature == 0.4


def test_of_equal_temperatures_the_nearest_to_the_present_is_taken() -> None:
    controller = RewardPass2(PLAN, Recipe())
    controller.observe(2, metrics({0.3: 0.6, 0.7: 0.6, 0.8: 0.5, 1.6: 0.6}))
    assert controller.plan().temperature == 0.7
    controller.observe(4, metrics({0.3: 0.6, 0.7: 0.6, 1.6: 0.6}))
    assert controller.plan().temperature == 0.7


def test_one_temperature_is_no_sweep() -> None:
    controller = RewardPass2(PLAN, Recipe())
    controller.observe(1, metrics({1.5: 1.0}))
    assert controller.plan() == PLAN


# B-STaR's balance


def test_the_balance_score_is_that_of_the_paper() -> None:
    # Of the first problem three pass, two of them right: min(2 / 4, 1) x 2 / 3. Of the second
    # one passes, and is right: min(1 / 4, 1) x 1. Of the third none passes.
    seen = samples(
        1.0,
        [
            [(1, 0.9), (1, 0.6), (0, 0.5), (0, 0.1)],
            [(1, 0.7), (0, 0.2), (1, 0.4), (0, 0.0)],
            [(0, 0.1), (1, 0.4), (0, 0.2), (1, 0.3)],
        ],
    )
    high, low = balance(seen, np.array([0.5, 0.0]), wanted=4)
    assert high.tolist() == pytest.approx([1 / 3, 1 / 4, 0])
    assert low.tolist() == pytest.approx([0.25, 0.25, 0.25])


def test_balance_moves_temperature_and_threshold_together() -> None:
    cool = samples(0.5, [[(1, 0.8), (0, 0.2)], [(1, 0.8), (0, 0.2)]])
    hot = samples(1.2, [[(0, 0.8), (0, 0.2)], [(1, 0.2), (0, 0.8)]])
    controller = Balance(SamplingPlan(1.0, samples=2, top_k=1), Recipe())
    controller.observe(0, metrics({0.5: 0.5, 1.2: 0.5}), RoundSamples(validation=(cool, hot)))
    assert (controller.plan().temperature, controller.plan().threshold) == (0.5, 0.8)


# Entropy


def test_entropy_samples_hotter_when_the_policy_grows_sure() -> None:
    controller = Entropy(SamplingPlan(1.0), Recipe(), gain=0.5)
    controller.observe(0, metrics({1.0: 0.5}, entropy=0.4))
    assert controller.plan().temperature == 1.0  # the base's entropy is the target
    controller.observe(1, metrics({1.0: 0.5}, entropy=0.3))
    assert controller.plan().temperature == pytest.approx((0.4 / 0.3) ** 0.5, abs=1e-4)
    present = controller.plan().temperature
    controller.observe(2, metrics({present: 0.5}, entropy=0.4))
    assert controller.plan().temperature == present
    controller.observe(3, metrics({present: 0.5}, entropy=0.8))
    assert controller.plan().temperature == pytest.approx(present / 2**0.5, abs=1e-3)


# Ours


def test_paired_looks_far_before_the_first_round_then_near() -> None:
    controller = Paired(PLAN, Recipe())
    assert controller.probes(0) == tuple(sorted({*START, 0.8}))
    assert controller.probes(1) == (0.5333, 0.8, 1.2)


def test_paired_looks_again_after_a_move_and_every_second_round_without_one() -> None:
    def asks(controller: Paired, rounds: range) -> list[int]:
        looked = []
        for number in rounds:
            asked = controller.probes(number)
            looked += [number] if len(asked) > 1 else []
            seen = tuple(replace(same, temperature=heat) for heat in asked)
            controller.observe(
                number, metrics(dict.fromkeys(asked, 0.5)), RoundSamples(validation=seen)
            )
        return looked

    same = Samples(0.8, np.tile([1.0, 0.0, 0.0, 1.0], (20, 1)), np.tile([4.0, 3, 2, 1], (20, 1)))
    controller = Paired(PLAN, Recipe())
    assert asks(controller, range(6)) == [0, 2, 4]
    resumed = Paired(PLAN, Recipe())
    resumed.restore(json.loads(json.dumps(controller.state())))
    assert asks(resumed, range(6, 10)) == [6, 8]
    moved = Paired(SamplingPlan(1.0, samples=4), Recipe())
    look(moved, 0, best=0.4)
    assert moved.plan().temperature < 0.8
    assert len(moved.probes(1)) == 3


@pytest.mark.parametrize("best", [0.4, 0.8, 1.4])
def test_paired_moves_to_the_best_temperature_and_stays(best: float) -> None:
    controller = Paired(SamplingPlan(1.0, samples=4), Recipe())
    for number in range(8):
        look(controller, number, best)
    assert abs(math.log(controller.plan().temperature / best)) < 0.2


def test_paired_stays_without_evidence_for_a_move() -> None:
    controller = Paired(PLAN, Recipe())
    same = Samples(0.8, np.tile([1.0, 0.0, 0.0, 1.0], (20, 1)), np.tile([4.0, 3, 2, 1], (20, 1)))
    other = Samples(1.2, same.right, same.rank)
    controller.observe(1, metrics({0.8: 0.5, 1.2: 0.5}), RoundSamples(validation=(same, other)))
    assert controller.plan().temperature == 0.8
    controller.observe(2, metrics({0.8: 0.5}))
    assert controller.plan().temperature == 0.8


def test_paired_drops_comparisons_when_the_policy_changes_abruptly() -> None:
    controller = Paired(SamplingPlan(1.0, samples=4), Recipe())
    for number in range(8):
        look(controller, number, best=0.4)
    for number in range(8, 14):
        look(controller, number, best=1.4)
    assert controller.plan().temperature > 1.1
    assert min(c["round_number"] for c in controller.state()["seen"]) >= 8


def test_the_threshold_follows_what_lets_as_many_pass_as_are_kept() -> None:
    seen = samples(
        1.0,
        [
            [(1, 0.9), (1, 0.8), (1, 0.7), (0, 1.0)],
            [(1, 0.6), (0, 0.9), (0, 0.9), (0, 0.9)],
            [(0, 0.9), (0, 0.9), (0, 0.9), (0, 0.9)],
        ],
    )
    assert passing((seen,), top_k=1) == 0.8
    assert passing((seen,), top_k=5) == 0.6
    assert passing((samples(1.0, [[(0, 0.9)]]),), top_k=1) is None
    controller = Paired(SamplingPlan(1.0, samples=4, top_k=1, threshold=0.3), Recipe())
    controller.observe(1, metrics({1.0: 0.5}), RoundSamples(training=(seen,)))
    assert controller.plan().threshold == pytest.approx(0.3 + 0.3 * (0.8 - 0.3))


# Estimates

GROUPS = st.lists(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=5, max_size=5),
    min_size=1,
    max_size=4,
)


@given(GROUPS, st.integers(2, 5))
def test_estimates_are_means_over_all_subsets(groups: list[list[tuple[bool, int]]], k: int) -> None:
    # Distinct ranks: of equal ones either may be put first.
    ranked = [[(right, rank + i / 10) for i, (right, rank) in enumerate(g)] for g in groups]
    seen = samples(1.0, [[(float(right), rank) for right, rank in g] for g in ranked])
    for row, group in enumerate(ranked):
        subsets = list(combinations(group, k))
        any_right = [any(right for right, _ in subset) for subset in subsets]
        best_two = [sorted(subset, key=lambda s: -s[1])[:2] for subset in subsets]
        assert pass_at(seen, k)[row] == pytest.approx(np.mean(any_right))
        top = [any(right for right, _ in pair) for pair in best_two]
        assert reward_pass_2_at(seen, k)[row] == pytest.approx(np.mean(top))


def test_too_few_samples_give_no_estimate() -> None:
    seen = samples(1.0, [[(1, 0.5), (0, 0.4), (math.nan, -1.0)], [(0, 0.1), (0, 0.2), (1, 0.0)]])
    assert np.isnan(pass_at(seen, 3)).tolist() == [True, False]
    assert np.isnan(reward_pass_2_at(seen, 3)).tolist() == [True, False]
    assert reward_pass_2_at(seen, 2)[0] == 1.0
    with pytest.raises(ValueError, match="k is 1"):
        reward_pass_2_at(seen, 1)


def test_samples_leave_out_greedy_and_extra_answers() -> None:
    made = [
        rollout("a", temperature=0.0),
        rollout("a", temperature=0.5, right=1.0, reward=0.7),
        rollout("a", temperature=0.5, right=math.nan, reward=math.nan),
        replace(rollout("a", temperature=0.5, right=1.0), extra=True),
        rollout("b", temperature=0.5, right=0.0, reward=0.2),
        rollout("b", temperature=1.0, right=1.0, reward=0.1),
    ]
    cool, hot = samples_of(made, "reward")
    assert (cool.temperature, hot.temperature) == (0.5, 1.0)
    np.testing.assert_array_equal(cool.right, [[1.0, np.nan], [0.0, np.nan]])
    np.testing.assert_array_equal(cool.rank, [[0.7, -1.0], [0.2, -1.0]])
    np.testing.assert_array_equal(hot.right, [[np.nan], [1.0]])
