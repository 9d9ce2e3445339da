"""The typed answer verifier: does a response commit to the reference answer?

``verify`` extracts the committed answer (``extract``), reads it and the reference answer as the
answer's type requires, and compares the two; ``audit`` checks a reference answer before training;
``equivalent`` compares two answers. What plugs in here is an answer type: one file with a function
that reads a text and one that compares two readings, a line in ``COMPARATORS`` in
``answer_types.py``, and the type's name in ``AnswerType`` in ``mstar.rewards.base``. ``parsing``
holds what the types read with. No text is ever evaluated as code.
"""

from mstar.rewards.verifier.answer_types import COMPARATORS
from mstar.rewards.verifier.audit import audit
from mstar.rewards.verifier.base import AnswerComparator, MatchResult
from mstar.rewards.verifier.extract import has_reasoning, well_formed
from mstar.rewards.verifier.verify import Verdict, equivalent, extract, verify

__all__ = [
    "COMPARATORS",
    "AnswerComparator",
    "MatchResult",
    "Verdict",
    "audit",
    "equivalent",
    "extract",
    "has_reasoning",
    "verify",
    "well_formed",
]
