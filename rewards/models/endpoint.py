"""A client for models behind an OpenAI-compatible chat endpoint, with images."""

from __future__ import annotations

import base64
import http.client
import io
import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mstar.rewards.base import LazyImage

LONGEST_REPLY = 1_000_000  # bytes; a longer reply is cut, which makes it invalid JSON
QUOTED = 200  # bytes of a reply in an error message
BUSY = (408, 425, 429)  # answers that ask to come again, like all from 500 on


class Usage:
    """What an endpoint was asked, as its replies tell; counted from several threads.

    Attributes:
        calls: that were answered, those with an unusable reply too.
        prompt_tokens: read by the model, images included, where the endpoint reports them.
        reply_tokens: written by it, likewise.
    """

    def __init__(self) -> None:
        self.calls = self.prompt_tokens = self.reply_tokens = 0
        self._lock = threading.Lock()

    def add(self, body: bytes) -> None:
        """Count a reply, with the tokens in its ``usage``."""
        try:
            told = json.loads(body)["usage"]
            tokens = int(told["prompt_tokens"]), int(told["completion_tokens"])
        except (KeyError, TypeError, ValueError, RecursionError):
            tokens = 0, 0
        with self._lock:
            self.calls += 1
            self.prompt_tokens += max(0, tokens[0])
            self.reply_tokens += max(0, tokens[1])

    def take(self) -> tuple[int, int, int]:
        """Calls, prompt tokens and reply tokens since the last time; the counts are reset."""
        with self._lock:
            found = self.calls, self.prompt_tokens, self.reply_tokens
            self.calls = self.prompt_tokens = self.reply_tokens = 0
        return found


@dataclass(frozen=True)
class Endpoint:
    """A callable that sends a prompt with images and returns the text of the reply.

    Attributes:
        url: the base URL of the API, such as ``http://localhost:8000/v1``.
        model: the name under which the server knows the model.
        key: sent as a bearer token; never shown in the repr.
        timeout: seconds for a whole call, with all its tries.
        max_tokens: the maximum length of the reply.
        tries: how often a call is made that fails for a reason that may pass.
        pause: seconds before the second try; twice as many before each further one.
        usage: what was asked so far.

    Raises:
        ValueError: the URL does not start with http:// or https://.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    max_tokens: int = 512
    tries: int = 4
    pause: float = 1.0
    usage: Usage = field(default_factory=Usage, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, got {self.url!r}")

    def __call__(self, prompt: str, images: Sequence[LazyImage] = ()) -> str:
        """One chat completion at temperature 0.

        A redirect is not followed: another host would get the key.

        Raises:
            OSError: the server could not be reached, answered with an error, or had no answer in
                time; the message quotes it.
            ValueError: the reply is not a chat completion with text.
        """
        request = self._request(prompt, images)
        end = time.monotonic() + self.timeout
        for attempt in range(self.tries):
            try:
                return within(end - time.monotonic(), lambda: self._answer(request))
            except (OSError, ValueError) as error:
                pause = self.pause * 2**attempt
                late = time.monotonic() + pause >= end
                if isinstance(error, PermissionError) or late or attempt + 1 == self.tries:
                    raise
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _request(self, prompt: str, images: Sequence[LazyImage]) -> urllib.request.Request:
        content = [*(_image_part(image) for image in images), _text_part(prompt)]
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        headers = {"Content-Type": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return urllib.request.Request(
            self.url.rstrip("/") + "/chat/completions", json.dumps(body).encode(), headers
        )

    def _answer(self, request: urllib.request.Request) -> str:
        """The text of one reply.

        Raises:
            PermissionError: the server refuses, and will again.
            OSError, ValueError: as ``__call__``.
        """
        try:
            with _OPENER.open(request, timeout=self.timeout) as reply:
                body = reply.read(LONGEST_REPLY)
        except urllib.error.HTTPError as error:
            said = f"{self.url} answered {error.code} {error.reason}: {_quoted(error)}"
            if error.code in BUSY or error.code >= 500:
                raise ConnectionError(said) from error
            if 300 <= error.code < 400:
                said += f" it redirects to {error.headers.get('Location')}; give that address"
            raise PermissionError(said) from error
        except urllib.error.URLError as error:
            raise ConnectionError(f"{self.url} cannot be reached: {error.reason}") from error
        except http.client.HTTPException as error:  # such as an incomplete reply
            raise ConnectionError(f"{self.url} sent an incomplete reply: {error!r}") from error
        self.usage.add(body)
        return _reply_text(body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the error that it is."""

    def redirect_request(self, *_: Any) -> None:
        """Never make a second request."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def within(seconds: float, action: Callable[[], str]) -> str:
    """The result of an action on a thread of its own, which is left behind if it takes longer.

    A time-out of a socket bounds the wait for each byte alone.

    Raises:
        TimeoutError: it takes longer.
        OSError, ValueError: what the action raised.
    """
    results: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def act() -> None:
        try:
            results.put(action())
        except Exception as error:  # raised where the result is waited for
            results.put(error)

    threading.Thread(target=act, daemon=True).start()
    try:
        result = results.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise TimeoutError("the endpoint gave no whole answer in time") from None
    if isinstance(result, Exception):
        raise result
    return result


def _quoted(reply: urllib.error.HTTPError) -> str:
    """The start of an error's text."""
    try:
        return reply.read(QUOTED).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return ""


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image_part(image: LazyImage) -> dict[str, Any]:
    png = io.BytesIO()
    image.render().save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def _reply_text(body: bytes) -> str:
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"the reply is not a chat completion: {body[:200]!r}") from error
    if not isinstance(text, str):
        raise ValueError(f"the reply has no text: {body[:200]!r}")
    return text
