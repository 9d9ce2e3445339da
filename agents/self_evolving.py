"""Self-evolving training: sample, judge, select, fine-tune, measure, adjust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mstar.agents.agent import Agent
from mstar.agents.budget import AGAIN, Aside, next_wave
from mstar.agents.collect import (
    Rollout,
    ask,
    by_problem,
    collect,
    combined,
    judged,
    sample_shared,
)
from mstar.agents.explore import SamplingPlan
from mstar.agents.gold import Gold
from mstar.agents.judge_refresh import JudgeRefresh
from mstar.agents.judges import step_judge_of
from mstar.agents.learner import Lesson, LiveTrainer, Tuned, Tuning
from mstar.agents.policy import Policy
from mstar.agents.pseudo import pseudo_labelled
from mstar.agents.recipe import INHERITS, Recipe
from mstar.agents.round import Round
from mstar.agents.sampler import Prompt
from mstar.agents.seeds import mix
from mstar.agents.select import Selection, select
from mstar.envs.problem import Problem
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
        self.gold = Gold(env, recipe)
        self._base = policy.weights() if self.inherit == "nothing" else None
        self._trainer: LiveTrainer | None = None
        self._by_prompt = recipe.budget == "by-prompt"
        self._aside = Aside()
        self._known: dict[str, Problem] = {}  # those put aside, as they were drawn
        self._refresh: JudgeRefresh | None = None
        if recipe.judge_refresh:
            self._refresh = JudgeRefresh(step_judge_of(recipe), recipe)

    def turn(self, number: int) -> Round:
        """Sample, judge, select, fine-tune, measure, adjust."""
        recipe = self.recipe
        plan = self.guards.plan(self.controller.plan())
        self.stage = "sampling"

        # 1. Sample: the policy, frozen for now, answers fresh problems several times each.
        # 2. Judge: every reward model of the panel scores every answer.
        rollouts = self.sample(number, plan)
        #    Where there is no label, a vote among the answers stands for it.
        rollouts = pseudo_labelled(rollouts, recipe.pseudo, self.guards.rank)
        self.lap("sample and judge")

        # 3. Select: of the right answers to a problem, the best few.
        selection = select(
            rollouts,
            recipe.selection,
            plan.keep,
            plan.threshold,
            seed=mix(recipe.seed, number, 1),
            gate=self.guards.gate,
            rank=self.guards.rank,
        )

        # 4. Fine-tune on what was kept; where nothing was, the policy stays.
        self.stage = "fine-tuning"
        tuned = self._fine_tune(rollouts, selection, number) if selection.kept else None
        self.lap("fine-tune")

        # The step judge learns from the round too, where the recipe has it follow the policy.
        if self._refresh is not None and tuned is not None:
            self._refresh.after(number, rollouts, tuned.checkpoint)
            self.lap("refresh the judge")

        # 5. Measure the policy on held-out problems, and 6. adjust how it explores.
        return self.finish(number, plan, rollouts, selection, tuned)

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The judged responses of a round, problem by problem.

        Under ``by-prompt`` budgets every problem gets a few samples, and those with fewer than
        `keep` right ones get more in waves, as long as the round's samples last; problems without
        a right one are asked again in a later round. How many samples a problem gets so depends on
        what was drawn, and the share of right ones among all rollouts says little of the policy:
        hard problems have more of them. Only the first few do; the others are marked ``extra``.
        What is selected problem by problem, out of its right answers, is not biased by it.
        """
        recipe, problems = self.recipe, self._asked(number)
        few = min(recipe.first, plan.samples) if self._by_prompt else plan.samples
        rollouts = collect(
            self.sampler,
            self.env,
            problems,
            [plan.temperature] * few,
            seed=mix(recipe.seed, number, 0),
            version=number - 1,
        )
        if not self._by_prompt:
            return rollouts
        groups = [rollouts[start : start + few] for start in range(0, len(rollouts), few)]
        left = len(problems) * plan.samples - len(rollouts)
        while any(more := next_wave(self._gated(groups), plan.keep, plan.samples, left)):
            left -= sum(more)
            groups = self._extended(
                groups, more, plan.temperature, mix(recipe.seed, number, 6, left)
            )
        self._put_aside(number, groups)
        drawn = [
            replace(rollout, extra=place >= few)
            for group in groups
            for place, rollout in enumerate(group)
        ]
        return combined(drawn, self.env)

    def _asked(self, number: int) -> list[Problem]:
        """The problems of a round; a resumed run looks for those put aside by their ids."""
        due = self._aside.due(number, self.recipe.prompts // AGAIN) if self._by_prompt else []
        find = self.env.examiner.find
        return self.draw(number, [self._known.get(name) or find(name) for name in due])

    def _put_aside(self, number: int, groups: Sequence[Sequence[Rollout]]) -> None:
        """Remember the problems without a right answer."""
        names = [group[0].problem.id for group in groups]
        self._aside.note(number, dict(zip(names, self._gated(groups), strict=True)))
        known = self._known | {problem.id: problem for problem in self.drawn}
        self._known = {name: known[name] for name in self._aside.waiting if name in known}

    def _gated(self, groups: Sequence[Sequence[Rollout]]) -> list[list[float]]:
        return [[rollout.scores[self.recipe.gate] for rollout in group] for group in groups]

    def _extended(
        self, groups: Sequence[list[Rollout]], more: Sequence[int], heat: float, seed: int
    ) -> list[list[Rollout]]:
        """Groups of rollouts with so many more each, judged anew as whole groups."""
        longer = [i for i, count in enumerate(more) if count]
        problems = [groups[i][0].problem for i in longer]
        prompts = [ask(self.env, problem) for problem in problems]
        written = sample_shared(self.sampler, prompts, [more[i] for i in longer], heat, seed)
        whole = [
            [rollout.response for rollout in groups[i]] + responses
            for i, responses in zip(longer, written, strict=True)
        ]
        heats = [[heat] * len(responses) for responses in whole]
        rollouts = judged(self.env, problems, whole, heats, groups[0][0].version)
        extended = dict(zip(longer, by_problem(rollouts).values(), strict=True))
        return [
            [rollouts[row] for row in extended[i]] if i in extended else group
            for i, group in enumerate(groups)
        ]

    def state(self) -> dict[str, Any]:
        """With the problems that are put aside, under ``by-prompt`` budgets."""
        aside = {"aside": self._aside.waiting} if self._by_prompt else {}
        return {**super().state(), **aside}

    def restore(self, state: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Go on after a committed round; see ``Agent.restore``."""
        super().restore(state, checkpoint)
        waiting = state.get("aside", {})
        self._aside = Aside({name: (due, waited) for name, (due, waited) in waiting.items()})
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

    def _fine_tune(self, rollouts: Sequence[Rollout], selection: Selection, number: int) -> Tuned:
        order = np.random.default_rng(mix(self.recipe.seed, number, 2)).permutation(selection.kept)
        prompts: dict[str, Prompt] = {}
        lessons = []
        for rollout in (rollouts[i] for i in order):
            problem = rollout.problem
            if problem.id not in prompts:
                prompts[problem.id] = ask(self.env, problem)
            lessons.append(Lesson(prompts[problem.id], rollout.response.text))
        return self.teach(self.gold.mixed_into(lessons, number), number)

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
