"""Gymnasium spaces of free text: any Unicode string up to a maximum length."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

LONGEST_RESPONSE = 32_768  # characters
LONGEST_PROMPT = 8_192  # characters; each costs 4 bytes of an environment's shared memory
PRINTABLE = "".join(map(chr, range(32, 127)))


class UnicodeText(spaces.Text):
    """Any string of up to `max_length` characters.

    ``spaces.Text`` enumerates its characters: with all of Unicode it takes seconds to construct
    and 46 MB to pickle. Here membership depends on type and length only; flattening, which needs
    the enumeration, supports printable ASCII.

    Args:
        max_length: in characters.
        seed: of ``sample``.
    """

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=PRINTABLE, seed=seed)

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string of at most `max_length` characters."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short string of printable ASCII characters; masks are not supported."""
        if mask is not None or probability is not None:
            raise ValueError(f"{type(self).__name__} has no masked sampling: leave the mask out")
        length = int(self.np_random.integers(0, min(self.max_length, 64) + 1))
        return "".join(self.np_random.choice(list(PRINTABLE), size=length))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.max_length == self.max_length

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.max_length})"


class ResponseSpace(UnicodeText):
    r"""The responses of a policy: any string of up to `max_length` characters.

    ``sample`` returns plausible responses, so that random play exercises the verifier.

    >>> space = ResponseSpace()
    >>> "½ × 3 = 1.5\nAnswer: 1.5" in space
    True

    Args:
        max_length: in characters.
        seed: of ``sample``.
    """

    def __init__(
        self,
        max_length: int = LONGEST_RESPONSE,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(max_length, seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A plausible response; masks are not supported."""
        if mask is not None or probability is not None:
            raise ValueError("ResponseSpace has no masked sampling: leave the mask out")
        rng = self.np_random
        a, b = (int(number) for number in rng.integers(0, 25, size=2))
        answers = (
            str(a),
            f"{a}.{b}",
            f"{a}/{b + 1}",
            f"{a} %",
            f"{a % 12 + 1}:{b:02d}",
            "ABCDE"[a % 5],
            ("yes", "no")[a % 2],
            ("red", "blue", "green", "purple")[a % 4],
            f"{a}, {b}",
        )
        answer = answers[int(rng.integers(len(answers)))]
        forms = (
            f"Answer: {answer}",
            f"{a} + {b} = {a + b}\nAnswer: {answer}",
            f"I think it is {answer}.",
            answer,
            "",
        )
        return forms[int(rng.integers(len(forms)))][: self.max_length]


class _SharedTexts(Sequence[str]):
    """N texts in shared memory, decoded on each access; a deep copy is a tuple of strings.

    Gymnasium reads a ``spaces.Text`` from shared memory only once, when an ``AsyncVectorEnv`` is
    made, so its text observations would never change. Each row: the length, then code points.
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows  # (N, 1 + max_length) int32

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        row = self.rows[index]
        return bytes(row[1 : 1 + row[0]]).decode("utf-32-le", "surrogatepass")

    def __deepcopy__(self, memo: Any) -> tuple[str, ...]:
        return tuple(self)


@create_shared_memory.register(UnicodeText)
def _create(space: UnicodeText, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return ctx.Array(np.dtype(np.int32).char, n * (1 + space.max_length))


@read_from_shared_memory.register(UnicodeText)
def _read(space: UnicodeText, shared_memory: Any, n: int = 1) -> _SharedTexts:
    buffer = np.frombuffer(shared_memory.get_obj(), np.int32)
    return _SharedTexts(buffer.reshape(n, 1 + space.max_length))


@write_to_shared_memory.register(UnicodeText)
def _write(space: UnicodeText, index: int, value: str, shared_memory: Any) -> None:
    buffer = np.frombuffer(shared_memory.get_obj(), np.int32)
    row = buffer.reshape(-1, 1 + space.max_length)[index]
    row[0] = len(value)
    row[1 : 1 + len(value)] = np.frombuffer(value.encode("utf-32-le", "surrogatepass"), np.int32)
