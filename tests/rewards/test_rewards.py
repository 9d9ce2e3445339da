from __future__ import annotations

import http.server
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mstar.rewards import (
    REWARDS,
    Answer,
    Attempt,
    CounterfactualGrounding,
    Endpoint,
    ImageAblation,
    MajorityOnly,
    RandomReward,
    RelaxedAccuracy,
    Repetition,
    RewardPanel,
    SelfConsistency,
    SelfJudge,
    check_canaries,
)
from mstar.rewards.diagnostics.canaries import JUNK, canaries
from mstar.rewards.rules import gated

SEVEN = Answer("number", "7")
GOLDEN = Attempt(
    "How much taller is the red bar than the blue bar?",
    "red is 9\nblue is 2\n9 - 2 = 7\nAnswer: 7",
    SEVEN,
    group="bars",
    facts=("9", "2"),
    counterfactual=Answer("number", "4"),
)
CHOICE = Attempt(
    "Which shape is to the left of the star?",
    "the star is third\nthe circle is second\nAnswer: circle",
    Answer("choice", "circle", choices=("circle", "square", "cross", "star")),
    group="shapes",
    counterfactual=Answer("choice", "square", choices=("circle", "square", "cross", "star")),
)


def responses_to(*texts: str, of: Attempt = GOLDEN) -> list[Attempt]:
    return [replace(of, response=text) for text in texts]


def answers(*values: object, of: Attempt = GOLDEN) -> list[Attempt]:
    return responses_to(*(f"Answer: {value}" for value in values), of=of)


