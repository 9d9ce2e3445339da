from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mstar.rewards
from mstar.experiments.bench.fuzz import GOLDS, fuzz_verifier, fuzzed
from mstar.experiments.bench.verdicts import read_verdicts
from mstar.rewards.base import ANSWER_TYPES, Answer, Attempt
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.models.format import Format
from mstar.rewards.verifier.audit import audit
from mstar.rewards.verifier.extract import LONGEST, has_reasoning, well_formed
from mstar.rewards.verifier.verify import equivalent, extract, verify

SHARED = Path(os.environ.get("MSTAR_SHARED", Path(__file__).parents[3] / "shared"))
AREAS = ("6 m", "9 m", "14 m", "21 m")
TREES = ("oak", "red oak", "elm", "ash")


def number(reference: str, unit: str | None = None, tolerance: float | None = None) -> Answer:
    return Answer("number", reference, unit=unit, tolerance=tolerance)


def choice(reference: str, *options: str) -> Answer:
    return Answer("choice", reference, options)


def boxed(text: str) -> str:
    return rf"So it must be \boxed{{{text}}}."


# For each reference answer: right answers, then wrong ones, all tested in a box.
CASES: list[tuple[Answer, list[str], list[str]]] = [
    (
        number("18"),
        ["18.0", "018", "+18", "１８", "eighteen", "18 (eighteen)", "n = 18", "1.8e1", "18 birds",
         r"\text{18 birds}", r"1.8\times10^{1}", r"\mathbf{18}", "$18$", "about 18", "9+9 = 18",
         "18%"],
        ["-18", "81", "18.4", "9+9", "36/2", r"\sqrt{324}", "18!", "17 to 19", "> 18",
         "at least 18", "18 or 19", r"18 \pm 2", "18, 19", "18 19", "not 18", "18?", "18x", "0x12",
         "10010_2", "18 thousand", "19 (eighteen)", "18 = 19", "nan", r"\infty", "XVIII", "",
         "the gold", "١٨", "\u202e81"],
    ),
    (number("1500"), ["1,500", "1 500", r"1{,}500", r"1\,500", "1.5k", "1.5 thousand", "15e2"],
     ["1.500", "15,00", "150,0"]),
    (number("2.5"), ["2,5", "5/2", r"2\frac12", "2½", "2 1/2", "two and a half", "250%",
     r"\frac{5}{2}"],
     ["25", "2.6", "2", "250", "21/2"]),
    (number("-6"), ["−6", "–6", "- 6", "(-6)", "minus 6", "negative six"], ["6", "+6"]),
    (number("0"), ["-0", "0.00", "zero"], ["0.01", "1e-300", "none at all"]),
    (number("1000"), ["10³", "10^3", "10^{3}", "1E3"], ["103", "10 3", "10^2"]),
    (number("1.0472"), [r"\frac{\pi}{3}", "π/3", "1.047198"], ["1.05", "1.047", "1.0473", r"\pi"]),
    (number("98765432109876543210"), ["98,765,432,109,876,543,210"], ["98765432109876543211"]),
    (number("5", unit="kg"), ["5 kg", "5kg", "5 kilograms", "5000 g", r"5\,\mathrm{kg}", "5"],
     ["5 g", "5 kg^2", "5 m", "5 lb", "5 apples", "5 kg or 6 kg"]),
    (number("40", unit="m^2"), ["40 m²", "40 square metres", r"40\text{ m}^{2}", "400000 cm^2"],
     ["40 m", "40 m^3"]),
    (number("30", unit="°"), ["30°", r"30^\circ", "30 degrees", r"\pi/6 \text{ rad}"], ["30 rad",
     "30%"]),
    (number("72", unit="km/h"), ["72 km/h", "72 kilometres per hour", "20 m/s"], ["72 mph",
     "72 km"]),
    (number("3.40", unit="$"), ["$3.40", r"\$3.4", "3.40 dollars", "340 cents", "USD 3.40"],
     ["€3.40", "3.40 pounds", "$3.41", "34"]),
    (number("14", unit="laps a day"), ["14 laps a day", "14"], ["14 kg"]),
    (number("200", tolerance=0.1), ["181", "220"], ["179", "221", "-200"]),
    (Answer("fraction", "3/8"), [r"\frac38", "6/16", "0.375", "⅜", "37.5%", "three eighths",
     r"\frac{-3}{-8}"],
     ["3:8", "8/3", "-3/8", "0.38", "3/0", "1/8+2/8"]),
    (Answer("fraction", "2/3"), ["0.666667"], ["0.67", "0.66666"]),
    (Answer("percent", "40%"), ["40%", r"40\%", "40 percent", "0.4", "2/5", "40"], ["0.4%", "4%",
     "40 kg"]),
    (number("40", unit="%"), ["40%", "40"], ["0.4", "4"]),
    (Answer("count", "7"), ["7", "seven", "7.0", "7 dots"], ["7.2", "6", "about 6"]),
    (Answer("year", "1998"), ["1998", "the year 1998"], ["1999", "98", "1998s", "1998-1999"]),
    (Answer("chart_number", "60"), ["57", "63", "60.0", "60%"], ["56.9", "63.1", "-60",
     "55 to 65"]),
    (choice("9 m", *AREAS), ["B", "(B)", "B.", "b", "**B**", "Ｂ", "Option B", "9 m", "9",
     "900 cm", "(B) 9 m",
     "B. 9 m", "9 m (B)", r"\textbf{(B) } 9\text{ m}", "B, because 3 x 3 is 9"],
     ["A", "E", "9 cm", "10 m", "B. 14 m", "(C) 9 m", "B or C", "A, B", "not B", "B?", "2", "Β",
      "ABCD",
      "(A) 6 m (B) 9 m (C) 14 m (D) 21 m", "neither A nor B"]),
    (choice("oak", *TREES), ["Oak", "an oak", "A"], ["red oak", "B", "pin oak", "oak or elm",
     "(C) oak"]),
    (choice("3", "2", "3", "4"), ["3", "B", "three", "3.0"], ["2", "C", "13", "1"]),
    (choice("B", "A", "B", "C"), ["B", "b"], ["A", "Β"]),
    (choice("no", "yes", "no"), ["No", "B", "No, they are not equal", "false"], ["yes", "A",
     "yes and no"]),
    (choice("3:40 P.M.", "3:40 A.M.", "3:40 P.M.", "4:40 P.M."), ["3:40 pm", "15:40"], ["3:40 am",
     "3:40"]),
    (Answer("yes_no", "no"), ["No.", "no", "false", "Incorrect", "It is not true"],
     ["yes", "Yes and no", "true or false", "maybe", "unknown"]),
    (Answer("time", "7:50"), ["07:50", "7:50 am", "ten to eight", "7:50:00", "19:50"],
     ["7:05", "8:50", "ten past eight", "7:50 or 7:55", "7:75", "10:39"]),
    (Answer("time", "9:20 PM"), ["9:20 p.m.", "21:20", "9:20"], ["9:20 AM", "9:02 PM"]),
    (Answer("time", "16:05"), ["4:05 PM", "16:05"], ["4:05", "4:05 AM", "16:50"]),
    (Answer("duration", "2 hours 15 minutes"), ["135 minutes", "2 h 15 min", "2h15m", "2:15",
     "2 1/4 hours",
     "two hours and fifteen minutes"], ["2.15 hours", "2 hours", "135 hours", "215 minutes"]),
    (Answer("date", "2021-03-09"), ["March 9, 2021", "9 Mar 2021", "9th of March 2021", "2021/3/9"],
     ["September 3, 2021", "March 9", "March 10, 2021"]),
    (Answer("date", "Friday"), ["Fri", "a Friday"], ["Saturday", "F", "Friday or Saturday"]),
    (Answer("list", "[4, 9, 2]"), ["4, 9, 2", "(4, 9, 2)", "4, 9 and 2", "four, nine, two"],
     ["2, 4, 9", "4, 9", "4, 9, 2, 1", "4, 9, 2 or 3"]),
    (Answer("list", "['oak', 'elm']"), ["oak, elm", "Oak and elm", '["oak", "elm"]'], ["elm, oak",
     "oak"]),
    (Answer("set", "{4, 9}"), ["9, 4", r"\{4, 9\}", "x = 4 or x = 9"], ["4", "4, 9, 10"]),
    (Answer("set", "{-3, 3}"), [r"\pm 3"], ["3"]),
    (Answer("tuple", "(2, -7)"), ["(2,-7)", r"\left(2, -7\right)", "x = 2, y = -7",
     "y = -7, x = 2"],
     ["(-7, 2)", "(2, -7, 0)", "(2, 7)"]),
    (Answer("interval", "(2, 6]"), ["(2,6]", r"2 < x \le 6", r"6 \ge x > 2", r"x \in (2, 6]"],
     ["[2,6]", r"2 \le x < 6", "(2, 7]", "2"]),
    (Answer("interval", r"(-\infty, 4)"), ["x < 4", "(-inf, 4)"], [r"x \le 4", "x > 4",
     r"(4, \infty)"]),
    (Answer("equation", "y = 3x - 1"), ["y=3x-1", "3x - 1 = y", "y + 1 = 3x", "2y = 6x - 2"],
     ["y = 3x + 1", "z = 3x - 1", "x = 3y - 1", "y"]),
    (Answer("expression", r"2\sqrt{5}"), [r"\sqrt{20}", "2√5", "2*sqrt(5)",
     r"\frac{10}{\sqrt{5}}", "4.472136"],
     ["4.47", r"5\sqrt{2}", r"\sqrt{5}", "2"]),
    (Answer("expression", r"24\pi"), ["24π", r"\pi\cdot 24", r"24\pi\text{ cm}^2"], ["24", "75.4",
     r"12\pi"]),
    (Answer("expression", "a^2-b^2"), ["(a+b)(a-b)", "a²-b²", "-b^2+a^2"], ["(a-b)^2", "a-b",
     "b^2-a^2"]),
    (Answer("expression", r"\sin 2x"), [r"2\sin x\cos x", r"\sin(2x)"], [r"\sin x", r"2\sin x"]),
    (Answer("expression", r"\sqrt{x^2}"), ["|x|"], ["x"]),
    (Answer("text", "April"), ["april", "Apr.", "the April", r"\text{April}"], ["May",
     "not April", "Apricot"]),
    (Answer("text", "Hill Street"), ["hill street.", "the Hill Street"], ["Hill", "Street Hill",
     "Hill Street or Bay"]),
    (Answer("text", "4"), ["four", "4"], ["40", "five"]),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "right", "wrong"), CASES, ids=lambda x: str(x)[:40])
