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
  or that is another answer, leaves none. Two forms side by side that differ leave none; with words
  between them that move on, a box or a tag counts for more than ``The answer is ...``.
- Without such a form, an option on the first or the last line commits, and so does a last sentence
  that concludes (``So the area is 7``) or a first one that says it in bold (``conclusion``).
- Conditions, doubts, refusals, several options, and text that breaks off commit to nothing.
- A letter and the label beside it must agree; a sentence beside a letter is a reason, unless it
  states another option, or an amount that is no option.
- ``about 7`` is 7, for a value read off an image is often said so, and ``about 2 hours`` is 2 h;
  ``nearly`` and ``almost`` say that it is not. ``50%`` is 50 where the record
  has no unit, as golds of questions for a percentage are written; it is 0.5 as well. ``6/14`` is
  3/7. ``2.6667`` is 8/3: five digits are needed, as in the end of an interval.
- A calculation that was not carried out (``3 + 4``, ``2^3 5^2``) is not a number; an expression it
  is. A reference answer that can't be read as its type is an abstention, whatever the response.
- Items of a list stand after commas, semicolons or on lines of their own; where the answer is a
  single value, ``7; 8`` is no answer.
- ``[1, 2]`` may stand for the point (1, 2), as programs write it; ``[1, 2)`` may not.
- The value alone answers ``x = 3``, ``f(x) = 1`` and ``(p, q) = (3, 2)``; to ``y = 2x`` it is no
  answer.
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
