"""What every agent has in common: rounds, the same evaluation after each, and their cost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL import Image

from mstar.agents.checkpoint_writer import CheckpointWriter
from mstar.agents.config import Recipe
from mstar.agents.cost import add_cost
from mstar.agents.explore.base import ExplorationController
from mstar.agents.explore.catalog import CONTROLLERS, MIXINGS
from mstar.agents.explore.data_mix import Mixing
from mstar.agents.explore.samples import samples_of
from mstar.agents.host_memory import give_back
from mstar.agents.judges.catalog import endpoints_in
from mstar.agents.monitor.evaluation import Monitor
from mstar.agents.monitor.guards import Guards
from mstar.agents.policy import distributed
from mstar.agents.policy.launch import check_launch, check_optimizer
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.quantization import check_bitsandbytes
from mstar.agents.registry import resolve
from mstar.agents.rollout import unique_problems
from mstar.agents.sampling.base import Sampler
from mstar.agents.sampling.distorted import DistortingSampler, fading
from mstar.agents.sampling.engine import sampler_of
from mstar.agents.seeds import mix
from mstar.agents.types import (
    Cost,
    FinetuneResult,
    Rollout,
    Round,
    RoundSamples,
    SamplingPlan,
    Selection,
)
from mstar.envs.problem import Problem, Prompt
from mstar.envs.shown import WITH_IMAGE
from mstar.envs.task import Task
from mstar.envs.variants.phrasing import phrase_all

Inherits = Literal["policy+optimizer+schedule", "policy", "nothing"]


class Agent(ABC):
    """A policy and a way to improve it, round by round.

    A learning algorithm is a subclass whose ``turn`` does one round; what it needs beside the
    attributes below it makes in ``prepare``. Evaluation, cost and the state from which a killed run
    resumes are the same for all of them, so that equal recipes spend and measure alike.

    Args:
        policy: trained in place.
        task: the problems that it learns from.
        validation: the problems that it is evaluated on after every round.
        recipe: all settings.
        folder: where trainers write their checkpoints.

    Attributes:
        inherits: what a round takes over from the one before; with "nothing", every round is
            trained from the base.
        sampler: of the policy.
        training_sampler: that sampler, or one that shows it distorted images too; see
            ``DistortingSampler``.
        controller, mixing, guards: what ``plan`` asks.
        monitor: evaluates the policy.
        writer: writes the checkpoint of a round while the policy is measured.
        drawn: the problems of the present round, before phrasing.
        stage: what the agent does at present, for a display.
        rounds_done: number of the last finished round; -1 before the base was evaluated.
        cost: spent since the start of the run.
    """

    inherits: ClassVar[Inherits] = "policy+optimizer+schedule"

    def __init__(
        self,
        policy: Policy,
        task: Task,
        validation: Task,
        recipe: Recipe,
        folder: Path,
    ) -> None:
        self.check(recipe)
        self.policy, self.task, self.validation, self.recipe = policy, task, validation, recipe
        self.folder, self.writer = folder, CheckpointWriter()
        self.sampler = sampler_of(policy, recipe)
        first_plan = SamplingPlan(
            temperature=recipe.sampling.temperature,
            samples=recipe.sampling.samples,
            top_k=recipe.selection.top_k,
            threshold=recipe.selection.threshold,
        )
        self.controller: ExplorationController = resolve(
            "controller", CONTROLLERS, recipe.exploration.controller
        )(first_plan, recipe)
        self.sampler.record_ladder(self.controller.ladder)
        self.training_sampler: Sampler = self.sampler
        if share := recipe.sampling.distorted:
            self.training_sampler = DistortingSampler(self.sampler, share, self._distortion)
        self.mixing: Mixing = resolve("mixing", MIXINGS, recipe.mixing.rule)(recipe)
        self.guards = Guards(recipe, (task.panel, validation.panel))
        self.monitor = Monitor(policy, self.sampler, validation, recipe, self.guards)
        self.drawn: list[Problem] = []
        self.stage = "starting"
        self.rounds_done = -1
        self.cost = Cost()
        self._checkpoint: Path | None = None
        # For a return to the base; on the CPU, where there is room.
        self._base_weights = policy.weights("cpu") if recipe.run.guards == "act" else {}
        self._seconds: dict[str, float] = {}
        self._clock = time.monotonic()
        self.prepare()

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Raise ValueError where the agent cannot run the recipe, before anything is loaded."""
        distributed.part(recipe.optim.batch // recipe.optim.passes, "micro_batch")
        check_optimizer(recipe.optim.optimizer)
        check_launch(recipe, cls.has_one_trainer())
        if recipe.model.quantize != "none":
            check_bitsandbytes()

    @classmethod
    def has_one_trainer(cls) -> bool:
        """Whether a single trainer lives through all rounds."""
        return cls.inherits == "policy+optimizer+schedule"

    def prepare(self) -> None:  # noqa: B027 - most agents need nothing more
        """Make what the subclass needs beside the attributes of every agent; called once."""

    @abstractmethod
    def turn(self, number: int) -> Round:
        """Do round `number`, and return what ``finish`` makes of it."""

    def close(self) -> None:
        """End threads and trainers; the agent cannot learn afterwards."""
        self.stage = "closed"

    def learn(self, rounds: int | None = None) -> Iterator[Round]:
        """Go on until `rounds` rounds are done; yields each, the evaluated base first.

        It ends earlier with the round in which the tokens generated for training reach the
        recipe's budget, and where the guards stop the run. After a round with a ``back_to``,
        ``go_back`` must be called before the next.

        Args:
            rounds: in all, those done before included; the recipe's number if None.

        Raises:
            ValueError: more rounds than the recipe has, where its schedule ends.
            RuntimeError: ``go_back`` was not called.
        """
        last = self.recipe.run.rounds if rounds is None else rounds
        if last > self.recipe.run.rounds:
            raise ValueError(
                f"{last} rounds were asked for, but the recipe has {self.recipe.run.rounds}"
            )
        if self.rounds_done < 0:
            self._start_clock()
            yield self.finish(0)
        for number in range(self.rounds_done + 1, last + 1):
            if self.cost.training_tokens >= self._token_budget or self.guards.stopped:
                return
            if self.guards.back_to is not None:
                raise RuntimeError(
                    f"round {number - 1} wants the policy of round {self.guards.back_to} back: "
                    "call go_back with its checkpoint, or let the guards only watch"
                )
            self._start_clock()
            yield self.turn(number)

    def go_back(self, checkpoint: Path | None) -> None:
        """Return to an earlier round's weights and, where one trainer lives on, its optimizer.

        Args:
            checkpoint: the newest one after that round; None for the base.
        """
        self.close()
        if checkpoint is None:
            self.policy.set_weights(self._base_weights)
        else:
            self.policy.load_weights(checkpoint)
        self._checkpoint = checkpoint
        self.guards.back_to = None

    def plan(self, number: int) -> SamplingPlan:
        """How round `number` samples: the one place where controller, mix and guards meet.

        The controller's plan gets its shares of unlabelled problems and worked examples from the
        mix. While responses collapse the guards raise its temperature, for training samples alone:
        the policy is evaluated at the controller's temperature (``evaluation_temperature``), so
        that metrics, alarms and probes compare like with like, and the remedy does not hide the
        collapse that it answers.
        """
        return self.guards.plan(self.mixing.plan(number, self.controller.plan()))

    @property
    def evaluation_temperature(self) -> float:
        """Temperature of the evaluation: that of the round, without what the guards added."""
        return self.controller.plan().temperature

    def draw(self, number: int, plan: SamplingPlan, again: Sequence[Problem] = ()) -> list[Problem]:
        """The problems of a round, each once, phrased as the recipe says.

        Args:
            number: of the round.
            plan: holds the share of problems without a label.
            again: problems to ask once more, in the place of new ones.
        """
        new = self.mixing.draw(self.task, self.recipe.sampling.prompts - len(again), plan)
        self.drawn = unique_problems([*again, *new])
        return self._phrased(self.drawn, number)

    def fresh(self, number: int, plan: SamplingPlan, count: int) -> list[Problem]:
        """More problems of a round that has begun, phrased likewise."""
        return self._phrased(unique_problems(self.mixing.draw(self.task, count, plan)), number)

    def _phrased(self, problems: Sequence[Problem], number: int) -> list[Problem]:
        seed = mix(self.recipe.run.seed, number, 5)
        return phrase_all(problems, self.recipe.data.phrasings, seed)

    def finish(
        self,
        number: int,
        plan: SamplingPlan | None = None,
        rollouts: Sequence[Rollout] = (),
        selection: Selection | None = None,
        finetuned: FinetuneResult | None = None,
    ) -> Round:
        """Evaluate the policy, let controller and mix adjust, and sum up the round.

        Metrics, controller and mix all rank by the score that the round selected by: the guards',
        which is the recipe's unless it was frozen.
        """
        self.stage = "evaluating"
        temperature, rank = self.evaluation_temperature, self.guards.rank
        probes = self.controller.probes(number) if self._goes_on(number) else ()
        evaluation = self.monitor.evaluate(number, temperature, probes)
        self.end_stage("measure")
        self.writer.wait()
        self.end_stage("write")

        samples = RoundSamples(samples_of(evaluation.rollouts, rank), samples_of(rollouts, rank))
        self.controller.observe(number, evaluation.metrics, samples)
        present = [rollout for rollout in evaluation.rollouts if rollout.temperature == temperature]
        self.mixing.observe(present, rank, rollouts)

        self.rounds_done = number
        self.cost = add_cost(
            self.cost,
            self.sampler,
            self.policy.size,
            sum(self._seconds.values()),
            self._seconds["measure"],
            finetuned,
            evaluation.cost,
            endpoints_in(self.task.panel, self.validation.panel),
            self.recipe.rewards.judge_prices,
        )
        return Round(
            number=number,
            plan=plan,
            rollouts=rollouts,
            selection=selection,
            finetuned=finetuned,
            metrics=evaluation.metrics,
            cost=self.cost,
            state=self.state(),
            seconds=dict(self._seconds),
            alarms=evaluation.alarms,
            back_to=self.guards.back_to,
            note=self.mixing.note(),
        )

    def committed(self, checkpoint: Path | None) -> None:
        """Take note of where the newest checkpoint is kept, once a round has been stored."""
        self._checkpoint = checkpoint

    def end_stage(self, stage: str) -> None:
        """Add the time since the last call to a stage of the round; give back what it freed."""
        give_back()
        now = time.monotonic()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._clock
        self._clock = now

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs beside the checkpoint, as JSON values."""
        return {
            "round": self.rounds_done,
            "env": self.task.state(),
            "controller": self.controller.state(),
            "mixing": self.mixing.state(),
            "cost": asdict(self.cost),
            "guards": self.guards.state(),
            "watch": self.monitor.state(),
        }

    def restore(self, state: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Resume after a committed round.

        Args:
            state: of that round.
            checkpoint: the newest one, whose weights the policy takes over; None where no round
                has trained yet.
        """
        if checkpoint is not None:
            self.policy.load_weights(checkpoint)
        self.rounds_done = int(state["round"])
        self.task.restore(state["env"])
        self.controller.restore(state["controller"])
        self.mixing.restore(state["mixing"])
        self.cost = Cost(**state["cost"])
        self.guards.restore(state["guards"])
        self.monitor.restore(state["watch"])
        self._checkpoint = checkpoint

    def act(self, observations: Mapping[str, Any]) -> list[str]:
        """Greedy responses to a batch of N observations of the vector environment."""
        shown = self.task.show in WITH_IMAGE
        prompts = [
            Prompt(str(text), (Image.fromarray(image),) if shown else (), key=str(index))
            for index, (image, text) in enumerate(
                zip(observations["image"], observations["prompt"], strict=True)
            )
        ]
        return [group[0].text for group in self.sampler.sample(prompts, 1, 0.0, 0)]

    @property
    def _token_budget(self) -> float:
        return self.recipe.run.token_budget or inf

    @property
    def progress(self) -> float:
        """Share of the run that is over, by its rounds or its token budget, whichever is further.

        0 in the first round; 1 or more in the last.
        """
        rounds = self.rounds_done / max(1, self.recipe.run.rounds - 1)
        return max(0.0, rounds, self.cost.training_tokens / self._token_budget)

    def _distortion(self) -> float:
        """Strength of the distortion in the present round."""
        return fading(self.recipe.sampling.distortion, self.progress)

    def _start_clock(self) -> None:
        self._clock, self._seconds = time.monotonic(), {}

    def _goes_on(self, number: int) -> bool:
        """Whether another round comes; if not, no temperature needs to be chosen for it."""
        (generated,) = distributed.total(self.sampler.tokens_generated)  # in this round
        spent = self.cost.training_tokens + generated
        return number < self.recipe.run.rounds and spent < self._token_budget
