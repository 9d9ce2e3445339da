"""Named recipes; ``mstar train NAME`` starts from one, and any setting can be changed."""

from __future__ import annotations

from mstar.agents.config import Recipe

# Continuous self-evolving training at a fixed temperature; the other recipes change it.
CONTINUOUS = Recipe()

# All of M-STaR: a process reward ranks right answers, and every second round the paper's sweep of
# Reward-Pass@2 chooses the temperature.
MSTAR = CONTINUOUS.replace(
    agent="mstar",
    panel=("correctness", "format", "process"),
    rank="process",
    selection="top-k",
    controller="reward-pass@2",
)

RECIPES: dict[str, Recipe] = {
    # What `make demo` runs: M-STaR with our exploration controller in place of the paper's sweep,
    # and more samples for the problems that lack right answers.
    "default": MSTAR.replace(controller="paired", allocation="by-prompt"),
    "mstar": MSTAR,
    "continuous": CONTINUOUS,
    # The temperature follows the paper's sweep.
    "adaptive": CONTINUOUS.replace(controller="reward-pass@2"),
    # The paper's two other kinds of rounds.
    "iterative-rft": CONTINUOUS.replace(agent="iterative-rft"),
    "rest-em": CONTINUOUS.replace(agent="rest-em"),
    # A language model that nobody made for these problems, with descriptions in place of images:
    # `mstar train language-model --model NAME`. At temperature 1 it hardly ever succeeds at first.
    "language-model": CONTINUOUS.replace(
        show="caption",
        lora_rank=16,
        prompts=32,
        temperature=0.7,
        max_new_tokens=48,
        updates=6,
        batch=8,
        learning_rate=3e-4,
        warmup=2,
        validation_problems=32,
        validation_samples=2,
        test_temperature=0.7,
    ),
    # About a minute on two cores: checks that everything works, and gains little.
    "smoke": CONTINUOUS.replace(
        rounds=2,
        prompts=24,
        samples=4,
        updates=3,
        batch=8,
        validation_problems=12,
        validation_samples=2,
        test=24,
        test_samples=2,
    ),
}


def recipe_for(agent: str) -> Recipe:
    """The recipe to start from for ``--agent NAME``: the one of that name, else continuous."""
    return RECIPES.get(agent, CONTINUOUS).replace(agent=agent)
