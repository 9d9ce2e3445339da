"""Rows of further published sets, read by the general rules without a schema of their own."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mstar.envs import DatasetSource, Problem


def png(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


IMAGE = {"bytes": png(), "path": None}  # as in tables of the hub
NONE: dict[str, Any] = {}
IN_BASE64 = "data:image/png;base64," + base64.b64encode(png()).decode()
LETTERS = {"A": "Left", "B": "Right"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def pictures(count: int, first: int = 1, most: int = 7, stem: str = "image_") -> dict[str, Any]:
    held = [IMAGE if number < count else None for number in range(most)]
    return {f"{stem}{first + number}": picture for number, picture in enumerate(held)}


# (row, type of the answer, its value, number of pictures)
ROWS: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "A-OKVQA": (
        {
            "image": IMAGE, "question_id": "22MexN", "question": "What does he await?",
            "choices": ["skateboarder", "train", "delivery", "cab"], "correct_choice_idx": 3,
            "direct_answers": "['ride', 'ride', 'bus']", "difficult_direct_answer": False,
        },
        "choice", "cab", 1,
    ),
    "VQAv2": (
        {
            "question_type": "is", "multiple_choice_answer": "yes", "image_id": 1,
            "answers": [{"answer": "yes", "answer_confidence": "yes", "answer_id": 1}],
            "answer_type": "yes/no", "question_id": 1, "question": "Is it?", "image": IMAGE,
        },
        "yes_no", "yes", 1,
    ),
    "GQA": (
        {
            "id": "2", "imageId": "n1", "question": "Who wears the dress?", "answer": "woman",
            "fullAnswer": "The woman.", "isBalanced": True, "semanticStr": "x", "image": IMAGE,
        },
        "text", "woman", 1,
    ),
    "CLEVR of R1-V": (
        {"image": IMAGE, "problem": "How many?", "solution": "<answer> 3 </answer>"},
        "number", "3", 1,
    ),
    "GEOQA of R1-V": (
        {"image": IMAGE, "problem": "Angle?", "solution": "<answer> 145° </answer>"},
        "number", "145", 1,
    ),
    "DocVQA": (
        {
            "questionId": "49153", "question": "Which university?", "image": IMAGE, "docId": 1,
            "answers": ["university of california", "University of California", "UC"],
            "data_split": "val", "question_types": ["form"],
        },
        "text", "university of california", 1,
    ),
    "TextVQA": (
        {
            "image_id": "003a", "question_id": 1, "question": "Which brand?", "image": IMAGE,
            "flickr_original_url": "https://example.org/1.jpg", "image_classes": ["Camera"],
            "answers": ["dakota", "clos", "dakota digital", "dakota", "nous"], "set_name": "val",
        },
        "text", "dakota", 1,
    ),
    "OK-VQA": (
        {
            "image": IMAGE, "question": "What sport?", "question_id": 1, "answer_type": "other",
            "answers": ["race", "race", "race", "motocross", "ride", "ride"],
        },
        "text", "race", 1,
    ),
    "MathVerse": (
        {
            "sample_index": "1", "problem_index": "1", "problem_version": "Text Dominant",
            "question": "Angle C is ()\nChoices:\nA:80°\nB:40°", "image": IMAGE, "answer": "B",
            "question_type": "multi-choice", "query_wo": "q", "query_cot": "q", "metadata": NONE,
        },
        "choice", "40°", 1,
    ),
    "MathVision": (
        {
            "id": "4", "question": "Which bike?\n<image1>", "options": ["A", "B", "C"],
            "image": "images/4.jpg", "decoded_image": IMAGE, "answer": "C", "level": 2,
            "subject": "logic", "solution": None,
        },
        "choice", "C", 1,
    ),
    "MMMU": (
        {
            "id": "validation_Art_2", "question": "Which of <image 1> and <image 2>?",
            "options": "['<image 1>', '<image 2>']", "answer": "B", "subfield": "s",
            "question_type": "multiple-choice", "img_type": "['x']", "explanation": "",
            **pictures(2),
        },
        "choice", "picture 2", 2,
    ),
    "MMMU, open": (
        {
            "id": "validation_E_3", "question": "Find it in <image 1>.", "options": "[]",
            "answer": "8.4", "question_type": "open", "subfield": "s", **pictures(1),
        },
        "number", "8.4", 1,
    ),
    "We-Math": (
        {
            "ID": "1", "split": "testmini", "knowledge concept": "Understanding",
            "question": "How long?", "option": "A. 3 cm; B. 4.5 cm; C. No correct answer",
            "answer": "B", "key": "one-step", "question number": "1", "image_path": IMAGE,
        },
        "choice", "4.5 cm", 1,
    ),
    "DynaMath": (
        {
            "id": "2", "question": "Which? choice: (A) Yes (B) No", "image": "images/2.png",
            "decoded_image": IMAGE, "ground_truth": "A", "answer_type": "multiple choice",
            "subject": "algebra", "knowledge_level": "u",
        },
        "choice", "Yes", 1,
    ),
    "IconQA": (
        {
            "question_id": "7", "question": "Which is odd?", "answer": "choice_1.png",
            "choices": "choice_0.png,choice_1.png", "query_image": IMAGE, "ques_type": "choose_img",
            **pictures(2, 0, 5, "choice_image_"),
        },
        "choice", "picture 3", 3,
    ),
    "SEED-Bench": (
        {
            "answer": "D", "choice_a": "x", "choice_b": "y", "choice_c": "z", "choice_d": "w",
            "data_id": "1", "data_type": "image", "question": "Which?", "question_id": "2",
            "question_type_id": 5, "image": [IMAGE], "segment": None,
        },
        "choice", "w", 1,
    ),
    "POPE": (
        {
            "id": "0", "question_id": "1", "question": "Is there a board?", "answer": "yes",
            "image_source": "COCO_val2014_000000310196", "image": IMAGE, "category": "adversarial",
        },
        "yes_no", "yes", 1,
    ),
    "HallusionBench": (
        {
            "category": "VD", "subcategory": "illusion", "visual_input": "1", "set_id": "0",
            "figure_id": "0", "sample_note": "circle", "question_id": "0", "gt_answer": "0",
            "question": "Is it larger?", "gt_answer_details": "no", "image": IMAGE,
            "filename": "./hallusion_bench/VD/illusion/0_0.png",
        },
        "yes_no", "no", 1,
    ),
    "RealWorldQA": (
        {
            "image": IMAGE, "answer": "C",
            "question": "Where to?\n\nA. Left\nB. Straight\nC. Right\nPlease answer directly with "
            "only the letter of the correct option and nothing else.",
        },
        "choice", "Right", 1,
    ),
    "BLINK": (
        {
            "idx": "val_Counting_1", "question": "How many floats?", "sub_task": "Counting",
            "prompt": "How many floats?\n(A) 0\n(B) 3", "choices": ["0", "3"], "answer": "(B)",
            **pictures(3, most=4),
        },
        "choice", "3", 3,
    ),
    "OlympiadBench": (
        {
            "id": 2, "question": "Find both.", "solution": ["s"], "final_answer": ["3, 5"],
            "context": "A ball.", "is_multiple_answer": True, "unit": None, "subfield": "G",
            "answer_type": "Numerical", "question_type": "Open-ended", **pictures(1, most=5),
        },
        "set", "3, 5", 1,
    ),
    "CMMaTH": (
        {
            "problem_id": "00014", "question": "面积为 $$\\underline{}$$ .", "image": [IMAGE],
            "answer": "$$4\\sqrt{3}-2- \\pi $$\n", "answer_type": "free_form", "grade_id": 9,
        },
        "expression", "4\\sqrt{3}-2- \\pi", 1,
    ),
    "MM-MATH": (
        {
            "question": "Find AB.", "file_name": IMAGE, "year": "nine", "difficult": "medium",
            "solution": "Since AC is 2, we get AB. Therefore \\boxed{3}.", "knowledge": "x",
        },
        "number", "3", 1,
    ),
    "the Cauldron": (
        {
            "images": [IMAGE],
            "texts": [
                {
                    "user": "Question: How many?\nChoices:\nA. 1\nB. 2", "source": "AI2D",
                    "assistant": "Answer: B",
                }
            ],
        },
        "choice", "2", 1,
    ),
    "MMBench of the hub": (
        {
            "index": 0, "question": "Which?", "hint": "nan", "answer": "A", "C": "nan", "D": "nan",
            "category": "c", "image": IMAGE, "source": "s", "split": "dev", **LETTERS,
        },
        "choice", "Left", 1,
    ),
    "EasyR1": (
        {"images": [IMAGE], "problem": "<image>Find y.", "answer": "3\\sqrt{2}"},
        "expression", "3\\sqrt{2}", 1,
    ),
    "MM-Eureka": (
        {
            "id": "1", "conversations": [user("<image>\nFind x.")], "answer": "$3$",
            "image_urls": [IMAGE],
        },
        "number", "3", 1,
    ),
    "LLaVA": (
        {
            "id": "1", "image": IMAGE,
            "conversations": [
                {"from": "human", "value": "<image>\nWhat colours?"},
                {"from": "gpt", "value": "White and red."},
            ],
        },
        "text", "White and red.", 1,
    ),
    "chat of OpenAI": (
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                user([
                    {"type": "image_url", "image_url": {"url": IN_BASE64}},
                    {"type": "text", "text": "How many bars?"},
                ]),
                assistant("4"),
            ]
        },
        "number", "4", 1,
    ),
    "chat of TRL": (
        {
            "messages": [
                user([{"type": "image", "text": None}, {"type": "text", "text": "How many bars?"}]),
                assistant([{"type": "text", "text": "4"}]),
            ],
            "images": [IMAGE],
        },
        "number", "4", 1,
    ),
    "prompt and completion of TRL": (
        {"prompt": [user("How many?")], "completion": [assistant("4")], "images": [IMAGE]},
        "number", "4", 1,
    ),
    "ms-swift": (
        {"messages": [user("<image>How many?"), assistant("4")], "images": [IMAGE]},
        "number", "4", 1,
    ),
    "ms-swift, for RL": (
        {"messages": [user("<image>How many?")], "images": [IMAGE], "solution": "4"},
        "number", "4", 1,
    ),
}  # fmt: skip

# Files of several rows: (name of the file, what it holds, its picture, type and value)
FILES: dict[str, tuple[str, Any, str, str, str]] = {
    "CLEVR": (
        "CLEVR_val_questions.json",
        {
            "info": {"split": "val", "version": "1.0"},
            "questions": [
                {
                    "image_index": 0, "split": "val", "image_filename": "CLEVR_val_000000.png",
                    "question_index": 0, "question": "How many?", "answer": "3", "program": [],
                }
            ],
        },
        "images/CLEVR_val_000000.png", "number", "3",
    ),
    "GQA": (
        "train_balanced_questions.json",
        {"201640614": {"question": "Who?", "imageId": "2354786", "answer": "woman"}},
        "images/2354786.jpg", "text", "woman",
    ),
    "FigureQA": (
        "qa_pairs.json",
        {
            "qa_pairs": [
                {
                    "question_string": "Is it?", "image_index": 0, "question_id": 0, "answer": 1,
                    "color1_name": "Medium Blue", "color2_name": "--None--",
                }
            ],
            "total_distinct_questions": 1, "total_questions": 1,
        },
        "png/0.png", "yes_no", "yes",
    ),
    "PlotQA": (
        "qa_pairs_V2.json",
        {
            "qa_pairs": [
                {
                    "image_index": 18457, "qid": 0, "question_string": "The difference?",
                    "template": "data_retrieval", "answer": 9.5, "type": "dot_line",
                }
            ]
        },
        "png/18457.png", "chart_number", "9.5",
    ),
    "DVQA": (
        "train_qa.json",
        [{"image": "bar_1.png", "question": "How many?", "answer": "three", "question_id": 1}],
        "images/bar_1.png", "text", "three",
    ),
    "AlgoPuzzleVQA": (
        "board_tile.json",
        [{"image": "images/a.png", "question": "How many?", "options": ["4", "5"], "answer": 5}],
        "images/a.png", "choice", "5",
    ),
    "HallusionBench": (
        "HallusionBench.json",
        [
            {
                "set_id": "0", "figure_id": "0", "question": "Is it?", "gt_answer": "1",
                "gt_answer_details": "yes", "filename": "./VD/illusion/0_0.png",
            }
        ],
        "VD/illusion/0_0.png", "yes_no", "yes",
    ),
}  # fmt: skip


def only(source: Any) -> Problem:
    loaded = DatasetSource.load(source)
    (found,) = [problem for split in loaded.problems.values() for problem in split]
    return found


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_a_published_set_is_read(name: str) -> None:
    row, kind, value, shown = ROWS[name]
    found = only([row])
    assert found.answer is not None
    assert (found.answer.type, found.answer.value, len(found.images)) == (kind, value, shown)
    assert not {"nan", "<image"} & set(found.question.split())


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_published_set_is_read(name: str, tmp_path: Path) -> None:
    file, held, picture, kind, value = FILES[name]
    (tmp_path / picture).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / picture).write_bytes(png())
    (tmp_path / file).write_text(json.dumps(held))
    found = only(str(tmp_path / file))
    assert found.answer is not None
    assert (found.answer.type, found.answer.value) == (kind, value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "1", "image": IMAGE, "options": "['a']", "answer": "A"}, "=TEXT in place of"),
        ({"image": IMAGE, "reasoning_q": "Which?", "reasoning_a": "A"}, "question=COLUMN"),
        ({"question": "How?", "image": IMAGE, "answers": ["64%", "64"]}, "answer=answers.0"),
        ({"question": "How?", "image": IMAGE, "answer": "['1.06', '1.1']"}, "say type=list"),
        ({"question": "How?", "image": IMAGE, "answer": "word " * 41}, "final answer"),
        ({"question": "How?", "image": "1.png", "answer": "4"}, "--fields image_folder=FOLDER"),
        ({"question": "In <image>?", "image": None, "answer": "4"}, "--fields on_error=skip"),
    ],
)
def test_the_error_of_an_unclear_row_says_what_to_map(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="rows") as raised:
        DatasetSource.load([row])
    assert words in str(raised.value)


def test_a_list_is_one_answer_if_its_type_says_so() -> None:
    row = {"question": "Which?", "image": IMAGE, "answer": "['red', 'blue']"}
    loaded = DatasetSource.load([row], {"type": "set"})
    (found,) = [problem for split in loaded.problems.values() for problem in split]
    assert found.answer is not None
    assert (found.answer.type, found.answer.value) == ("set", "['red', 'blue']")