def test_right_answers_are_accepted_and_wrong_ones_rejected(
    answer: Answer, right: list[str], wrong: list[str]
) -> None:
    refused = [text for text in right if not verify(boxed(text), answer).correct]
    accepted = [text for text in wrong if verify(boxed(text), answer).correct]
    assert (refused, accepted) == ([], [])


@pytest.mark.parametrize(
    "response",
    [
        "18",
        " 18. ",
        "**18**",
        "The answer is 18.",
        "Therefore, the answer is: **18**.",
        "The answer is not 17, it is 18.",
        "Answer: 18",
        "**Answer:** 18",
        "Answer: there are 18 birds.",
        "Answer: 18, because 9 + 9 = 18",
        "Final Answer:\n18",
        "9 + 9 = 18\n# Answer\n18",
        "9 + 9 = 18\n#### 18",
        "<answer> 18 </answer>",
        r"<answer>\boxed{18}</answer>",
        r"\[ \boxed{18} \]",
        r"\boxed{\boxed{18}}",
        r"\boxed{18} and again \boxed{18.0}",
        r"First \boxed{17}. Wait, I missed one. It is \boxed{18}.",
        "Answer: 17\nNo, that is wrong.\nAnswer: 18",
        "<think>Answer: 17</think>Answer: 18",
        "thought first</think>18",
        "There are eighteen birds.",
        "He has 18 more coins than she has.",
        "Answer: 18<|im_end|>",
        "18\x00",
    ],
)
def test_every_form_of_commitment_is_found(response: str) -> None:
    assert verify(response, number("18")).correct


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("<think>Answer: 18", "thinking never closed"),
        ("<think>Answer: 18</think>", "empty"),
        ("<answer>18", "answer tag never closed"),
        (r"\boxed{18", "box never closed"),
        (r"\boxed{}", "empty commitment"),
        (r"\boxed{17} \boxed{18}", "conflicting commitments"),
        (r"\boxed{18} or \boxed{17}", "conflicting commitments"),
        ("Answer: 17\nAnswer: 18", "conflicting commitments"),
        (r"<answer>18</answer> \boxed{17}", "conflicting commitments"),
        ("<answer>17</answer><answer>18</answer>", "conflicting commitments"),
        ("How many birds are there? Are there 18?", "no commitment"),
        ("<score>18</score> verdict: correct", "no commitment"),
        ("Some words. " * 40 + "18", "no commitment"),
        ("Answer: " + "18 " * 200, "commitment too long"),
        ("It is not 18.", "not read as number"),
        ("Either 17 or 18.", "not read as number"),
        ("Step 18", "not read as number"),
        ("16, 17, 18", "not read as number"),
        ("(lambda: 18)()", "not read as number"),
    ],
)
def test_no_or_conflicting_commitments_are_wrong_with_a_reason(response: str, reason: str) -> None:
    verdict = verify(response, number("18"))
    assert (verdict.correct, verdict.valid, verdict.reason) == (False, True, reason)


