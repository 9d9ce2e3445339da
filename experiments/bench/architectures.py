"""Try what a model can do here: load, be sampled exactly, and be trained by each kind of agent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.policy.agreement import same_sum
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED, continued
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.experiments.bench.base import Bench
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task

SIZES = ((40, 40), (64, 40), (30, 60))  # pixels of the images of a prompt
NEW = 6  # tokens of a response
TRAINED_BY = ("continuous", "grpo", "rloo", "online-dpo")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitecturesBench(Bench):
    """Try whether models load, are sampled exactly, and are trained by each kind of agent.

    Attributes:
        model: folders or hub names; small ones, since each is trained with all of its weights.
    """

    model: tuple[str, ...]

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each model."""
        return try_models(self.model)


def try_models(models: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each model: ``yes`` where a trial passes, and what was said where it does not.

    ``sample`` passes where greedy tokens are those of ``generate``, and log-probabilities those of
    a forward pass over the whole text, with one to three images of unequal sizes in a prompt. The
    others pass where a round of that agent on four bar charts changes the policy, and its
    checkpoint loads again.

    Args:
        models: folders or hub names; small ones, since each is trained with all of its weights.
    """
    trials: Mapping[str, Callable[[Policy], None]] = {"sample": check_sampling} | {
        agent: partial(check_training, agent=agent) for agent in TRAINED_BY
    }
    return [
        {"model": model} | {name: outcome(trial, model) for name, trial in trials.items()}
        for model in models
    ]


def outcome(trial: Callable[[Policy], None], model: str) -> str:
    """``yes``, or the message with which a trial of a newly loaded model ends."""
    try:
        trial(Policy.load(model, device="cpu"))
    except Exception as error:  # of any kind: what an unknown model does is the result
        return f"{type(error).__name__}: {error}"
    return "yes"


def check_sampling(policy: Policy) -> None:
    """Compare the sampler with ``generate`` and with a forward pass.

    Raises:
        ValueError: they differ.
    """
    prompts, sampler = asked(), LocalSampler(policy, NEW)
    for prompt, (greedy,) in zip(prompts, sampler.sample(prompts, 1, 0.0, 0), strict=True):
        read = policy.encode([prompt])
        with torch.no_grad():
            whole = policy.network.generate(**read, max_new_tokens=NEW, do_sample=False)
        expected = tuple(whole[0, read["input_ids"].shape[1] :].tolist())
        if greedy.tokens != expected:
            raise ValueError(f"generate gives {expected}, and the sampler {greedy.tokens}")
    drawn = [response for (response,) in sampler.sample(prompts, 1, 1.0, 1)]
    inputs = continued(policy, prompts, [response.tokens for response in drawn])
    labels = inputs.pop("labels")[:, 1:]
    with torch.no_grad():
        logs = policy.network(**inputs).logits[:, :-1].log_softmax(-1)
    chosen = logs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    sums = chosen.masked_fill(labels == IGNORED, 0).sum(1).tolist()
    for found, response in zip(sums, drawn, strict=True):
        if not same_sum(found, response.logprob, len(response.tokens), policy.network.dtype):
            raise ValueError(f"the model gives {found:.3f}, and the sampler {response.logprob:.3f}")


def check_training(policy: Policy, agent: str) -> None:
    """Train a round, and load its checkpoint.

    Raises:
        ValueError: the agent refuses the model, or nothing has changed.
    """
    recipe = Recipe.of(
        agent=agent,
        rounds=1,
        prompts=4,
        samples=2,
        max_new_tokens=NEW,
        unfinished="everything",  # what a random model writes hardly ever ends
        panel=("correctness", "random"),
        weights=(0.0, 1.0),
        gate="random",
        rank="reward",
        updates=2,
        batch=2,
        minibatches=2,
        learning_rate=1e-3,
        online_learning_rate=1e-3,
        warmup=0,
        held_out=2,
        held_out_samples=1,
        guards="watch",
        families=("BarChart",),
        extra_families=(),
        size=96,
    )
    problems, validation = open_task(recipe, "train"), open_task(recipe, "validation")
    before = policy.weights()
    with tempfile.TemporaryDirectory() as folder:
        learner = agent_class(agent)(policy, problems, validation, recipe, Path(folder))
        try:
            *_, done = learner.learn()
        finally:
            learner.close()
        if done.finetuned is None or all(
            torch.equal(weight, before[name]) for name, weight in policy.weights().items()
        ):
            raise ValueError("the round has changed nothing")
        Policy.load(str(done.finetuned.checkpoint), device="cpu")


def asked() -> list[Prompt]:
    """Prompts of different lengths, with one, two and three images."""
    rng = np.random.default_rng(0)
    images = [
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for width, height in SIZES
    ]
    return [
        Prompt("How many?" + " And what is it?" * count, images[:count], f"{count} images")
        for count in (1, 2, 3)
    ]
