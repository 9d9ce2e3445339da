"""Maps of published data sets, known by the columns that only they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mstar.envs.datasets.field_map import FieldMap


@dataclass(frozen=True, slots=True)
class Schema:
    """The row form of a published set.

    Attributes:
        columns: rows with all of these are of this form; none where it must be asked for by name,
            its columns being like those of other sets.
        fields: which column holds what.
    """

    columns: frozenset[str]
    fields: FieldMap


def _schema(columns: str, **mapped: Any) -> Schema:
    return Schema(frozenset(columns.split()), FieldMap(**mapped))


CHARTQA: Mapping[str, Any] = {  # relaxed accuracy: 5 % (arXiv:2203.10244, section 5.1)
    "question": "query",
    "image": ("image",),
    "answer": "label",
    "type": "chart_number",
    "tolerance": 0.05,
}

# Two forms of one set are two lines. More particular forms stand first.
SCHEMAS: dict[str, Schema] = {
    "mathvista": _schema(  # precision is the rounding that the gold itself shows
        "pid question image question_type answer_type precision",
        question="question",
        image=("decoded_image|image",),
        answer="answer",
        choices="choices",
        type="answer_type",
        unit="unit",
        id="pid",
        topic="metadata.task",
    ),
    "mathv360k": _schema(
        "image conversations",
        question="conversations.0.value",
        image=("image",),
        answer="conversations.1.value",
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
    "mmstar": _schema(  # the options stand in the question only
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
    "chartqa": _schema("human_or_machine query label", **CHARTQA),
    "chartqa-files": _schema("imgname query label", **{**CHARTQA, "image": ("png/{imgname}",)}),
    "chartqa-lmms": _schema("", **{**CHARTQA, "question": "question", "answer": "answer"}),
    "geometry3k": _schema(  # one folder a problem
        "problem_text problem_type_graph choices",
        question="problem_text",
        image=("=img_diagram.png",),
        answer="answer",
        choices="choices",
        id="id",
        answer_form="letter",
    ),
    "geometry3k-rl": _schema(  # the form that RL trainers take
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
    "mathverse": _schema(  # where the question is in the picture, query_wo says so
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
    "plotqa": _schema(  # 5 % as for charts (arXiv:1909.00997, section 5.3)
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
    "r1": _schema(  # the answer in its tag, at the end of a worked solution
        "problem solution",
        question="problem",
        image=("images|image|image_path",),
        answer="answer|solution",
    ),
}
