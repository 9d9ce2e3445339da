"""How often a family's problems can be answered without the image, by simple blind strategies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mstar.envs.families.base import Family, Latent, Style
from mstar.envs.problem import Problem
from mstar.envs.variants.multiple_choice import as_choice, numeric_value
from mstar.rewards.base import Answer

SEED = 11  # of the problems that are measured
Strategy = Callable[[Answer], float]  # probability of choosing the correct option
OptionWeights = Mapping[str, float]  # a strategy chooses the option with the largest weight


@dataclass(frozen=True, slots=True)
class BlindBaselines:
    """Accuracy of blind strategies on a family's problems, each in [0, 1].

    The first two are for open questions, the others for the same questions as multiple choice.

    Attributes:
        family: its name.
        level: of difficulty.
        two_ways: the most frequent answer, for the worst template with two answers; 0 if there is
            none.
        open: the most frequent answer, for the worst template with more than two answers.
        place: the place that is most often correct.
        look: the best of the shortest, longest, smallest and largest option and the two between.
        frequent: the option that is most often correct in its template.
        telling: the option that is correct in the largest share of the problems that show it.
    """

    family: str
    level: int
    two_ways: float
    open: float
    place: float
    look: float
    frequent: float
    telling: float


def measure_blind_baselines(family: Family, count: int = 600) -> BlindBaselines:
    """Measure the blind baselines of a family at its level.

    Args:
        family: at a level.
        count: number of problems with more than two options; fewer if 4 x `count` problems do not
            yield that many. Strategies that learn are fitted on one half and tested on the other.
    """
    rng = np.random.default_rng(SEED)
    drawn = [family.latent(rng) for _ in range(2 * count)]
    shares: dict[bool, float] = {True: 0.0, False: 0.0}
    for answers in _answers_by_template(family, drawn).values():
        counts = Counter(answers)
        share = counts.most_common(1)[0][1] / counts.total()
        shares[len(counts) == 2] = max(share, shares[len(counts) == 2])
    open_form = (family.problem("train", SEED, index) for index in range(4 * count))
    in_choice_form = (as_choice(p) for p in open_form if p.answer and p.answer.type != "yes_no")
    problems = list(
        islice((p for p in in_choice_form if p.answer and len(p.answer.choices or ()) > 2), count)
    )
    return BlindBaselines(
        family=family.name,
        level=family.level,
        two_ways=shares[True],
        open=shares[False],
        place=max((_accuracy(problems, _at_place(place)) for place in range(4)), default=0.0),
        look=max((_accuracy(problems, strategy) for strategy in BY_APPEARANCE), default=0.0),
        frequent=_learned_accuracy(problems, _correct_counts),
        telling=_learned_accuracy(problems, _correct_shares),
    )


def _answers_by_template(family: Family, latents: Iterable[Latent]) -> dict[str, list[str]]:
    answers: dict[str, list[str]] = defaultdict(list)
    for latent in latents:
        answers[latent["ask"]["template"]].append(family.solve(latent, Style()).answer.value)
    return answers


def _accuracy(problems: Sequence[Problem], strategy: Strategy) -> float:
    hits = [strategy(problem.answer) for problem in problems if problem.answer]
    return sum(hits) / len(hits) if hits else 0.0


def _at_place(place: int) -> Strategy:
    def strategy(answer: Answer) -> float:
        return float((answer.choices or ()).index(answer.value) == place)

    return strategy


def _by_rank(key: Callable[[str], float], rank: int) -> Strategy:
    """Choose the option at a rank, 0 for the smallest, at random among ties."""

    def strategy(answer: Answer) -> float:
        keys = [key(option) for option in answer.choices or ()]
        wanted = sorted(keys)[rank if rank < 0 else min(rank, len(keys) - 1)]
        return (key(answer.value) == wanted) / keys.count(wanted)

    return strategy


def _number_or_0(option: str) -> float:
    number = numeric_value(option)
    return 0.0 if number is None else number


BY_APPEARANCE: tuple[Strategy, ...] = (
    *(_by_rank(len, rank) for rank in (0, -1)),
    *(_by_rank(_number_or_0, rank) for rank in range(4)),
)


def _learned_accuracy(
    problems: Sequence[Problem], fit: Callable[[Sequence[Problem]], OptionWeights]
) -> float:
    """Two-fold cross-validated accuracy of choosing the option with the largest weight."""
    halves = problems[::2], problems[1::2]
    hits: list[float] = []
    for tested, fitted in (halves, halves[::-1]):
        weights = {
            template: fit([p for p in fitted if p.template == template])
            for template in {p.template for p in problems}
        }
        for problem in tested:
            if problem.answer:
                hits.append(_hit(problem.answer, weights[problem.template]))
    return sum(hits) / len(hits) if hits else 0.0


def _hit(answer: Answer, weights: OptionWeights) -> float:
    held = [weights.get(option, 0.0) for option in answer.choices or ()]
    return (weights.get(answer.value, 0.0) == max(held)) / held.count(max(held))


def _correct_counts(problems: Sequence[Problem]) -> OptionWeights:
    return Counter(problem.answer.value for problem in problems if problem.answer)


def _correct_shares(problems: Sequence[Problem]) -> OptionWeights:
    """How often an option is correct when shown, with a prior of 1/4 worth four problems."""
    shown: Counter[str] = Counter()
    for problem in problems:
        shown.update(problem.answer.choices or () if problem.answer else ())
    correct = _correct_counts(problems)
    return {option: (correct.get(option, 0) + 1) / (often + 4) for option, often in shown.items()}
