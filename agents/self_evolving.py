"""Self-evolving training: sample, judge, select, fine-tune, measure, adjust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mstar.agents.adaptive_sampling import AdaptiveSampling
from mstar.agents.agent import Agent
from mstar.agents.config import INHERITS, Recipe
from mstar.agents.explore.catalog import SamplingPlan
from mstar.agents.judges.catalog import step_judge_of
from mstar.agents.judges.refresh import JudgeRefresh
from mstar.agents.policy.policy import Policy
from mstar.agents.pseudo_labels import pseudo_labelled
from mstar.agents.rollout import Rollout, ask, collect
from mstar.agents.round import Round
from mstar.agents.sampling.base import Prompt
from mstar.agents.seeds import mix
from mstar.agents.selection import Selection, select
from mstar.agents.sft_trainer import Lesson, LiveTrainer, Tuned, Tuning
from mstar.agents.worked_examples import Gold
from mstar.envs.vector_env import ProblemVectorEnv


class SelfEvolving(Agent):
    """A policy that learns from its own best answers.

    What it inherits from round to round makes it Continuous self-evolving training (M-STaR),
    iterative RFT or ReST-EM; see ``INHERITS``.
    """

    def __init__(
        self,
        policy: Policy,
        env: ProblemVectorEnv,
        held_out: ProblemVectorEnv,
        recipe: Recipe,
        folder: Path,
    ) -> None:
        super().__init__(policy, env, held_out, recipe, folder)
        self.inherit = INHERITS[recipe.run.agent]
        self.gold = Gold(env, recipe)
        self._base = policy.weights() if self.inherit == "nothing" else None
        self._trainer: LiveTrainer | None = None
        self._adaptive: AdaptiveSampling | None = None
        if recipe.sampling.allocation == "by-prompt":
            self._adaptive = AdaptiveSampling(self.sampler, env, recipe)
        self._refresh: JudgeRefresh | None = None
        if recipe.rewards.judge_refresh:
            self._refresh = JudgeRefresh(step_judge_of(recipe), recipe)

    def turn(self, number: int) -> Round:
        """Sample, judge, select, fine-tune, measure, adjust."""
        recipe = self.recipe
        plan = self.plan(number)
        self.stage = "sampling"

        # 1. Sample: the policy, frozen for now, answers fresh problems several times each.
        # 2. Judge: every reward model of the panel scores every answer.
        rollouts = self.sample(number, plan)
        #    Where there is no label, a vote among the answers stands for it.
        rollouts = pseudo_labelled(rollouts, recipe.mixing.vote, self.guards.rank)
        self.lap("sample and judge")

        # 3. Select: of the right answers to a problem, the best few.
        selection = select(
            rollouts,
            recipe.selection.rule,
            plan.keep,
            plan.threshold,
            seed=mix(recipe.run.seed, number, 1),
            gate=self.guards.gate,
            rank=self.guards.rank,
        )

        # 4. Fine-tune on what was kept; where nothing was, the policy stays.
        self.stage = "fine-tuning"
        tuned = self._fine_tune(rollouts, selection, plan, number) if selection.kept else None
        self.lap("fine-tune")

        # The step judge learns from the round too, where the recipe has it follow the policy.
        if self._refresh is not None and tuned is not None:
            self._refresh.after(number, rollouts, tuned.checkpoint)
            self.lap("refresh the judge")

        # 5. Measure the policy on held-out problems, and 6. adjust how it explores.
        return self.finish(number, plan, rollouts, selection, tuned)

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The judged responses of a round, problem by problem."""
        adaptive = self._adaptive
        if adaptive is None:
            return collect(
                self.sampler,
                self.env,
                self.draw(number, plan),
                [plan.temperature] * plan.samples,
                seed=mix(self.recipe.run.seed, number, 0),
                version=number - 1,
            )
        rollouts = adaptive.sample(number, self.draw(number, plan, adaptive.due(number)), plan)
        adaptive.note(number, self.drawn, rollouts)
        return rollouts

    def _fine_tune(
        self,
        rollouts: Sequence[Rollout],
        selection: Selection,
        plan: SamplingPlan,
        number: int,
    ) -> Tuned:
        order = np.random.default_rng(mix(self.recipe.run.seed, number, 2)).permutation(
            selection.kept
        )
        prompts: dict[str, Prompt] = {}
        lessons = []
        for rollout in (rollouts[i] for i in order):
            problem = rollout.problem
            if problem.id not in prompts:
                prompts[problem.id] = ask(self.env, problem)
            lessons.append(Lesson(prompts[problem.id], rollout.response.text))
        return self.teach(self.gold.mixed_into(lessons, plan.gold, number), number)

    def teach(self, lessons: Sequence[Lesson], number: int) -> Tuned:
        """Fine-tune on lessons, from what the round inherits."""
        if self._base is not None:
            self.policy.set_weights(self._base)
        if self.inherit != "policy+optimizer+schedule" or self._trainer is None:
            self._trainer = self._new_trainer(number)
        tuned = self._trainer.fine_tune(lessons)
        if self.inherit != "policy+optimizer+schedule":
            self._trainer.close()
        self.policy.model.eval()
        return tuned

    def _new_trainer(self, number: int) -> LiveTrainer:
        recipe = self.recipe
        continuous = self.inherit == "policy+optimizer+schedule"
        tuning = Tuning(
            rounds=recipe.run.rounds if continuous else 1,
            updates=recipe.optim.updates,
            batch=recipe.optim.batch,
            learning_rate=recipe.optim.learning_rate,
            schedule=recipe.optim.schedule,
            warmup=recipe.optim.warmup,
            seed=recipe.run.seed,
            bf16=recipe.optim.bf16,
            gradient_checkpointing=recipe.optim.gradient_checkpointing,
        )
        resume = self._checkpoint if continuous else None
        return LiveTrainer(self.policy, tuning, self.folder / f"round-{number}", resume)

    def state(self) -> dict[str, Any]:
        """With the problems to ask again, under ``by-prompt`` budgets."""
        adaptive = self._adaptive.state() if self._adaptive is not None else {}
        return {**super().state(), **adaptive}

    def restore(self, state: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Go on after a committed round; see ``Agent.restore``."""
        super().restore(state, checkpoint)
        if self._adaptive is not None:
            self._adaptive.restore(state)
        if self._refresh is not None:
            self._refresh.restore(checkpoint)

    def close(self) -> None:
        """Let the trainer's thread end; nothing more can be learned then."""
        if self._trainer is not None:
            self._trainer.close()

    def go_back(self, checkpoint: Path | None) -> None:
        """As of every agent; a new trainer starts from there."""
        super().go_back(checkpoint)
        self._trainer = None
        if self._refresh is not None:  # the judge goes back as well, to where it came from first
            self._refresh = JudgeRefresh(self._refresh.judge, self.recipe)
            self._refresh.restore(checkpoint)
