"""The live line on the terminal while a run is going on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mstar.agents.agent import Agent
from mstar.agents.types import Round


class Progress:
    """Shows round, stage, rate and accuracy, and prints a line for every finished round.

    Args:
        console: where to write; on a file or a pipe only the finished rounds appear.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._agent: Agent | None = None
        self._accuracy = "not measured yet"
        self._what = "starting"
        self._counted = (time.monotonic(), 0)

    def watch(self, agent: Agent) -> None:
        """Show the progress of this agent from now on."""
        self._agent = agent

    def say(self, what: str) -> None:
        """Show a stage outside of the agent's rounds."""
        self._what = what
        if not self.console.is_terminal:
            self.console.print(what)

    def finished(self, done: Round) -> None:
        """Print a line for a committed round."""
        dynamics = done.metrics
        spread = next(iter(dynamics.by_temperature.values()))
        self._accuracy = f"greedy {100 * dynamics.greedy:.1f} %"
        kept = f"{len(done.selection.kept):5d} kept" if done.selection else "          "
        kept = kept if done.number else "   the base"
        temperature = f"T {done.plan.temperature:.1f}" if done.plan else "     "
        self.console.print(
            f"round {done.number:2d}  {kept}  {temperature}  {self._accuracy}  "
            f"pass@1 {100 * spread.pass_1:.1f} %  pass@{dynamics.samples} "
            f"{100 * spread.pass_k:.1f} %  (n = {dynamics.problems})  "
            f"cut {100 * dynamics.cut:.1f} %  "
            f"{done.cost.seconds:.0f} s",
            highlight=False,
            soft_wrap=True,
        )
        self.warn([f"          {alarm}" for alarm in done.alarms])

    def warn(self, lines: Sequence[str]) -> None:
        """Print warnings."""
        for line in lines:
            self.console.print(
                line, style="bold red", markup=False, highlight=False, soft_wrap=True
            )

    def __rich__(self) -> Text:
        agent = self._agent
        if agent is None:
            return Text(self._what)
        responses = agent.sampler.responses
        if responses < self._counted[1] or responses == 0:
            self._counted = (time.monotonic(), responses)
        elapsed = time.monotonic() - self._counted[0]
        rate = f"{(responses - self._counted[1]) / elapsed:.0f} responses/s" if elapsed > 1 else ""
        return Text(
            f"round {agent.rounds_done + 1}/{agent.recipe.run.rounds}  {agent.stage}  "
            f"{responses} responses  {rate}  {self._accuracy}"
        )
