"""Hold a run against limits: kept, broken, or not to be told from what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import yaml

from mstar.agents.registry import unknown
from mstar.experiments.audit.errors import VERIFIER, AuditSummary, Share
from mstar.experiments.page import page
from mstar.experiments.plots import present
from mstar.experiments.report.run_report import audit_of
from mstar.experiments.report.summary import Summary, summarise
from mstar.experiments.rows import Row, write_whole
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import Estimate

Outcome = Literal["kept", "broken", "cannot tell"]
STATUS: dict[Outcome, int] = {"kept": 0, "broken": 1, "cannot tell": 2}


@dataclass(frozen=True, slots=True)
class Measured:
    """A measured value with its 95 % interval; of what is counted exactly, the value three times.

    Attributes:
        value: what was measured.
        low: lower end.
        high: upper end.
        n: what it rests on; 0 for what is counted.
    """

    value: float
    low: float
    high: float
    n: int = 0

    def __str__(self) -> str:
        if self.low == self.high and not self.n:
            return f"{self.value:,.4g}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], n = {self.n}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run.

    Attributes:
        summary: base against evolved.
        rounds: rows of its rounds.
        audit: what people said; None where nobody was asked.
    """

    summary: Summary
    rounds: Sequence[Row]
    audit: AuditSummary | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that can be set.

    Attributes:
        about: what it limits, in words.
        least: whether the value must be at least the limit; at most otherwise.
        measure: the value of a run; None where it was not measured.
    """

    about: str
    least: bool
    measure: Callable[[Facts], Measured | None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A limit held against a run.

    Attributes:
        name: of the limit.
        about: what it limits.
        rule: what is asked for, such as ``at least 0.8``.
        measured: the value in words.
        outcome: whether it is kept.
    """

    name: str
    about: str
    rule: str
    measured: str
    outcome: Outcome


def check_run(folder: RunFolder, limits: Path) -> tuple[Outcome, list[Checked]]:
    """Hold a run against a file of limits, and write ``check.html`` and ``check.json`` beside it.

    A limit is kept if the whole interval of what was measured is on its right side, and broken if
    the whole interval is on the wrong one.

    Args:
        folder: of a run that has been tested.
        limits: a YAML file with names of ``LIMITS`` and numbers.

    Returns:
        ``broken`` if any limit is, else ``cannot tell`` if that is so of any, else ``kept``; and
        every limit.

    Raises:
        ValueError: the file is no YAML, names a limit that does not exist, or sets one to something
            other than a number; or the run has not been tested yet.
        OSError: the file cannot be read.
    """
    wanted = read_limits(limits)
    facts = Facts(summarise(folder), folder.rounds(), audit_of(folder))
    checked = [_checked(name, bound, facts) for name, bound in wanted.items()]
    outcome = together([each.outcome for each in checked])
    told = {"run": str(folder.path), "outcome": outcome, "limits": [asdict(c) for c in checked]}
    write_whole(folder.path / "check.json", json.dumps(told, indent=2) + "\n")
    written = page(
        "release/check.html.jinja",
        name=folder.path.name,
        outcome=outcome,
        checked=checked,
        number=sum(each.outcome == outcome for each in checked),
        recipe=folder.recipe(),
        audit=facts.audit,
    )
    (folder.path / "check.html").write_text(written)
    return outcome, checked


