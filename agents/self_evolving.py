"""Self-evolving training: sample, judge, select, fine-tune, evaluate, adjust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mstar.agents.agent import Agent
from mstar.agents.explore.sample_allocation import SampleAllocation
from mstar.agents.judges.catalog import step_judge_in
from mstar.agents.judges.refresh import JudgeRefresh
from mstar.agents.pseudo_labels import pseudo_labelled
from mstar.agents.rollout import collect
from mstar.agents.seeds import mix
from mstar.agents.selection import select
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import (
    FinetuneResult,
    Rollout,
    Round,
    SamplingPlan,
    Selection,
    SFTExample,
)
from mstar.agents.worked_examples import WorkedExamples


class SelfEvolving(Agent):
    """Continuous self-evolving training (M-STaR): the policy learns from its own best responses."""

    def prepare(self) -> None:
        """Make the trainer's, the allocation's and the judge's part of the state."""
        self.worked_examples = WorkedExamples(self.policy, self.task, self.recipe)
        self._restart = self.policy.weights() if self.inherits == "nothing" else None
        self._trainer: LiveTrainer | None = None
        self._allocation: SampleAllocation | None = None
        if self.recipe.sampling.allocation == "by-prompt":
            self._allocation = SampleAllocation(self.training_sampler, self.task, self.recipe)
        self._refresh: JudgeRefresh | None = None
        if self.recipe.rewards.judge_refresh:
            judge = step_judge_in(self.task.panel)
            if step_judge_in(self.validation.panel) is not judge:
                raise ValueError(
                    "judge_refresh trains the step judge of one panel, and training and validation "
                    "problems have two; give both the same panel"
                )
            self._refresh = JudgeRefresh(judge, self.recipe)

    def turn(self, number: int) -> Round:
        """Sample, judge, select, fine-tune, evaluate, adjust."""
        recipe, gate, rank = self.recipe, self.guards.gate, self.guards.rank
        plan = self.plan(number)

        # 1. Sample: the policy, as it is now, responds to new problems several times each.
        # 2. Judge: every reward model of the panel scores every response. Where a problem has no
        #    label, a vote among its responses stands in for it.
        self.stage = "sampling"
        rollouts = self.sample(number, plan)
        rollouts = pseudo_labelled(rollouts, recipe.mixing.vote, rank)
        self.end_stage("sample and judge")

        # 3. Select: of the right responses to a problem, the best few.
        selection = select(
            rollouts,
            recipe.selection.rule,
            plan.top_k,
            plan.threshold,
            seed=mix(recipe.run.seed, number, 1),
            gate=gate,
            rank=rank,
            required=self.task.panel.required,
        )

        # 4. Fine-tune on what was kept; if nothing was, the policy stays as it is. The step judge
        #    may learn from the round as well.
        self.stage = "fine-tuning"
        finetuned = None
        if examples := self.examples(rollouts, selection, plan, number):
            finetuned = self.fine_tune(examples, number)
        self.end_stage("fine-tune")
        if self._refresh is not None and finetuned is not None:
            self._refresh.after(number, rollouts, finetuned.checkpoint)
            self.end_stage("refresh the judge")

        # 5. Evaluate the policy on validation problems, and 6. adjust how the next round samples.
        return self.finish(number, plan, rollouts, selection, finetuned)

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The judged responses of a round, problem by problem."""
        allocation = self._allocation
        if allocation is None:
            return collect(
                self.training_sampler,
                self.task,
                self.draw(number, plan),
                [plan.temperature] * plan.samples,
                seed=mix(self.recipe.run.seed, number, 0),
                version=number - 1,
            )
        problems = self.draw(number, plan, again=allocation.due(number))
        rollouts = allocation.sample(number, problems, plan)
        allocation.note(number, self.drawn, rollouts)
        return rollouts

    def examples(
        self,
        rollouts: Sequence[Rollout],
        selection: Selection,
        plan: SamplingPlan,
        number: int,
    ) -> list[SFTExample]:
        """The kept rollouts in random order, with the plan's share of worked examples.

        Left out are responses with an image token: the model would look for one more image there.
        None where nothing is left.
        """
        rng = np.random.default_rng(mix(self.recipe.run.seed, number, 2))
        kept = [rollouts[i] for i in rng.permutation(selection.kept)]
        examples = [
            SFTExample(rollout.prompt, rollout.response.tokens)
            for rollout in kept
            if self.policy.media_tokens.isdisjoint(rollout.response.tokens)
        ]
        if not examples:
            return []
        return self.worked_examples.mixed_into(examples, plan.worked_examples, number)

    def fine_tune(self, examples: Sequence[SFTExample], number: int) -> FinetuneResult:
        """Fine-tune on examples, starting from what the round inherits."""
        if self._restart is not None:
            self.policy.set_weights(self._restart)
        lasting = self.has_one_trainer()
        if not lasting or self._trainer is None:
            self._trainer = LiveTrainer(
                self.policy,
                self.recipe.optim,
                self.folder / f"round-{number}",
                rounds=self.recipe.run.rounds if lasting else 1,
                seed=self.recipe.run.seed,
                resume=self._checkpoint if lasting else None,
                writer=self.writer,
            )
        result = self._trainer.fine_tune(examples, self._checkpoint if lasting else None)
        if not lasting:
            self._trainer.close()
        self.policy.model.eval()
        return result

    def state(self) -> dict[str, Any]:
        """As of every agent, with the problems to ask again under the allocation ``by-prompt``."""
        allocation = self._allocation.state() if self._allocation is not None else {}
        return {**super().state(), **allocation}

    def restore(self, state: Mapping[str, Any], checkpoint: Path | None) -> None:
        """Resume after a committed round; see ``Agent.restore``."""
        super().restore(state, checkpoint)
        if self._allocation is not None:
            self._allocation.restore(state)
        if self._refresh is not None:
            self._refresh.restore(checkpoint)

    def close(self) -> None:
        """End the trainer's thread; the agent cannot learn afterwards."""
        if self._trainer is not None:
            self._trainer.close()
        self.writer.abandon()

    def go_back(self, checkpoint: Path | None) -> None:
        """As of every agent; a new trainer resumes from the checkpoint, and so does the judge."""
        super().go_back(checkpoint)
        self._trainer = None
        if self._refresh is not None:
            self._refresh.restore(checkpoint)


class IterativeRFT(SelfEvolving):
    """Iterative rejection-sampling fine-tuning: every round has a new optimizer and schedule."""

    inherits = "policy"


class ReSTEM(SelfEvolving):
    """ReST-EM (Singh et al. 2023, arXiv 2312.06585): every round is fine-tuned from the base."""

    inherits = "nothing"