@pytest.mark.parametrize(
    ("response", "strict"),
    [("18", False), ("The answer is 18.", False), ("Answer: 18", True), (r"\boxed{18}", True)],
)
def test_strict_requires_an_explicit_commitment(response: str, strict: bool) -> None:
    assert verify(response, number("18")).correct
    assert verify(response, number("18"), strict=True).correct is strict
    scores = Correctness(strict=True).score([Attempt("?", response, number("18"))])
    assert scores.tolist() == [float(strict)]


def test_more_explicit_commitments_have_higher_confidence() -> None:
    forms = ("Answer: 18", "The answer is 18", "18")
    assert [verify(form, number("18")).confidence for form in forms] == [1.0, 0.9, 0.7]


def test_extract_returns_the_committed_text() -> None:
    assert extract(r"so \boxed{18\text{ cm}}") == r"18\text{ cm}"
    assert extract("Answer: 18\n<answer>18 cm</answer>", number("18", unit="cm")) == "18 cm"
    assert extract("nothing to see here, " * 20) is None
    assert extract("Answer: B") == "B"


def test_commitments_that_are_equivalent_under_their_type_do_not_conflict() -> None:
    response = r"\boxed{B} \boxed{9 m}"
    assert extract(response) is None
    assert extract(response, choice("9 m", *AREAS)) == "9 m"


