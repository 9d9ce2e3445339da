"""What a terminal is shown: texts from elsewhere, and lines that change while work goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, RenderableType
from rich.live import Live


def printable(text: str) -> str:
    r"""A text without what would steer the terminal.

    >>> printable("red\x1b[2J"), printable("½ a\nb")
    ('red\\x1b[2J', '½ a\nb')
    """
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def live(
    console: Console, shown: RenderableType, per_second: float
) -> AbstractContextManager[object]:
    """Draw `shown` anew as long as the ``with`` lasts; on a file or a pipe nothing is drawn."""
    if not console.is_terminal:
        return nullcontext()
    return Live(shown, console=console, refresh_per_second=per_second)
