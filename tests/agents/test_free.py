"""Temperatures judged by responses that were sampled at another one, and who chooses by that."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from rollout_doubles import rollout

from mstar.agents.config import Recipe
from mstar.agents.explore.base import LADDER
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.explore.free import Free
from mstar.agents.explore.importance import discovery, evidence, probed
from mstar.agents.explore.samples import samples_of
from mstar.agents.explore.tampo import Tampo, distribution, merits_of
from mstar.agents.registry import resolve
from mstar.agents.sampling.vllm import VLLMEngine
from mstar.agents.types import Metrics, RoundSamples, Samples, SamplingPlan

PLAN = SamplingPlan(temperature=1.0, samples=8)
METRICS = Metrics(1, 1, 0.5, {})
Logits = NDArray[np.float64]


def world(*kinds: tuple[float, ...], problems: int = 200) -> Logits:
    """Logits of the answers to as many problems of each kind, (N, V); the first is right."""
    widest = max(map(len, kinds))
    rows = [kind + (-np.inf,) * (widest - len(kind)) for kind in kinds]
    return np.array([row for row in rows for _ in range(problems)])


def chances(logits: Logits, temperature: float) -> Logits:
    raised = np.exp(logits / temperature)
    found: Logits = raised / raised.sum(axis=1, keepdims=True)
    return found


def drawn(logits: Logits, temperature: float, samples: int = 8, seed: int = 0) -> Samples:
    """One-token responses, with their log-probabilities on the ladder."""
    uniform = np.random.default_rng(seed).random((len(logits), samples))
    bounds = chances(logits, temperature).cumsum(axis=1)
    answers = (uniform[..., None] > bounds[:, None]).sum(axis=2)
    return Samples(
        temperature,
        (answers == 0).astype(float),
        uniform,
        np.ones(answers.shape),
        {
            t: np.log(np.take_along_axis(chances(logits, t), answers, axis=1))
            for t in {*LADDER, temperature}
        },
    )


def expected(logits: Logits, own: float, other: float, k: int = 3) -> float:
    unseen, right = 1 - chances(logits, own)[:, 0], chances(logits, other)[:, 0]
    return float((unseen * (1 - (1 - right) ** k)).mean())


# Solved from noise at low temperatures; hidden behind one rival; always solved.
NOISY = (2.0,) + (0.0,) * 12
HIDDEN = (0.0, 3.0)
SOLVED = (6.0, 0.0)


# The estimate


def test_at_its_own_temperature_discovery_is_the_mean_over_all_choices_of_samples() -> None:
    right = np.array([[1.0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, np.nan]])
    found = discovery(Samples(0.8, right, right), 0.8, draws=3)
    assert found is not None
    for row, value in zip(right, found.values, strict=True):
        own = [int(x) for x in row[~np.isnan(row)]]
        pairs = [
            (1 - own[j]) * any(own[i] for i in chosen)
            for j in range(len(own))
            for chosen in combinations([i for i in range(len(own)) if i != j], 3)
        ]
        assert value == pytest.approx(np.mean(pairs))
    assert found.effective == pytest.approx(1.0)


@pytest.mark.parametrize(("own", "other"), [(1.0, 0.7), (0.7, 1.0), (0.85, 1.15)])
def test_samples_at_one_temperature_tell_discovery_at_another(own: float, other: float) -> None:
    logits = world(NOISY, problems=400)
    found = [discovery(drawn(logits, own, seed=seed), other, draws=3) for seed in range(8)]
    means = [float(d.values.mean()) for d in found if d is not None]
    truth = expected(logits, own, other)
    assert abs(truth - expected(logits, own, own)) > 0.02  # there is something to tell
    assert np.mean(means) == pytest.approx(truth, abs=0.012)
    # The spread over problems is that of the estimate.
    assert found[0] is not None
    error = float(found[0].values.std() / np.sqrt(len(logits)))
    assert np.std(means) == pytest.approx(error, rel=0.8)


def test_rambling_is_charged() -> None:
    logits = world(NOISY)
    plain = drawn(logits, 0.85)
    assert plain.tokens is not None
    long = Samples(0.85, plain.right, plain.rank, 1 + 9 * (plain.right == 0), plain.ladder)
    cheap, dear = evidence(plain, 0), evidence(long, 0)
    assert cheap is not None
    assert dear is not None
    assert cheap.temperatures == dear.temperatures
    rise = np.diff(np.array(dear.values) / np.array(cheap.values))
    assert (rise < 0).all()  # wrong answers, more at a high temperature, are the long ones


def test_unlikely_weights_are_no_evidence() -> None:
    logits = world(NOISY)
    seen = drawn(logits, 1.0)
    noise = 200 * np.random.default_rng(0).standard_normal(seen.right.shape)
    longer = {t: table + noise / t for t, table in seen.ladder.items()}
    assert evidence(Samples(1.0, seen.right, seen.rank, seen.tokens, longer), 0) is None
    assert evidence(Samples(1.0, seen.right, seen.rank, seen.tokens), 0) is None


def test_samples_keep_the_ladder_that_all_their_responses_have() -> None:
    with_ladder, without = rollout(problem="a"), rollout(problem="b")
    (found,) = samples_of([with_ladder, without], "reward")
    assert found.ladder == {}
    assert found.tokens is not None
    assert found.tokens.tolist() == [[len(r.response.tokens)] for r in (with_ladder, without)]


# The controllers


def chosen(controller: Free, worlds: list[Logits], may_probe: bool = False) -> list[float]:
    """The temperatures of as many rounds; every round draws what the controller asks for."""
    temperatures = []
    for number, logits in enumerate(worlds):
        probes = controller.probes(number)
        seen = tuple(drawn(logits[::2], t, 4, seed=number) for t in probes)
        plan = controller.plan().temperature
        trained = (drawn(logits, plan, seed=100 + number),) if number else ()
        controller.observe(number, METRICS, RoundSamples(seen, trained))
        temperatures.append(controller.plan().temperature)
        assert len(probes) == 1 or may_probe
    return temperatures


def test_free_cools_where_noise_hides_the_answers_and_never_probes() -> None:
    assert chosen(Free(PLAN, Recipe()), [world(NOISY)] * 6)[-1] < 0.7


def test_free_stays_within_what_the_newest_samples_speak_of() -> None:
    controller, part = Free(PLAN, Recipe()), drawn(world(SOLVED, HIDDEN), 1.0)
    near = replace(part, ladder={t: part.ladder[t] for t in (0.85, 1.0, 1.15)})
    controller.observe(1, METRICS, RoundSamples((), (near,)))
    assert 1.0 < controller.plan().temperature <= 1.15


def test_free_warms_for_what_is_left_once_the_rest_is_solved() -> None:
    assert chosen(Free(PLAN, Recipe()), [world(SOLVED, HIDDEN)] * 6, may_probe=True)[-1] > 1.2


def test_free_finds_back_from_a_temperature_at_which_nothing_is_right() -> None:
    cold = replace(PLAN, temperature=0.3)
    assert chosen(Free(cold, Recipe()), [world((0.0, 4.0))] * 8, may_probe=True)[-1] > 1.0


def test_free_probes_only_after_a_round_that_says_nothing() -> None:
    controller, logits = Free(PLAN, Recipe()), world(NOISY)
    seen = drawn(logits, 1.0)
    silent = Samples(1.0, seen.right, seen.rank, seen.tokens)
    controller.observe(0, METRICS, RoundSamples((silent,)))
    probes = controller.probes(1)
    assert len(probes) == 2
    told = tuple(drawn(logits, t, 4) for t in probes)
    controller.observe(1, METRICS, RoundSamples(told, (silent,)))
    assert controller.plan().temperature != 1.0
    assert len(controller.probes(2)) == 1  # that probe and its neighbours are known now
    controller.observe(2, METRICS, RoundSamples((silent,)))
    assert len(controller.probes(3)) == 2
    present = controller.plan().temperature
    controller.observe(3, METRICS, RoundSamples((drawn(logits, present),), ()))
    assert controller.probes(4) == (controller.plan().temperature,)


def test_tampo_follows_the_formulas_of_the_paper() -> None:
    ladder = {t: np.log([[0.5, 0.1], [0.2, 0.2]]) / t for t in LADDER}
    seen = Samples(
        1.0, np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2)), np.ones((2, 2)), ladder
    )
    merits = merits_of(seen, LADDER)
    assert merits.shape == (4, len(LADDER))
    assert merits.sum(axis=1) == pytest.approx([1.0, -1.0, 0.0, 0.0])  # the advantages
    # The right response is shared out to few temperatures, none of which it is unlikely at.
    assert merits[0, 0] == 0.0
    assert merits[0, -1] > 0
    assert distribution(np.zeros(4)).tolist() == [0.25] * 4


def test_tampo_turns_to_temperatures_at_which_right_answers_are_likely() -> None:
    cool, warm = [], []
    for seed in range(6):
        controller = Tampo(PLAN, Recipe.of(seed=seed))
        for number in range(4):
            part = drawn(world(NOISY), controller.plan().temperature, seed=number)
            controller.observe(number, METRICS, RoundSamples(training=(part,)))
        cool.append(controller.plan().temperature)
        controller = Tampo(PLAN, Recipe.of(seed=seed))
        for number in range(4):
            part = drawn(world(HIDDEN), controller.plan().temperature, seed=number)
            controller.observe(number, METRICS, RoundSamples(training=(part,)))
        warm.append(controller.plan().temperature)
    assert np.mean(cool) < np.mean(warm)


@pytest.mark.parametrize("name", ["free", "tampo"])
@pytest.mark.filterwarnings("error")
def test_problems_without_labels_move_no_temperature(name: str) -> None:
    controller = resolve("controller", CONTROLLERS, name)(PLAN, Recipe())
    part = drawn(world(NOISY), 1.0)
    unknown = replace(part, right=np.full(part.right.shape, np.nan))
    controller.observe(1, METRICS, RoundSamples((unknown,), (unknown,)))
    assert controller.plan() == PLAN


@pytest.mark.filterwarnings("error")
def test_advantages_are_of_the_labelled_problems_alone() -> None:
    part = drawn(world(NOISY), 1.0)
    right = part.right.copy()
    right[:100] = np.nan
    halved = merits_of(replace(part, right=right), LADDER)
    assert np.array_equal(halved, merits_of(part, LADDER)[100 * part.right.shape[1] :])
    cooler = drawn(world(NOISY), 0.5)
    unlike = replace(cooler, right=np.where(np.isnan(right), right, cooler.right))
    probes = (unlike, replace(part, right=right))
    assert probed(probes, 1.0, 1) == probed(tuple(map(later, (cooler, part))), 1.0, 1)


def later(part: Samples) -> Samples:
    """All problems but the first hundred."""
    assert part.tokens is not None
    ladder = {t: found[100:] for t, found in part.ladder.items()}
    return Samples(part.temperature, part.right[100:], part.rank[100:], part.tokens[100:], ladder)


@pytest.mark.parametrize("name", ["free", "tampo"])
def test_with_a_ladder_too_a_controller_resumes_from_its_state(name: str) -> None:
    made = resolve("controller", CONTROLLERS, name)
    whole, again = made(PLAN, Recipe()), made(PLAN, Recipe())
    for number in range(6):
        part = drawn(world(NOISY, HIDDEN), whole.plan().temperature, seed=number)
        whole.observe(number, METRICS, RoundSamples((part,), (part,)))
        if number == 2:
            again.restore(json.loads(json.dumps(whole.state())))
        elif number > 2:
            again.observe(number, METRICS, RoundSamples((part,), (part,)))
            assert again.state() == whole.state()
    assert whole.plan() == again.plan()


def test_an_engine_without_logits_refuses_a_ladder() -> None:
    class Elsewhere(VLLMEngine):
        def __init__(self) -> None: ...
        def connect(self) -> None: ...  # type: ignore[override]
        def request(self, prompts, requests): ...  # type: ignore[no-untyped-def, override]

    with pytest.raises(ValueError, match="--engine local"):
        Elsewhere().record_ladder(LADDER)
    Elsewhere().record_ladder(())
