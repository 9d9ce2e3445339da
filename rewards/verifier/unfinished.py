"""What a response that was cut off by the limit on its length may still be worth."""

from __future__ import annotations

from typing import Literal

from mstar.rewards.verifier.extract import Commitment, commit

Unfinished = Literal["nothing", "committed", "everything"]


def commits_for_good(response: str) -> bool:
    r"""Whether a response that was cut off holds an explicit answer that cannot have gone on.

    That is an answer in a closed tag or box, or on a line that has ended, which the rest of the
    text does not contradict. The number on the last line may have lost digits.

    >>> commits_for_good("So it is \\boxed{7}. Let me"), commits_for_good("Answer: 7\nLet me")
    (True, True)
    >>> commits_for_good("so the answer is 7. Hmm"), commits_for_good("Answer: 7")
    (False, False)
    """
    whole = commit(response, strict=True)
    if not isinstance(whole, Commitment):
        return False
    ended = commit(response.rpartition("\n")[0], strict=True)
    on_ended_line = isinstance(ended, Commitment) and ended.text == whole.text
    return whole.form in ("tag", "box") or on_ended_line
