"""Write responses that people confirmed as worked examples for later runs."""

from __future__ import annotations

import json
from pathlib import Path

from mstar.experiments.audit.errors import agreed_verdicts
from mstar.experiments.audit.population import Subject
from mstar.experiments.rows import write_whole
from mstar.experiments.verdicts import read_verdicts


def write_examples(subject: Subject, path: Path) -> int:
    """Write the responses that most people called right, for ``--worked-example-file``.

    The file is a data set as well: JSON lines with the problem's columns and ``response``. Images
    stand in a folder beside it.

    Args:
        subject: the run.
        path: the file.

    Returns:
        The number of examples.

    Raises:
        ValueError: no response was called right.
    """
    agreed = agreed_verdicts(read_verdicts(subject.verdicts))
    items = [
        each.item
        for each in agreed
        if each.kind == "right" and each.item.response is not None and each.item.reference
    ]
    if not items:
        raise ValueError(
            f"{subject.verdicts} calls no response right, so that there is nothing to write"
        )
    images = path.parent / f"{path.stem}-images"
    images.mkdir(parents=True, exist_ok=True)
    lines = []
    for item in items:
        names = []
        for number, image in enumerate(subject.images(item)):
            names.append(f"{images.name}/{item.id}-{number}.png")
            image.save(path.parent / names[-1])
        row = {
            "id": item.id,
            "question": item.question,
            "image": names,
            "answer": item.reference,
            "response": item.response,
        }
        lines.append(json.dumps(row) + "\n")
    write_whole(path, "".join(lines))
    return len(items)
