"""Published benchmarks: asked as published, and scored like their published code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mstar.agents.config import Recipe
from mstar.experiments.benchmarks.base import benchmark_set
from mstar.experiments.benchmarks.catalog import BENCHMARKS
from mstar.experiments.benchmarks.math_v import MathV
from mstar.experiments.benchmarks.mathvista import MathVista

CHOICE = {
    "pid": "1",
    "question": "Which is the longest?",
    "image": "a.png",
    "choices": ["red", "green", "dark blue"],
    "unit": None,
    "precision": None,
    "answer": "dark blue",
    "question_type": "multi_choice",
    "answer_type": "text",
}
FLOAT = CHOICE | {
    "pid": "2",
    "choices": None,
    "unit": "cm",
    "precision": 2,
    "answer": "1.2",
    "question_type": "free_form",
    "answer_type": "float",
}
INTEGER = FLOAT | {"pid": "3", "answer_type": "integer", "answer": "1000", "precision": None}
LIST = FLOAT | {"pid": "4", "answer_type": "list", "answer": "[1, 2]"}


@pytest.mark.parametrize(
    ("row", "response", "right"),
    [
        (CHOICE, "C", True),
        (CHOICE, "The answer is (C).", True),
        (CHOICE, "The answer is C, which is the longest.", True),
        (CHOICE, "dark-blue", True),  # the nearest option
        (CHOICE, "B", False),
        (FLOAT, "It is 1.2 cm.", True),
        (FLOAT, "1.204", True),  # rounded to the precision of the row
        (FLOAT, "1.21", False),
        (INTEGER, "The answer is 1,000.7", True),  # cut to a whole number
        (INTEGER, "The answer is 999", False),
        (INTEGER, "I cannot see it", False),
        (LIST, "So the list is [1, 2]", True),
        (LIST, "[2, 1]", False),
    ],
)
def test_mathvista_normalises_by_question_type_answer_type_and_precision(
    row: dict[str, Any], response: str, right: bool
) -> None:
    assert MathVista().right(response, row) is right


def test_mathvista_is_asked_by_its_published_query_or_one_built_like_it() -> None:
    assert MathVista().prompt(CHOICE | {"query": "As published?"}) == "As published?"
    assert MathVista().prompt(CHOICE) == (
        "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, "
        "D, at the end.\nQuestion: Which is the longest?\nChoices:\n(A) red\n(B) green\n"
        "(C) dark blue"
    )
    assert MathVista().prompt(FLOAT) == (
        "Hint: Please answer the question requiring a floating-point number with two decimal "
        "places and provide the final value, e.g., 1.23, 1.34, 1.45, at the end.\n"
        "Question: Which is the longest? (Unit: cm)"
    )


def test_math_v_compares_letters_option_values_and_values_to_two_decimals() -> None:
    five = {"question": "?", "options": ["1/2", "2", "3:4", "$\\pi$", "7"], "answer": "A"}
    open_one = {"question": "?", "options": [], "answer": "60"}
    scoring = MathV()
    for row, response, right in [
        (five, "So the answer is (A).", True),
        (five, r"\boxed{\frac{1}{2}}", True),
        (five, r"first \boxed{2}, then \boxed{A}", True),
        (five, "0.501", True),
        (five, "B", False),
        (five | {"answer": "C"}, r"\boxed{3:4}", True),
        (five | {"answer": "C"}, "0.75", True),
        (open_one, "x = 60", True),
        (open_one, r"It is $60^\circ$.", False),  # no announcement and no number alone
        (open_one, r"\boxed{60^\circ}", True),
        (open_one, "", False),
        (open_one, "__import__('os').getpid()", False),
    ]:
        assert scoring.right(response, row) is right, response
    assert scoring.prompt(five).endswith("\n?\n(A) 1/2\n(B) 2\n(C) 3:4\n(D) $\\pi$\n(E) 7\n")
    assert scoring.prompt(open_one).endswith("\n?\n")


def test_chartqa_allows_numbers_five_per_cent_and_nothing_else() -> None:
    row = {"query": "How many?", "label": ["40"]}
    for response, right in [("41", True), ("43", False), ("forty", False), ("40", True)]:
        assert BENCHMARKS["chartqa"].right(response, row) is right
    assert BENCHMARKS["chartqa"].right("Yes", {"query": "?", "label": "yes"})


def test_a_benchmark_is_asked_whole_and_scored_by_its_own_rules(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    rows = [CHOICE, FLOAT, INTEGER, CHOICE | {"pid": "5", "answer": ""}]
    (tmp_path / "testmini.json").write_text(json.dumps(rows))
    found = benchmark_set(
        "mathvista", BENCHMARKS["mathvista"], str(tmp_path / "testmini.json"), Recipe()
    )
    assert {problem.id for problem in found.problems} == {f"mathvista/{n}" for n in "123"}
    (chosen,) = (problem for problem in found.problems if problem.id == "mathvista/1")
    assert found.task.prompt(chosen).text == MathVista().prompt(CHOICE)
    table = found.task.score([chosen, chosen], ["C", "A"], [{"finished": 0.0}] * 2)
    assert table["correctness"].tolist() == [1.0, 0.0]  # also where a response was cut off
    one = benchmark_set("mathvista", MathVista(), str(tmp_path / "testmini.json"), Recipe(), 1)
    assert len(one.problems) == 1
    (tmp_path / "other.json").write_text(json.dumps([CHOICE | {"answer": ""}]))
    with pytest.raises(ValueError, match="can be asked and scored as mathvista"):
        benchmark_set("mathvista", MathVista(), str(tmp_path / "other.json"), Recipe())