@pytest.mark.parametrize(
    ("one", "other", "answer", "same"),
    [
        ("18", "18.0 cm", number("1", unit="cm"), True),
        ("18 cm", "18 m", number("1", unit="cm"), False),
        ("B", "9 m", choice("6 m", *AREAS), True),
        ("B", "C", choice("6 m", *AREAS), False),
        ("quarter to five", "4:45", Answer("time", "1:00"), True),
        ("gibberish?", "Gibberish?", number("1"), True),
        ("gibberish?", "nonsense?", number("1"), False),
        ("7", "seven", None, True),
        ("7", "8", None, False),
        ("red", "Red.", None, True),
    ],
)
def test_equivalence_does_not_use_the_reference_answer(
    one: str, other: str, answer: Answer | None, same: bool
) -> None:
    assert equivalent(one, other, answer) is same
    assert equivalent(other, one, answer) is same


# The audit of reference answers


@pytest.mark.parametrize(
    "options",
    [
        ("+", "-", "*", "/"),
        ("↗", "↖", "↘"),
        ("A ⊂ B", "A ⊃ B", "A ∪ B"),
        ("$H=L S$", "$H=L-S$"),
        ("9 m", "6 m", "5 m", "5 m"),  # wrong twice
        (r"$x=3y \\$", r"$x=2y \\$"),
        ("Inst. High", "No. 5"),
    ],
)
def test_options_that_differ_in_signs_only_are_told_apart(options: tuple[str, ...]) -> None:
    for index, option in enumerate(options[:2]):
        answer = choice(option, *options)
        assert audit(answer) is None
        right, wrong = f"Answer: {'ABCD'[index]}", f"Answer: {'ABCD'[1 - index]}"
        assert [verify(text, answer).correct for text in (right, wrong)] == [True, False]
        others = [each for each in options if each != option]
        assert not any(verify(f"<answer>{each}</answer>", answer).correct for each in others)


