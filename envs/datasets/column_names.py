"""Which column holds what, told by how the columns of published sets are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mstar.envs.datasets.field_map import FieldMap

# How columns are called in published sets, in lower case without "_", "-" and blanks; the first
# that is there is taken.
NAMES: Mapping[str, str] = {
    "question": (
        "question query problem questiontext questionstring prompt sentence problemtext"
        " instruction input conversations messages conversation texts text"
    ),
    "image": (
        "decodedimage image images img picture pictures imagepath imgpath picturepath figurepath"
        " imagefile filename imgname imagename imagefilename imagelist imagepaths imageurls"
        " queryimage figure imageid imgid"
    ),
    "answer": (
        "answer gold groundtruth gtanswer correctanswer correctoption correctchoice"
        " correctchoiceidx correctidx correctindex correct answerkey answeridx answerindex"
        " answerlabel finalanswer answertext multiplechoiceanswer label target gt answers"
        " completion solution output"
    ),
    "choices": (
        "choices options option candidates multiplechoices multichoiceoptions answerchoices"
        " choiceimages choicesimage imagechoices"
    ),
    "type": "answertype",
    "unit": "unit",
    "tolerance": "tolerance reltol",
    "id": ("id pid index idx qid questionid sampleindex sampleid uid identifier problemid key"),
    "split": "split datasplit",
    "topic": "task category topic subject subtask subfield knowledgeconcept",
}
TALKS = ("conversations", "messages", "conversation", "texts")  # with the question and its answer
NUMBERED = re.compile(r"(image|img|picture)_?\d+|(left|right)_image", re.I)
OPTION_COLUMN = re.compile(  # of one option: A, choice_b, "Option 3"
    r"(?:option|choice|opt|choice[ _-]?image)[ _-]?([a-h]|\d{1,2})|([A-H])",
)


def guess(columns: Sequence[str]) -> FieldMap:
    """The map that the columns' names suggest."""
    plain = {_plain(column): column for column in reversed(columns)}
    found: dict[str, Any] = {}
    for key, names in NAMES.items():
        column = next((plain[name] for name in names.split() if name in plain), None)
        if column is not None:
            found[key] = (column,) if key == "image" else column
    numbered = [column for column in columns if NUMBERED.fullmatch(column)]
    if numbered and not any(name in plain for name in ("decodedimage", "image", "images")):
        found["image"] = tuple(sorted(numbered, key=_ordinal))
    one_each = [column for column in columns if OPTION_COLUMN.fullmatch(_option_name(column))]
    if "choices" not in found and len(one_each) > 1:
        found["choices"] = tuple(sorted(one_each, key=_ordinal))
    if _plain(found.get("question", "")) in TALKS:
        found.setdefault("answer", found["question"])
        found.setdefault("image", (found["question"],))
    if _plain(found.get("answer", "")).endswith(("idx", "index")):
        found["answer_form"] = "index"
    return FieldMap(**found)


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]", "", column).lower()


def _option_name(column: str) -> str:
    """A name of one letter as it stands, for "a" is no option; others in lower case."""
    return column if len(column) == 1 else column.lower()


def _ordinal(column: str) -> tuple[str, int]:
    digits = re.sub(r"\D", "", column)
    return re.sub(r"\d", "", column), int(digits) if digits and len(digits) < 5 else 0
