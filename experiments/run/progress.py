"""The progress line on the terminal during a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mstar.agents.agent import Agent
from mstar.agents.types import Round
from mstar.experiments.report.verdict import judge_bill
from mstar.experiments.rows import Row


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
        self._lasted: float | None = None  # seconds of the last round that trained
        self._began = time.monotonic()  # the present round

    def watch(self, agent: Agent) -> None:
        """Show the progress of this agent from now on."""
        self._agent = agent

    def say(self, what: str) -> None:
        """Show a stage that is not part of the agent's rounds."""
        self._what = what
        if not self.console.is_terminal:
            self.console.print(what)

    def finished(self, done: Round) -> None:
        """Print a line for a committed round."""
        dynamics = done.metrics
        if done.number:  # the base is only evaluated
            self._lasted = sum(done.seconds.values())
        self._began = time.monotonic()
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
        if done.selection and done.selection.unjudged:
            left_out = f"a judge failed on {done.selection.unjudged} of {len(done.rollouts)}"
            self.warn([f"          {left_out} responses, which are left out"])
        if done.selection and done.selection.replaced:
            groups = done.selection.replaced
            self.add(f"          {groups} groups were all right or all wrong, and replaced")
        if done.cost.judge_calls:
            self.add(f"          judges so far: {judge_bill(done.cost)}")
        if done.note:
            self.add(f"          {done.note}")
        self.warn([f"          {alarm}" for alarm in done.alarms])

    def tested(self, rows: Sequence[Row]) -> None:
        """Print the accuracies on other environments, in a line; none where there are none."""
        if rows:
            shown = "  ".join(f"{row['env']} {100 * row['greedy']:.1f} %" for row in rows)
            self.add(f"          greedy elsewhere: {shown}")

    def add(self, line: str) -> None:
        """Print one more line, of the run or of the round above it."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

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
            f"{responses} responses  {rate}  {self._accuracy}  {self._left(agent)}"
        )

    def _left(self, agent: Agent) -> str:
        """The time that the rounds still take if they last as long as the one before."""
        if self._lasted is None:
            return ""
        rounds = agent.recipe.run.rounds - agent.rounds_done
        seconds = max(0.0, rounds * self._lasted - (time.monotonic() - self._began))
        return f"about {duration(seconds)} left" if rounds > 0 else ""


def duration(seconds: float) -> str:
    """A time in its largest unit and the next.

    >>> duration(42), duration(200), duration(7500)
    ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
