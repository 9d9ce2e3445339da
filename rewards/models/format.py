"""Does the response end with one answer in a recognised form?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.extract import well_formed


class Format:
    r"""1 where the response ends with exactly one answer in a recognised form, else 0.

    Source: the format reward of DeepSeek-R1 (arXiv 2501.12948), for the forms that the
    verifier recognises. Outside a closed ``<think>`` block there must be an ``<answer>`` tag, a
    ``\boxed{}``, an ``Answer:`` line or an ``# Answer`` heading with 1 to 300 characters in it;
    nothing but closing punctuation, mathematics delimiters and end-of-text tokens may follow; and
    no other answer beside or after it may contradict it. An earlier answer that the text itself
    retracts ("wait, ...") is allowed. The answer need not be right, nor of the right type, so this
    model needs no label and never abstains.
    """

    name = "format"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1."""
        return np.array([float(well_formed(a.response)) for a in attempts], np.float32)
