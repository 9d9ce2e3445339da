"""Which problem of a data set is for training, which for validation, which for testing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Split

FEW = 200  # groups; fewer are dealt by rank, so that no split is empty by bad luck


@dataclass(frozen=True, slots=True)
class Content:
    """What a problem shows, for telling whether two share something.

    Attributes:
        question: as it is posed.
        pictures: a digest of each.
    """

    question: str
    pictures: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for problems that ask the same of the same pictures."""
        words = " ".join(self.question.casefold().split())
        return hashlib.sha256("\0".join((words, *self.pictures)).encode()).hexdigest()


def divide(contents: Sequence[Content], own: Sequence[Split | None]) -> list[Split]:
    """The split of each problem: its own where the set has splits, else by hash of what it shows.

    By hash, 80 % are for training, 10 % for validation, 10 % for testing, and problems about one
    picture stay together. A set with one split only is divided that way too, unless that split is
    for testing: that is a benchmark, and nothing of it is for training. Where a set comes with
    train and one other, a tenth of train becomes the third.

    Args:
        contents: of each problem.
        own: the split that the set itself gives each problem; None, where it gives none, is train
            beside others.
    """
    made: list[Split] = [split or "train" for split in own]
    given = set(made)
    if given == {"test"}:
        return made
    by_hash = _by_hash(contents)
    if len(given) < 2:
        return by_hash
    return [
        hashed if split == "train" and hashed not in given else split
        for split, hashed in zip(made, by_hash, strict=True)
    ]


def repeated(contents: Sequence[Content], splits: Sequence[Split]) -> list[bool]:
    """Whether each problem asks what a problem of a later split asks too: train before test."""
    last: dict[str, int] = {}
    for content, split in zip(contents, splits, strict=True):
        last[content.key] = max(last.get(content.key, 0), SPLITS.index(split))
    return [
        SPLITS.index(split) < last[content.key]
        for content, split in zip(contents, splits, strict=True)
    ]


def _by_hash(contents: Sequence[Content]) -> list[Split]:
    groups = _groups(contents)
    ranked = sorted(set(groups))
    if len(ranked) >= FEW:
        dealt = {group: _share(int(group[:8], 16) % 10) for group in ranked}
    else:
        each = max(1, len(ranked) // 10)
        ends = {"test": each, "validation": 2 * each}
        dealt = {
            group: "test"
            if i < ends["test"]
            else "validation"
            if i < ends["validation"]
            else "train"
            for i, group in enumerate(ranked)
        }
        if len(ranked) < 3:  # too few to hold any back
            dealt = dict.fromkeys(ranked, "train")
    return [dealt[group] for group in groups]


def _share(tenth: int) -> Split:
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def _groups(contents: Sequence[Content]) -> list[str]:
    """A hash for each problem, equal for those that share a picture, however indirectly.

    Where more than half of all hang together so, they would make no split: then it is equal only
    for those that ask the same of the same pictures.
    """
    parent: dict[str, str] = {}

    def top(picture: str) -> str:
        while parent.setdefault(picture, picture) != picture:
            parent[picture] = parent[parent[picture]]
            picture = parent[picture]
        return picture

    for content in contents:
        for picture in content.pictures[1:]:
            first, second = sorted((top(picture), top(content.pictures[0])))
            parent[second] = first
    groups = [top(content.pictures[0]) for content in contents]
    if groups and max(Counter(groups).values()) > max(1, len(groups) // 2):
        return [content.key for content in contents]
    return [hashlib.sha256(group.encode()).hexdigest() for group in groups]
