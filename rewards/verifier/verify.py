"""Is a response right? The typed verifier, from a response to a verdict.

The committed answer is found (``extract``), it and the gold are read as the answer's type says,
and the two readings are compared. Nothing is guessed from the response: unit, tolerance and
options come from the problem's record. Nothing is evaluated as code.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from mstar.rewards.base import Answer
from mstar.rewards.verifier.answer_types import KINDS
from mstar.rewards.verifier.comparison import Comparison
from mstar.rewards.verifier.extract import Commitment, Form, Same, commit
from mstar.rewards.verifier.reference import wrong_with

VERSION = "2"  # rises when the same response to the same gold may get another verdict


_CONFIDENCE: dict[Form, float] = {
    "tag": 1.0, "box": 1.0, "heading": 1.0, "line": 1.0, "phrase": 0.9, "whole": 0.7,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier says of one response.

    Attributes:
        correct: whether the committed answer is the gold; False where that is not known.
        confidence: how firmly the response committed to it, in [0, 1]: 1 for a tag, a box, a
            heading or an ``Answer:`` line, 0.9 for "the answer is", 0.7 for a short response as a
            whole; 1 where nothing was committed to, 0 where the verdict is not valid.
        extracted: the committed answer's text; None where there is none.
        method: the form of the commitment and the answer type, such as ``box/number``.
        reason: why, in a few words: ``equal``, ``wrong unit``, ``no commitment``.
        valid: False where the verifier could not decide: a gold that can't be read, or algebra
            that ran out of time. Such a verdict is an abstention, not a wrong answer.
        seconds: time it took.
    """

    correct: bool
    confidence: float
    extracted: str | None
    method: str
    reason: str
    valid: bool
    seconds: float


def verify(response: str, answer: Answer, *, strict: bool = False) -> Verdict:
    r"""Whether a response commits to the gold answer.

    Args:
        response: the whole text that the policy wrote; any text at all, never evaluated.
        answer: the gold and its type.
        strict: count only a tag, a box, an ``Answer:`` line or a ``# Answer`` heading. Off, "the
            answer is ..." and a short response as a whole count too.

    >>> verify(r"3 + 4 = 7, so \boxed{7\text{ cm}}", Answer("number", "7", unit="cm")).correct
    True
    >>> verify("Answer: 7 or 8", Answer("number", "7")).reason
    'not read as number'
    """
    began = perf_counter()
    kind = KINDS[answer.type]
    gold = kind.read(answer.value, answer)
    if gold is None:
        reason = f"the gold can't be read as {answer.type}"
        return Verdict(False, 0.0, None, "none", reason, False, perf_counter() - began)
    found = commit(response, _same(answer), strict=strict)
    if not isinstance(found, Commitment):
        return Verdict(False, 1.0, None, "none", found, True, perf_counter() - began)
    asks = found.text.endswith("?") and not answer.value.rstrip().endswith("?")
    said = None if asks else kind.read(found.text, answer)
    if said is None:
        result = Comparison(False, f"not read as {answer.type}")
    else:
        result = kind.same(gold, said, answer)
    return Verdict(
        correct=bool(result.same),
        confidence=0.0 if result.same is None else _CONFIDENCE[found.form],
        extracted=found.text,
        method=f"{found.form}/{answer.type}",
        reason=result.reason,
        valid=result.same is not None,
        seconds=perf_counter() - began,
    )


def extract(response: str, answer: Answer | None = None, *, strict: bool = False) -> str | None:
    """The text of the answer that a response commits to; None where there is none.

    With an answer, its type tells whether two commitments contradict: ``7`` and ``7 cm`` don't.
    """
    found = commit(response, _same(answer) if answer else None, strict=strict)
    return found.text if isinstance(found, Commitment) else None


def equivalent(one: str, other: str, answer: Answer | None) -> bool:
    """Whether two committed answers are the same under an answer's type; never looks at its gold.

    Without an answer they are compared as text, and as amounts where both are. What can't be
    read is equivalent to the same words only.
    """
    if one.casefold().split() == other.casefold().split():
        return True
    answer = answer or Answer("text", "")
    kind = KINDS[answer.type]
    left, right = kind.read(one, answer), kind.read(other, answer)
    if left is None or right is None:
        return False
    return bool(kind.same(left, right, answer).same or kind.same(right, left, answer).same)


def _same(answer: Answer) -> Same:
    return lambda one, other: equivalent(one, other, answer)


def audit(answer: Answer) -> str | None:
    """What is wrong with a gold answer and what to do about it; None where nothing is.

    >>> audit(Answer("number", "seven or eight"))[:46]
    "gold 'seven or eight' can't be read as number;"
    """
    fault = wrong_with(answer)
    if fault is None and not verify(f"<answer>{answer.value}</answer>", answer).correct:
        return f"gold {answer.value!r} does not verify as an answer; write it in a simpler form"
    return fault
