"""Self-evolving training: sample, judge, select, fine-tune, measure, adjust."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mstar.agents.collect import Rollout, ask, collect, distinct
from mstar.agents.dynamics import measure
from mstar.agents.explore import CONTROLLERS, SamplingPlan
from mstar.agents.learner import Lesson, LiveTrainer, Tuned, Tuning
from mstar.agents.policy import Policy
from mstar.agents.recipe import INHERITS, Recipe
from mstar.agents.round import Cost, Round
from mstar.agents.sampler import LocalSampler, Prompt
from mstar.agents.select import Selection, select
from mstar.envs.vector_env import ProblemVectorEnv


class SelfEvolving:
    """A policy that learns from its own best answers.

    What it inherits from round to round makes it Continuous self-evolving training (M-STaR),
    iterative RFT or ReST-EM; see ``INHERITS``.

    Args:
        policy: trained in place.
        env: the problems that it learns from.
        held_out: the problems that it is measured on.
        recipe: all settings.
        folder: where the trainer writes its checkpoints.
    """

    def __init__(
        self,
        policy: Policy,
        env: ProblemVectorEnv,
        held_out: ProblemVectorEnv,
        recipe: Recipe,
        folder: Path,
    ) -> None:
        self.policy, self.env, self.held_out, self.recipe = policy, env, held_out, recipe
        self.inherit = INHERITS[recipe.agent]
        self.sampler = LocalSampler(policy, recipe.max_new_tokens, recipe.batch_rows)
        self.controller = CONTROLLERS[recipe.controller](
            SamplingPlan(recipe.temperature, recipe.samples, recipe.keep, recipe.threshold)
        )
        self.folder = folder
        # The same problems after every round.
        self._measured = distinct(held_out.draw(recipe.held_out))
        self.stage = "starting"  # for whoever watches
        self.rounds_done = -1  # not even the base has been measured
        self._cost = Cost()
        self._base = policy.weights() if self.inherit == "nothing" else None
        self._trainer: LiveTrainer | None = None
        self._checkpoint: Path | None = None

    def learn(self, rounds: int | None = None) -> Iterator[Round]:
        """Go on until `rounds` rounds are done; yields each, the measured base first.

        Args:
            rounds: in all, those done before included; the recipe's number if None.

        Raises:
            ValueError: more rounds than the recipe has, where its schedule ends.
        """
        recipe = self.recipe
        last = recipe.rounds if rounds is None else rounds
        if last > recipe.rounds:
            raise ValueError(f"{last} rounds were asked for, but the recipe has {recipe.rounds}")
        if self.rounds_done < 0:
            yield self._round(0, None, [], None, None, {})
        for number in range(self.rounds_done + 1, last + 1):
            clock = _Clock()
            plan = self.controller.plan()
            self.stage = "sampling"

            # 1. Sample: the policy, frozen for now, answers fresh problems several times each.
            # 2. Judge: every reward model of the panel scores every answer.
            rollouts = collect(
                self.sampler,
                self.env,
                distinct(self.env.draw(recipe.prompts)),
                [plan.temperature] * plan.samples,
                seed=mix(recipe.seed, number, 0),
                version=number - 1,
            )
            clock.lap("sample and judge")

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

            self.stage = "fine-tuning"
            # 4. Fine-tune on what was kept; where nothing was, the policy stays.
            tuned = self._fine_tune(rollouts, selection, number) if selection.kept else None
            clock.lap("fine-tune")

            # 5. Measure the policy on held-out problems, and 6. adjust how it explores.
            yield self._round(number, plan, rollouts, selection, tuned, clock.laps)

    def _fine_tune(self, rollouts: Sequence[Rollout], selection: Selection, number: int) -> Tuned:
        order = np.random.default_rng(mix(self.recipe.seed, number, 2)).permutation(selection.kept)
        prompts: dict[str, Prompt] = {}
        lessons = []
        for rollout in (rollouts[i] for i in order):
            problem = rollout.problem
            if problem.id not in prompts:
                prompts[problem.id] = ask(self.env, problem)
            lessons.append(Lesson(prompts[problem.id], rollout.response.text))
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

    def _round(
        self,
        number: int,
        plan: SamplingPlan | None,
        rollouts: Sequence[Rollout],
        selection: Selection | None,
        tuned: Tuned | None,
        seconds: Mapping[str, float],
    ) -> Round:
        clock = _Clock()
        recipe = self.recipe
        self.stage = "measuring"
        probes = self.controller.probes(number)
        probed = collect(
            self.sampler,
            self.held_out,
            self._measured,
            [0.0, *(t for t in probes for _ in range(recipe.held_out_samples))],
            seed=mix(recipe.seed, 0, 3),  # the same noise every round: differences are paired
            version=number,
        )
        dynamics = measure(probed, recipe.rank)
        clock.lap("measure")
        self.controller.observe(number, dynamics)
        self.rounds_done = number
        laps = {**seconds, **clock.laps}
        self._cost = self._spent(tuned, sum(laps.values()))
        return Round(
            number, plan, rollouts, selection, tuned, dynamics, self._cost, self._state(), laps
        )

    def _spent(self, tuned: Tuned | None, seconds: float) -> Cost:
        sampler, recipe = self.sampler, self.recipe
        weights = self.policy.size
        trained = recipe.updates * recipe.batch if tuned else 0
        forward = sampler.prompt_tokens + sampler.tokens_generated
        mean = sampler.prompt_tokens / max(1, sampler.prompts_prefilled)
        mean += sampler.tokens_generated / max(1, sampler.responses)
        before = self._cost
        sampled = (sampler.responses, sampler.tokens_generated)
        flops = 2.0 * weights * forward + 6.0 * weights * trained * mean
        sampler.reset_counts()
        return Cost(
            before.responses + sampled[0],
            before.tokens + sampled[1],
            before.flops + flops,
            before.seconds + seconds,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "round": self.rounds_done,
            "env": self.env.state(),
            "controller": self.controller.state(),
            "cost": asdict(self._cost),
        }

    def restore(self, state: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Go on after a committed round.

        Args:
            state: of that round.
            checkpoint: the newest one, whose weights the policy takes over; None where no round
                has trained yet.
        """
        if checkpoint is not None:
            self.policy.load_weights(checkpoint)
        self.rounds_done = int(state["round"])
        self.env.restore(state["env"])
        self.controller.restore(state["controller"])
        self._cost = Cost(**state["cost"])
        self._checkpoint = checkpoint

    def act(self, observations: Mapping[str, Any]) -> list[str]:
        """Greedy answers to a batch of observations of the vector environment."""
        from PIL import Image

        prompts = [
            Prompt(text=str(text), images=(Image.fromarray(image),), key=str(index))
            for index, (image, text) in enumerate(
                zip(observations["image"], observations["prompt"], strict=True)
            )
        ]
        return [group[0].text for group in self.sampler.sample(prompts, 1, 0.0, 0)]

    def close(self) -> None:
        """Let the trainer's thread end; nothing more can be learned then."""
        if self._trainer is not None:
            self._trainer.close()


def mix(*numbers: int) -> int:
    """One seed of several numbers, by ``SeedSequence``."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class _Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.laps[stage] = now - self._last
        self._last = now
