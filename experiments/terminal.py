"""Texts from elsewhere on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text without what would steer the terminal.

    >>> printable("red\x1b[2J"), printable("½ a\nb")
    ('red\\x1b[2J', '½ a\nb')
    """
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
