"""What a whole run will take and give, from its first rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.experiments.plots import present
from mstar.experiments.rows import Row

# Of a cost: stored runs whose machine kept its pace took between these shares of what their first
# rounds predict; 93 % of all did.
# Nearly all of that is other work on the machine, which began or ended after those rounds.
UNSEEN = (0.75, 1.35)
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
        expected: number of rounds until the run ends, by its setting or by its token budget.
        seconds: of the rounds; loading and the final test are not in it.
        test_seconds: of the final test of base and evolved policy.
        tokens: generated in the rounds.
        flops: of the rounds, estimated.
        accuracy: greedy accuracy on validation problems after the last round.
    """

    rounds: int
    expected: int
    seconds: Range
    test_seconds: Range
    tokens: Range
    flops: Range
    accuracy: Range


@dataclass(frozen=True, slots=True)
class PilotCost:
    """What a pilot's rounds took of one kind: seconds, tokens or FLOPs.

    Attributes:
        base: of the evaluation of the base.
        learning: of each round without its evaluation, scaled to the whole run, shape (rounds,).
        measuring: of its evaluation at the temperature in use, shape (rounds,).
        probing: of its evaluation at further temperatures, shape (rounds,).
        later: of a round beyond the pilot, as ``learning``.
    """

    base: float
    learning: Floats
    measuring: Floats
    probing: Floats
    later: float

    @classmethod
    def of(cls, rows: Sequence[Row], name: str, scale: float) -> PilotCost:
        """From the rows of ``rounds.jsonl``.

        A round beyond the pilot takes what its newest one took. Of tokens, as much more as the
        newest policy writes more on validation problems: it learns to reason.
        """
        spent = np.diff([row["cost"][name] for row in rows])
        # Rows of older versions do not tell what was measured.
        measured = np.diff([row["cost"].get(f"measured_{name}", 0.0) for row in rows])
        further = np.array([len(row["dynamics"]["spread"]) - 1 for row in rows[1:]])
        samples = rows[0]["dynamics"]["samples"]  # at each temperature, beside a greedy response
        probing = np.minimum(measured * further * samples / (1 + samples), spent - measured)
        learning = scale * (spent - measured - probing)
        before, now = (present(row)["length"] for row in rows[-2:])
        growth = now / before if name == "tokens" and before and now else 1.0
        base = rows[0]["cost"][name]
        return cls(base, learning, measured, probing, float(learning[-1] * growth))

    def learned(self, number: int) -> float:
        """Of round `number` without its evaluation."""
        return float(self.learning[number - 1]) if number <= len(self.learning) else self.later

    def probed(self, number: int) -> float:
        """Of the probes after round `number`: they come again as the pilot had them."""
        return float(self.probing[(number - 1) % len(self.probing)])

    def whole(self, probes: Sequence[bool]) -> Range:
        """Of a run with these rounds; for each, whether its controller may probe after it.

        The range is that of the cheapest and the dearest round, and ``UNSEEN`` beyond.
        """
        numbers = range(1, len(probes) + 1)
        measured = np.array([self.measuring[min(n, len(self.measuring)) - 1] for n in numbers])
        plain = measured + [self.learned(n) for n in numbers]
        fixed = self.base + sum(self.probed(n) for n in numbers if probes[n - 1])
        low, high = (
            share * (fixed + len(probes) * each)
            for share, each in zip(UNSEEN, (plain.min(), plain.max()), strict=True)
        )
        return Range(float(fixed + plain.sum()), float(low), float(high))


def predict(rows: Sequence[Row], recipe: Recipe, scale: float = 1.0, tested: int = 0) -> Prediction:
    """Predict a run from its first rounds.

    Args:
        rows: rows of ``rounds.jsonl``: the base, and one round at least. For a controller that
            probes every second round, an even number of rounds.
        recipe: of the whole run.
        scale: problems of its rounds, divided by those of the pilot's rounds.
        tested: problems of the final test, of all groups together.

    Raises:
        ValueError: no round beside the evaluation of the base.
    """
    if len(rows) < 2:
        raise ValueError("a prediction needs at least one round; give the pilot more time")
    costs = {name: PilotCost.of(rows, name, scale) for name in ("seconds", "tokens", "flops")}
    base = rows[0]["cost"]
    spent = base["tokens"] - base.get("measured_tokens", 0)
    probes = _probes(costs["tokens"], spent, recipe)
    whole = {name: cost.whole(probes) for name, cost in costs.items()}
    asked = rows[0]["dynamics"]["problems"] * (1 + rows[0]["dynamics"]["samples"])
    answer = base["seconds"] / max(1, asked)
    tests = EVALUATED * tested * (1 + recipe.evaluation.test_samples)
    # The evolved policy may write more, or less, than the base that was timed.
    test_seconds = Range(answer * tests, 0.7 * answer * tests, 2.0 * answer * tests)
    return Prediction(
        len(rows) - 1,
        len(probes),
        whole["seconds"],
        test_seconds,
        whole["tokens"],
        whole["flops"],
        expected_accuracy(rows, recipe.replace(rounds=len(probes)), scale),
    )


def _probes(tokens: PilotCost, spent: float, recipe: Recipe) -> list[bool]:
    """For each round of a run, whether its controller may probe after it.

    It does not where it knows the round to be the last. Probes count towards a token budget.

    Args:
        tokens: that the pilot's rounds generated.
        spent: those of the base's evaluation that count towards a token budget.
        recipe: of the whole run.
    """
    budget, found = recipe.run.token_budget or inf, list[bool]()
    while len(found) < recipe.run.rounds and spent < budget:
        number = len(found) + 1
        spent += tokens.learned(number)
        found.append(number < recipe.run.rounds and spent < budget)
        spent += tokens.probed(number) if found[-1] else 0
    return found


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
