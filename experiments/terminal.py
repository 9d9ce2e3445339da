"""Terminal output: text from untrusted sources, and lines that are updated in place."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, RenderableType
from rich.live import Live


def printable(text: str) -> str:
    r"""A text with control sequences escaped, so that it cannot control the terminal.

    >>> printable("red\x1b[2J"), printable("½ a\nb")
    ('red\\x1b[2J', '½ a\nb')
    """
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def live(
    console: Console, shown: RenderableType, per_second: float
) -> AbstractContextManager[object]:
    """Keep redrawing `shown` inside the ``with`` block; draws nothing to a file or a pipe."""
    if not console.is_terminal:
        return nullcontext()
    return Live(shown, console=console, refresh_per_second=per_second)
