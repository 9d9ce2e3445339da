"""The exploration controllers: when they look, what they choose, and that their state is JSON."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from mstar.agents.dynamics import Dynamics, Spread
from mstar.agents.explore import (
    CONTROLLERS,
    SWEEP,
    ControllerName,
    ExplorationController,
    Fixed,
    RewardPass2,
    SamplingPlan,
)

PLAN = SamplingPlan(temperature=0.8, samples=4, keep=1, threshold=0.25)


def dynamics(reward_pass_2: dict[float, float]) -> Dynamics:
    """A measurement with the given Reward-Pass@2 by temperature."""
    return Dynamics(
        problems=10,
        samples=4,
        greedy=0.5,
        spread={t: Spread(0.2, 0.9, value, 1.0, 2.0, 30.0) for t, value in reward_pass_2.items()},
    )


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"temperature": 10.0}, {"samples": 0}, {"keep": 0}]
)
def test_a_plan_that_cannot_be_followed_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        SamplingPlan(**wrong)  # type: ignore[arg-type]


def test_every_name_of_a_recipe_is_a_controller() -> None:
    assert set(CONTROLLERS) == set(get_args(ControllerName))


def test_the_sweep_is_the_papers() -> None:
    assert (SWEEP[0], SWEEP[-1], len(SWEEP)) == (0.3, 1.6, 14)


def test_fixed_never_moves() -> None:
    controller = Fixed(PLAN)
    for number in range(5):
        assert controller.probes(number) == (0.8,)
        controller.observe(number, dynamics({0.8: 0.1, 1.2: 0.9}))
        assert controller.plan() == PLAN


def test_reward_pass_2_sweeps_every_second_round() -> None:
    controller = RewardPass2(PLAN)
    probes = [controller.probes(number) for number in range(5)]
    assert probes == [(0.8,), (0.8,), SWEEP, (0.8,), SWEEP]


def test_the_present_temperature_is_always_among_the_probes() -> None:
    controller = RewardPass2(SamplingPlan(temperature=0.85), sweep=(0.5, 1.0), every=3)
    assert [controller.probes(number) for number in (1, 2, 3)] == [
        (0.85,),
        (0.85,),
        (0.5, 0.85, 1.0),
    ]


def test_reward_pass_2_takes_the_best_and_changes_nothing_else() -> None:
    controller = RewardPass2(PLAN)
    controller.observe(2, dynamics({0.4: 0.3, 0.8: 0.5, 1.3: 0.6}))
    assert controller.plan() == SamplingPlan(1.3, samples=4, keep=1, threshold=0.25)
    assert controller.probes(3) == (1.3,)


def test_of_equal_temperatures_the_nearest_to_the_present_is_taken() -> None:
    controller = RewardPass2(PLAN)
    controller.observe(2, dynamics({0.3: 0.6, 0.7: 0.6, 0.8: 0.5, 1.6: 0.6}))
    assert controller.plan().temperature == 0.7
    controller.observe(4, dynamics({0.3: 0.6, 0.7: 0.6, 1.6: 0.6}))
    assert controller.plan().temperature == 0.7


def test_one_temperature_is_no_sweep() -> None:
    controller = RewardPass2(PLAN)
    controller.observe(1, dynamics({1.5: 1.0}))
    assert controller.plan() == PLAN


@pytest.mark.parametrize("kind", [Fixed, RewardPass2])
def test_a_controller_goes_on_from_its_state(kind: type[Fixed] | type[RewardPass2]) -> None:
    controller: ExplorationController = kind(PLAN)
    controller.observe(2, dynamics({0.8: 0.5, 1.3: 0.6}))
    again: ExplorationController = kind(PLAN)
    again.restore(json.loads(json.dumps(controller.state())))
    assert again.plan() == controller.plan()
    assert [again.probes(n) for n in range(4)] == [controller.probes(n) for n in range(4)]