def read_limits(path: Path) -> dict[str, float]:
    """The limits of a file; raises as ``check_run``."""
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from None
    if not isinstance(stored, dict) or not stored:
        raise ValueError(f"{path} sets no limit; write lines such as greedy_at_least: 0.8")
    for name, bound in stored.items():
        if name not in LIMITS:
            raise ValueError(f"{path}: {unknown('limit', str(name), LIMITS)}")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or bound != bound:
            raise ValueError(f"{path}: {name} must be a number, got {bound!r}")
    return {str(name): float(bound) for name, bound in stored.items()}


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for several: the worst."""
    worst: tuple[Outcome, ...] = ("broken", "cannot tell")
    return next((outcome for outcome in worst if outcome in outcomes), "kept")


def outcome_of(measured: Measured | None, bound: float, least: bool) -> Outcome:
    """Whether a limit is kept.

    Args:
        measured: None where it was not.
        bound: the limit.
        least: whether the value must be at least that.
    """
    if measured is None or measured.value != measured.value:
        return "cannot tell"
    if (measured.low >= bound) if least else (measured.high <= bound):
        return "kept"
    if (measured.high < bound) if least else (measured.low > bound):
        return "broken"
    return "cannot tell"


def _checked(name: str, bound: float, facts: Facts) -> Checked:
    limit = LIMITS[name]
    measured = limit.measure(facts)
    return Checked(
        name,
        limit.about,
        f"at {'least' if limit.least else 'most'} {bound:,g}",
        "not measured" if measured is None else str(measured),
        outcome_of(measured, bound, limit.least),
    )


def _estimated(found: Estimate) -> Measured:
    return Measured(found.mean, found.low, found.high, found.n)


def _shared(found: Share | None) -> Measured | None:
    return None if found is None else Measured(found.mean, found.low, found.high, found.n)


def _counted(value: float | None) -> Measured | None:
    return None if value is None else Measured(value, value, value)


def _accuracy(metric: str) -> Callable[[Facts], Measured | None]:
    def measure(facts: Facts) -> Measured | None:
        first = facts.summary.comparisons[0].group
        found = [c for c in facts.summary.comparisons if (c.group, c.metric) == (first, metric)]
        return _estimated(found[0].evolved)

    return measure


def _gain(facts: Facts) -> Measured | None:
    return _estimated(facts.summary.comparisons[0].gain)


def _worst_gain_elsewhere(facts: Facts) -> Measured | None:
    """The gain of the group of test problems, of those not trained on, that gained least."""
    greedy = [c for c in facts.summary.comparisons if c.metric == "greedy"][1:]
    return _estimated(min((c.gain for c in greedy), key=lambda g: g.low)) if greedy else None


def _verifier(part: str) -> Callable[[Facts], Measured | None]:
    def measure(facts: Facts) -> Measured | None:
        judges = facts.audit.judges if facts.audit else ()
        found = [judge for judge in judges if judge.name == VERIFIER]
        return _shared(getattr(found[0], part)) if found else None

    return measure


def _cost(name: str) -> Callable[[Facts], Measured | None]:
    return lambda facts: _counted(facts.rounds[-1]["cost"][name])


LIMITS: dict[str, Limit] = {
    "greedy_at_least": Limit(
        "greedy accuracy on unseen problems of the trained kind", True, _accuracy("greedy")
    ),
    "pass_1_at_least": Limit("mean accuracy of samples on them", True, _accuracy("pass@1")),
    "gain_at_least": Limit("what training added to greedy accuracy, paired", True, _gain),
    "gain_elsewhere_at_least": Limit(
        "what it added elsewhere: on the worst group of problems of other kinds",
        True,
        _worst_gain_elsewhere,
    ),
    "calibration_error_at_most": Limit(
        "expected calibration error of responses on validation problems",
        False,
        lambda facts: _counted(present(facts.rounds[-1])["confidence"]["ece"]),
    ),
    "cut_at_most": Limit(
        "share of the last round's responses cut off by the limit on their length",
        False,
        lambda facts: _counted(facts.rounds[-1].get("cut")),
    ),
    "verifier_error_at_most": Limit(
        "share of responses that the verifier judges wrongly, by people", False, _verifier("wrong")
    ),
    "verifier_fooled_at_most": Limit(
        "share of those it calls right that are wrong, by people", False, _verifier("fooled")
    ),
    "bad_reference_at_most": Limit(
        "share of responses with a bad reference answer, by people",
        False,
        lambda facts: _shared(facts.audit.bad_references) if facts.audit else None,
    ),
    "audited_at_least": Limit(
        "items of the random part that people judged, and agree on",
        True,
        lambda facts: _counted(facts.audit.random if facts.audit else 0),
    ),
    "drift_at_most": Limit(
        "distance from the base policy, in nats a token",
        False,
        lambda facts: _counted(facts.rounds[-1]["dynamics"].get("drift")),
    ),
    "alarms_at_most": Limit(
        "alarms that were raised",
        False,
        lambda facts: _counted(sum(len(row.get("alarms", ())) for row in facts.rounds)),
    ),
    "seconds_at_most": Limit("time of all rounds, in seconds", False, _cost("seconds")),
    "tokens_at_most": Limit("tokens generated in all rounds", False, _cost("tokens")),
    "flops_at_most": Limit("estimated FLOP of all rounds", False, _cost("flops")),
}
