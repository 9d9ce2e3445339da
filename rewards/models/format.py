"""Does the response end with one answer in a recognised form?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.extract import commit, well_formed

ResponseForm = Literal["answer", "boxed", "tags", "thinking"]
THOUGHT = r"(?:(?!</?think>).)*"
THOUGHT_FIRST = re.compile(
    rf"\s*(?:<think>)?(?=(?:(?!</think>)\W)*\w){THOUGHT}</think>{THOUGHT}", re.S
)


class Format:
    r"""1 where the response ends with exactly one answer in a recognised form, else 0.

    Source: the format reward of DeepSeek-R1 (arXiv 2501.12948), for the forms that the
    verifier recognises. Outside a closed ``<think>`` block there must be an ``<answer>`` tag, a
    ``\boxed{}``, an ``Answer:`` line or an ``# Answer`` heading with 1 to 300 characters in it;
    nothing but closing punctuation, mathematics delimiters and end-of-text tokens may follow; and
    no other answer beside or after it may contradict it. An earlier answer that the text itself
    retracts ("wait, ...") is allowed. The answer need not be right, nor of the right type, so this
    model needs no label and never abstains.

    Args:
        form: what the prompts ask for. ``answer`` accepts any of these forms, ``boxed`` only the
            second and ``tags`` only the first; ``thinking`` asks for any of them behind one
            ``<think>`` block with words in it, as in DeepSeek-R1. Its opening tag may be missing,
            since some chat templates write it.
    """

    name = "format"

    def __init__(self, form: ResponseForm = "answer") -> None:
        self.form = form

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1."""
        return np.array([float(self._fits(a.response)) for a in attempts], np.float32)

    def _fits(self, response: str) -> bool:
        if not well_formed(response):
            return False
        if self.form == "thinking":
            return THOUGHT_FIRST.fullmatch(response) is not None
        if self.form == "answer":
            return True
        committed = commit(response, strict=True)
        wanted = "box" if self.form == "boxed" else "tag"
        return not isinstance(committed, str) and committed.form == wanted
