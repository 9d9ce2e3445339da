"""The typed answer verifier: does a response commit to the reference answer?

``verify`` extracts the committed answer (``extract``), reads it and the reference answer as the
answer's type requires, and compares the two; ``audit`` checks a reference answer before training;
``equivalent`` compares two answers. What plugs in here is an answer type: one file with a function
that reads a text and one that compares two readings, a line in ``COMPARATORS`` in
``answer_types.py``, and the type's name in ``AnswerType`` in ``mstar.rewards.base``. ``parsing``
holds what the types read with. No text is ever evaluated as code.

What counts as an answer is a matter of policy in places. Ours:

- A commitment is what stands in the explicit answer (``forms`` lists the forms), in its first
  sentence. Reasons may follow and may name other options; a sentence that takes the answer back,
  or that is another answer, leaves none. A box after ``The answer is ...`` is the later and more
  explicit one and counts; a phrase that contradicts a box before it leaves none.
- Conditions, refusals, several options, and text that breaks off commit to nothing.
- A letter and the label beside it must agree; a sentence beside a letter is a reason, unless it
  states another option, or an amount that is no option.
- ``about 7`` is 7, for a value read off an image is often said so. ``50%`` is not 50: whether per
  cent were asked for is said by the unit of the record. ``6/14`` is 3/7. ``(0.6, 2.6667]`` is not
  ``(3/5, 8/3]``: six digits are needed, as for a number.
- A calculation that was not carried out (``3 + 4``, ``2^3 5^2``) is not a number; an expression it
  is. A reference answer that can't be read as its type is an abstention, whatever the response.
- ``[1, 2]`` may stand for the point (1, 2), as programs write it; ``[1, 2)`` may not.
- The value alone answers ``f(x) = 1`` and ``(p, q) = (3, 2)``; to ``x = 3``, where the variable is
  the question, it does not.
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