@pytest.mark.parametrize(
    "name", ["LH2 C.B. Ext. Motion", "Inst. High", "2x2. Perfect estimation", "No. 5"]
)
def test_a_name_with_full_stops_is_one_answer(name: str) -> None:
    answer = Answer("text", name)
    assert audit(answer) is None
    for response in (
        f"Answer: {name}",
        rf"\boxed{{{name}}}",
        f"**Answer:** {name}. It is longest.",
    ):
        assert verify(response, answer).correct
    assert not verify(f"Answer: {name}. Wait, it is red.", answer).correct
    assert not verify(f"Answer: {name.split('. ')[0]}", answer).correct


@pytest.mark.parametrize("answer", [answer for answer, _, _ in CASES], ids=str)
def test_a_sound_reference_answer_passes_the_audit_and_verifies(answer: Answer) -> None:
    assert audit(answer) is None
    assert verify(f"Answer: {answer.value}", answer).correct


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (number(" "), "is empty"),
        (number("nan"), "can't be read as number"),
        (number("7 or 8"), "can't be read as number"),
        (number("3 + 4"), "can't be read as number"),
        (number("7", tolerance=5), "not in"),
        (Answer("time", "8:0"), "write it with two"),
        (Answer("text", "y = 4"), "give it the type equation"),
        (Answer("count", "2.5"), "not whole"),
        (choice("5 m", *AREAS), "not among its options"),
        (choice("9 m", "9 m", "9 m", "6 m"), "repeat"),
        (choice("9 m", "9 m"), "give two or more"),
        (Answer("choice", "B"), "give two or more"),
    ],
)
def test_the_audit_reports_a_faulty_reference_answer_with_its_remedy(
    answer: Answer, words: str
) -> None:
    fault = audit(answer)
    assert fault is not None
    assert words in fault


def test_a_malformed_reference_answer_is_an_abstention() -> None:
    verdict = verify("Answer: nan", number("nan"))
    assert (verdict.correct, verdict.valid, verdict.confidence) == (False, False, 0.0)


# The reward models


