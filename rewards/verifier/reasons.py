"""Does a response give reasons before it answers, or is it the answer alone?"""

from __future__ import annotations

import re

from mstar.rewards.verifier.extract import THINK, Commitment, commit, visible

LEAST = 3  # words; "Sure!" and "The correct answer:" give no reason
# All but the line or the sentence that the answer stands in.
_STATED = re.compile(r".*(?:[.!?]\s|[\n。])", re.DOTALL)


def reasons(response: str) -> bool:
    r"""Whether lines, sentences or thoughts of three words or more stand before the answer.

    Only the form is looked at: reasons may be wrong. What follows the answer is none, for it was
    not found by it, and nor is what stands in its own sentence.

    >>> reasons("red is 8\nAnswer: 8"), reasons("Answer: 8"), reasons("The final answer is 8.")
    (True, False, False)
    >>> reasons("Answer: 8\nThat is what the picture shows.")
    False
    """
    shown, found = visible(response), commit(response)
    if shown is None or not isinstance(found, Commitment):
        return False
    stated = _STATED.match(shown[: found.start])
    thoughts = THINK.split(response)[:-1:2]
    return len(re.findall(r"\w+", " ".join([*thoughts, stated[0] if stated else ""]))) >= LEAST
