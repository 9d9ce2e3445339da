"""One person's way through the sample: what comes next, what was said, what is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from threading import Lock
from uuid import uuid4

from PIL import Image

from mstar.experiments.audit.population import Candidate, Subject
from mstar.experiments.audit.strata import draw_sample
from mstar.experiments.verdicts import (
    KINDS,
    Item,
    Verdict,
    VerdictKind,
    append,
    last_taken_back,
    read_verdicts,
    taken_back,
)

# In a data set there is no response to judge.
OF_A_PROBLEM: tuple[VerdictKind, ...] = ("right", "bad question", "bad reference")


class Session:
    """A person at a sample; all that is said is in the file of verdicts.

    So a page that is loaded again goes on where it was, and so does one on another machine.

    Args:
        subject: the run or data set.
        user: name of the person.
        size: how many items to show.
        seed: of the sample, which is the same for all people, so that they can be compared.
        scores_shown: whether the reward models' scores are shown; without them nobody is led.

    Raises:
        ValueError: nothing to look at yet, or no name.
    """

    def __init__(
        self, subject: Subject, user: str, size: int, seed: int = 0, scores_shown: bool = True
    ) -> None:
        if not user.strip():
            raise ValueError("verdicts need a name: give --user NAME")
        self.subject, self.user, self.scores_shown = subject, user, scores_shown
        self._size, self._seed = size, seed
        self._lock = Lock()  # the page may ask from several threads
        self._candidates: Sequence[Candidate] = ()
        self._sample: list[Item] = []
        self._shown: dict[str, Item] = {}  # on pages, by id
        if not self.sample():
            raise ValueError(
                f"{subject.name} has no responses to look at yet; wait for its first round"
            )

    def sample(self) -> list[Item]:
        """The items to be shown, in their order; as a run goes on there are others."""
        candidates = self.subject.candidates()
        if candidates is not self._candidates:
            self._sample = draw_sample(candidates, self._size, self._seed)
            self._candidates = candidates
        return self._sample

    def own(self) -> list[Verdict]:
        """The person's verdicts that stand."""
        return [each for each in read_verdicts(self.subject.verdicts) if each.user == self.user]

    def shown(self) -> Item | None:
        """The item to show: one whose verdict was just taken back, else the first without one.

        None once all of the sample are judged.
        """
        judged = {verdict.item.id for verdict in self.own()}
        waiting = [item for item in self.sample() if item.id not in judged]
        again = last_taken_back(self.subject.verdicts, self.user)
        shown = next((item for item in waiting if item.id == again), next(iter(waiting), None))
        if shown is not None:
            self._shown[shown.id] = shown
        return shown

    def progress(self) -> tuple[int, int]:
        """How many items of the sample are judged, and how many there are."""
        judged = {verdict.item.id for verdict in self.own()}
        sample = self.sample()
        return sum(item.id in judged for item in sample), len(sample)

    def judge(self, item_id: str, kind: VerdictKind, note: str = "") -> bool:
        """Store a verdict on an item that was shown and has none yet; else False, and nothing.

        A key that is hit twice judges nothing that nobody has seen, and a round that ends meanwhile
        takes no item off the page.

        Args:
            item_id: id of the item that the person sees.
            kind: the verdict.
            note: in words.

        Raises:
            ValueError: there is no such verdict.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no verdict; known: {', '.join(KINDS)}")
        with self._lock:
            self.shown()
            item = self._shown.get(item_id)
            if item is None or item_id in {verdict.item.id for verdict in self.own()}:
                return False
            images = tuple(image_digest(image) for image in self.subject.images(item))
            verdict = Verdict(
                uuid4().hex, self.user, _now(), kind, note, item, images, self.scores_shown
            )
            append(self.subject.verdicts, verdict)
        return True

    def undo(self) -> Verdict | None:
        """Take back the person's last verdict, whose item is shown again; None without any."""
        with self._lock:
            own = self.own()
            if not own:
                return None
            append(self.subject.verdicts, taken_back(own[-1], _now()))
        return own[-1]

    def kinds(self, item: Item) -> tuple[VerdictKind, ...]:
        """The verdicts that fit an item."""
        return KINDS if item.response is not None else OF_A_PROBLEM


def image_digest(image: Image.Image) -> str:
    """Hash of an image's pixels, 32 hexadecimal digits."""
    size = f"{image.width}x{image.height}".encode()
    return blake2b(size + image.tobytes(), digest_size=16).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
