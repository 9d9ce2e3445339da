"""The responses that tell most about a run, with their images, small enough for one page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from mstar.experiments.audit.errors import agreed_verdicts
from mstar.experiments.audit.population import Subject
from mstar.experiments.audit.strata import RANDOM, draw_sample
from mstar.experiments.terminal import printable
from mstar.experiments.verdicts import Item, read_verdicts

SHOWN = 48  # responses
IMAGE_SIZE = 168  # pixels
LONGEST = 1600  # characters of a response


@dataclass(frozen=True, slots=True)
class Shown:
    """A response on the page.

    Attributes:
        item: what it is; texts are safe for a page that escapes them.
        image: the problem's first image as an address of itself; "" for a problem in words.
        tags: what it can be filtered by.
    """

    item: Item
    text: str
    image: str
    tags: tuple[str, ...]


def telling_responses(subject: Subject) -> list[Shown]:
    """A sample of a run's responses, by parts, and all that people said something else of.

    Args:
        subject: the run.
    """
    people = {each.item.id: each for each in agreed_verdicts(read_verdicts(subject.verdicts))}
    sample = draw_sample(subject.candidates(), SHOWN, seed=1)
    contradicted = [
        each.item
        for each in people.values()
        if each.answer_is_right != (each.item.scores.get("correctness") == 1.0)
    ]
    chosen = {item.id: item for item in [*contradicted[: SHOWN // 2], *sample]}
    images: dict[str, str] = {}
    found = []
    for item in chosen.values():
        if item.problem not in images:
            images[item.problem] = image_address(subject.images(item))
        said = people.get(item.id)
        tags = _tags(item) + ((f"people: {said.kind}",) if said else ())
        found.append(Shown(item, shortened(item.response or ""), images[item.problem], tags))
    return found


def _tags(item: Item) -> tuple[str, ...]:
    verdict = item.scores.get("correctness")
    tags = ["not judged" if verdict is None else "right" if verdict == 1.0 else "wrong"]
    tags += ["kept for training"] if item.kept else []
    tags += [item.stratum] if item.stratum not in (RANDOM, *tags) else []
    tags += [] if item.finished else ["cut off"]
    return tuple(tags)


def shortened(text: str) -> str:
    """A response with control characters escaped, cut if it is very long."""
    shown = printable(text[:LONGEST])
    if len(text) <= LONGEST:
        return shown
    return f"{shown} … ({len(text) - LONGEST:,} more characters)"


def image_address(images: Sequence[Image.Image]) -> str:
    """The first of some images as an address that holds it, as PNG or WebP, what is smaller."""
    if not images:
        return ""
    image = images[0].convert("RGB")
    image.thumbnail((IMAGE_SIZE * 2, IMAGE_SIZE * 2))
    written = []
    for form, options in (("PNG", {"optimize": True}), ("WEBP", {"quality": 80})):
        buffer = io.BytesIO()
        image.save(buffer, format=form, **options)
        written.append((form.lower(), buffer.getvalue()))
    form, data = min(written, key=lambda pair: len(pair[1]))
    return f"data:image/{form};base64," + base64.b64encode(data).decode()
