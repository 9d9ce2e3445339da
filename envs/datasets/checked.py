"""What earlier audits of a data set found, kept in a file so that each check is made once."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import astuple
from functools import cache
from importlib.metadata import version
from inspect import getfile
from pathlib import Path

from mstar.envs.datasets.images import ImageInfo, StoredImage
from mstar.rewards.base import Answer
from mstar.rewards.verifier.audit import audit as audit_answer

FILE_NAME = ".mstar_audit.json"


class Checked:
    """The results of checks of images and reference answers, by their content.

    An image is named by its file with size and modification time, or by a hash of its bytes, so
    that a changed image is checked again; an answer by all that it consists of. The file is beside
    the data, or in ``~/.cache/mstar`` if that folder can't be written to. A file that other code
    has written, or one that can't be read, is ignored.

    Args:
        source: the file or folder of the data; None keeps the results in memory only.
    """

    def __init__(self, source: Path | None) -> None:
        self._source = source
        self._images: dict[str, ImageInfo | str] = {}  # or what is wrong with the image
        self._answers: dict[str, str | None] = {}
        self._changed = False
        for path in self._places():
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                stored = json.loads(path.read_text("utf-8"))
                if stored["version"] == _version():
                    self._images = {
                        key: value if isinstance(value, str) else ImageInfo(*value)
                        for key, value in stored["images"].items()
                    }
                    self._answers = dict(stored["answers"])
                    break

    def image(self, image: StoredImage) -> ImageInfo:
        """What there is to know of an image, which is decoded if it has not been before.

        Raises:
            ValueError: see ``StoredImage.check``.
        """
        key = image.identity()
        if key not in self._images:
            self._images[key] = _check(image)
            self._changed = True
        found = self._images[key]
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def answer_fault(self, answer: Answer) -> str | None:
        """What is wrong with a reference answer; None if it is sound."""
        key = hashlib.blake2b(repr(answer).encode(), digest_size=12).hexdigest()
        if key not in self._answers:
            self._answers[key] = audit_answer(answer)
            self._changed = True
        return self._answers[key]

    def save(self) -> None:
        """Write the results, if there are new ones, to the first place that can be written to."""
        if not self._changed:
            return
        images = {
            key: found if isinstance(found, str) else astuple(found)
            for key, found in self._images.items()
        }
        content = {"version": _version(), "images": images, "answers": self._answers}
        for path in self._places():
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_name(f"{path.name}.{os.getpid()}")
                unfinished.write_text(json.dumps(content), "utf-8")
                unfinished.replace(path)
                return

    def _places(self) -> list[Path]:
        if self._source is None:
            return []
        path = self._source.resolve()
        name = hashlib.blake2b(str(path).encode(), digest_size=12).hexdigest()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = path if path.is_dir() else path.parent
        return [folder / FILE_NAME, cache / "mstar" / f"{name}.json"]


def _check(image: StoredImage) -> ImageInfo | str:
    try:
        return image.check()
    except ValueError as error:
        return str(error)


@cache
def _version() -> str:
    """Of mstar, with a hash of the code of the checks, which changes between releases as well."""
    digest = hashlib.blake2b(digest_size=8)
    verifier = Path(getfile(audit_answer)).parent
    for code in (Path(getfile(StoredImage)), *sorted(verifier.glob("*.py"))):
        digest.update(code.read_bytes())
    return f"{version('mstar-rl')}+{digest.hexdigest()}"
