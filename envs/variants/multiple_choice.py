"""Open questions made into multiple choice, so that no option betrays itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from mstar.envs.datasets.options import LETTERS
from mstar.envs.families.base import Family, Style
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem
from mstar.envs.source import ProblemSource, View
from mstar.envs.variants.option_layout import Asked, Lettering, put_together
from mstar.rewards.base import Answer

OPTIONS = 4
KIN = 12  # other pictures that are asked the same question for a wrong answer, at most
WHOLE = re.compile(r"\d{1,9}")
CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


def choice_form(source: ProblemSource, options: int = OPTIONS) -> View:
    """A source whose open questions are asked as multiple choice; see ``as_choice``."""
    return View(source, partial(as_choice, options=options))


def as_choice(problem: Problem, seed: int = 0, options: int = OPTIONS) -> Problem:
    """The problem with options to choose from: its answer, wrong answers, and near numbers.

    Where the gold stands is by chance, and the wrong options of a generated problem are answers
    to the same question about other pictures, so that neither place nor size nor how common an
    answer is gives it away (``mstar envs blind`` measures that). No two options are equal for the
    verifier. A question with fewer wrong answers than that, such as yes or no, gets fewer options;
    one that has none, or options already, stays as it is.

    Args:
        problem: its id and the seed decide the options.
        seed: another one gives other options in another order.
        options: how many, 2 to 26.

    Raises:
        ValueError: a number of options outside that range.
    """
    if not 2 <= options <= len(LETTERS):
        raise ValueError(f"options must be 2 to {len(LETTERS)}, got {options}")
    gold = problem.answer
    if gold is None or gold.choices:
        return problem
    rng = chance(problem.id, seed)
    wrong = _wrong(problem, gold, options - 1, rng)
    if not wrong:
        return problem
    texts = [gold.value, *wrong]
    choices = tuple(texts[i] for i in rng.permutation(len(texts)))
    question = put_together(Asked(problem.question, None, ""), choices, lettering_for(choices))
    chosen = replace(
        problem,
        question=question,
        answer=Answer("choice", gold.value, choices),
        distractors=tuple(wrong),
    )
    return replace(chosen, twin=_twin(problem, question, choices))


def lettering_for(choices: Sequence[str]) -> Lettering:
    """Letters in brackets; none where an option is itself a letter and could be taken for one."""
    return "-" if any(len(c) == 1 and c.upper() in LETTERS for c in choices) else "(A)"


def family_of(problem: Problem) -> Family | None:
    """The family that drew a problem, at its level; None for a stored one."""
    kind = FAMILIES.get(problem.tags.get("family", ""))
    return kind(int(problem.tags["level"])) if kind and problem.latent else None


def chance(problem_id: str, seed: int) -> np.random.Generator:
    """A generator of a problem and a seed, the same on every machine."""
    digest = hashlib.sha256(problem_id.encode()).digest()
    return np.random.default_rng([int.from_bytes(digest[:8], "big"), seed])


def _twin(problem: Problem, question: str, choices: tuple[str, ...]) -> Problem | None:
    """The twin with the same options, where its gold is among them; None where it isn't."""
    twin = problem.twin
    if twin is None or twin.answer is None or twin.answer.value not in choices:
        return None
    answer = Answer("choice", twin.answer.value, choices)
    return replace(twin, question=question, answer=answer)


def _wrong(problem: Problem, gold: Answer, count: int, rng: np.random.Generator) -> list[str]:
    """Wrong answers: those of other pictures, as likely as the gold for who sees none; else near.

    A wrong number that is only near the gold, or that only carelessness gives, would be told from
    one that this question often has.
    """
    careless = [problem.distractors[i] for i in rng.permutation(len(problem.distractors))]
    return _told_apart(gold, chain(_kin(problem, rng), careless, _near(gold, rng)), count)


def _kin(problem: Problem, rng: np.random.Generator) -> Iterator[str]:
    """Answers to the same question about other pictures."""
    if problem.twin is not None and problem.twin.answer is not None:
        yield problem.twin.answer.value
    family = family_of(problem)
    if family is None:
        return
    for _ in range(KIN):
        other = family.build(family.vary(dict(problem.latent), rng), Style()).answer
        if other is not None:
            yield other.value


def _told_apart(gold: Answer, candidates: Iterable[str], count: int) -> list[str]:
    """The first `count` candidates that the verifier takes for different answers."""
    from mstar.rewards.verifier.verify import equivalent  # here, so that environments do without it

    found: list[str] = []
    for candidate in candidates:
        if len(found) == count:
            break
        if not any(equivalent(c, candidate, gold) for c in (gold.value, *found)):
            found.append(candidate)
    return found


def _near(gold: Answer, rng: np.random.Generator) -> list[str]:
    """Numbers or times about the gold, at steps that don't tell it by its last digit."""
    clock = CLOCK.fullmatch(gold.value)
    whole = WHOLE.fullmatch(gold.value)
    if not clock and not whole:
        return []
    write: Callable[[int], str] = _clock_text if clock else str
    value = int(size_of(gold.value) or 0)
    step = next(s for s in (10, 5, 1) if value % s == 0 and (value > 2 * s or s == 1))
    shifts = [int(s) * step for s in rng.permutation(np.arange(1, 6))]
    values = [v for s in shifts for v in (value - s, value + s)]
    return [write(v) for v in values if v >= (60 if clock else 0) and not (clock and v >= 780)]


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def size_of(text: str) -> float | None:
    """The number or the minutes that an option states; None where it states neither."""
    if clock := CLOCK.fullmatch(text):
        return 60.0 * int(clock[1]) + int(clock[2])
    try:
        return float(text) if len(text) < 20 else None
    except ValueError:
        return None


def _before(text: str, size: float) -> bool:
    found = size_of(text)
    return found is not None and found < size
