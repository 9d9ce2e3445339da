"""Retrain the step judge on new responses of the policy, every few rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import step_judge_folder
from mstar.agents.judges.prompts import attempt_prompt
from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.judges.step_labels import (
    LabelledResponse,
    correct_solution,
    corrupted_solution,
    label_response,
    outcome_label,
)
from mstar.agents.judges.training import JudgeBatch, JudgeTraining, judge_batch, train_judge
from mstar.agents.policy import distributed
from mstar.agents.rollout import by_problem
from mstar.agents.seeds import mix
from mstar.agents.types import Rollout
from mstar.envs.problem import Prompt

PROBLEMS = 16  # of one update
TRAINING = JudgeTraining(learning_rate=1e-4, warmup=4)  # a low rate, against forgetting


class JudgeRefresh:
    """Trains the step judge on a round's rollouts, every ``judge_refresh`` rounds.

    M-STaR keeps its process reward model fixed, while the policy moves away from the responses it
    was trained on. Problems with a worked solution give exact labels of every step, others the
    verifier's label of the answer; unlabelled ones give none. Worked solutions and corrupted
    copies of them are trained on as well, so that the judge does not forget what the policy
    happens not to write. Each training is one pass over the rollouts with a new optimizer, so the
    judge's weights are its whole state.

    Args:
        judge: of the panel that the responses are scored with; trained in place.
        recipe: how often, and the seed.
    """

    def __init__(self, judge: StepJudge, recipe: Recipe) -> None:
        self.judge, self.recipe = judge, recipe

    def after(self, number: int, rollouts: Sequence[Rollout], checkpoint: Path) -> float | None:
        """Train if it is due after round `number`, and save the judge.

        Args:
            number: of the round.
            rollouts: of the round.
            checkpoint: the policy's folder; the judge is saved in ``judge`` there.

        Returns:
            The mean loss; None if nothing was trained.
        """
        loss = None
        if number % self.recipe.rewards.judge_refresh == 0:
            batches = list(self._batches(rollouts, mix(self.recipe.run.seed, number, 8)))
            training = replace(TRAINING, updates=max(1, len(batches)))
            losses = list(train_judge(self.judge, batches, training))
            loss = float(torch.stack(losses).mean()) if losses else None
        if distributed.is_main():  # all processes have trained on the same batches
            self.judge.save(checkpoint / "judge")
        return loss

    def restore(self, checkpoint: Path | None) -> None:
        """Return to the judge beside a checkpoint of the policy, or without one to the first."""
        folder = step_judge_folder(self.recipe) if checkpoint is None else checkpoint / "judge"
        self.judge.load_weights(folder)

    def _batches(self, rollouts: Sequence[Rollout], seed: int) -> Iterator[JudgeBatch]:
        groups = list(by_problem(rollouts).values())
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(groups))
        for start in range(0, len(groups), PROBLEMS):
            prompts: list[Prompt] = []
            examples: list[tuple[int, LabelledResponse]] = []
            for members in (groups[i] for i in order[start : start + PROBLEMS]):
                problem = rollouts[members[0]].problem
                found = [_label(rollouts[i]) for i in members]
                if problem.steps and problem.answer is not None:
                    found += [correct_solution(problem), corrupted_solution(problem, rng)]
                examples += [(len(prompts), one) for one in found if one is not None]
                prompts.append(attempt_prompt(problem.attempt(""), self.judge.size))
            if examples:
                yield judge_batch(self.judge.backbone, prompts, examples)


def _label(rollout: Rollout) -> LabelledResponse | None:
    """Exact labels if the problem has steps, else one at the end; None without an answer.

    None also of a response that was cut off and does not count.
    """
    if not rollout.counts:
        return None
    found = label_response(rollout.problem, rollout.response.text)
    return found if found is None or rollout.problem.steps else outcome_label(found)
