"""Runs small enough for a test: a random model, four problems, a judge that likes even lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tiny_models import byte_tokenizer

from mstar.agents.agent import Agent
from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.self_evolving import SelfEvolving
from mstar.agents.types import SFTExample
from mstar.envs.problem import Prompt, Split
from mstar.envs.task import Task
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel

Weights = dict[str, torch.Tensor]

# What a random model writes is never right, so half of its responses pass by their hash.
TINY = Recipe.of(
    families=("BarChart",),
    extra_families=(),
    size=96,
    rounds=3,
    prompts=4,
    samples=2,
    max_new_tokens=6,
    unfinished="everything",  # what a random model writes hardly ever ends
    panel=("correctness", "random"),
    gate="random",
    rank="reward",
    updates=2,
    batch=2,
    learning_rate=1e-2,
    schedule="linear",
    warmup=1,
    held_out=2,
    held_out_samples=2,
    test=2,
    test_samples=1,
    guards="watch",  # a learning rate for tests takes a random model far from where it was
    canaries="warn",  # of a gate by hashes there is nothing else to expect
    threads=1,
)


class Even:
    """Right are the responses whose length is even; with `strict` none are."""

    name = "correctness"

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array(
            [not self.strict and len(a.response) % 2 == 0 for a in attempts], np.float32
        )


def tiny_agent(
    policy: Policy, folder: Path, judge: Even | None = None, **changes: Any
) -> SelfEvolving:
    """An agent on bar charts; `judge` stands for correctness."""
    recipe = TINY.replace(panel=("correctness",), gate="correctness", **changes)
    panel = RewardPanel([judge or Even()], unfinished=recipe.rewards.unfinished)

    def problems(split: Split) -> Task:
        return Task(source="BarChart", panel=panel, split=split, size=96, seed=0)

    made: SelfEvolving = agent_class(recipe.run.agent)(
        policy, problems("train"), problems("validation"), recipe, folder
    )
    return made


def agent_of(policy: Policy, folder: Path, panel: RewardPanel, **changes: Any) -> Agent:
    """Any agent on bar charts, judged by a panel; `changes` to the recipe name the agent."""
    named = {"panel": panel.names, "gate": panel.names[0], "minibatches": 2, **changes}
    recipe = TINY.replace(**named)
    panel.unfinished = recipe.rewards.unfinished

    def problems(split: Split) -> Task:
        hidden = recipe.mixing.unlabelled if split == "train" else 0.0
        return Task(
            source="BarChart",
            panel=panel,
            split=split,
            size=96,
            seed=0,
            unlabelled=hidden,
            show=recipe.data.show,
        )

    made: Agent = agent_class(recipe.run.agent)(
        policy, problems("train"), problems("validation"), recipe, folder
    )
    return made


def sft_examples(start: int, count: int = 4) -> list[SFTExample]:
    """Examples number `start` and on; each has an image and an answer of its own."""
    tokenizer = byte_tokenizer("<image>")
    return [
        SFTExample(
            Prompt(f"what is {i}? ", (noise(i),), f"{i}"),
            (*tokenizer(f"it is {i}")["input_ids"], tokenizer.eos_token_id),
        )
        for i in range(start, start + count)
    ]


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def weights(policy: Policy) -> Weights:
    """A copy of every weight, frozen ones included."""
    return {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}
