"""How much of the response is new, rather than said before?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores

# A longer run is cut, so that a loop without spaces counts as one too.
PIECE = re.compile(r"\w{1,12}|[^\w\s]")


@dataclass(frozen=True)
class Repetition:
    """The share of a response's n-grams that are distinct; 1 where nothing is repeated.

    Source: the repetition penalty of "Demystifying Long Chain-of-Thought Reasoning in LLMs"
    (arXiv 2502.03373, appendix C.2), as ``trl.rewards`` has it, plus one, and over words rather
    than token ids. A response without words scores 0.

    Attributes:
        size: words and punctuation marks in an n-gram.
    """

    size: int = 3
    name = "repetition"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32 in [0, 1]; never abstains."""
        return np.array([self._distinct(attempt.response) for attempt in attempts], np.float32)

    def _distinct(self, response: str) -> float:
        pieces = PIECE.findall(response)
        if len(pieces) < self.size:
            return float(len(pieces) > 0)
        grams = list(zip(*(pieces[start:] for start in range(self.size)), strict=False))
        return len(set(grams)) / len(grams)