def test_correctness_abstains_without_a_readable_reference_answer() -> None:
    references = [number("18"), number("17"), number("nan"), None]
    scores = Correctness().score(
        [Attempt("?", "Answer: 18", reference) for reference in references]
    )
    np.testing.assert_array_equal(scores, np.array([1, 0, np.nan, np.nan], np.float32))


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("9 + 9 = 18\nAnswer: 18", 1.0),
        ("Answer: 18\n", 1.0),
        ("Answer: whatever", 1.0),
        ("# Answer\n18", 1.0),
        (r"So $\boxed{18}$.", 1.0),
        (r"\[\boxed{18}\]", 1.0),
        ("<think>9 + 9</think><answer>18</answer></s>", 1.0),
        ("Answer: 17\nWait, no.\nAnswer: 18", 1.0),
        ("", 0.0),
        ("18", 0.0),
        ("The answer is 18.", 0.0),
        ("Answer:", 0.0),
        ("Answer: 18\nI hope that is right.", 0.0),
        ("Answer: 17\nAnswer: 18", 0.0),
        (r"\boxed{18", 0.0),
        ("<think>Answer: 18", 0.0),
        ("Answer: " + "x" * 400, 0.0),
    ],
)
def test_format_requires_exactly_one_commitment_at_the_end(response: str, score: float) -> None:
    assert Format().score([Attempt("?", response)]).tolist() == [score]
    assert well_formed(response) is (score == 1.0)


@pytest.mark.parametrize(
    ("response", "stated"),
    [
        ("red is 8\nAnswer: 8", True),
        ("8 - 6 = 2\nAnswer: 2", True),
        ("The bar of June reaches 18. The answer is 18.", True),
        (r"Red is 8 and gray is 6. So \boxed{2}", True),
        ("<think>9 + 9 = 18</think>Answer: 18", True),
        ("Answer: 18", False),
        ("18", False),
        ("The correct answer is 18.", False),
        ("Looking at the picture, the answer is 18.", False),
        ("Sure!\nAnswer: 18", False),
        ("Answer: 3\n3", False),
        ("Answer: 18\nRed is 8 and gray is 10.", False),
        ("<think></think>\nAnswer: 18", False),
        ("<think>9 + 9 is 18", False),
        ("", False),
    ],
)
def test_reasoning_precedes_the_answer_in_its_own_lines_or_sentences(
    response: str, stated: bool
) -> None:
    assert has_reasoning(response) is stated


# Every way of writing a number


def writings(value: Fraction) -> list[str]:
    """Ways of writing a fraction that all say exactly the same."""
    top, bottom = value.numerator, value.denominator
    sign, size = "-" if top < 0 else "", abs(top)
    texts = [
        f"{top}/{bottom}",
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"{sign}\dfrac{{{size}}}{{{bottom}}}",
    ]
    if bottom == 1:
        texts = [str(top), f"{top}.0", f"{top:,}", rf"\text{{{top}}}", f"x = {top}", f"{top} dots"]
        texts += [
            f"{sign}{size}e0",
            rf"{top}\times10^{{0}}",
            f"\uff0d{size}" if sign else f"+{size}",
        ]
        texts += [str(top).replace("-", "−"), f"{top:,}".replace(",", r"\,")]
    elif size > bottom:
        whole, rest = divmod(size, bottom)
        texts += [f"{sign}{whole} {rest}/{bottom}", rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}"]
    if 10**6 % bottom == 0:
        digits = f"{float(value):.6f}"
        texts += [digits, digits.replace(".", ",") if size < bottom else digits, f"{digits}e0"]
        texts += [f"{float(value) * 100:.4f}%"] if 10**4 % bottom == 0 else []
    return texts


values = st.fractions(min_value=-5000, max_value=5000, max_denominator=40)


