"""Random text for the verifier, which must be fast, raise nothing and be consistent."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from mstar.rewards.base import ANSWER_TYPES, Answer, AnswerType
from mstar.rewards.verifier.audit import audit
from mstar.rewards.verifier.parsing.symbolic import WORKER
from mstar.rewards.verifier.verify import equivalent, verify

GOLDS: dict[AnswerType, str] = {
    "choice": "18",
    "yes_no": "yes",
    "time": "6:18",
    "duration": "18 minutes",
    "date": "18 May 2018",
    "year": "2018",
    "fraction": "18/7",
    "percent": "18%",
    "list": "[18, 7]",
    "set": "{18, 7}",
    "tuple": "(18, 7)",
    "interval": "[7, 18)",
    "equation": "y = 18x",
    "expression": "18x + 7",
    "text": "eighteen birds",
    "number": "18",
    "count": "18",
    "chart_number": "18",
}
PIECES = [
    *"0123456789+-*/^=<>()[]{}|.,;:!?%$€°'\"\\_&~#@ \n\t\x00",
    *(r"\boxed{", r"\frac", r"\sqrt", r"\text{", r"\pi", r"\times", "<think>", "</think>"),
    *(r"\over", r"\overline{", r"\binom", r"\alpha", r"\color{", r"\infty", r"\cup"),
    *("≈", "...", "_{", "∞", "𝐁"),
    *("<answer>", "</answer>", "Answer:", "# Answer", "the answer is", "18", "twenty", "half"),
    *("<|begin_of_box|>", "<|end_of_box|>", "wait, no", "first", "because", "so", "2018-05-18"),
    *("and", "or", "not", "yes", "no", "A", "(B)", "cm", "km/h", "PM", "May", "²", "₂", "½", "√"),
    *("−", "１", "\u200b", "\u202e", "é", "日", "\U0001f600", "\ud800", "1e9", "1,000", "x", "e"),
]  # fmt: skip
OPENINGS = ("So", "Therefore,", "The", "It", "In total", "Because", "Yes,", "(B)", "Option", "所以")
WORDS = [
    *("the", "the", "is", "is", "are", "was", "so", "thus", "it", "that", "this", "what", "answer"),
    *("correct", "not", "wrong", "option", "of", "in", "and", "or", "but", "if", "because", "we"),
    *("get", "have", "yes", "no", "either", "length", "area", "total", "there", "A", "(B)", "18"),
    *("7", "cm", "18%", "=", "7x", ",", ":", "**18**", "长度是"),
]


def fuzzed(count: int, seed: int = 7) -> Iterator[tuple[str, Answer]]:
    """`count` responses, with answers of every type, some malformed.

    Half are 1 to 40 random pieces, the others 1 to 4 sentences of random words.
    """
    chance = random.Random(seed)
    for turn in range(count):
        if chance.random() < 0.5:
            text = "".join(chance.choices(PIECES, k=chance.randint(1, 40)))
        else:
            text = " ".join(_sentence(chance) for _ in range(chance.randint(1, 4)))
        kind = ANSWER_TYPES[turn % len(ANSWER_TYPES)]
        gold = text[:40] if turn % 5 == 0 else GOLDS[kind]
        yield text, Answer(kind, gold, choices=("18", text, "x") if kind == "choice" else None)


def _sentence(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.randint(1, 12))
    return " ".join([chance.choice(OPENINGS), *words]) + chance.choice([".", ".", "?", "\n", ""])


def fuzz_verifier(count: int, seed: int = 7) -> dict[str, str | int | float]:
    """Verify, audit and compare random text; exceptions are passed on to the caller.

    Returns:
        A row: the number of ``responses``, of those ``accepted``, and of those ``undecided`` for
        reasons other than their reference answer; ``median_ms`` and ``max_ms`` of wall-clock time
        per response, and the total ``seconds``.
    """
    WORKER.ask("x", "x")  # starting the computer algebra takes a second, once
    times, accepted, undecided = [], 0, 0
    for text, answer in fuzzed(count, seed):
        began = time.perf_counter()
        verdict = verify(text, answer)
        times.append(time.perf_counter() - began)
        accepted += verdict.correct
        undecided += not verdict.valid and "reference answer" not in verdict.reason
        if not equivalent(text, text, answer):
            raise AssertionError(f"{text!r} is not equivalent to itself as {answer.type}")
        audit(answer)
    times.sort()
    return {
        "grader": "mstar",
        "responses": count,
        "accepted": accepted,
        "undecided": undecided,
        "median_ms": 1000 * times[count // 2],
        "max_ms": 1000 * times[-1],
        "seconds": sum(times),
    }
