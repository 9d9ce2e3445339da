"""What a whole run will take and give, from its first rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.experiments.plots import present
from mstar.experiments.rows import Row

UNSEEN = 0.15  # of a cost: what other rounds may differ by beyond those of the pilot
DRAWS = 2000
EVALUATED = 2  # policies are tested at the end: the base and the evolved one

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Range:
    """A prediction.

    Attributes:
        mean: the expected value.
        low: the lower end.
        high: the upper end.
    """

    mean: float
    low: float
    high: float

    def __mul__(self, factor: float) -> Range:
        """The range of a multiple."""
        return Range(self.mean * factor, self.low * factor, self.high * factor)

    def __add__(self, other: Range) -> Range:
        """The range of a sum whose parts are high and low together."""
        return Range(self.mean + other.mean, self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A whole run, from its first rounds.

    Attributes:
        rounds: number of rounds that it was made from, the base's evaluation apart.
        seconds: of the rounds; loading and the final test are not in it.
        test_seconds: of the final test of base and evolved policy.
        tokens: generated in the rounds.
        flops: of the rounds, estimated.
        accuracy: greedy accuracy on validation problems after the last round.
    """

    rounds: int
    seconds: Range
    test_seconds: Range
    tokens: Range
    flops: Range
    accuracy: Range


def predict(rows: Sequence[Row], recipe: Recipe, scale: float = 1.0, tested: int = 0) -> Prediction:
    """Predict a run from its first rounds.

    Every round to come is taken to cost as much as those of the pilot did on average; the range is
    that of the cheapest and the dearest of them, and ``UNSEEN`` beyond. So a controller that probes
    every second round needs a pilot of an even number.

    Args:
        rows: rows of ``rounds.jsonl``: the base, and one round at least.
        recipe: of the whole run.
        scale: problems of its rounds, divided by those of the pilot's rounds.
        tested: problems of the final test, of all groups together.

    Raises:
        ValueError: no round beside the evaluation of the base.
    """
    if len(rows) < 2:
        raise ValueError("a prediction needs at least one round; give the pilot more time")
    costs = {
        name: np.diff([row["cost"][name] for row in rows])
        for name in ("seconds", "tokens", "flops")
    }
    base = rows[0]["cost"]
    wanted = recipe.run.rounds
    whole = {
        name: _whole(base[name], per_round * scale, wanted) for name, per_round in costs.items()
    }
    asked = rows[0]["dynamics"]["problems"] * (1 + rows[0]["dynamics"]["samples"])
    answer = base["seconds"] / max(1, asked)
    tests = EVALUATED * tested * (1 + recipe.evaluation.test_samples)
    # The evolved policy may write more, or less, than the base that was timed.
    test_seconds = Range(answer * tests, 0.7 * answer * tests, 2.0 * answer * tests)
    return Prediction(
        len(rows) - 1,
        whole["seconds"],
        test_seconds,
        whole["tokens"],
        whole["flops"],
        expected_accuracy(rows, recipe, scale),
    )


def _whole(base: float, per_round: Floats, rounds: int) -> Range:
    return Range(
        float(base + rounds * per_round.mean()),
        float(base + rounds * per_round.min() * (1 - UNSEEN)),
        float(base + rounds * per_round.max() * (1 + UNSEEN)),
    )


def expected_accuracy(rows: Sequence[Row], recipe: Recipe, scale: float = 1.0) -> Range:
    """Greedy accuracy on validation problems after the last round, with a 95 % range.

    From the newest round it goes on in log(1 + rounds) as over the last round, or with any smaller
    slope down to none, since curves flatten sooner or later. Each of ``DRAWS`` ends takes other
    validation problems (binomial noise). None is above what sampling has found so far (pass@K) by
    more than its own noise. That a run gets worse, on wrong labels for instance, no pilot foresees.

    Args:
        rows: see ``predict``.
        recipe: of the whole run.
        scale: see ``predict``.
    """
    problems = rows[0]["dynamics"]["problems"]
    known = [row for row in rows if row["dynamics"]["greedy"] is not None]
    if not known:
        return Range(float("nan"), float("nan"), float("nan"))
    greedy = np.array([row["dynamics"]["greedy"] for row in known])
    seen = np.log1p(np.array([row["number"] for row in known], float))
    last = np.log1p(recipe.run.rounds * scale)
    ceiling = max(present(row)["pass_k"] or 0.0 for row in known)
    rng = np.random.default_rng(0)
    drawn = rng.binomial(problems, greedy, (DRAWS, len(greedy))) / problems
    limits = rng.binomial(problems, max(ceiling, float(greedy.max())), DRAWS) / problems
    ends = drawn[:, -1]
    if len(greedy) > 1:
        slopes = np.maximum(drawn[:, -1] - drawn[:, -2], 0.0) / (seen[-1] - seen[-2])
        ends = ends + rng.random(DRAWS) * slopes * (last - seen[-1])
    ends = np.clip(np.minimum(ends, limits), 0.0, 1.0)
    low, middle, high = np.quantile(ends, [0.025, 0.5, 0.975])
    return Range(float(middle), float(low), float(high))


def advice(rows: Sequence[Row], recipe: Recipe) -> list[str]:
    """Where more budget would do most, as the pilot shows it; a sentence each."""
    last, found = rows[-1], []
    spread = present(last)
    greedy, best = last["dynamics"]["greedy"], spread["pass_k"]
    k = last["dynamics"]["samples"]
    if greedy is not None and best is not None:
        gap = best - greedy
        if gap < 0.05:
            found.append(
                f"Sampling finds hardly more than the greedy answer (pass@{k} {best:.0%}, greedy "
                f"{greedy:.0%}): more rounds add little. Harder problems or a stronger model would."
            )
        else:
            found.append(
                f"Sampling still finds {100 * gap:.0f} points more than the greedy answer "
                f"(pass@{k} {best:.0%}, greedy {greedy:.0%}): more rounds can turn that into "
                "accuracy."
            )
    selection = last["selection"]
    if selection and selection["solved"] < 0.5:
        found.append(
            f"Only {selection['solved']:.0%} of the problems have a right response among "
            f"{recipe.sampling.samples}: more --samples, --allocation by-prompt, or easier "
            "problems first."
        )
    slots = recipe.optim.updates * recipe.optim.batch
    if selection and not recipe.learns_online and 0 < selection["kept"] < slots / 3:
        found.append(
            f"A round shows each of {selection['kept']} kept responses "
            f"{slots / selection['kept']:.1f} times: more --prompts, or fewer --updates."
        )
    if (cut := last.get("cut")) is not None and cut > 0.05:
        found.append(f"{cut:.0%} of the responses are cut off: raise --max-new-tokens.")
    seconds = {
        name: sum(row["seconds"].get(name, 0.0) for row in rows[1:]) for name in last["seconds"]
    }
    total = sum(seconds.values())
    if total and seconds.get("measure", 0.0) > 0.4 * total:
        found.append(
            f"{seconds['measure'] / total:.0%} of the time goes into measuring: fewer "
            "--validation-problems or --validation-samples, or a controller with fewer probes."
        )
    return found
