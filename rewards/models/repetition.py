"""How much of the response is new rather than repeated?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores

# Longer runs of letters are cut, so that a loop without spaces is found too.
WORD = re.compile(r"\w{1,12}|[^\w\s]")


@dataclass(frozen=True)
class Repetition:
    """The share of a response's n-grams that are distinct; 1 where nothing is repeated.

    Source: the repetition penalty of "Demystifying Long Chain-of-Thought Reasoning in LLMs"
    (arXiv 2502.03373, appendix C.2), as implemented in ``trl.rewards``, plus one, and over
    words rather than token ids. A response without words scores 0.

    Attributes:
        size: words and punctuation marks in an n-gram.
    """

    size: int = 3
    name = "repetition"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32 in [0, 1]; never abstains."""
        return np.array([self._distinct(attempt.response) for attempt in attempts], np.float32)

    def _distinct(self, response: str) -> float:
        words = WORD.findall(response)
        if len(words) < self.size:
            return float(len(words) > 0)
        grams = list(zip(*(words[start:] for start in range(self.size)), strict=False))
        return len(set(grams)) / len(grams)
