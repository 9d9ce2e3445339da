"""Terminal output: text from untrusted sources, and lines that are updated in place."""

from __future__ import annotations

import io
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live

WIDEST = 100  # columns of a page of help
STYLE = re.compile("\x1b\\[[0-9;]*m")


def printable(text: str) -> str:
    r"""A text with control sequences escaped, so that it cannot control the terminal.

    >>> printable("red\x1b[2J"), printable("½ a\nb")
    ('red\\x1b[2J', '½ a\nb')
    """
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def print_folded(text: str, file: TextIO | None = None) -> None:
    """Print a text; on a terminal, lines that are wider than it are folded at words.

    Args:
        text: one or more lines.
        file: where to; by default standard output.
    """
    file = file or sys.stdout
    print(folded(text, shutil.get_terminal_size().columns) if file.isatty() else text, file=file)


def folded(text: str, width: int) -> str:
    r"""A text whose lines are at most `width` columns wide, folded at words.

    The row of a table, with two spaces or more between its columns, goes on below the last of them
    that begins in the left half; any other line goes on where it began.

    >>> print(folded("memory    0.25 GiB to train, of which 0.2 are weights", 30))
    memory    0.25 GiB to train,
              of which 0.2 are
              weights
    """
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if len(STYLE.sub("", line)) <= width:
        return [line]
    columns = (between.end() for between in re.finditer("  +", line))
    place = max((column for column in columns if column <= width // 2), default=0)
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * place,
        break_long_words=False,
        break_on_hyphens=False,
    )


class _Page(io.StringIO):
    """Keeps what is printed, and is a terminal if standard output is one."""

    def __init__(self) -> None:
        super().__init__()
        self._terminal = sys.stdout.isatty()

    def isatty(self) -> bool:
        return self._terminal


@contextmanager
def help_page() -> Iterator[None]:
    """Fold what is printed inside to the width of the terminal, and to no more than `WIDEST`."""
    page, plain = _Page(), sys.stdout
    try:
        with redirect_stdout(page):
            yield
    finally:
        width = min(WIDEST, shutil.get_terminal_size().columns)
        text = page.getvalue().replace("``", "")  # of docstrings
        print(folded(text, width), end="", file=plain)


def live(
    console: Console, shown: RenderableType, per_second: float
) -> AbstractContextManager[object]:
    """Keep redrawing `shown` inside the ``with`` block; draws nothing to a file or a pipe."""
    if not console.is_terminal:
        return nullcontext()
    return Live(shown, console=console, refresh_per_second=per_second)
