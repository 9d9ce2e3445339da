"""What every agent is: turns of practice, each measured on the same problems and paid for."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from PIL import Image

from mstar.agents.config import Recipe
from mstar.agents.cost import bill
from mstar.agents.explore.catalog import CONTROLLERS, SamplingPlan
from mstar.agents.explore.data_mix import MIXINGS
from mstar.agents.explore.evidence import Evidence
from mstar.agents.monitor.guards import Guards
from mstar.agents.monitor.held_out import HeldOut
from mstar.agents.monitor.metrics import measure, samples_of
from mstar.agents.monitor.watch import Watch
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.pseudo_labels import drawn_mixed
from mstar.agents.rollout import Rollout, distinct
from mstar.agents.round import Cost, Measuring, Round
from mstar.agents.sampling.base import Prompt
from mstar.agents.sampling.catalog import sampler_of
from mstar.agents.seeds import mix
from mstar.agents.selection import Selection
from mstar.agents.sft_trainer import Tuned
from mstar.envs.problem import Problem
from mstar.envs.variants.phrasing import phrase_all
from mstar.envs.vector_env import ProblemVectorEnv


class Agent(ABC):
    """A policy and a way to make it better, round by round.

    A way to learn is one file with one subclass, whose ``turn`` does one round. What all of them
    share is here: the held-out problems that every round ends with, the bill, and the state from
    which a killed run goes on. Equal recipes so spend and measure alike, whatever the agent.

    Args:
        policy: trained in place.
        env: the problems that it learns from.
        held_out: the problems that it is measured on.
        recipe: all settings.
        folder: where trainers write their checkpoints.
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
        self.folder = folder
        distributed.part(recipe.optim.batch)  # found now and not after a round of sampling
        self.sampler = sampler_of(policy, recipe)
        self.controller = CONTROLLERS[recipe.exploration.controller](
            SamplingPlan(
                recipe.sampling.temperature,
                recipe.sampling.samples,
                recipe.selection.top_k,
                recipe.selection.threshold,
            ),
            recipe,
        )
        self.mixing = MIXINGS[recipe.mixing.rule](recipe)
        self.guards = Guards(recipe, (env.examiner.panel, held_out.examiner.panel))
        self.watch = Watch(policy, held_out, self.guards)
        self.measured = HeldOut(self.sampler, held_out, recipe)
        self.drawn: list[Problem] = []  # of the present round, before phrasing
        self.stage = "starting"  # for whoever watches
        self.rounds_done = -1  # not even the base has been measured
        self.cost = Cost()
        self._checkpoint: Path | None = None
        # On the CPU, where there is room, for a return to the base.
        self._first = policy.weights("cpu") if recipe.run.guards == "act" else {}
        self._laps: dict[str, float] = {}
        self._clock = time.monotonic()

    @abstractmethod
    def turn(self, number: int) -> Round:
        """Practise one round, the `number`-th; ends with ``finish``."""

    def close(self) -> None:
        """Let go of threads and trainers; nothing more can be learned then."""
        self.stage = "closed"

    def learn(self, rounds: int | None = None) -> Iterator[Round]:
        """Go on until `rounds` rounds are done; yields each, the measured base first.

        It ends sooner with the round in which practice reaches the recipe's token budget, and
        where the guards stop the run. A round with a ``back_to`` wants ``go_back`` before the next.

        Args:
            rounds: in all, those done before included; the recipe's number if None.

        Raises:
            ValueError: more rounds than the recipe has, where its schedule ends.
            RuntimeError: the policy was to go back, and was not taken there.
        """
        last = self.recipe.run.rounds if rounds is None else rounds
        if last > self.recipe.run.rounds:
            raise ValueError(
                f"{last} rounds were asked for, but the recipe has {self.recipe.run.rounds}"
            )
        if self.rounds_done < 0:
            self._start_clock()
            yield self.finish(0)
        budget = self.recipe.run.token_budget or inf
        for number in range(self.rounds_done + 1, last + 1):
            if self.cost.practice_tokens >= budget or self.guards.stopped:
                return
            if self.guards.back_to is not None:
                raise RuntimeError(
                    f"round {number - 1} wants the policy of round {self.guards.back_to} back: "
                    "call go_back with its checkpoint, or let the guards only watch"
                )
            self._start_clock()
            yield self.turn(number)

    def go_back(self, checkpoint: Path | None) -> None:
        """Take up an earlier round's weights, and where the trainer goes on, its optimizer.

        Args:
            checkpoint: that was in force after the round; None for the base.
        """
        self.close()
        if checkpoint is None:
            self.policy.set_weights(self._first)
        else:
            self.policy.load_weights(checkpoint)
        self._checkpoint = checkpoint
        self.guards.back_to = None

    def plan(self, number: int) -> SamplingPlan:
        """How round `number` samples, by the controller, the mix and the guards."""
        return self.guards.plan(self.mixing.plan(number, self.controller.plan()))

    def draw(self, number: int, plan: SamplingPlan, again: Sequence[Problem] = ()) -> list[Problem]:
        """The problems of a round, each once, asked the way that the recipe lets vary.

        Args:
            number: of the round.
            plan: says how many have no label.
            again: problems that are asked once more, in the place of fresh ones.
        """
        fresh = drawn_mixed(self.env, self.recipe.sampling.prompts - len(again), plan.unlabelled)
        self.drawn = distinct([*again, *fresh])
        return phrase_all(
            self.drawn, self.recipe.data.phrasings, mix(self.recipe.run.seed, number, 5)
        )

    def finish(
        self,
        number: int,
        plan: SamplingPlan | None = None,
        rollouts: Sequence[Rollout] = (),
        selection: Selection | None = None,
        tuned: Tuned | None = None,
    ) -> Round:
        """Measure the policy, let the controller adjust, and sum the round up."""
        self.stage = "measuring"
        temperature = self.controller.plan().temperature
        wanted = self.controller.probes(number) if self._goes_on(number) else ()
        probed, read = self.measured.look(number, temperature, wanted)
        measured = measure(probed, self.guards.rank)
        dynamics, alarms = self.watch.look(number, measured, probed, temperature)
        self.lap("measure")
        measuring = Measuring.of(probed, temperature, read, self._laps["measure"])
        rank = self.recipe.selection.rank
        evidence = Evidence(samples_of(probed, rank), samples_of(rollouts, rank))
        self.controller.observe(number, dynamics, evidence)
        present = [rollout for rollout in probed if rollout.temperature == temperature]
        self.mixing.observe(present, self.guards.rank)
        self.rounds_done = number
        self.cost = bill(
            self.cost, self.sampler, self.policy.size, sum(self._laps.values()), tuned, measuring
        )
        laps = dict(self._laps)
        return Round(
            number,
            plan,
            rollouts,
            selection,
            tuned,
            dynamics,
            self.cost,
            self.state(),
            laps,
            alarms,
            self.guards.back_to,
        )

    def lap(self, stage: str) -> None:
        """A stage of the round ends here."""
        now = time.monotonic()
        self._laps[stage] = self._laps.get(stage, 0.0) + now - self._clock
        self._clock = now

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs beside the checkpoint, as JSON values."""
        return {
            "round": self.rounds_done,
            "env": self.env.state(),
            "controller": self.controller.state(),
            "mixing": self.mixing.state(),
            "cost": asdict(self.cost),
            "guards": self.guards.state(),
            "watch": self.watch.state(),
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
        self.mixing.restore(state["mixing"])
        self.cost = Cost(**state["cost"])
        self.guards.restore(state["guards"])
        self.watch.restore(state["watch"])
        self._checkpoint = checkpoint

    def act(self, observations: Mapping[str, Any]) -> list[str]:
        """Greedy answers to a batch of observations of the vector environment."""
        prompts = [
            Prompt(text=str(text), images=(Image.fromarray(image),), key=str(index))
            for index, (image, text) in enumerate(
                zip(observations["image"], observations["prompt"], strict=True)
            )
        ]
        return [group[0].text for group in self.sampler.sample(prompts, 1, 0.0, 0)]

    def _start_clock(self) -> None:
        self._clock, self._laps = time.monotonic(), {}

    def _goes_on(self, number: int) -> bool:
        """Whether a round comes after this one; if not, no temperature is to be chosen for it."""
        (written,) = distributed.total(self.sampler.tokens_generated)  # since the last bill
        spent = self.cost.practice_tokens + written
        return number < self.recipe.run.rounds and spent < (self.recipe.run.token_budget or inf)
