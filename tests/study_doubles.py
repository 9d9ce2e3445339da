"""Runs of a study that are over at once: rows made up by arm and seed, no model and no process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from mstar.agents.config import Recipe
from mstar.experiments.rows import write_rows
from mstar.experiments.studies.plan import PlannedRun
from mstar.experiments.studies.study import Study, TuningGrid

SMALL = Recipe.of(
    test=60,
    test_samples=4,
    rounds=3,
    held_out=20,
    token_budget=2500,
    learning_rate=3e-4,
    online_learning_rate=1e-4,
)
STUDY = Study(
    question="Is <b>bold</b> better?",
    design="Nothing is run.",
    base=SMALL,
    arms={"plain": {}, "bold": {"samples": 4}, "online": {"agent": "grpo"}, "rare": {"keep": 1}},
    baseline="plain",
    optional=("rare",),
)
TUNED = Study(**{**vars(STUDY), "tuning": TuningGrid(factors=(0.5, 1.0, 2.0), changes={"test": 1})})

BETTER = {"plain": 0.4, "bold": 0.6, "online": 0.4, "rare": 0.4}  # share right, by arm


class Doubles:
    """Stands for the processes of runs.

    Args:
        failing: labels of runs that end badly.
        lasting: seconds that a run takes.
    """

    def __init__(self, failing: tuple[str, ...] = (), lasting: float = 0.0) -> None:
        self.failing, self.lasting = failing, lasting
        self.begun: list[str] = []
        self.living: list[subprocess.Popen[bytes]] = []
        self.most = 0  # processes that lived at the same time

    def start(self, run: PlannedRun, lock: IO[str]) -> subprocess.Popen[bytes]:
        """In place of ``study_runs.start``."""
        self.begun.append(run.label)
        run.folder.mkdir(parents=True, exist_ok=True)
        well = run.label not in self.failing
        (run.folder / "log.txt").write_text("begun\n" + ("" if well else "mstar: <i>no</i>\n"))
        if well:
            write_run(run)
        code = f"import time; time.sleep({self.lasting}); raise SystemExit({int(not well)})"
        child = subprocess.Popen([sys.executable, "-S", "-c", code], pass_fds=[lock.fileno()])
        self.living = [*(c for c in self.living if c.poll() is None), child]
        self.most = max(self.most, len(self.living))
        return child


def write_run(run: PlannedRun) -> None:
    """The files of a finished run; its accuracy depends on arm, seed and learning rate."""
    (run.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run.folder / "recipe.json").write_text(json.dumps({"recipe": asdict(run.recipe)}))
    recipe = run.recipe
    rate = recipe.online.learning_rate if recipe.run.agent == "grpo" else recipe.optim.learning_rate
    rounds = [round_row(number, 0.3 + rate * number) for number in range(recipe.run.rounds + 1)]
    write_rows(run.folder / "rounds.jsonl", rounds)
    share = BETTER[run.arm] + 0.05 * run.seed
    rows = [
        row
        for policy, right in (("base", 0.3), ("evolved", share))
        for group, count in (
            ("trained", recipe.evaluation.test_problems),
            ("harder", recipe.evaluation.test_problems // 2),
        )
        for row in tested(policy, group, count, right, run)
    ]
    write_rows(run.folder / "evaluation.jsonl", rows)


def tested(
    policy: str, group: str, count: int, share: float, run: PlannedRun
) -> list[dict[str, Any]]:
    """Rows of test problems; the first `share` of a hundred are right."""
    draws = np.random.default_rng(run.seed).random((count, 1 + run.recipe.evaluation.test_samples))
    right = (draws < share).tolist()
    return [
        {
            "policy": policy,
            "group": group,
            "id": f"{group}/{run.seed}/{index}",
            "family": ("Dice", "Clock")[index % 2],
            "level": "1",
            "greedy": right[index][0],
            "samples": right[index][1:],
            "response": "so it is 3" * 40,
            "tokens": 9,
        }
        for index in range(count)
    ]


def round_row(number: int, greedy: float) -> dict[str, Any]:
    """A row of ``rounds.jsonl``: 1000 tokens of practice a round, and 100 of measuring."""
    spread = {"pass_1": greedy / 2, "length": 5.0}
    probes = {"1.0": spread} | ({"0.5": spread} if number == 2 else {})
    measured = 100 * (number + 1)
    return {
        "number": number,
        "problems": 8 if number else 0,
        "plan": {"temperature": 1.0} if number else None,
        "tuned": {"updates": 4 * number} if number else None,
        "dynamics": {"problems": 20, "samples": 4, "greedy": greedy, "spread": probes},
        "cost": {
            "responses": 50 * number + measured,
            "tokens": 1000 * number + measured,
            "flops": 2e9 * number + measured,
            "seconds": 3.0 * number + 0.5 * (number + 1),
            "measured_responses": measured,
            "measured_tokens": measured,
            "measured_flops": float(measured),
            "measured_seconds": 0.5 * (number + 1),
        },
        "state": {"controller": "large" * 100},
    }


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
