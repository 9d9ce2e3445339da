"""Which problems get more samples once a few of each were seen, and which are asked again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Allocation = Literal["uniform", "by-prompt"]

MOST = 2  # times the even share: no problem gets more
WAIT = 2  # rounds until an unsolved problem is asked again; twice as long every further time
AGAIN = 8  # at most one in so many problems of a round is asked again
REMEMBERED = 256  # unsolved problems; the oldest are given up for lost


def next_wave(scores: Sequence[Sequence[float]], keep: int, samples: int, left: int) -> list[int]:
    """How many more samples each problem gets: twice its own where it still lacks right ones.

    Problems with `keep` right samples have what is learned from, so more of them would be wasted,
    be they always right or mixed; so would be more than ``MOST`` times `samples` of one that may
    be out of reach. Where nobody knows what is right, a problem gets its even share. On stored
    samples of the embedded model, waves to problems that lack gave more lessons from more problems
    than an even share did, and waves to mixed problems alone gave fewer: see
    ``results/exploration-bench``.

    Args:
        scores: the gate's, of the samples of each of N problems so far; 1 is right, NaN says that
            nobody knows.
        keep: right ones that a problem needs.
        samples: the even share.
        left: samples to give away; where they don't do for all, the earlier problems get one more.

    Returns:
        (N,) numbers of samples, their sum at most `left`; all 0 where nobody lacks any.

    >>> next_wave([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], keep=2, samples=8, left=9)
    [0, 2, 2]
    >>> next_wave([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], keep=2, samples=8, left=3)
    [0, 2, 1]
    """
    more = []
    for own in scores:
        known = [score for score in own if score == score]
        most = samples * MOST if known else samples
        lacks = sum(score == 1.0 for score in own) < keep
        more.append(max(0, min(len(own), most - len(own))) if lacks else 0)
    asking = [place for place, wanted in enumerate(more) if wanted]
    if sum(more) > left:
        for rank, place in enumerate(asking):
            more[place] = min(more[place], left // len(asking) + (rank < left % len(asking)))
    return more


def unsolved(scores: Sequence[float]) -> bool:
    """Whether all samples are known to be not right."""
    return all(score < 1.0 for score in scores)


@dataclass
class RetryQueue:
    """Unsolved problems, until they are asked again: the policy may have learned meanwhile.

    Attributes:
        waiting: by id, the round in which a problem is due and how long it waited for it.
    """

    waiting: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, round_number: int, most: int) -> list[str]:
        """The ids that are due in a round, the longest overdue first, at most so many."""
        ready = [name for name, (due, _) in self.waiting.items() if due <= round_number]
        return sorted(ready, key=lambda name: self.waiting[name][0])[:most]

    def note(self, round_number: int, found: Mapping[str, Sequence[float]]) -> None:
        """Queue what is unsolved, and forget what no longer is.

        Args:
            round_number: the present one.
            found: the gate's scores of all samples of each problem, by its id.
        """
        for name, scores in found.items():
            _, waited = self.waiting.pop(name, (0, WAIT // 2))
            if unsolved(scores):
                self.waiting[name] = (round_number + 2 * waited, 2 * waited)
        for name in list(self.waiting)[: -REMEMBERED or None]:
            del self.waiting[name]
