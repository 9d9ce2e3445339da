"""Named recipes; ``mstar train NAME`` takes one, and any field can be overridden.

One that is called like an agent is where ``--agent NAME`` starts from.
"""

from __future__ import annotations

from mstar.agents.config import Recipe

DEFAULT = Recipe()

RECIPES: dict[str, Recipe] = {
    # Continuous self-evolving training of the embedded model: what `make demo` runs.
    "default": DEFAULT,
    # The temperature follows the paper's sweep of Reward-Pass@2 every second round.
    "adaptive": DEFAULT.replace(controller="reward-pass@2"),
    # All of M-STaR: the process reward picks among right answers, and the temperature follows it.
    "mstar": DEFAULT.replace(
        agent="mstar",
        panel=("correctness", "format", "process"),
        rank="process",
        selection="top-k",
        controller="reward-pass@2",
    ),
    # The paper's other two ways to follow one round with the next.
    "iterative-rft": DEFAULT.replace(agent="iterative-rft"),
    "rest-em": DEFAULT.replace(agent="rest-em"),
    # A minute on two cores: to see that everything works, not to learn much.
    "smoke": DEFAULT.replace(
        rounds=2,
        prompts=24,
        samples=4,
        updates=3,
        batch=8,
        held_out=12,
        held_out_samples=2,
        test=24,
        test_samples=2,
    ),
}
