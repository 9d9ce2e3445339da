"""A response that was cut off earns nothing unless the panel says otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from mstar.rewards import Correctness, Format, RewardPanel, SelfCertainty
from mstar.rewards.base import Answer, Attempt
from mstar.rewards.verifier.unfinished import Unfinished, commits_for_good

SAID = "3+4 = 7, so the answer is 7."
CUT_IN_THE_MIDDLE = "3+4 = 7, so the answer is 7. Hmm, but the third bar"
COMMITTED = "3+4 = 7\nAnswer: 7\nThat is"


def attempt(response: str, finished: bool, answer: Answer | None = None) -> Attempt:
    answer = answer or Answer("number", "7")
    return Attempt("?", response, answer, certainty=2.0, finished=finished, group="one")


@pytest.mark.parametrize(
    ("response", "stands"),
    [
        (COMMITTED, True),
        (r"\boxed{7}", True),
        ("<answer>7</answer> and", True),
        (CUT_IN_THE_MIDDLE, False),
        ("3+4 = 7\nAnswer: 7", False),  # may go on with 2
        ("Answer: 7\nAnswer: 1", False),
        (r"\boxed{7", False),
        ("7", False),
        ("", False),
    ],
)
def test_only_a_complete_explicit_answer_stands_when_the_rest_is_cut(
    response: str, stands: bool
) -> None:
    assert commits_for_good(response) is stands


@pytest.mark.parametrize(
    ("unfinished", "right"),
    [("nothing", [0, 0, 1]), ("committed", [0, 1, 1]), ("everything", [1, 1, 1])],
)
def test_the_panel_says_which_cut_responses_count(unfinished: Unfinished, right: list[int]) -> None:
    panel = RewardPanel([Correctness(), Format(), SelfCertainty()], unfinished=unfinished)
    asked = [
        attempt(SAID, finished=False),
        attempt(COMMITTED, finished=False),
        attempt(SAID, finished=True),
    ]
    table = panel.score(asked)
    assert table["correctness"].tolist() == right
    for row, counts in enumerate(right):
        assert (table.reward[row] > 0) == bool(counts)
        assert table.scores[row].any() == bool(counts)
        assert panel.counts(asked[row]) == bool(counts)


def test_a_model_that_abstains_on_a_cut_response_still_abstains() -> None:
    unlabelled = Attempt("?", COMMITTED, None, finished=False)
    table = RewardPanel([Correctness(), Format()]).score([unlabelled])
    assert np.isnan(table["correctness"]).all()
    assert table["format"].tolist() == [0.0]
