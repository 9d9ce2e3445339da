"""Verify a response: from its text and the reference answer to a verdict.

The committed answer is extracted, it and the reference answer are read by the comparator of the
answer's type, and the two readings are compared. Unit, tolerance and options come from the
problem's record, never from the response. Nothing is evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from time import perf_counter

from mstar.rewards.base import Answer
from mstar.rewards.verifier.answer_types import COMPARATORS
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.extract import LONGEST, WORDS, Commitment, Form, Reader, commit
from mstar.rewards.verifier.parsing.discourse import (
    depends,
    is_conditional,
    is_doubtful,
    is_refusal,
    names_another,
    without_relative_clause,
)
from mstar.rewards.verifier.parsing.prose import sentences, without_reason

_FIRST_SENTENCE = re.compile(r"[.!?]\s|\n")
_CONFIDENCE: dict[Form, float] = {
    "tag": 1.0, "box": 1.0, "heading": 1.0, "line": 1.0, "phrase": 0.9, "conclusion": 0.7,
    "whole": 0.7,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verifier's verdict on one response.

    Attributes:
        correct: whether the committed answer is the reference answer; False if not known.
        confidence: how explicit the commitment is, in [0, 1]: 1 for a tag, a box, a heading or an
            ``Answer:`` line, 0.9 for "the answer is", 0.7 for a conclusion and a short response as
            a whole; 1 if there is no commitment, 0 if the verdict is not valid.
        extracted: the text of the committed answer; None if there is none.
        method: the form of the commitment and the answer type, such as ``box/number``.
        reason: why, in a few words: ``equal``, ``wrong unit``, ``no commitment``.
        valid: False if the verifier could not decide: the reference answer can't be read, or
            computer algebra timed out. Such a verdict is an abstention, not a wrong answer.
        seconds: the time that verification took.
    """

    correct: bool
    confidence: float
    extracted: str | None
    method: str
    reason: str
    valid: bool
    seconds: float


def verify(response: str, answer: Answer, *, strict: bool = False) -> Verdict:
    r"""Whether a response commits to the reference answer.

    Args:
        response: the whole text that the policy generated; never evaluated.
        answer: the reference answer and its type.
        strict: accept only a tag, a box, an ``Answer:`` line or an ``# Answer`` heading. If False,
            "the answer is ...", a short response as a whole and a conclusion are accepted too.

    >>> verify(r"3 + 4 = 7, so \boxed{7\text{ cm}}", Answer("number", "7", unit="cm")).correct
    True
    >>> verify("Answer: 7 or 8", Answer("number", "7")).reason
    'not read as number'
    """
    began = perf_counter()
    comparator = COMPARATORS[answer.type]
    reference = comparator.read(answer.value, answer)
    if reference is None:
        reason = f"the reference answer can't be read as {answer.type}"
        return Verdict(False, 0.0, None, "none", reason, False, perf_counter() - began)
    committed = commit(response, _reader(answer), strict=strict)
    if not isinstance(committed, Commitment):
        return Verdict(False, 1.0, None, "none", committed, True, perf_counter() - began)
    fault = _evades(committed, answer, reference)
    predicted = None if fault else comparator.read(committed.text, answer)
    if predicted is None:
        result = MatchResult(False, fault or f"not read as {answer.type}")
    else:
        result = comparator.compare(reference, predicted, answer)
    return Verdict(
        correct=bool(result.same),
        confidence=0.0 if result.same is None else _CONFIDENCE[committed.form],
        extracted=committed.text,
        method=f"{committed.form}/{answer.type}",
        reason=result.reason,
        valid=result.same is not None,
        seconds=perf_counter() - began,
    )


def extract(response: str, answer: Answer | None = None, *, strict: bool = False) -> str | None:
    r"""The text of the answer that a response commits to; None if there is none.

    The last answer tag takes precedence over the last box, that over the last ``Answer:`` line or
    ``# Answer`` heading, that over "the answer is ...", that over a response of at most 300
    characters as a whole, and that over a last sentence such as ``So the area is 7``. A closed
    thinking block is ignored; a thinking block, a tag or a box that never closes was cut off and
    holds no answer. Two commitments that contradict each other are none.

    Args:
        response: the whole text that the policy generated.
        answer: decides by its type whether two commitments contradict: ``7`` and ``7 cm`` don't.
            If None, their texts are compared.
        strict: accept only a tag, a box, an ``Answer:`` line or a heading.

    >>> extract(r"First \boxed{12}. Wait, one is hidden. So \boxed{13}.")
    '13'
    >>> extract("Answer: 7")
    '7'
    """
    committed = commit(response, _reader(answer) if answer else WORDS, strict=strict)
    return committed.text if isinstance(committed, Commitment) else None


def equivalent(one: str, other: str, answer: Answer | None) -> bool:
    """Whether two committed answers are the same under an answer's type.

    The answer's value is not used. Without an answer the two are compared as text, and as amounts
    if both are amounts. A text that can't be read is equivalent only to the same words.
    """
    if one.casefold().split() == other.casefold().split():
        return True
    answer = answer or Answer("text", "")
    comparator = COMPARATORS[answer.type]
    left, right = comparator.read(one, answer), comparator.read(other, answer)
    if left is None or right is None:
        return False
    return bool(
        comparator.compare(left, right, answer).same or comparator.compare(right, left, answer).same
    )


def _evades(committed: Commitment, answer: Answer, reference: object) -> str | None:
    """How a text gives no answer, in a few words; None if it gives one.

    The reference answer itself may be a question, a condition or a refusal.
    """
    text = committed.text
    is_open = depends if committed.form in ("whole", "conclusion") else is_conditional
    known = [answer.value.strip()]
    if answer.choices and isinstance(reference, int):
        known.append(answer.choices[reference].strip())
    if text.rstrip(" .!").endswith("?") and not any(each.endswith("?") for each in known):
        return "a question"
    if names_another(text) and not any(map(names_another, known)):
        return "no single answer"
    if is_open(text) and not any(map(is_open, known)):
        return "conditional"
    if is_refusal(text) and not any(map(is_refusal, known)):
        return "a refusal"
    first = without_relative_clause(without_reason(_FIRST_SENTENCE.split(text, maxsplit=1)[0]))
    first = first.rpartition(" but ")[2]  # "It could be A, but B is right."
    if is_doubtful(first) and not any(map(is_doubtful, (*known, *(answer.choices or ())))):
        return "in doubt"
    return None


def _reader(answer: Answer) -> Reader:
    comparator = COMPARATORS[answer.type]
    value = answer.value.strip()
    return Reader(
        reads=cache(
            lambda text: len(text) <= LONGEST and comparator.read(text, answer) is not None
        ),
        same=lambda one, other: equivalent(one, other, answer),
        is_text=answer.type == "text",
        is_list=answer.type in ("list", "set", "tuple"),
        own=value if len(sentences(value)) > 1 else "",
    )
