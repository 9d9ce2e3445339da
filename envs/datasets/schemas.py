"""The field map for the rows of a data set: given, of a published form, or guessed.

A published form is one entry of ``SCHEMAS``, recognised by columns that only it has. Any other set
is guessed from the names of its columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mstar.envs.datasets.field_map import REQUIRED, FieldMap, override, require_fields

# Usual names of columns, in lower case without "_", "-" and spaces; the first one that exists is
# taken.
COLUMN_NAMES: Mapping[str, str] = {
    "question": (
        "question query problem questiontext questionstring prompt sentence problemtext"
        " instruction input conversations messages conversation message texts text"
    ),
    "image": (
        "decodedimage image images img picture pictures imagepath imgpath picturepath figurepath"
        " imagefile filename imgname imagename imagefilename imagelist imagepaths imageurls"
        " imageurl queryimage figure imageid imgid"
    ),
    "answer": (
        "answer gold groundtruth gtanswer correctanswer correctoption correctchoice"
        " correctchoiceidx correctidx correctindex correct answerkey answeridx answerindex"
        " answerlabel finalanswer answertext multiplechoiceanswer label target gt answers"
        " completion solution output response chosen"
    ),
    "choices": (
        "choices options option candidates multiplechoices multichoiceoptions answerchoices"
        " choiceimages choicesimage imagechoices"
    ),
    "type": "answertype",
    "unit": "unit",
    "tolerance": "tolerance reltol",
    "precision": "precision",
    "multiple": "ismultipleanswer",
    "id": ("id pid index idx qid questionid sampleindex sampleid uid identifier problemid key"),
    "split": "split datasplit",
    "topic": "task category topic subject subtask subfield knowledgeconcept",
    "caption": "caption imagecaption imagedescription",
    "system": "system systemprompt",
    "history": "history",
}
CONVERSATIONS = (
    "conversations",
    "messages",
    "conversation",
    "message",
    "texts",
)  # question and answer
NUMBERED = re.compile(r"(image|img|picture)_?\d+|(left|right)_image", re.I)
OPTION_COLUMN = re.compile(  # of one option: A, choice_b, "Option 3"
    r"(?:option|choice|opt|choice[ _-]?image)[ _-]?([a-h]|\d{1,2})|([A-H])",
)


@dataclass(frozen=True, slots=True)
class Schema:
    """The form in which a set is published.

    Attributes:
        columns: rows with all of these have this form; if empty, the form must be requested by
            name, because other sets have the same columns.
        fields: which column holds what.
    """

    columns: frozenset[str]
    fields: FieldMap


def choose_fields(
    given: str | Mapping[str, Any] | None, columns: Sequence[str], where: str
) -> FieldMap:
    """The field map for rows with these columns.

    Args:
        given: the name of a schema; a map by the names of ``FieldMap``, which may name a "schema"
            to start from; or None to recognise or guess the form.
        columns: of the rows.
        where: the rows' location, for messages.

    Raises:
        ValueError: an unknown schema, a mapped column that does not exist, or a required one that
            can't be told.
    """
    wanted = {"schema": given} if isinstance(given, str) else dict(given or {})
    name = wanted.pop("schema", None)
    if name is not None and name not in SCHEMAS:
        raise ValueError(f"no schema {name!r}; known: {', '.join(SCHEMAS)}")
    if name is None:
        existing = set(columns)
        name = next((n for n, s in SCHEMAS.items() if s.columns and s.columns <= existing), None)
    if name is not None:
        base = SCHEMAS[name].fields
        base = replace(base, answer_form="auto") if "answer" in wanted else base
    else:
        base = guess_fields([c for c in columns if c not in wanted.values()])
    chosen = override(base, wanted, columns)
    text_only = "image" in wanted and wanted["image"] is None
    require_fields(chosen, columns, where, ("question", "answer") if text_only else REQUIRED)
    return chosen


def guess_fields(columns: Sequence[str]) -> FieldMap:
    """The field map that the names of the columns suggest."""
    by_plain_name = {_plain(column): column for column in reversed(columns)}
    fields: dict[str, Any] = {}
    for key, names in COLUMN_NAMES.items():
        column = next((by_plain_name[n] for n in names.split() if n in by_plain_name), None)
        if column is not None:
            fields[key] = (column,) if key == "image" else column
    if {"image", "images"} <= set(by_plain_name):  # some rows have one, some have several
        fields["image"] = (f"{by_plain_name['image']}|{by_plain_name['images']}",)
    numbered = [column for column in columns if NUMBERED.fullmatch(column)]
    if numbered and not any(n in by_plain_name for n in ("decodedimage", "image", "images")):
        fields["image"] = tuple(sorted(numbered, key=_ordinal))
    one_each = [column for column in columns if OPTION_COLUMN.fullmatch(_option_name(column))]
    if "choices" not in fields and len(one_each) > 1:
        fields["choices"] = tuple(sorted(one_each, key=_ordinal))
    if _plain(fields.get("question", "")) in CONVERSATIONS:
        fields.setdefault("answer", fields["question"])
        fields.setdefault("image", (fields["question"],))
    if _plain(fields.get("answer", "")).endswith(("idx", "index")):
        fields["answer_form"] = "index"
    return FieldMap(**fields)


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]", "", column).lower()


def _option_name(column: str) -> str:
    """The name in lower case, but single letters unchanged, since "a" is no column of an option."""
    return column if len(column) == 1 else column.lower()


def _ordinal(column: str) -> tuple[str, int]:
    digits = re.sub(r"\D", "", column)
    return re.sub(r"\d", "", column), int(digits) if digits and len(digits) < 5 else 0


def _schema(columns: str, **fields: Any) -> Schema:
    return Schema(frozenset(columns.split()), FieldMap(**fields))


CHARTQA: Mapping[str, Any] = {  # relaxed accuracy, 5 % (arXiv:2203.10244, section 5.1)
    "question": "query",
    "image": ("image",),
    "answer": "label",
    "type": "chart_number",
    "tolerance": 0.05,
}

# The first schema whose columns all exist counts, so more specific ones come first.
SCHEMAS: dict[str, Schema] = {
    "mathvista": _schema(
        "pid question image question_type answer_type precision",
        question="question",
        image=("decoded_image|image",),
        answer="answer",
        choices="choices",
        type="answer_type",
        unit="unit",
        precision="precision",
        id="pid",
        topic="metadata.task",
    ),
    "mathv360k": _schema(
        "image conversations",
        question="conversations",
        image=("image",),
        answer="conversations",
        id="id",
    ),
    "m3cot": _schema(
        "image_id context choices rationale domain",
        question="{context}\n{question}",
        image=("image",),
        answer="answer",
        choices="choices",
        id="id",
        split="split",
        topic="topic",
        answer_form="letter",
    ),
    "mmstar": _schema(  # the options are in the question only
        "index question image answer l2_category",
        question="question",
        image=("image",),
        answer="answer",
        id="index",
        topic="l2_category",
        answer_form="letter",
    ),
    "mmbench": _schema(
        "index question hint A B image",
        question="{hint}\n{question}",
        image=("image",),
        answer="answer",
        choices=tuple("ABCDEFGH"),
        id="index",
        split="split",
        topic="category",
        answer_form="letter",
    ),
    "charxiv": _schema(  # its questions that need reasoning
        "figure_id query answer inst_category",
        question="query",
        image=("image|images/{figure_id}.jpg",),
        answer="answer",
        id="_key",
        topic="inst_category",
    ),
    "chartqa": _schema("human_or_machine query label", **CHARTQA),
    "chartqa-files": _schema("imgname query label", **{**CHARTQA, "image": ("png/{imgname}",)}),
    "chartqa-lmms": _schema("", **{**CHARTQA, "question": "question", "answer": "answer"}),
    "geometry3k": _schema(  # one folder per problem
        "problem_text problem_type_graph choices",
        question="problem_text",
        image=("=img_diagram.png",),
        answer="answer",
        choices="choices",
        id="id",
        answer_form="letter",
    ),
    "geometry3k-rl": _schema(  # the form for RL trainers
        "",
        question="problem",
        image=("images",),
        answer="answer",
    ),
    "tabmwp": _schema(
        "question choices ques_type ans_type",
        question="question",
        image=("image|tables/{_key}.png",),
        answer="answer",
        choices="choices",
        unit="unit",
        id="id|_key",
        split="split",
        topic="ans_type",
    ),
    "puzzlevqa": _schema(
        "image question options answer caption explanation deduction",
        question="question",
        image=("image",),
        answer="answer",
        choices="options",
        answer_form="text",
        caption="caption",
    ),
    "nlvr": _schema(
        "sentence identifier structured_rep label",
        question="Is the following statement true or false about the picture? {sentence}",
        image=("image|images/{directory}/{_file}-{identifier}-0.png",),
        answer="label",
        type="yes_no",
        id="identifier",
    ),
    "ai2d": _schema(
        "",
        question="question",
        image=("image",),
        answer="answer",
        choices="options",
        answer_form="index",
    ),
    "scienceqa": _schema(
        "question choices answer hint lecture solution image",
        question="{hint}\n{question}",
        image=("image",),
        answer="answer",
        choices="choices",
        id="id|_key",
        split="split",
        topic="topic",
        answer_form="index",
    ),
    "mathverse": _schema(  # query_wo is for questions shown in the image
        "sample_index problem_version question query_wo image answer",
        question="question|query_wo",
        image=("image",),
        answer="answer",
        id="sample_index",
        topic="problem_version",
    ),
    "olympiadbench": _schema(
        "question final_answer is_multiple_answer context answer_type",
        question="{context}\n{question}",
        image=("images", *(f"image_{number}" for number in range(1, 10))),
        answer="final_answer",
        type="answer_type",
        multiple="is_multiple_answer",
        absolute_tolerance="error",
        unit="unit",
        id="id",
        topic="subfield",
    ),
    "figureqa": _schema(
        "question_string image_index answer color1_name",
        question="question_string",
        image=("image|png/{image_index}.png",),
        answer="answer",
        type="yes_no",
    ),
    "plotqa": _schema(  # 5 %, as for ChartQA (arXiv:1909.00997, section 5.3)
        "question_string image_index answer template",
        question="question_string",
        image=("image|png/{image_index}.png",),
        answer="answer",
        type="chart_number",
        tolerance=0.05,
        id="qid|question_id",
    ),
    "hallusionbench": _schema(
        "question gt_answer gt_answer_details set_id figure_id",
        question="question",
        image=("image|filename",),
        answer="gt_answer",
        type="yes_no",
        topic="subcategory",
    ),
    "iconqa": _schema(
        "question answer ques_type grade label",
        question="question",
        image=("query_image|image|=image.png",),
        answer="answer",
        choices="choices",
        id="question_id",
        topic="ques_type",
    ),
    "geoqa": _schema(  # its "answer" is a worked solution
        "subject choices label image",
        question="subject",
        image=("image",),
        answer="label",
        choices="choices",
        id="id",
        answer_form="index",
    ),
    "raven": _schema(
        "panels choices target",
        question="=Which option completes the matrix?",
        image=("panels",),
        answer="target",
        choices="choices",
        id="id",
        answer_form="index",
    ),
    "verl": _schema(
        "data_source prompt reward_model",
        question="prompt",
        image=("images|image",),
        answer="reward_model.ground_truth",
    ),
    "alpaca": _schema(
        "instruction input output",
        question="{instruction}\n{input}",
        image=("images|image",),
        answer="output",
        system="system",
        history="history",
    ),
    "r1": _schema(  # a worked solution that ends in <answer>...</answer>
        "problem solution",
        question="problem",
        image=("images|image|image_path",),
        answer="answer|solution",
    ),
}
