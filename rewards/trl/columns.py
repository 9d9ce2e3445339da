"""How a dataset for TRL carries attempts: which column holds what.

A TRL reward function is called with lists of one length: ``prompts``, ``completions``,
``completion_ids`` and every other column of the dataset; it returns a list of floats, or None
where it does not apply. The columns that carry an ``Attempt`` are:

===============  ==================================================================================
``answer``       the gold as ``answer_to_json`` writes it, or the same as a mapping; None or
                 absent: unlabelled
``question``     the question alone; absent: the text of the prompt's last user message
``group``        id of the problem; absent: made from the prompt, the answer and the pictures
``image``        a Pillow picture; or ``images``, a list of them; None or absent: none
``facts``        a list of what a right reading of the picture states
``twin``         the gold of the swapped twin, written like ``answer``
``kind``         how answers are read where there is no gold, written like ``answer``
``certainty``    as in ``Attempt``; so is ``logprob``
===============  ==================================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mstar.rewards.base import Answer, Attempt

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS = (
    "answer",
    "question",
    "group",
    "image",
    "images",
    "facts",
    "twin",
    "kind",
    "certainty",
    "logprob",
)
Messages = str | Sequence[Mapping[str, Any]]  # TRL's standard or conversational form


def answer_to_json(answer: Answer | None) -> str | None:
    """An answer for a dataset's ``answer`` column.

    >>> answer_to_json(Answer("number", "7", unit="cm"))
    '{"type": "number", "value": "7", "unit": "cm"}'
    """
    if answer is None:
        return None
    return json.dumps({key: value for key, value in asdict(answer).items() if value is not None})


def answer_from_json(column: str | Mapping[str, Any] | None) -> Answer | None:
    """The answer of a dataset's ``answer`` column.

    Raises:
        ValueError: it is neither a JSON object nor a mapping with a type and a value.
    """
    if column is None:
        return None
    try:
        fields = json.loads(column) if isinstance(column, str) else dict(column)
        choices = fields.pop("choices", None)
        return Answer(choices=tuple(choices) if choices is not None else None, **fields)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"the answer column holds {column!r}, which is no answer ({error}); write it with "
            "mstar.rewards.answer_to_json"
        ) from error


def attempts_of(
    prompts: Sequence[Messages], completions: Sequence[Messages], columns: Mapping[str, Any]
) -> list[Attempt]:
    """The attempts that TRL hands to a reward function as lists of one length."""
    return [
        _attempt(prompt, completion, _row(columns, index))
        for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
    ]


@dataclass(frozen=True)
class _Opened:
    """A Pillow picture of a dataset's column as a ``Picture``."""

    image: Image

    def render(self, size: int | None = None) -> Image:
        return self.image.convert("RGB")


def _attempt(prompt: Messages, completion: Messages, row: Mapping[str, Any]) -> Attempt:
    images = row.get("images") or ([row["image"]] if row.get("image") is not None else [])
    answer = answer_from_json(row.get("answer"))
    return Attempt(
        question=row.get("question") or _text(prompt, "user", last=True),
        response=_text(completion, "assistant"),
        answer=answer,
        pictures=tuple(_Opened(image) for image in images),
        group=row.get("group") or _group(_text(prompt, "user"), answer, images),
        facts=tuple(row.get("facts") or ()),
        twin=answer_from_json(row.get("twin")),
        kind=answer_from_json(row.get("kind")),
        certainty=row.get("certainty"),
        logprob=row.get("logprob"),
    )


def _row(columns: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One row of the columns that an attempt is made of."""
    return {name: columns[name][index] for name in COLUMNS if columns.get(name) is not None}


def _text(messages: Messages, role: str, last: bool = False) -> str:
    if isinstance(messages, str):
        return messages
    texts = []
    for message in messages:
        if message.get("role", role) == role:
            content = message.get("content") or ""
            parts = [{"text": content}] if isinstance(content, str) else content
            texts.append("".join(part.get("text") or "" for part in parts))
    return (texts[-1] if texts else "") if last else "\n".join(texts)


def _group(prompt: str, answer: Answer | None, images: Sequence[Image]) -> str:
    """One id for all completions of a row: the trainer repeats rows, and pictures are copies."""
    digest = hashlib.sha256(f"{prompt}\0{answer_to_json(answer)}".encode("utf-8", "surrogatepass"))
    for image in images:
        digest.update(f"{image.mode}{image.size}".encode() + image.tobytes())
    return digest.hexdigest()[:16]
