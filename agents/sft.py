"""The yardstick of supervision: fine-tuning on worked solutions instead of on own answers."""

from __future__ import annotations

from mstar.agents.rollout import ask
from mstar.agents.round import Round
from mstar.agents.self_evolving import SelfEvolving
from mstar.agents.sft_trainer import Lesson


class Sft(SelfEvolving):
    """A policy that is shown the exact solutions of a round's problems and samples nothing.

    It sees the problems that the self-evolving agents would, and makes as many updates a round.
    """

    def turn(self, number: int) -> Round:
        """Fine-tune on the solutions of fresh problems, and measure.

        Raises:
            ValueError: no problem of the round has a worked solution.
        """
        self.stage = "fine-tuning"
        problems = self.draw(number, self.plan(number))
        worked = [problem for problem in problems if problem.steps and problem.answer]
        if not worked:
            raise ValueError(
                f"sft needs worked solutions, and none of {len(problems)} problems of "
                f"{self.recipe.data.env} has steps; take an agent that learns from its own answers"
            )
        lessons = [Lesson(ask(self.env, problem), problem.solution) for problem in worked]
        tuned = self.teach(lessons, number)
        self.lap("fine-tune")
        return self.finish(number, tuned=tuned)
