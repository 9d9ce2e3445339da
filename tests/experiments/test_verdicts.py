"""Thousands of stated verdicts, and what holds of every verdict whatever is said."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mstar.experiments.bench.verdicts import Case, read_verdicts
from mstar.experiments.bench.verifier import bench_verifier
from mstar.rewards.base import ANSWER_TYPES, Answer
from mstar.rewards.verifier.verify import equivalent, verify

CASES = read_verdicts()


@pytest.mark.parametrize("kind", ANSWER_TYPES)
def test_the_verifier_gives_the_expected_verdicts(kind: str) -> None:
    cases = [case for case in CASES if case.answer.type == kind]
    assert {case.expected for case in cases} == {True, False}
    wrong = []
    for case in cases:
        verdict = verify(case.response, case.answer)
        if (verdict.correct, verdict.valid) != (case.expected, True):
            wrong.append((case.answer.value, case.response, verdict.reason))
    assert wrong == []


def test_the_stated_verdicts_are_many_argued_and_without_repetition() -> None:
    assert len(CASES) > 3_000
    assert all(case.why for case in CASES)
    assert max(Counter((case.answer, case.response) for case in CASES).values()) == 1


def test_a_line_that_is_no_case_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"gold": "7"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="is no verdict case"):
        read_verdicts(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="holds no cases"):
        read_verdicts(path)


def test_the_bench_tells_both_graders_apart(tmp_path: Path) -> None:
    lines = [
        {"gold": "7", "answer_type": "number", "response": r"\boxed{7}", "expected": True},
        {"gold": "7", "answer_type": "number", "response": r"\boxed{7 m}", "expected": False,
         "meta": {"unit": "cm"}, "tier": "policy"},
    ]  # fmt: skip
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    rows = {(row["grader"], row["tier"]): row for row in bench_verifier(path)}
    assert rows["mstar", "all"]["agreement"] == 1.0
    assert rows["math-verify", "policy"]["false_accepts"] == 1  # it drops units
    assert rows["math-verify", "stated"]["agreement"] == 1.0


# What holds of every verdict

whole = st.integers(-(10**12), 10**12)


@settings(max_examples=150, deadline=None)
@given(whole, st.sampled_from(["number", "count", "chart_number", "fraction", "percent", "text"]))
def test_no_number_equals_its_successor(value: int, kind: Any) -> None:
    assume(kind != "chart_number" or abs(value) < 10)
    gold = Answer(kind, str(value))
    assert verify(f"Answer: {value}", gold).correct
    assert not verify(f"Answer: {value + 1}", gold).correct
    assert not verify(f"Answer: {value} or {value + 1}", gold).correct
    assert not verify(rf"\boxed{{{value}}} \boxed{{{value + 1}}}", gold).correct


@settings(max_examples=150, deadline=None)
@given(st.fractions(max_denominator=60), st.fractions(max_denominator=60))
def test_equivalence_of_numbers_is_symmetric_and_is_equality(
    one: Fraction, other: Fraction
) -> None:
    gold = Answer("fraction", "1/2")
    same = equivalent(str(one), str(other), gold)
    assert same is equivalent(str(other), str(one), gold)
    assert same is (one == other)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 10**6), st.sampled_from(["mm", "cm", "m", "km"]), st.data())
def test_a_length_verifies_in_every_unit_of_length_and_in_no_other(
    value: int, unit: str, data: st.DataObject
) -> None:
    size = {"mm": 1, "cm": 10, "m": 1_000, "km": 1_000_000}
    other = data.draw(st.sampled_from(sorted(size)))
    converted = Fraction(value * size[unit], size[other])
    gold = Answer("number", str(value), unit=unit)
    for noun in ("", "^2", " per second"):
        said = rf"\boxed{{{converted} {other}{noun}}}"
        assert verify(said, gold).correct is (noun == ""), said


@settings(max_examples=100, deadline=None)
@given(st.permutations(["red", "dark red", "9 m", "90 m", "oak", "none of these"]), st.data())
def test_the_order_of_options_changes_letters_and_nothing_else(
    options: list[str], data: st.DataObject
) -> None:
    gold = data.draw(st.sampled_from(options))
    said = data.draw(st.sampled_from(options))
    answer = Answer("choice", gold, tuple(options))
    letter = "ABCDEF"[options.index(said)]
    for response in (said, letter, f"({letter}) {said}", f"{said} ({letter})", f"It is {said}."):
        assert verify(f"Answer: {response}", answer).correct is (said == gold), response
    other = "ABCDEF"[(options.index(said) + 1) % len(options)]
    assert not verify(f"Answer: ({other}) {said}", answer).correct
    assert not verify(f"Answer: {letter} or {other}", answer).correct


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CASES), st.sampled_from(["", "Let me see.\n", "<think>7, 8</think>"]))
def test_a_verdict_is_the_same_again_and_after_thinking_aloud(case: Case, before: str) -> None:
    first = verify(case.response, case.answer)
    assert verify(case.response, case.answer).reason == first.reason
    boxed = case.response.startswith("Reading") and "</think>" not in case.response
    if boxed:
        assert verify(before + case.response, case.answer).correct is case.expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.sampled_from(CASES))
def test_any_text_at_all_gets_a_verdict_with_sound_fields(text: str, case: Case) -> None:
    verdict = verify(text, case.answer)
    assert 0 <= verdict.confidence <= 1
    assert verdict.seconds >= 0
    assert verdict.reason
    assert verdict.valid or not verdict.correct


# Threads


def test_threads_get_the_verdicts_that_one_thread_gets() -> None:
    cases = CASES[::9]
    alone = [verify(case.response, case.answer).correct for case in cases]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda case: verify(case.response, case.answer).correct, cases)
        assert list(together) == alone
