"""Small rows in the form of each published set: the fields and the problem that result."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mstar.envs import DatasetSource, Problem
from mstar.envs.datasets.schemas import SCHEMAS, choose_fields
from mstar.rewards.base import Answer


def png(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def held(shade: int = 0) -> dict[str, Any]:
    """A picture as in tables of the hub."""
    return {"bytes": png(shade), "path": None}


def put(folder: Path, *names: str) -> None:
    for shade, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(shade))


def problems(source: Any, fields: Any = None) -> list[Problem]:
    loaded = DatasetSource.load(source, fields)
    found = [problem for split in loaded.problems.values() for problem in split]
    return sorted(found, key=lambda problem: problem.question)


def answers(found: Sequence[Problem]) -> list[Answer | None]:
    return [problem.answer for problem in found]


def schema_of(row: Mapping[str, Any]) -> str | None:
    chosen = choose_fields(None, list(row), "rows")
    return next((name for name, schema in SCHEMAS.items() if schema.fields == chosen), None)


def mathvista(**more: Any) -> dict[str, Any]:
    return {
        "pid": "1",
        "question": "When a spring does work, what is its distance?",
        "image": "images/1.jpg",
        "decoded_image": held(),
        "choices": None,
        "unit": None,
        "precision": 1.0,
        "answer": "1.2",
        "question_type": "free_form",
        "answer_type": "float",
        "metadata": {"task": "textbook question answering", "grade": "college"},
        "query": "Hint: Please answer the question requiring a floating-point number ...",
        **more,
    }


def test_mathvista() -> None:
    rows = [
        mathvista(),
        mathvista(
            question="Find the angle.",
            choices=["145°", "135°"],
            answer="145°",
            question_type="multi_choice",
            answer_type="text",
            decoded_image=held(1),
        ),
        mathvista(
            question="How many years?",
            answer="8",
            answer_type="integer",
            unit="years",
            decoded_image=held(2),
        ),
        mathvista(question="Which years?", answer="[2007, 2008]", answer_type="list"),
        mathvista(question="Zero in the test split has no answer", answer=""),
    ]
    assert schema_of(rows[0]) == "mathvista"
    found = problems(rows)
    assert answers(found) == [
        Answer("choice", "145°", ("145°", "135°")),
        Answer("number", "8", unit="years"),
        Answer("number", "1.2"),
        Answer("list", "[2007, 2008]"),
        None,
    ]
    assert found[0].question == "Find the angle.\n(A) 145° (B) 135°"
    assert found[2].template == "textbook question answering"


def test_mathv360k(tmp_path: Path) -> None:
    put(tmp_path, "TabMWP/images/1.png", "GeoQA+/images/2.png")
    hint = "<image>\nHint: Please answer the question and provide the correct option letter, e.g., "
    rows = [
        {
            "id": "identity_0",
            "image": "GeoQA+/images/2.png",
            "conversations": [
                {
                    "from": "human",
                    "value": f"{hint}A, B, C, D, at the end.\nQuestion: Find ∠1.\nChoices:\n"
                    "(A) 50°\n(B) 60°",
                },
                {"from": "gpt", "value": "The answer is B"},
            ],
        },
        {
            "id": "identity_1",
            "image": "TabMWP/images/1.png",
            "conversations": [
                {
                    "from": "human",
                    "value": "<image>\nHint: Please answer the question and provide the final "
                    "answer at the end.\nQuestion: How much is it?",
                },
                {"from": "gpt", "value": "The answer is 8.20"},
            ],
        },
    ]
    (tmp_path / "train_samples_all_tuning.json").write_text(json.dumps(rows))
    assert schema_of(rows[0]) == "mathv360k"
    found = problems(str(tmp_path / "train_samples_all_tuning.json"))
    assert [p.question for p in found] == [
        "Find ∠1.\nChoices:\n(A) 50°\n(B) 60°",
        "How much is it?",
    ]
    assert answers(found) == [Answer("choice", "60°", ("50°", "60°")), Answer("number", "8.20")]


def test_m3cot() -> None:
    row = {
        "id": "physical-commonsense-1005",
        "category": "physical-commonsense",
        "image_id": "physical-commonsense-1005",
        "question": "What are these people waiting for?",
        "choices": ["taxi", "train", "bus"],
        "context": "Some people stand in the rain.",
        "answer": "B",
        "rationale": "They stand on a platform.",
        "split": "train",
        "image": held(),
        "domain": "commonsense",
        "topic": "physical-commonsense",
    }
    assert schema_of(row) == "m3cot"
    (found,) = problems([row])
    assert found.question == (
        "Some people stand in the rain.\nWhat are these people waiting for?\n"
        "(A) taxi (B) train (C) bus"
    )
    assert found.answer == Answer("choice", "train", ("taxi", "train", "bus"))
    assert problems([{**row, "context": ""}])[0].question.startswith("What are these")


def test_mmstar() -> None:
    row = {
        "index": 0,
        "question": "Which option describes the object?\nOptions: A: A circle, B: A red square, "
        "C: Trees, D: Nothing",
        "image": held(),
        "answer": "B",
        "category": "coarse perception",
        "l2_category": "image scene and topic",
        "meta_info": {"source": "MMBench", "split": "val", "image_path": "images/0.jpg"},
    }
    assert schema_of(row) == "mmstar"
    (found,) = problems([row])
    assert found.question == row["question"]
    assert found.answer == Answer(
        "choice", "A red square", ("A circle", "A red square", "Trees", "Nothing")
    )


def test_mmbench(tmp_path: Path) -> None:
    header = [
        "index",
        "question",
        "hint",
        *"ABCD",
        "answer",
        "category",
        "image",
        "source",
        "split",
    ]
    picture = base64.b64encode(png()).decode()
    cells = ["7", "Which is true?", "Look left.", "one", "two", "", "", "B", "logic", picture]
    line = "\t".join([*cells, "web", "dev"])
    (tmp_path / "MMBench_DEV_EN.tsv").write_text("\t".join(header) + "\n" + line + "\n")
    assert schema_of(dict.fromkeys(header)) == "mmbench"
    (found,) = problems(str(tmp_path / "MMBench_DEV_EN.tsv"))
    assert found.question == "Look left.\nWhich is true?\n(A) one (B) two"
    assert found.answer == Answer("choice", "two", ("one", "two"))
    hub = dict(zip(header, cells, strict=False)) | {"image": held(), "C": "nan", "hint": "nan"}
    assert answers(problems([hub])) == [found.answer]


def test_ai2d() -> None:
    rows = [
        {"question": f"What is {n}?", "options": o, "answer": a, "image": held(n)}
        for n, (o, a) in enumerate(
            [(["leaf", "root", "stem", "seed"], "0"), (["3", "2", "1", "0"], "3")]
        )
    ]
    expected = [
        Answer("choice", "leaf", ("leaf", "root", "stem", "seed")),
        Answer("choice", "0", ("3", "2", "1", "0")),
    ]
    assert answers(problems(rows, "ai2d")) == answers(problems(rows)) == expected


def test_chartqa(tmp_path: Path) -> None:
    rows = [
        {"query": "How high?", "label": ["14.5"], "human_or_machine": 0, "image": held()},
        {"query": "In which year?", "label": ["2014"], "human_or_machine": 1, "image": held(1)},
        {"query": "Is it more?", "label": ["Yes"], "human_or_machine": 1, "image": held(2)},
        {"query": "Who leads?", "label": ["Italy"], "human_or_machine": 1, "image": held(3)},
    ]
    expected = [
        Answer("chart_number", "14.5", tolerance=0.05),
        Answer("year", "2014"),
        Answer("yes_no", "Yes"),
        Answer("text", "Italy"),
    ]
    assert schema_of(rows[0]) == "chartqa"
    assert answers(problems(rows)) == expected
    names = [f"{n}.png" for n in range(4)]
    put(tmp_path, *(f"png/{name}" for name in names))
    files = [
        {"imgname": name, "query": row["query"], "label": row["label"][0]}
        for name, row in zip(names, rows, strict=True)
    ]
    (tmp_path / "train_human.json").write_text(json.dumps(files))
    assert answers(problems(str(tmp_path / "train_human.json"))) == expected
    lmms = [
        {"type": "human_test", "question": r["query"], "answer": r["label"][0], "image": r["image"]}
        for r in rows
    ]
    assert answers(problems(lmms, "chartqa-lmms")) == expected


def test_geometry3k(tmp_path: Path) -> None:
    row = {
        "id": 2401,
        "problem_text": "Find x.",
        "problem_type_graph": ["Triangle"],
        "problem_type_goal": ["Length"],
        "choices": ["6.0", "12.0", "18.0", "24.0"],
        "answer": "B",
        "annotat_text": "Find $x$.",
    }
    for number in (2401, 2402):
        folder = tmp_path / "geometry3k" / "test" / str(number)
        put(folder, "img_diagram.png")
        (folder / "data.json").write_text(json.dumps({**row, "id": number}, indent=2))
    assert schema_of(row) == "geometry3k"
    source = DatasetSource.load(str(tmp_path / "geometry3k"))
    assert [p.answer for p in source.problems["test"]] == [
        Answer("choice", "12.0", ("6.0", "12.0", "18.0", "24.0"))
    ] * 2
    trained = {"images": [held()], "problem": "<image>Find x.", "answer": "2 \\sqrt { 221 }"}
    for fields in (None, "geometry3k-rl"):
        (found,) = problems([trained], fields)
        assert (found.question, found.answer) == (
            "Find x.",
            Answer("expression", "2 \\sqrt { 221 }"),
        )


def test_tabmwp(tmp_path: Path) -> None:
    put(tmp_path, "tables/38.png", "tables/976.png")
    more = {"table_title": None, "table": "a | 1", "row_num": 1, "column_num": 2, "grade": 5}
    keyed = {
        "38": {
            "question": "How much will he spend?",
            "choices": None,
            "answer": "1,229",
            "unit": "$",
            "ques_type": "free_text",
            "ans_type": "integer_number",
            "split": "train",
            **more,
        },
        "976": {
            "question": "Is it linear or nonlinear?",
            "choices": ["linear", "nonlinear"],
            "answer": "linear",
            "unit": None,
            "ques_type": "multi_choice",
            "ans_type": "extractive_text",
            "split": "train",
            **more,
        },
    }
    (tmp_path / "problems_train.json").write_text(json.dumps(keyed, indent=4))
    assert schema_of({"_key": "38", **keyed["38"]}) == "tabmwp"
    found = problems(str(tmp_path / "problems_train.json"))
    assert answers(found) == [
        Answer("number", "1,229", unit="$"),
        Answer("choice", "linear", ("linear", "nonlinear")),
    ]
    assert [p.images[0].render().getpixel((0, 0)) for p in found] == [(0, 0, 0), (1, 0, 0)]
    assert found[0].id.endswith("/38")


def test_puzzlevqa(tmp_path: Path) -> None:
    put(tmp_path, "images/circle/0.png", "images/circle/1.png")
    rows = [
        {
            "image": f"images/circle/{n}.png",
            "question": "What is the missing number?",
            "options": ["6", "3", "4", "2"],
            "answer": gold,
            "caption": "There are 6 circles.",
            "explanation": "The larger the higher.",
            "deduction": "So it is 4.",
        }
        for n, gold in enumerate(["4", "2"])
    ]
    (tmp_path / "circle.json").write_text("\n".join(map(json.dumps, rows)))
    assert schema_of(rows[0]) == "puzzlevqa"
    found = problems(str(tmp_path / "circle.json"))
    assert {p.answer.value for p in found if p.answer} == {"4", "2"}
    assert found[0].question == "What is the missing number?\n(A) 6 (B) 3 (C) 4 (D) 2"
    assert found[0].caption == "There are 6 circles."


def test_nlvr(tmp_path: Path) -> None:
    put(tmp_path, "images/2/dev-1572-0-0.png")
    row = {
        "sentence": "Each grey box contains a yellow object.",
        "identifier": "1572-0",
        "directory": "2",
        "evals": {"r0": "true"},
        "label": "true",
        "structured_rep": [[{"y_loc": 80, "type": "triangle", "color": "Yellow"}]],
    }
    (tmp_path / "dev.json").write_text(json.dumps(row) + "\n")
    assert schema_of(row) == "nlvr"
    (found,) = problems(str(tmp_path / "dev.json"))
    assert found.question.endswith("true or false about the picture? " + row["sentence"])
    assert found.answer == Answer("yes_no", "true")


def test_single_fields_override_a_schema() -> None:
    row = {**mathvista(), "gold": "7"}
    changed = choose_fields({"schema": "mathvista", "answer": "gold"}, list(row), "rows")
    assert (changed.answer, changed.unit) == ("gold", "unit")
    assert choose_fields({"answer": "gold"}, list(row), "rows") == changed


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"query": "How?", "img": held(), "label": "so"}, "How?"),
        ({"Question": "How?", "Image": held(), "Answer": "so"}, "How?"),
        ({"problem": "How?", "images": [held()], "ground_truth": "so"}, "How?"),
        ({"sentence": "It is.", "left_image": held(), "right_image": held(1), "label": True}, "It"),
        (
            {"question": "How?", "image": held(), "A": "so", "B": "no", "answer": "A"},
            "How?\n(A) so (B) no",
        ),
        ({"question": "How?", "image": held(), "options": "['so', 'no']", "answer": "A"}, "How?\n"),
    ],
)
def test_the_fields_of_an_unknown_form_are_guessed_from_column_names(
    row: dict[str, Any], question: str
) -> None:
    (found,) = problems([row])
    assert found.question.startswith(question)
    assert found.answer is not None
    assert found.answer.value in ("so", "true")
