"""What can be answered without the picture: blind strategies, measured family by family."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mstar.envs.families.base import Family, Style
from mstar.envs.problem import Problem
from mstar.envs.variants.multiple_choice import as_choice, size_of
from mstar.rewards.base import Answer

SEED = 11  # of the problems that are measured
Pick = Callable[[Answer], float]  # the chance that a strategy takes the gold among options
Weights = Mapping[str, float]  # by option: the one with the greatest is taken


@dataclass(frozen=True, slots=True)
class Blind:
    """How often a family's problems are answered rightly by who sees no picture.

    The first two are of open questions, the others of the same questions in choice form.

    Attributes:
        family: its name.
        level: of difficulty.
        two_ways: the most frequent answer, of the worst template with two; 0 if there are none.
        open: the most frequent answer, of the worst template with more than two.
        place: the place where the gold stands most often.
        look: the best of shortest, longest, smallest, largest, and the two in the middle.
        frequent: the option that is most often the gold in its template.
        telling: the option that is the gold in the greatest share of where it is shown.
    """

    family: str
    level: int
    two_ways: float
    open: float
    place: float
    look: float
    frequent: float
    telling: float


def blind(family: Family, count: int = 600) -> Blind:
    """Measure a family's blind baselines at its level.

    Args:
        family: at a level.
        count: of problems with more than two options, as far as four times as many have that;
            what is learned from one half is tried on the other.
    """
    rng = np.random.default_rng(SEED)
    drawn = [family.build(family.latent(rng), Style()) for _ in range(2 * count)]
    shares: dict[bool, float] = {True: 0.0, False: 0.0}
    for answers in _by_template(drawn).values():
        counts = Counter(answers)
        share = counts.most_common(1)[0][1] / counts.total()
        shares[len(counts) == 2] = max(share, shares[len(counts) == 2])
    chosen = (as_choice(family.problem("train", SEED, index)) for index in range(4 * count))
    with_more = (one for one in chosen if one.answer and len(one.answer.choices or ()) > 2)
    asked = list(islice(with_more, count))
    return Blind(
        family=family.name,
        level=family.level,
        two_ways=shares[True],
        open=shares[False],
        place=max((_mean(asked, _at(place)) for place in range(4)), default=0.0),
        look=max((_mean(asked, pick) for pick in LOOKS), default=0.0),
        frequent=_learned(asked, _often_gold),
        telling=_learned(asked, _gold_where_shown),
    )


def _by_template(problems: Sequence[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        if problem.answer is not None:
            found[problem.template].append(problem.answer.value)
    return found


def _mean(asked: Sequence[Problem], pick: Pick) -> float:
    hits = [pick(problem.answer) for problem in asked if problem.answer]
    return sum(hits) / len(hits) if hits else 0.0


def _at(place: int) -> Pick:
    def pick(answer: Answer) -> float:
        return float((answer.choices or ()).index(answer.value) == place)

    return pick


def _ranked(key: Callable[[str], float], rank: int) -> Pick:
    """Take the option of a rank, 0 for the smallest, by chance among equal ones."""

    def pick(answer: Answer) -> float:
        keys = [key(option) for option in answer.choices or ()]
        wanted = sorted(keys)[rank if rank < 0 else min(rank, len(keys) - 1)]
        mine = key(answer.value)
        return (mine == wanted) / keys.count(wanted)

    return pick


def _size(option: str) -> float:
    size = size_of(option)
    return 0.0 if size is None else size


LOOKS: tuple[Pick, ...] = (
    *(_ranked(len, rank) for rank in (0, -1)),
    *(_ranked(_size, rank) for rank in range(4)),
)


def _learned(asked: Sequence[Problem], learn: Callable[[Sequence[Problem]], Weights]) -> float:
    """Accuracy of the option of the greatest weight, learned on one half and tried on the other."""
    halves = asked[::2], asked[1::2]
    hits: list[float] = []
    for tried, seen in (halves, halves[::-1]):
        weights = {
            t: learn([p for p in seen if p.template == t]) for t in {p.template for p in asked}
        }
        for problem in tried:
            if problem.answer:
                hits.append(_heaviest(problem.answer, weights[problem.template]))
    return sum(hits) / len(hits) if hits else 0.0


def _heaviest(answer: Answer, weights: Weights) -> float:
    held = [weights.get(option, 0.0) for option in answer.choices or ()]
    mine = weights.get(answer.value, 0.0)
    return (mine == max(held)) / held.count(max(held))


def _often_gold(seen: Sequence[Problem]) -> Weights:
    return Counter(problem.answer.value for problem in seen if problem.answer)


def _gold_where_shown(seen: Sequence[Problem]) -> Weights:
    """The share of gold among where an option is shown, drawn towards a quarter where seldom."""
    shown: Counter[str] = Counter()
    for problem in seen:
        shown.update(problem.answer.choices or () if problem.answer else ())
    golds = _often_gold(seen)
    return {option: (golds.get(option, 0) + 1) / (often + 4) for option, often in shown.items()}
