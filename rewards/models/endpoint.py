"""A client for models behind an OpenAI-compatible chat endpoint, with images."""

from __future__ import annotations

import base64
import http.client
import io
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mstar.rewards.base import LazyImage

LONGEST_REPLY = 1_000_000  # bytes; a longer reply is cut, which makes it invalid JSON


@dataclass(frozen=True)
class Endpoint:
    """A callable that sends a prompt with images and returns the text of the reply.

    Attributes:
        url: the base URL of the API, such as ``http://localhost:8000/v1``.
        model: the name under which the server knows the model.
        key: sent as a bearer token; never shown in the repr.
        timeout: seconds to wait for data from the server.
        max_tokens: the maximum length of the reply.

    Raises:
        ValueError: the URL does not start with http:// or https://.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    max_tokens: int = 512

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, got {self.url!r}")

    def __call__(self, prompt: str, images: Sequence[LazyImage] = ()) -> str:
        """One chat completion at temperature 0.

        Raises:
            OSError: the server could not be reached, timed out or answered with an error.
            ValueError: the reply is not a chat completion with text.
        """
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
        request = urllib.request.Request(
            self.url.rstrip("/") + "/chat/completions", json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return _reply_text(reply.read(LONGEST_REPLY))
        except http.client.HTTPException as error:  # such as an incomplete reply
            raise ConnectionError(f"{self.url} sent an incomplete reply: {error!r}") from error


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