@settings(max_examples=150, deadline=None)
@given(values, values, st.data())
def test_a_number_verifies_in_every_notation_and_other_numbers_never(
    value: Fraction, other: Fraction, data: st.DataObject
) -> None:
    reference = number(
        f"{value.numerator}/{value.denominator}" if value.denominator > 1 else str(value)
    )
    text = data.draw(st.sampled_from(writings(value)))
    assert verify(f"Answer: {text}", reference).correct, text
    assert verify(boxed(text), reference).correct, text
    if other != value:
        wrong = data.draw(st.sampled_from(writings(other)))
        assert not verify(boxed(wrong), reference).correct, wrong


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(0, 59), st.integers(1, 12), st.integers(0, 59))
def test_a_time_verifies_in_every_notation_and_other_times_never(
    hour: int, minute: int, other_hour: int, other_minute: int
) -> None:
    reference = Answer("time", f"{hour}:{minute:02d}")
    for text in (reference.value, f"{hour:02d}:{minute:02d}", f"It is {reference.value} p.m."):
        assert verify(f"Answer: {text}", reference).correct
    if (hour, minute) != (other_hour, other_minute):
        assert not verify(f"Answer: {other_hour}:{other_minute:02d}", reference).correct


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_order_matters_to_a_list_and_not_to_a_set(items: list[int], chance: random.Random) -> None:
    text = ", ".join(map(str, items))
    shuffled = chance.sample(items, len(items))
    response = boxed(", ".join(map(str, shuffled)))
    assert verify(response, Answer("list", f"[{text}]")).correct is (shuffled == items)
    assert verify(response, Answer("set", f"{{{text}}}")).correct


# Adversarial inputs


BOMBS = [
    r"\boxed{9^{9^{9^{9}}}}",
    r"\boxed{9**9**9**9}",
    r"\boxed{1e999999999}",
    r"\boxed{10^{10^{10}}}",
    r"\boxed{\sum_{k=1}^{10^{12}} k}",
    r"\boxed{\int_0^{18} 1 dx}",
    r"\boxed{" + "9" * 5000 + "}",
    r"\boxed{" + "(" * 200 + "18",
    r"\boxed{" + "+".join("1" * 140) + "}",
    r"\boxed{" + "%" * 250 + "}",
    r"\boxed{\sqrt" * 2000,
    r"\boxed{\sqrt" + r"\sqrt" * 40 + "2}",
    r"\frac{" * 4000,
    "{" * 20_000 + "}" * 20_000,
    "(" * 20_000 + "18" + ")" * 20_000,
    "1," * 30_000 + "x",
    "$" * 20_001,
    "\\" * 20_000,
    "\x00" * 10_000,
    "a" * 300_000,
    "<think>" * 20_000,
    "<answer>" * 3_000,
    "Answer: " * 3_000,
    "the answer is " * 3_000,
    "answer" + " " * 8_000 + ":",
    "# " * 8_000,
    "18 or " * 2_000,
    "wait, no, " * 2_000,
    "1 ≈ " * 2_000,
    r"\boxed{" + r"1\over " * 40 + "}",
    r"\boxed{0." + "3" * 280 + "...}",
    r"\boxed{" + "{ a " * 70 + "}" * 70 + "}",
    "a" + "\u0301" * 30_000,
    "eliminate A, " * 2_000,
    "x = 18 or " * 2_000,
    "A) " * 8_000,
    "<|begin_of_box|>" * 2_000,
]


class Unending(BaseException):
    """A call that would go on for ever; no ``except Exception`` catches it."""


@contextmanager
def ending(seconds: int = 60) -> Iterator[None]:
    """Stop what does not end: input that blows up takes years, whatever the processor."""

    def stop(*_: object) -> None:
        raise Unending(f"this goes on after {seconds} seconds")

    plain = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, plain)


@pytest.mark.parametrize("kind", ANSWER_TYPES)
def test_bombs_are_refused_and_do_not_blow_up(kind: Any) -> None:
    answer = Answer(kind, GOLDS[kind], choices=("18", "19") if kind == "choice" else None)
    turn = ANSWER_TYPES.index(kind)
    for number, bomb in enumerate(BOMBS):
        # What reads a long text to its end is the search for an answer, for which all types are
        # much the same: of what it finds, only short texts are read as an answer of the type.
        if len(bomb) > 5 * LONGEST and (number + turn) % 3:
            continue
        with ending():
            assert not verify(bomb, answer).correct, (kind, bomb[:40])


