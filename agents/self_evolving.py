"""Self-evolving training: sample, judge, select, fine-tune, measure, adjust."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mstar.agents.agent import Agent
from mstar.agents.collect import Rollout, ask, collect
from mstar.agents.explore import SamplingPlan
from mstar.agents.learner import Lesson, LiveTrainer, Tuned, Tuning
from mstar.agents.policy import Policy
from mstar.agents.recipe import INHERITS, Recipe
from mstar.agents.round import Round
from mstar.agents.sampler import Prompt
from mstar.agents.seeds import mix
from mstar.agents.select import Selection, select
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
        self.inherit = INHERITS[recipe.agent]
        self._base = policy.weights() if self.inherit == "nothing" else None
        self._trainer: LiveTrainer | None = None

    def turn(self, number: int) -> Round:
        """Sample, judge, select, fine-tune, measure, adjust."""
        recipe = self.recipe
        plan = self.controller.plan()
        self.stage = "sampling"

        # 1. Sample: the policy, frozen for now, answers fresh problems several times each.
        # 2. Judge: every reward model of the panel scores every answer.
        rollouts = self.sample(number, plan)
        self.lap("sample and judge")

        # 3. Select: of the right answers to a problem, the best few.
        selection = select(
            rollouts,
            recipe.selection,
            plan.keep,
            plan.threshold,
            seed=mix(recipe.seed, number, 1),
            gate=recipe.gate,
            rank=recipe.rank,
        )

        # 4. Fine-tune on what was kept; where nothing was, the policy stays.
        self.stage = "fine-tuning"
        tuned = self._fine_tune(rollouts, selection, number) if selection.kept else None
        self.lap("fine-tune")

        # 5. Measure the policy on held-out problems, and 6. adjust how it explores.
        return self.finish(number, plan, rollouts, selection, tuned)

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The judged responses of a round."""
        return collect(
            self.sampler,
            self.env,
            self.draw(number),
            [plan.temperature] * plan.samples,
            seed=mix(self.recipe.seed, number, 0),
            version=number - 1,
        )

    def close(self) -> None:
        """Let the trainer's thread end; nothing more can be learned then."""
        if self._trainer is not None:
            self._trainer.close()

    def _fine_tune(self, rollouts: Sequence[Rollout], selection: Selection, number: int) -> Tuned:
        order = np.random.default_rng(mix(self.recipe.seed, number, 2)).permutation(selection.kept)
        prompts: dict[str, Prompt] = {}
        lessons = []
        for rollout in (rollouts[i] for i in order):
            problem = rollout.problem
            if problem.id not in prompts:
                prompts[problem.id] = ask(self.env, problem)
            lessons.append(Lesson(prompts[problem.id], rollout.response.text))
        return self.teach(lessons, number)

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
            rounds=recipe.rounds if continuous else 1,
            updates=recipe.updates,
            batch=recipe.batch,
            learning_rate=recipe.learning_rate,
            schedule=recipe.schedule,
            warmup=recipe.warmup,
            seed=recipe.seed,
            bf16=recipe.bf16,
            gradient_checkpointing=recipe.gradient_checkpointing,
        )
        resume = self._checkpoint if continuous else None
        return LiveTrainer(self.policy, tuning, self.folder / f"round-{number}", resume)
