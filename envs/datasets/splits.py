"""The split of each problem of a data set: its own, or one assigned by hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Split

FEW_GROUPS = 200  # with fewer, splits are assigned by rank, so that none is empty by chance


@dataclass(frozen=True, slots=True)
class Content:
    """What a problem shows, to find duplicates and problems about the same image.

    Attributes:
        question: with its options.
        images: a digest of each; () if the problem is text only.
    """

    question: str
    images: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for problems that ask the same question about the same images."""
        words = " ".join(self.question.casefold().split())
        return hashlib.sha256("\0".join((words, *self.images)).encode()).hexdigest()


def assign_splits(contents: Sequence[Content], own: Sequence[Split | None]) -> list[Split]:
    """The split of each problem: its own if the set has splits, else by hash of its content.

    By hash, 80 % go to train, 10 % to validation and 10 % to test, and problems about the same
    image stay together. A set with a single split is divided that way too, unless that split is
    test: such a set is a benchmark, and none of it is used for training. If a set has train and
    one other split, a tenth of train becomes the third.

    Args:
        contents: of each problem.
        own: the split that the set gives each problem; None counts as train.
    """
    given_or_train: list[Split] = [split or "train" for split in own]
    given = set(given_or_train)
    if given == {"test"}:
        return given_or_train
    by_hash = _by_hash(contents)
    if len(given) < 2:
        return by_hash
    return [
        hashed if split == "train" and hashed not in given else split
        for split, hashed in zip(given_or_train, by_hash, strict=True)
    ]


def repeated_in_later_split(contents: Sequence[Content], splits: Sequence[Split]) -> list[bool]:
    """Whether each problem also appears in a later split; train comes before test."""
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
    assigned: dict[str, Split]
    if len(ranked) >= FEW_GROUPS:
        assigned = {group: _split_of_tenth(int(group[:8], 16) % 10) for group in ranked}
    elif len(ranked) < 3:  # too few to hold any back
        assigned = dict.fromkeys(ranked, "train")
    else:
        tenth = max(1, len(ranked) // 10)
        assigned = dict.fromkeys(ranked[:tenth], "test")
        assigned |= dict.fromkeys(ranked[tenth : 2 * tenth], "validation")
        assigned |= dict.fromkeys(ranked[2 * tenth :], "train")
    return [assigned[group] for group in groups]


def _split_of_tenth(tenth: int) -> Split:
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def _groups(contents: Sequence[Content]) -> list[str]:
    """A hash for each problem, equal for those that share an image, directly or indirectly.

    If more than half of all problems are connected in this way, they can't be split: then the
    hash is equal only for those with the same question and images.
    """
    parent: dict[str, str] = {}

    def root(image: str) -> str:
        while parent.setdefault(image, image) != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    for content in contents:
        for image in content.images[1:]:
            first, second = sorted((root(image), root(content.images[0])))
            parent[second] = first
    groups = [root(c.images[0]) if c.images else c.key for c in contents]
    if groups and max(Counter(groups).values()) > max(1, len(groups) // 2):
        return [content.key for content in contents]
    return [hashlib.sha256(group.encode()).hexdigest() for group in groups]