@pytest.mark.parametrize(("answer", "right", "wrong"), CASES, ids=lambda x: str(x)[:40])
def test_an_enumeration_that_ends_with_the_reference_answer_is_wrong(
    answer: Answer, right: list[str], wrong: list[str]
) -> None:
    for junk in (map(str, range(40)), ["apple", "7", "blue", "north", "none of these"], wrong[:5]):
        text = ", ".join([*junk, answer.value])
        assert not verify(f"Answer: {text}", answer).correct, text
        assert not verify(boxed(text), answer).correct, text


def test_responses_and_reference_answers_are_never_executed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    code = f"__import__('pathlib').Path({str(victim)!r}).touch()"
    for kind in ANSWER_TYPES:
        answer = Answer(kind, GOLDS[kind], choices=("18", "19") if kind == "choice" else None)
        for response in (code, boxed(code), f"Answer: {code}", f"<answer>{code}</answer>"):
            assert not verify(response, answer).correct
    for kind in ("list", "set", "expression"):
        audit(Answer(kind, code))
    assert not victim.exists()


def test_fuzzed_inputs_raise_no_errors_and_are_fast() -> None:
    row = fuzz_verifier(2_000)
    assert row["undecided"] == 0
    assert float(row["median_ms"]) < 5
    assert list(fuzzed(50)) == list(fuzzed(50))
    assert list(fuzzed(50, seed=8)) != list(fuzzed(50))


# Shared cases and real data


# Where the verifier decides otherwise than a case that is marked as a choice of policy, and why.
OTHERWISE = {
    "v170-peer-test": "a reference answer that can't be read as its type is an abstention",
    "v175-bracketed-options": "options (a), (b) name themselves: B is (b)",
    "v182-peer-test": "square brackets around a point are a habit of programs, not an interval",
    "v188-hack": "a value read off an image is often said with 'about'; it is still the value",
    "v193-hack": "the same",
    "v191-peer-test": "an equal fraction is the same number; lowest terms were not asked for",
    "v213-juxtaposed": "a product of powers is a calculation that was not carried out",
}


@pytest.mark.parametrize("name", ["verifier_cases.jsonl", "verifier_cases_2.jsonl"])
def test_the_shared_cases_have_the_expected_verdicts(name: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared cases are not beside this repository")
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = set()
    for row, case in zip(map(json.loads, lines), read_verdicts(path), strict=True):
        if verify(case.response, case.answer).correct is not case.expected:
            wrong.add((row["id"], row["tier"]))
    assert {each for each, tier in wrong if tier == "core"} == set()
    assert {each for each, _ in wrong} <= set(OTHERWISE)


def test_real_reference_answers_pass_the_audit_and_verify() -> None:
    files = sorted((SHARED / "real_samples").glob("*/problems.jsonl"))
    if not files:
        pytest.skip("the real samples are not beside this repository")
    for file in files:
        for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            choices = tuple(row["choices"]) if row["choices"] else None
            answer = Answer(row["answer_type"], row["answer"], choices, row.get("unit"))
            assert audit(answer) is None, row["id"]
            assert verify(f"Answer: {answer.value}", answer).correct, row["id"]
            others = [c for c in choices or () if c != answer.value]
            assert [c for c in others if verify(f"Answer: {c}", answer).correct] == [], row["id"]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("Is it so? (A) no (B) yes", Answer("yes_no", "yes")),  # the question again
        ("The answer is (A) no (B) yes", Answer("yes_no", "yes")),
        ("right 1\ndown 1", Answer("yes_no", "yes")),  # a way through a grid
        ("Answer: 1/7:55/2", Answer("time", "7:55")),
    ],
)
def test_words_and_digits_inside_other_text_are_not_answers(response: str, answer: Answer) -> None:
    assert not verify(response, answer).correct


def test_verify_is_exported_by_rewards() -> None:
    assert mstar.rewards.verify is verify
