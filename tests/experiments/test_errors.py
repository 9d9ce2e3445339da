"""What is wrong with wrong responses, and the page that says it of the embedded model."""

from __future__ import annotations

from typing import Any

import pytest
from stored_results import RESULTS, packed

from mstar.envs.families.catalog import FAMILIES
from mstar.experiments.evaluation.errors import EVALUATION, error_table, wrong_responses

PROBLEM = FAMILIES["Dice"](1).problem("test", 0, 3)
FIRST = PROBLEM.steps[0]


def row(response: str, greedy: bool = False, **changes: Any) -> dict[str, Any]:
    return {
        "policy": "evolved",
        "id": PROBLEM.id,
        "family": "Dice",
        "greedy": greedy,
        "response": response,
        **changes,
    }


def misread() -> str:
    """The solution with another first reading."""
    other = FIRST.text.replace(FIRST.value, str(int(FIRST.value) % 6 + 1))
    return PROBLEM.solution.replace(FIRST.text, other, 1).replace("Answer: ", "Answer: 9")


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (misread(), "misread"),
        (PROBLEM.solution.replace(" = ", " = 9"), "miscalculated"),
        (PROBLEM.solution.replace("Answer: ", "Answer: 9"), "concluded"),
        ("Answer: 99", "guessed"),
    ],
)
def test_an_error_is_called_by_the_first_line_that_is_wrong(response: str, kind: str) -> None:
    (found,) = wrong_responses([row(response)])
    assert found.kind == kind


def test_a_misread_response_may_calculate_rightly_with_what_it_read() -> None:
    wrong = misread().replace(" = ", " = 9")
    assert [found.consistent for found in wrong_responses([row(wrong)])] == [False]


def test_right_responses_and_problems_of_data_sets_are_left_out() -> None:
    rows = [row("Answer: 1", greedy=True), row("Answer: 1", family="mine"), row("")]
    assert wrong_responses(rows) == []


def test_the_page_has_the_table_of_the_stored_rows() -> None:
    files = packed("demo")
    rows = [r for name, each in files.items() if name.endswith(EVALUATION) for r in each]
    assert error_table(rows) in (RESULTS / "README.md").read_text()
