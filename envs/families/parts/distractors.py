"""Wrong whole numbers that a careless solver would answer."""

from __future__ import annotations


def distractors(right: int, *careless: int) -> tuple[str, ...]:
    """Up to five wrong answers: what carelessness gives first, then the nearest numbers.

    >>> distractors(7, 4, 7)
    ('4', '8', '6', '9', '5')
    """
    wrong = (*careless, right + 1, right - 1, right + 2, right - 2)
    return tuple(str(v) for v in dict.fromkeys(wrong) if v != right and v >= 0)[:5]
