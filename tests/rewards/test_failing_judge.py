"""A judge behind an address that fails is asked again, told, or stops the run; it never pays."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mstar.rewards import Correctness, Endpoint, RewardPanel, SelfJudge
from mstar.rewards.base import Answer, Attempt
from mstar.rewards.models.self_judge import RUBRIC

VERDICT = "VERDICT: " + " ".join(f"{name}=2" for name in RUBRIC)  # a score of 0.5
GOOD = json.dumps({"choices": [{"message": {"content": VERDICT}}]}).encode()

Handler = http.server.BaseHTTPRequestHandler
Reply = Callable[[Handler, bytes], None]


class Server:
    """Answers each request by `reply`, and keeps the headers and how many it answers at once."""

    def __init__(self, reply: Reply) -> None:
        self.headers: list[dict[str, str]] = []
        self.most = self.now = 0
        owner, lock = self, threading.Lock()

        class Answering(Handler):
            def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
                with lock:
                    owner.headers.append(dict(self.headers))
                    owner.now += 1
                    owner.most = max(owner.most, owner.now)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply(self, body)
                with lock:
                    owner.now -= 1

            do_GET = do_POST  # noqa: N815 - of a redirect that is followed

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], Server]]:
    started: list[Server] = []

    def start(reply: Reply) -> Server:
        started.append(Server(reply))
        return started[-1]

    yield start
    for each in started:
        each.server.shutdown()
        each.server.server_close()


def answer(handler: Handler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def endpoint(server: Server, timeout: float = 5.0) -> Endpoint:
    return Endpoint(server.url, "m", key="hush", timeout=timeout, pause=0.001)


def attempts(count: int) -> list[Attempt]:
    return [Attempt("How many?", f"The answer is {i}.", Answer("count", "3")) for i in range(count)]


@pytest.mark.parametrize(
    "broken", [(500, b"{}"), (429, b"wait"), (200, b"<html>"), (200, GOOD[:9])]
)
def test_a_failure_that_may_pass_is_tried_again(
    serve: Callable[[Reply], Server], broken: tuple[int, bytes]
) -> None:
    replies = [broken, broken, (200, GOOD)]
    server = serve(lambda handler, _: answer(handler, *replies.pop(0)))
    assert SelfJudge(endpoint(server)).score(attempts(1)).tolist() == [0.5]
    assert replies == []


def test_a_refusal_is_not_tried_again_and_quoted(serve: Callable[[Reply], Server]) -> None:
    server = serve(lambda handler, _: answer(handler, 401, b"wrong key"))
    with pytest.raises(OSError, match=r"answered 401 .*: wrong key"):
        endpoint(server)("a prompt")
    assert len(server.headers) == 1


def test_a_redirect_never_takes_the_key_along(serve: Callable[[Reply], Server]) -> None:
    other = serve(lambda handler, _: answer(handler, 200, GOOD))
    for status in (301, 302, 303, 307, 308):
        server = serve(lambda h, _, s=status: answer(h, s, b"", Location=other.url))  # type: ignore[misc]
        with pytest.raises(OSError, match=f"redirects to {other.url}; give that address"):
            endpoint(server)("a prompt")
    assert other.headers == []


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_one_limit_bounds_a_whole_call_that_drips(
    serve: Callable[[Reply], Server], head: bytes
) -> None:
    done = threading.Event()

    def drip(handler: Handler, _: bytes) -> None:
        handler.wfile.write(head)
        while not done.wait(0.02):
            try:
                handler.wfile.write(b"1")
            except OSError:
                return

    server = serve(drip)
    with pytest.raises(TimeoutError, match="no whole answer"):
        endpoint(server, timeout=0.2)("a prompt")
    done.set()


def test_only_so_many_calls_are_made_at_once(serve: Callable[[Reply], Server]) -> None:
    three = threading.Barrier(3, timeout=20)

    def together(handler: Handler, _: bytes) -> None:
        three.wait()
        answer(handler, 200, GOOD)

    server = serve(together)
    SelfJudge(endpoint(server, timeout=30), workers=3).score(attempts(12))
    assert server.most == 3


def failing(share: list[bool]) -> Callable[[str, object], str]:
    """A judge that fails on the responses for which `share` is true."""

    def ask(prompt: str, _: object) -> str:
        for number, fails in enumerate(share):
            if f"The answer is {number}." in prompt and fails:
                raise ConnectionError("out of credit")
        return VERDICT

    return ask


def test_too_many_failures_stop_the_run_with_the_endpoints_own_words() -> None:
    judge = SelfJudge(failing([True] * 3 + [False] * 7), most_failures=0.2)
    with pytest.raises(ConnectionError, match="failed on 3 of 10 responses: out of credit"):
        judge.score(attempts(10))
    wordless = SelfJudge(lambda *_: "I would rather not.", most_failures=0.2)
    with pytest.raises(ConnectionError, match="without a verdict: 'I would rather not"):
        wordless.score(attempts(4))


def test_a_response_that_a_judge_failed_on_has_no_reward() -> None:
    judge = SelfJudge(failing([False, False, True, True]), most_failures=0.5)
    table = RewardPanel([Correctness(), judge]).score(attempts(4))
    assert np.array_equal(table.reward, [0.25, 0.25, np.nan, np.nan], equal_nan=True)
    unweighted = RewardPanel([Correctness(), judge], {"self_judge": 0}).score(attempts(4))
    assert unweighted.reward.tolist() == [0, 0, 0, 1]


def test_calls_and_tokens_are_counted_also_where_a_reply_is_of_no_use(
    serve: Callable[[Reply], Server],
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    replies = iter([{"usage": usage}, {**json.loads(GOOD), "usage": usage}, json.loads(GOOD)])

    server = serve(lambda handler, _: answer(handler, 200, json.dumps(next(replies)).encode()))
    asked = endpoint(server)
    assert asked("grade this") == VERDICT  # at the second try
    assert asked("and this") == VERDICT  # of a server that reports no tokens
    assert asked.usage.take() == (3, 200, 14)
    assert asked.usage.take() == (0, 0, 0)
