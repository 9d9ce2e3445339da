"""What verdicts say: errors of the verifier and of every reward model, and how far people agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mstar.experiments.audit.strata import RANDOM
from mstar.experiments.verdicts import BAD, KINDS, Verdict, by_item, read_verdicts

VERIFIER = "correctness"
Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """A share of responses with its 95 % interval.

    Attributes:
        mean: the share.
        low: lower end of Wilson's interval.
        high: upper end.
        n: items that it rests on.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return (
            f"{100 * self.mean:5.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n}"
        )


@dataclass(frozen=True, slots=True)
class JudgeError:
    """How often a reward model is wrong; None where nothing was judged.

    Attributes:
        name: of the reward model.
        wrong: share of its scores on the wrong side of 0.5.
        fooled: of the responses that it scores above 0.5, the share that people call wrong.
        missed: of the others, the share that people call right.
        ranking: chance that a right response has a higher score than a wrong one, ties counted
            half; NaN where either kind is missing.
        abstained: share of responses that it did not score.
    """

    name: str
    wrong: Share | None
    fooled: Share | None
    missed: Share | None
    ranking: float
    abstained: Share | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people on the items that both judged.

    Attributes:
        one: a person.
        other: another.
        n: items that both judged.
        same: share of these with the same verdict.
        kappa: Cohen's kappa; NaN where chance alone gives full agreement.
    """

    one: str
    other: str
    n: int
    same: float
    kappa: float


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """The verdicts of a file.

    Attributes:
        people: number of verdicts by person.
        kinds: number of items by verdict.
        random: items of the random part, from which alone shares are estimated.
        disputed: items on which as many people say one thing as another; left out of shares.
        bad_questions: share of responses whose question is bad.
        bad_references: share of responses whose reference answer is bad.
        judges: of every reward model, the verifier first.
        agreement: of every two people.
    """

    people: dict[str, int]
    kinds: dict[str, int]
    random: int
    disputed: int
    bad_questions: Share | None
    bad_references: Share | None
    judges: tuple[JudgeError, ...]
    agreement: tuple[Agreement, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values; null for NaN."""
        found: dict[str, Any] = _without_nan(asdict(self))
        return found

    def text(self) -> str:
        """Lines for the terminal."""
        said = ", ".join(f"{name} {count}" for name, count in self.people.items())
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.kinds.items())
        lines = [
            f"verdicts    {said}",
            f"items       {kinds}" + (f"; disputed {self.disputed}" if self.disputed else ""),
            f"estimates   from the random part alone: {self.random} items, 95 % intervals",
            f"bad         questions {_shown(self.bad_questions)}; "
            f"reference answers {_shown(self.bad_references)}",
        ]
        for judge in self.judges:
            ranked = "-" if judge.ranking != judge.ranking else f"{judge.ranking:.2f}"
            lines += [
                f"{judge.name}",
                f"  wrong       {_shown(judge.wrong)}; ranks right above wrong: {ranked}",
                f"  too kind    {_shown(judge.fooled)} of those it scores above 0.5",
                f"  too strict  {_shown(judge.missed)} of the others",
            ]
        for pair in self.agreement:
            kappa = "-" if pair.kappa != pair.kappa else f"{pair.kappa:.2f}"
            lines.append(
                f"people      {pair.one} and {pair.other}: {100 * pair.same:.0f} % the same, "
                f"kappa {kappa}, n = {pair.n}"
            )
        return "\n".join(lines)


def summarise_verdicts(path: Path) -> AuditSummary:
    """The summary of a file of verdicts.

    Raises:
        ValueError: it holds no verdict.
    """
    verdicts = read_verdicts(path)
    if not verdicts:
        raise ValueError(f"{path} holds no verdict yet; give some with `mstar audit`")
    agreed = agreed_verdicts(verdicts)
    random = [each for each in agreed if each.item.stratum == RANDOM]
    names = list(dict.fromkeys(name for each in random for name in each.item.scores))
    names.sort(key=lambda name: name != VERIFIER)
    return AuditSummary(
        people=dict(Counter(verdict.user for verdict in verdicts)),
        kinds={kind: n for kind in KINDS if (n := sum(each.kind == kind for each in agreed))},
        random=len(random),
        disputed=len(by_item(verdicts)) - len(agreed),
        bad_questions=share(random, [each.kind == "bad question" for each in random]),
        bad_references=share(random, [each.kind == "bad reference" for each in random]),
        judges=tuple(judge_error(name, random) for name in names),
        agreement=tuple(agreements(verdicts)),
    )


