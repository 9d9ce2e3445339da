"""What each of two processes runs: several recipes one after the other, one of them killed.

accelerate launch --config_file .../cpu-2.yaml tests/two_processes.py MODEL OUT
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_resume import Killed, after_fine_tuning, run
from tiny_runs import TINY

from mstar.agents.recipe import Recipe

PAIR = replace(TINY, rounds=2, prompts=5, batch=4, held_out=3, test=3)  # shares of unequal size
RECIPES: dict[str, Recipe] = {
    # On-policy: of a larger batch each process would mix its own half.
    "grpo": replace(PAIR, agent="grpo", minibatches=1, prompts=4),
    "by-prompt": replace(PAIR, agent="iterative-rft", budget="by-prompt", first=2, samples=4),
    "killed": replace(PAIR, lora_rank=2),
}

if __name__ == "__main__":
    model, out = sys.argv[1], Path(sys.argv[2])
    for name, recipe in RECIPES.items():
        recipe = replace(recipe, model=model)
        if name == "killed":
            with pytest.MonkeyPatch.context() as patch:
                after_fine_tuning(patch, 2)
                with pytest.raises(Killed):
                    run(recipe, out / name)
        run(recipe, out / name)
