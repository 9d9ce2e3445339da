"""What came of a run, in sentences: whether it helped, what speaks against it, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mstar.agents.types import Cost
from mstar.experiments.audit.errors import VERIFIER, AuditSummary
from mstar.experiments.markdown import interval
from mstar.experiments.report.summary import Comparison, Summary
from mstar.experiments.rows import Row

MUCH_CUT = 0.05  # of the responses of the last round

Tone = Literal["good", "bad", ""]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the verdict.

    Attributes:
        text: the sentence.
        tone: whether it is good news, bad news, or neither.
    """

    text: str
    tone: Tone = ""


UNTRAINED = Sentence(
    "No round was trained: the probes of the exploration controller on the base alone reached the "
    "token budget. Give a larger one (--token-budget), or --controller fixed, which has no probes.",
    "bad",
)


def verdict_of(
    summary: Summary, rounds: Sequence[Row], audit: AuditSummary | None, name: str
) -> list[Sentence]:
    """The verdict on a run, the most important first.

    Args:
        summary: base against evolved.
        rounds: the rows of its rounds.
        audit: what people said; None where nobody was asked.
        name: of the run, for commands.
    """
    greedy = [c for c in summary.comparisons if c.metric == "greedy"]
    found = [] if rounds[-1]["number"] else [UNTRAINED]
    found.append(_outcome(greedy[0]))
    found += [_elsewhere(each) for each in greedy[1:]]
    found += _warnings(rounds)
    found.append(_judged(audit, name))
    cost = rounds[-1]["cost"]
    found.append(
        Sentence(
            f"It took {duration(cost['seconds'])}, {cost['responses']:,} responses and "
            f"{cost['tokens']:,} tokens, measuring included."
        )
    )
    if cost.get("judge_calls"):
        found.append(Sentence(f"Judges behind an address took {judge_bill(Cost(**cost))}."))
    return found


def judge_bill(cost: Cost) -> str:
    """What judges behind an address have cost, in words.

    >>> judge_bill(Cost(judge_calls=8, judge_prompt_tokens=900, judge_reply_tokens=100))
    '8 calls, 1,000 tokens'
    """
    tokens = cost.judge_prompt_tokens + cost.judge_reply_tokens
    price = f", {cost.judge_price:.4g} in all" if cost.judge_price else ""
    return f"{cost.judge_calls:,} calls, {tokens:,} tokens{price}"


def _outcome(found: Comparison) -> Sentence:
    change = (
        f"{100 * found.base.mean:.1f} % of {found.gain.n} unseen problems right before, "
        f"{100 * found.evolved.mean:.1f} % after: {100 * found.gain.mean:+.1f} points "
        f"{interval(found.gain, '+')}"
    )
    if found.gain.low > 0:
        return Sentence(f"The model got better: {change}.", "good")
    if found.gain.high < 0:
        return Sentence(f"The model got worse: {change}.", "bad")
    return Sentence(
        f"It cannot be told whether the model got better: {change}, which may be chance. More test "
        "problems (--test) would tell."
    )


def _elsewhere(found: Comparison) -> Sentence:
    change = (
        f"{100 * found.gain.mean:+.1f} points {interval(found.gain, '+')} on {found.gain.n} "
        f"problems of the group “{found.group}”"
    )
    if found.gain.low > 0:
        return Sentence(f"It carries over: {change}.", "good")
    if found.gain.high < 0:
        return Sentence(f"It cost something elsewhere: {change}.", "bad")
    return Sentence(f"No sure change elsewhere: {change}.")


def _warnings(rounds: Sequence[Row]) -> list[Sentence]:
    found = []
    alarms = [alarm for row in rounds for alarm in row.get("alarms", ())]
    if alarms:
        names = ", ".join(dict.fromkeys(alarm["name"] for alarm in alarms))
        raised = "1 alarm was" if len(alarms) == 1 else f"{len(alarms)} alarms were"
        found.append(Sentence(f"{raised} raised ({names}); see below.", "bad"))
    cut = rounds[-1].get("cut")
    if cut is not None and cut > MUCH_CUT:
        found.append(
            Sentence(
                f"{100 * cut:.1f} % of the last round's responses were cut off by the limit on "
                "their length, and count as wrong; raise --max-new-tokens.",
                "bad",
            )
        )
    return found


def _judged(audit: AuditSummary | None, name: str) -> Sentence:
    if audit is None:
        return Sentence(
            "Nobody has checked yet what the verifier calls right: "
            f"mstar audit {name} --user NAME shows a sample."
        )
    verifier = next((judge for judge in audit.judges if judge.name == VERIFIER), None)
    if verifier is None or verifier.wrong is None:
        return Sentence("People have looked at responses, but at none of the random part.")
    return Sentence(f"People say that the verifier is wrong in {str(verifier.wrong).strip()}.")


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(50), duration(190), duration(9000)
    ('50 seconds', '3.2 minutes', '2.5 hours')
    """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def most_memory(rounds: Sequence[Row]) -> str:
    """The most memory that a run had taken after a round; "unknown" for one of an older version."""
    found = max((row.get("memory") or 0 for row in rounds), default=0)
    return f"{found / 2**30:.2f} GiB" if found else "unknown"
