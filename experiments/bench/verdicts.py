"""Cases for the verifier: responses, and whether each is right, with the reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstar.rewards.base import Answer

SHIPPED = Path(__file__).parent / "verdicts.jsonl"
BOXED = "Reading the figure step by step gives the result. \\boxed{%s}"


@dataclass(frozen=True, slots=True)
class Case:
    """One response, its reference answer, and the verdict that it should get.

    Attributes:
        answer: the reference answer.
        response: its full text.
        expected: whether the response is right.
        tier: ``core`` or ``policy`` in a file that distinguishes them, else ``stated``.
        why: the rule that decides it.
    """

    answer: Answer
    response: str
    expected: bool
    tier: str
    why: str


def read_verdicts(path: Path = SHIPPED) -> list[Case]:
    """The cases of a JSONL file, in its order.

    A line is either one case (``gold``, ``answer_type``, ``choices``, ``response``, ``expected``,
    ``tier``, ``why``, ``unit`` and ``tolerance``, or ``unit`` and ``rel_tol`` in ``meta``), or one
    reference answer with many responses (``type``, ``gold``, ``unit``, ``tolerance``, ``choices``,
    ``right``, ``wrong``, ``why``; if ``boxed`` is true, each response is put in a box after a
    sentence).

    Raises:
        ValueError: a line is neither, or the file holds none.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    cases = [case for line in lines if line.strip() for case in _cases(line)]
    if not cases:
        raise ValueError(f"{path} holds no cases; give a JSONL file with one verdict case a line")
    return cases


def _cases(line: str) -> list[Case]:
    try:
        row = json.loads(line)
        return _of_gold(row) if "right" in row else [_single(row)]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{line[:80]!r} is no verdict case ({error!r})") from error


def _of_gold(row: dict[str, Any]) -> list[Case]:
    choices = tuple(row["choices"]) if row.get("choices") else None
    answer = Answer(row["type"], row["gold"], choices, row.get("unit"), row.get("tolerance"))
    said = [(text, True) for text in row["right"]] + [(text, False) for text in row["wrong"]]
    return [
        Case(
            answer, BOXED.replace("%s", text) if row["boxed"] else text, right, "stated", row["why"]
        )
        for text, right in said
    ]


def _single(row: dict[str, Any]) -> Case:
    meta = row.get("meta") or {}
    choices = tuple(row["choices"]) if row.get("choices") else None
    unit = row.get("unit", meta.get("unit"))
    tolerance = row.get("tolerance", meta.get("rel_tol"))
    answer = Answer(row["answer_type"], row["gold"], choices, unit, tolerance)
    tier, why = str(row.get("tier", "stated")), str(row.get("why", ""))
    return Case(answer, row["response"], bool(row["expected"]), tier, why)