def agreed_verdicts(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """One verdict on each item: that of most people; items without one are left out."""
    found = []
    for group in by_item(verdicts).values():
        ranked = Counter(verdict.kind for verdict in group).most_common(2)
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            found.append(next(verdict for verdict in group if verdict.kind == ranked[0][0]))
    return found


def judge_error(name: str, verdicts: Sequence[Verdict]) -> JudgeError:
    """The errors of a reward model against people, on items of the random part.

    The verifier is held against the answer; other reward models against answer and reasons.
    """
    judged = [each for each in verdicts if each.kind not in BAD]
    scored = [each for each in judged if each.item.scores.get(name) is not None]
    scores = np.array([each.item.scores[name] for each in scored], np.float64)
    right = np.array([is_right(each, name) for each in scored], bool)
    high = scores > 0.5
    return JudgeError(
        name,
        wrong=share(scored, high != right),
        fooled=share([each for each, h in zip(scored, high, strict=True) if h], ~right[high]),
        missed=share([each for each, h in zip(scored, high, strict=True) if not h], right[~high]),
        ranking=ranking(scores, right),
        abstained=share(judged, [each.item.scores.get(name) is None for each in judged]),
    )


def is_right(verdict: Verdict, judge: str) -> bool:
    """What a reward model should have said of an item that is not bad."""
    right = verdict.answer_is_right if judge == VERIFIER else verdict.response_is_right
    return bool(right)


def share(verdicts: Sequence[Verdict], flags: Sequence[bool] | NDArray[np.bool_]) -> Share | None:
    """The share of all responses with a property, estimated from a sample; None without any.

    The mean weighted by copies / probability (Hajek's estimator), with the interval of Wilson
    (1927) at the effective number of items (sum w)^2 / sum w^2 (Kish 1965), or at the number of
    different problems if that is smaller, since responses to one problem are alike.

    Args:
        verdicts: on N items.
        flags: (N,) whether each has it.
    """
    if not len(verdicts):
        return None
    weights = np.array([each.item.copies / each.item.probability for each in verdicts])
    mean = float(weights @ np.asarray(flags, np.float64) / weights.sum())
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    n = min(effective, len({each.item.problem for each in verdicts}))
    centre = (mean + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(mean * (1 - mean) / n + Z**2 / (4 * n**2))
    return Share(mean, max(0.0, centre - half), min(1.0, centre + half), len(verdicts))


def ranking(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: P(score of a right one > of a wrong one) + half of ties; or NaN."""
    if not right.any() or right.all():
        return float("nan")
    above = scores[right][:, None] - scores[~right][None, :]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def agreements(verdicts: Sequence[Verdict]) -> list[Agreement]:
    """Of every two people who judged the same items."""
    said: dict[str, dict[str, str]] = {}
    for verdict in verdicts:
        said.setdefault(verdict.user, {})[verdict.item.id] = verdict.kind
    found = []
    for one, other in combinations(said, 2):
        if both := [id for id in said[one] if id in said[other]]:
            pairs = [(said[one][id], said[other][id]) for id in both]
            same = sum(a == b for a, b in pairs) / len(pairs)
            found.append(Agreement(one, other, len(both), same, cohen_kappa(pairs)))
    return found


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Agreement beyond chance, (p - e) / (1 - e) (Cohen 1960); NaN where chance alone gives 1.

    >>> round(cohen_kappa([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")]), 2)
    0.5
    """
    n = len(pairs)
    same = sum(one == other for one, other in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[kind] * second[kind] for kind in first) / n**2
    return float("nan") if chance == 1 else (same - chance) / (1 - chance)


def _shown(found: Share | None) -> str:
    return "-" if found is None else str(found).strip()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and value != value else value
