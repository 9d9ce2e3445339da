"""Supervised fine-tuning on worked solutions, the reference for learning from own responses."""

from __future__ import annotations

from mstar.agents.self_evolving import SelfEvolving
from mstar.agents.types import Round
from mstar.agents.worked_examples import solutions_of


class Sft(SelfEvolving):
    """A policy that is fine-tuned on the exact solutions of a round's problems and samples nothing.

    It sees the problems that the self-evolving agents would, and makes as many updates a round.
    """

    def turn(self, number: int) -> Round:
        """Fine-tune on the solutions of new problems, and evaluate.

        Raises:
            ValueError: no problem of the round has a worked solution.
        """
        self.stage = "fine-tuning"
        problems = self.draw(number, self.plan(number))
        worked = [problem for problem in problems if problem.steps and problem.answer]
        if not worked:
            raise ValueError(
                f"sft needs worked solutions, and none of {len(problems)} problems of "
                f"{self.recipe.data.env} has steps; "
                "take an agent that learns from its own responses"
            )
        finetuned = self.fine_tune(solutions_of(self.policy, self.task, worked), number)
        self.end_stage("fine-tune")
        return self.finish(number, finetuned=finetuned)
