"""Does the response end by committing to one answer?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.extract import well_formed


class Format:
    r"""1 where the response ends with one commitment in a recognised form, else 0.

    Source: the format reward of DeepSeek-R1 (arXiv 2501.12948), for the forms that we recognise.
    Exactly: outside a closed ``<think>`` block there is an ``<answer>`` tag, a ``\boxed{}``, an
    ``Answer:`` line or a ``# Answer`` heading that holds 1 to 300 characters; nothing but closing
    punctuation, mathematics delimiters and end-of-text tokens follows it; and no other such
    commitment beside or after it says something else. An earlier one that the text itself takes
    back ("wait, ...") is allowed. What is committed to need not be right, nor of the right type,
    so this never abstains and needs no label.
    """

    name = "format"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1."""
        return np.array([float(well_formed(a.response)) for a in attempts], np.float32)
