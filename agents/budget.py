"""Which problems get more samples once a few of each were seen, and which are asked again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Budget = Literal["uniform", "by-prompt"]

MOST = 4  # times the even share: no problem gets more
WAIT = 2  # rounds until a hopeless problem is asked again; twice as long every further time
AGAIN = 8  # at most one in so many problems of a round is asked again
REMEMBERED = 256  # hopeless problems; the oldest are given up for lost


def shares(first: Sequence[Sequence[float]], left: int, most: int) -> list[int]:
    """How many more samples each problem gets: mixed ones alike, all others none.

    A problem is mixed where its first samples are neither all right nor all wrong, or where nobody
    knows. Where what is left does not divide, the earlier problems get one more.

    Args:
        first: the gate's scores of the first samples of each of N problems; 1 is right, NaN says
            that nobody knows.
        left: samples to give away; some stay where every mixed problem has `most`.
        most: that one problem can get.

    Returns:
        (N,) numbers of samples; their sum is at most `left`.

    >>> shares([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], left=5, most=4)
    [0, 3, 0, 2]
    """
    mixed = [i for i, scores in enumerate(first) if not hopeless(scores) and not sure(scores)]
    more = [0] * len(first)
    for place, i in enumerate(mixed):
        more[i] = min(most, left // len(mixed) + (place < left % len(mixed)))
    return more


def sure(scores: Sequence[float]) -> bool:
    """Whether all samples are right."""
    return all(score == 1.0 for score in scores)


def hopeless(scores: Sequence[float]) -> bool:
    """Whether all samples are known to be not right."""
    return all(score < 1.0 for score in scores)


@dataclass
class Aside:
    """Hopeless problems, until they are asked again: the policy may have learned meanwhile.

    Attributes:
        waiting: by id, the round in which a problem is due and how long it waited for it.
    """

    waiting: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, round_number: int, most: int) -> list[str]:
        """The ids that are due in a round, the longest overdue first, at most so many."""
        ready = [name for name, (due, _) in self.waiting.items() if due <= round_number]
        return sorted(ready, key=lambda name: self.waiting[name][0])[:most]

    def note(self, round_number: int, first: Mapping[str, Sequence[float]]) -> None:
        """Put aside what is hopeless, and forget what no longer is.

        Args:
            round_number: the present one.
            first: the gate's scores of the first samples of each problem, by its id.
        """
        for name, scores in first.items():
            _, waited = self.waiting.pop(name, (0, WAIT // 2))
            if hopeless(scores):
                self.waiting[name] = (round_number + 2 * waited, 2 * waited)
        for name in list(self.waiting)[: -REMEMBERED or None]:
            del self.waiting[name]
