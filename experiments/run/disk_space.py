"""Whether the checkpoints of a run fit on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy

MOMENTS = 2  # numbers that Adam keeps for each weight that is trained


def check_disk(folder: Path, policy: Policy, recipe: Recipe) -> None:
    """Check that what a run will store fits on the disk, less what is stored there already.

    Raises:
        OSError: it does not fit; the message says how much is missing and what saves space.
    """
    stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    needed, free = checkpoint_bytes(policy, recipe), shutil.disk_usage(folder).free + stored
    if needed > free:
        raise OSError(
            f"the checkpoints of this run take up to {needed / 1e9:.1f} GB, and {folder} has room "
            f"for {free / 1e9:.1f} GB; give an --out on another disk, or save space by "
            "--lora-rank, --save-total-limit 1 or --dtype bfloat16"
        )


def checkpoint_bytes(policy: Policy, recipe: Recipe) -> int:
    """The most bytes that the checkpoints of a run take at the same time.

    While a round is written there are the new weights, those kept and those of the best round,
    with the moments of the new and the newest. With LoRA they are those of the adapter.
    """
    weights = list(policy.model.parameters())
    trained = sum(each.numel() * each.element_size() for each in weights if each.requires_grad)
    every = sum(each.numel() * each.element_size() for each in weights)
    rounds, keep = recipe.run.rounds, recipe.run.save_total_limit
    copies = min(rounds, (keep or rounds) + 2)
    written = trained if recipe.model.lora_rank else every
    return int(copies * written + min(rounds, 2) * MOMENTS * trained)
