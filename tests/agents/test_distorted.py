"""Responses sampled from distorted images, and learned from as responses to the clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_runs import Even, agent_of, tiny_agent

from mstar.agents.config import Recipe
from mstar.agents.explore.samples import samples_of
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import by_problem
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.distorted import DistortingSampler, fading
from mstar.envs.problem import Prompt
from mstar.envs.variants.distortions import noisy
from mstar.rewards.panel import RewardPanel

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))


class Recorder:
    """Says nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Prompt, float, int]] = []

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        assert isinstance(samples, int)
        assert isinstance(temperature, list)
        self.asked += [(prompt, t, seed) for prompt in prompts for t in temperature]
        return [[Response(prompt.key, (1,), 0.0, 0.0, 0.0, True)] * samples for prompt in prompts]


def pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(image, np.float64).ravel()


def test_noise_hides_an_image_by_its_strength() -> None:
    assert noisy(IMAGE, 0.0, np.random.default_rng(0)).tobytes() == IMAGE.tobytes()
    like = []
    for strength in (0.1, 0.25, 0.5, 1.0):
        seen = noisy(IMAGE, strength, np.random.default_rng(1))
        assert (seen.size, seen.mode) == (IMAGE.size, "RGB")
        like.append(float(np.corrcoef(pixels(seen), pixels(IMAGE))[0, 1]))
    assert like == sorted(like, reverse=True)
    assert like[0] > 0.8
    assert abs(like[-1]) < 0.1
    with pytest.raises(ValueError, match="must lie in"):
        noisy(IMAGE, 1.5, np.random.default_rng(0))


def test_a_share_of_the_samples_sees_the_noise_and_is_marked() -> None:
    inner = Recorder()
    prompts = [Prompt("one?", (IMAGE,), "one"), Prompt("words?", (), "words")]
    sampler = DistortingSampler(inner, 0.5, lambda: 0.5)
    one, words = sampler.sample(prompts, [5, 3], 0.7, seed=4)
    assert [r.distorted for r in one] == [False] * 3 + [True] * 2
    assert [r.distorted for r in words] == [False] * 3
    assert [r.text for r in (*one, *words)] == ["one"] * 5 + ["words"] * 3
    seeds = {False: set[int](), True: set[int]()}
    for prompt, _, seed in inner.asked:
        if prompt.images:
            shown = prompt.images[0]
            seeds[shown.tobytes() != IMAGE.tobytes()].add(seed)
    assert seeds[False] == {4}
    assert len(seeds[True]) == 1
    assert seeds[True] != {4}  # the parts of a group are drawn by other numbers


def test_every_sample_keeps_its_temperature() -> None:
    inner = Recorder()
    heat = [0.5, 0.6, 0.7, 0.8]
    DistortingSampler(inner, 0.5, lambda: 0.5).sample([Prompt("?", (IMAGE,), "a")], 4, heat, 0)
    assert [t for _, t, _ in inner.asked] == heat


def test_the_noise_fades_out_over_the_run() -> None:
    strengths = [fading(0.25, part) for part in np.linspace(0, 1, 9)]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == pytest.approx(0.25)
    assert strengths[-1] < 1e-4


def test_a_token_budget_that_ends_a_run_fades_the_noise_out_as_its_rounds_do(
    policy: Policy, tmp_path: Path
) -> None:
    agent = tiny_agent(policy, tmp_path, samples=4, rounds=1000, token_budget=1, distorted=0.5)
    assert agent.progress == 0
    base, _ = agent.learn()  # the budget allows one round
    agent.close()
    assert base.number == 0
    assert agent.progress >= 1


def test_what_is_learned_is_the_response_as_one_to_the_clean_image(
    policy: Policy, tmp_path: Path
) -> None:
    agent = tiny_agent(policy, tmp_path, samples=4, rounds=1, distorted=0.5)
    _, done = agent.learn()
    agent.close()
    assert done.selection is not None
    for members in by_problem(done.rollouts).values():
        group = [done.rollouts[i] for i in members]
        assert [r.response.distorted for r in group] == [False, False, True, True]
        (clean,) = {id(r.prompt) for r in group}
        assert clean == id(group[0].prompt)
        assert (
            group[0].prompt.images[0].tobytes() == group[0].problem.images[0].render(96).tobytes()
        )
    (plain,) = samples_of(done.rollouts, "reward")
    assert plain.right.shape[1] == 2  # what is measured leaves them out


def test_online_trainers_take_them_too(policy: Policy, tmp_path: Path) -> None:
    agent = agent_of(
        policy, tmp_path, RewardPanel([Even()]), agent="grpo", samples=2, rounds=1, distorted=0.5
    )
    _, done = agent.learn()
    agent.close()
    assert [r.response.distorted for r in done.rollouts[:2]] == [False, True]
    assert done.finetuned is not None


@pytest.mark.parametrize("wrong", [{"distorted": 1.0}, {"distortion": 0.0}, {"distortion": 2.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="distorted must lie in"):
        Recipe.of(**wrong)