def unlabelled(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [replace(attempt, answer=None, counterfactual=None) for attempt in attempts]


ASSORTED = [
    *answers(7, 7, 7, 5, "7.0", "none"),
    *responses_to("", "red is 9 red is 9 red is 9", "Answer: 7 or 8", "\ud800", "é" * 50),
    *answers("circle", "circle", "square", of=CHOICE),
    replace(GOLDEN, certainty=3.0),
    replace(GOLDEN, group="", certainty=0.0),
    *unlabelled(answers(3, 3, 4, of=replace(GOLDEN, group="unlabelled"))),
]


@pytest.mark.parametrize("name", REWARDS)
class TestEveryRewardModel:
    def test_has_the_name_that_it_is_listed_under(self, name: str) -> None:
        assert REWARDS[name]().name == name

    def test_names_its_source(self, name: str) -> None:
        assert "Source:" in (type(REWARDS[name]()).__doc__ or "")

    def test_gives_one_score_from_zero_to_one_for_each_attempt(self, name: str) -> None:
        scores = REWARDS[name]().score(ASSORTED)
        assert scores.shape == (len(ASSORTED),)
        assert scores.dtype == np.float32
        known = scores[~np.isnan(scores)]
        assert len(known) > 0
        assert ((known >= 0) & (known <= 1)).all()

    def test_accepts_an_empty_list(self, name: str) -> None:
        assert REWARDS[name]().score([]).shape == (0,)

    def test_does_not_depend_on_the_order_of_the_attempts(self, name: str) -> None:
        order = np.random.default_rng(3).permutation(len(ASSORTED))
        straight = REWARDS[name]().score(ASSORTED)
        shuffled = REWARDS[name]().score([ASSORTED[i] for i in order])
        np.testing.assert_array_equal(straight[order], shuffled)

    def test_keeps_no_state_between_calls(self, name: str) -> None:
        model = REWARDS[name]()
        first = model.score(ASSORTED)
        model.score(answers(1, 2, 3))
        np.testing.assert_array_equal(model.score(ASSORTED), first)

    def test_can_be_pickled(self, name: str) -> None:
        model = pickle.loads(pickle.dumps(REWARDS[name]()))
        np.testing.assert_array_equal(model.score(ASSORTED), REWARDS[name]().score(ASSORTED))

    def test_needs_a_label_only_if_it_compares_with_the_reference_answer(self, name: str) -> None:
        scores = REWARDS[name]().score(unlabelled(ASSORTED))
        assert np.isnan(scores).all() == (name in {"correctness", "grounding", "relaxed_accuracy"})

    def test_does_not_use_the_reference_answer_otherwise(self, name: str) -> None:
        if name not in {"correctness", "grounding", "relaxed_accuracy"}:
            other = [
                replace(a, answer=a.answer and replace(a.answer, value="5")) for a in ASSORTED[:10]
            ]
            model = REWARDS[name]()
            np.testing.assert_array_equal(model.score(other), model.score(ASSORTED[:10]))


@pytest.mark.parametrize("golden", [GOLDEN, CHOICE], ids=["number", "choice"])
def test_golden_attempts_score_one_and_junk_zero(golden: Attempt) -> None:
    panel = RewardPanel([REWARDS[n]() for n in ("correctness", "format", "grounding")], rule=gated)
    report = check_canaries(panel, [golden])
    assert report.failures == ()
    assert sorted(report.kinds) == sorted(("golden", *JUNK))
    assert report.table.reward.tolist() == [1.0] + [0.0] * len(JUNK)


def test_a_panel_of_all_reward_models_ranks_golden_above_junk() -> None:
    report = check_canaries(RewardPanel([make() for make in REWARDS.values()]), [GOLDEN, CHOICE])
    assert report.failures == ()


class Gullible:
    name = "correctness"

    def score(self, attempts: Sequence[Attempt]) -> np.ndarray:
        return np.array([len(attempt.response) > 0 for attempt in attempts], np.float32)


def test_canaries_detect_a_verifier_that_accepts_junk() -> None:
    report = check_canaries(RewardPanel([Gullible()]), [GOLDEN])
    assert any("correctness scores judge injection 1.00" in fault for fault in report.failures)
    assert any("the panel rewards number spray with 1.00" in fault for fault in report.failures)
    assert not any("empty" in fault for fault in report.failures)


def test_canaries_detect_a_panel_that_abstains_on_golden() -> None:
    report = check_canaries(RewardPanel([REWARDS["self_certainty"]()]), [GOLDEN])
    assert any("gives golden no reward" in fault for fault in report.failures)


def test_canaries_need_a_label_and_skip_a_missing_counterfactual() -> None:
    with pytest.raises(ValueError, match="unlabelled"):
        canaries(replace(GOLDEN, answer=None))
    assert "other image" not in canaries(replace(GOLDEN, counterfactual=None))


def test_self_consistency_is_the_share_of_other_responses_with_an_equivalent_answer() -> None:
    scores = SelfConsistency().score(answers(7, "7.0", 5, "7", 4))
    np.testing.assert_allclose(scores, np.float32([0.5, 0.5, 0.0, 0.5, 0.0]))


def test_self_consistency_needs_no_label() -> None:
    scores = SelfConsistency().score(unlabelled(answers(7, "7.0", 5, "7", 4)))
    np.testing.assert_allclose(scores, np.float32([0.5, 0.5, 0.0, 0.5, 0.0]))


def test_responses_without_an_answer_get_no_votes() -> None:
    ramble = "The red bar is taller than the blue one, and there is more to say of it. " * 6
    group = responses_to("", ramble, "", "", "Answer: 7", "Answer: 7", "Answer: 7")
    np.testing.assert_allclose(
        SelfConsistency().score(group), np.float32([0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    )
    np.testing.assert_array_equal(MajorityOnly().score(group), [0, 0, 0, 0, 1, 1, 1])
    assert np.isnan(MajorityOnly().score(responses_to("", ramble))).all()


@pytest.mark.parametrize(
    "group",
    [answers(7, 7, 7, 7), answers(1, 2, 3, 4, 5), answers(7, 7), answers(7, 7, 5, of=CHOICE)[:0]],
    ids=["all agree", "all differ", "two", "none"],
)
def test_self_consistency_abstains_on_groups_outside_the_gate(group: list[Attempt]) -> None:
    assert np.isnan(SelfConsistency().score(group)).all()


def test_groups_do_not_vote_for_each_other() -> None:
    one, other = answers(7, 7, 5), [replace(a, group="other") for a in answers(5, 5, 7)]
    scores = SelfConsistency().score([*one, *other])
    np.testing.assert_allclose(scores, [0.5, 0.5, 0, 0.5, 0.5, 0])


def test_in_a_tie_every_largest_class_scores_one() -> None:
    np.testing.assert_array_equal(MajorityOnly().score(answers(7, 7, 5, 5, 4)), [1, 1, 1, 1, 0])


def test_grounding_scores_zero_for_answers_that_fit_both_images() -> None:
    hedge = replace(GOLDEN, answer=Answer("chart_number", "100", tolerance=0.05))
    near = replace(hedge, counterfactual=Answer("chart_number", "108", tolerance=0.05))
    scores = CounterfactualGrounding().score(answers(100, 104, 108, of=near))
    np.testing.assert_array_equal(scores, [1, 0, 0])
    same = replace(hedge, counterfactual=Answer("chart_number", "101", tolerance=0.05))
    assert np.isnan(CounterfactualGrounding().score(answers(100, of=same))).all()


def test_image_ablation_scores_the_gap_of_right_answers_only() -> None:
    scored: list[Attempt] = []

    def gap(attempts: Sequence[Attempt]) -> list[float]:
        scored.extend(attempts)
        return [2.5, -1.0, 50.0, float("nan")]

    group = [*answers(7, 7, 7, 7, 5), *unlabelled(answers(7))]
    scores = ImageAblation(gap).score(group)
    np.testing.assert_array_equal(scores, [0.5, 0, 1, np.nan, 0, np.nan])
    assert scored == group[:4]


def test_the_shortest_nonempty_response_of_a_group_scores_one() -> None:
    scores = REWARDS["brevity"]().score(responses_to("", "a" * 10, "a" * 20, "a" * 30))
    np.testing.assert_array_equal(scores, [0, 1, 0.5, 0])
    assert np.isnan(REWARDS["brevity"]().score(responses_to("", "abc"))).all()


@pytest.mark.parametrize("loop", ["red is 9. " * 40, "ha" * 400, "图像里有三个圆" * 60])
def test_repetition_detects_loops_in_any_script(loop: str) -> None:
    new, old = Repetition().score(responses_to(GOLDEN.response, loop))
    assert new == 1
    assert old < 0.3


def test_self_certainty_is_monotonic_and_abstains_without_a_certainty() -> None:
    sure = [replace(GOLDEN, certainty=nats) for nats in (0.0, 2.0, 10.0, 40.0, None)]
    np.testing.assert_allclose(
        REWARDS["self_certainty"]().score(sure), np.float32([0, 1 / 6, 0.5, 0.8, np.nan])
    )


def test_the_random_control_rewards_its_share_and_depends_on_its_seed() -> None:
    many = responses_to(*(f"Answer: {number}" for number in range(1000)))
    scores = RandomReward(share=0.3).score(many)
    assert 0.25 < scores.mean() < 0.35
    assert (RandomReward(seed=1, share=0.3).score(many) != scores).any()


VERDICT = "VERDICT: reading=4 reasoning=2 answer=0"


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        (VERDICT, 0.5),
        (f"The bars are read well.\n\n{VERDICT}\n", 0.5),
        ("VERDICT: reading=4 reasoning=4 answer=4", 1.0),
        ("", np.nan),
        (":", np.nan),
        ("Thought process:", np.nan),
        ("4", np.nan),
        (f"{VERDICT}\n{VERDICT}", np.nan),
        (f"{VERDICT}\nSo it is fine.", np.nan),
        ("VERDICT: reading=5 reasoning=2 answer=0", np.nan),
        ("VERDICT: reading=4 reasoning=2", np.nan),
        ("VERDICT: reading=4 reasoning=2 answer=0 and more", np.nan),
    ],
)
def test_a_judges_reply_counts_only_in_the_requested_form(reply: str, score: float) -> None:
    judge = SelfJudge(lambda prompt, images: reply)
    np.testing.assert_array_equal(judge.score([GOLDEN]), [score])


@pytest.mark.parametrize("failure", [TimeoutError("slow"), ConnectionError(), ValueError("junk")])
def test_a_judge_that_fails_abstains(failure: Exception) -> None:
    def ask(prompt: str, images: object) -> str:
        raise failure

    assert np.isnan(SelfJudge(ask).score([GOLDEN])).all()


def test_a_programming_error_in_the_judge_is_not_an_abstention() -> None:
    def ask(prompt: str, images: object) -> str:
        raise AttributeError("no such thing")

    with pytest.raises(AttributeError, match="no such thing"):
        SelfJudge(ask).score([GOLDEN])


def test_the_judges_prompt_delimits_the_response_and_omits_the_reference_answer() -> None:
    secret = replace(GOLDEN, response="9 - 2", answer=Answer("text", "a secret answer"))
    judge = SelfJudge(lambda prompt, images: VERDICT)
    prompt = judge.prompt(secret)
    mark = prompt.split("--- begin ")[1].split("\n")[0]
    assert prompt.count(f"--- begin {mark}\n9 - 2\n--- end {mark}\n") == 1
    assert mark not in judge.prompt(replace(secret, response=f"--- end {mark}")).split("begin ")[0]
    assert "secret answer" not in prompt
    assert GOLDEN.question in prompt


def test_braces_in_a_response_are_not_formatted() -> None:
    prompt = SelfJudge(lambda p, _: VERDICT).prompt(replace(GOLDEN, response="{question} {0}"))
    assert "{question} {0}" in prompt


def test_parallel_judge_requests_keep_their_order() -> None:
    def ask(prompt: str, images: object) -> str:
        grade = prompt.split("Answer: ")[1][0]
        return f"VERDICT: reading={grade} reasoning={grade} answer={grade}"

    scores = SelfJudge(ask, workers=4).score(answers(0, 1, 2, 3, 4))
    np.testing.assert_array_equal(scores, [0, 0.25, 0.5, 0.75, 1])


def test_a_rubric_needs_one_word_names() -> None:
    with pytest.raises(ValueError, match="one-word names"):
        SelfJudge(lambda prompt, images: "", rubric={"the steps": "good"})


class Red:
    def render(self, size: int | None = None) -> Image.Image:
        return Image.new("RGB", (2, 2), "red")


Serve = Callable[[int, bytes], tuple[Endpoint, list[dict[str, Any]]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on this machine that gives one reply to everything."""
    started: list[http.server.HTTPServer] = []

    def start(status: int, body: bytes) -> tuple[Endpoint, list[dict[str, Any]]]:
        requests: list[dict[str, Any]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append(json.loads(content) | {"path": self.path, **self.headers})
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/"
        return Endpoint(url, "judge-7b", key="hush", timeout=5, pause=0.001), requests

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_an_endpoint_gets_the_prompt_and_the_image(serve: Serve) -> None:
    body = json.dumps({"choices": [{"message": {"content": f"Fine.\n{VERDICT}"}}]}).encode()
    endpoint, requests = serve(200, body)
    scores = SelfJudge(endpoint).score([replace(GOLDEN, images=(Red(),))])
    assert scores.tolist() == [0.5]
    (request,) = requests
    assert request["path"] == "/v1/chat/completions"
    assert request["Authorization"] == "Bearer hush"
    assert (request["model"], request["temperature"]) == ("judge-7b", 0)
    image, text = request["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert GOLDEN.question in text["text"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (429, b"slow down"),
        (200, b"<html>"),
        (200, b'{"choices": []}'),
        (200, b"[" * 100_000),
        (200, b'{"choices": [{"message": {"content": null}}]}'),
        (200, b"\xff\xfe"),
    ],
)
def test_an_endpoint_that_fails_is_an_abstention(serve: Serve, status: int, body: bytes) -> None:
    endpoint, _ = serve(status, body)
    assert np.isnan(SelfJudge(endpoint).score([GOLDEN])).all()


def test_an_endpoint_accepts_http_only_and_hides_its_key() -> None:
    with pytest.raises(ValueError, match="must start with http"):
        Endpoint("file:///etc/passwd", "m")
    assert "hush" not in repr(Endpoint("http://localhost", "m", key="hush"))


def test_an_unreachable_endpoint_is_an_abstention() -> None:
    assert np.isnan(
        SelfJudge(Endpoint("http://127.0.0.1:9", "m", timeout=2, pause=0.001)).score([GOLDEN])
    ).all()


def test_importing_rewards_loads_no_torch_no_pillow_and_no_sympy() -> None:
    code = "import sys, mstar.rewards; print({'torch', 'PIL', 'sympy', 'trl'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


# Relaxed accuracy


@pytest.mark.parametrize(
    ("reference", "given", "right"),
    [
        ("200", "209", True),
        ("200", "211", False),
        ("0", "0", True),
        ("0", "0.001", False),
        ("2009", "1950", True),  # years are numbers there
        ("0.25", "25%", True),
        ("Yes", "yes", True),
        ("red", "green", False),
        ("200", "nan", False),
    ],
)
def test_relaxed_accuracy_is_that_of_chartqa(reference: str, given: str, right: bool) -> None:
    attempt = Attempt("How many?", f"Let me see.\nAnswer: {given}", Answer("text", reference))
    assert RelaxedAccuracy().score([attempt]).tolist() == [float(right)]
    assert np.isnan(RelaxedAccuracy().score([replace(attempt, answer=None)])).all()
