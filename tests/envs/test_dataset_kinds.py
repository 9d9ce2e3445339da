"""Kinds of rows that sets are published with: what is asked, what is right, what is warned of."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from mstar.envs import DatasetSource, Problem
from mstar.envs.datasets.answer_types import infer_answer
from mstar.envs.datasets.cell_texts import clean_question
from mstar.envs.datasets.images import StoredImage
from mstar.envs.datasets.options import options_in_question, several_options, with_options
from mstar.envs.datasets.tables import ParquetBytes
from mstar.envs.datasets.validate import validate_dataset
from mstar.envs.task import Task
from mstar.envs.variants.phrasing import Phrasing, phrase
from mstar.experiments.cli import main as cli


def drawing(seed: int, format: str = "PNG", **more: Any) -> bytes:
    image = Image.new("RGB", (96, 64), "white")
    draw = ImageDraw.Draw(image)
    for number in range(5):
        height = random.Random(seed * 5 + number).randint(4, 60)
        draw.rectangle((number * 18, 64 - height, number * 18 + 12, 64), fill="black")
    file = io.BytesIO()
    image.save(file, format, **more)
    return file.getvalue()


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    given = {"question": f"How many {number}?", "image": drawing(number), "answer": str(number)}
    return given | more


def problems(source: Any, fields: Any = None) -> list[Problem]:
    loaded = DatasetSource.load(source, fields)
    return [problem for split in loaded.problems.values() for problem in split]


def only(source: Any, fields: Any = None) -> Problem:
    (problem,) = problems(source, fields)
    return problem


def kinds(rows: list[dict[str, Any]], fields: Any = None) -> dict[str, int]:
    return {f.message.partition(",")[0]: f.count for f in validate_dataset(rows, fields).findings}


# Options in a question


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Which? (a) 9 degrees (b) 4 degrees ", ("9 degrees", "4 degrees")),
        ("Point A: (x=1)\nPoint B: (x=2)\nHow far? (a) 1 (b) 2 (c) 3", ("1", "2", "3")),
        ("A: (0, 1)\nB: (2, 3)\nFind the distance.", ()),
        ("Is it? (A) Yes (B) No First reason, then put the answer into a box.", ("Yes", "No")),
        ("Is it? (A) Yes (B) No. Answer with the letter.", ("Yes", "No")),
        ("Which one? Choices: (A): the 1st (B): the 2nd", ("the 1st", "the 2nd")),
        ("Which? a. cat b. cow\n\nThen give the final answer (a, b).", ("cat", "cow")),
        ("Which?\nA. Point B.\nB. Point C.\nC. Point A.", ("Point B.", "Point C.", "Point A.")),
        ("Which hold? (A) p (B) Both (a) and (b) hold", ("p", "Both (a) and (b) hold")),
        ("A. Smith has 3, B. Jones has 5. Who has more?", ()),
        ("Lines (A) and (B) cross. How many points?", ()),
        ("Which, (a) or (b), is higher?", ()),
        ("求角（A）30°（B）40°。请一步一步推理", ("30°", "40°")),
        ("Who spoke? (A) Never (B) What is it?", ("Never", "What is it?")),
        ("How long? [A] 3 cm [B] 4 cm", ("3 cm", "4 cm")),
        (r"$\textbf{(A)}\ 1 \qquad \textbf{(B) } 2\sqrt{3}$", ("1", r"2\sqrt{3}")),
        ("Is it (A) red, (B) blue, or (C) green?", ("red", "blue", "green")),
        ("Which?\n**A.** red\n**B.** blue", ("red", "blue")),
        ("Which?\n- A. red\n- B. blue", ("red", "blue")),
        ("Which? (A) red (B) blue (Choose one option.)", ("red", "blue")),
        ("Which do we see? choice: (A) (B) (C)", ("A", "B", "C")),
        ("Which point? (A) A (B) B (C)", ("A", "B", "C")),
        ("Which point? (A) P (B) Q (C)", ()),
    ],
)
def test_options_are_the_last_letters_at_the_end_of_a_question(
    question: str, options: tuple[str, ...]
) -> None:
    assert options_in_question(question) == options


def test_letters_in_brackets_are_shown_without_other_letters() -> None:
    assert with_options("Which?", ["(b)", "(a)"]) == "Which?\n- (b)\n- (a)"


def test_several_right_options_are_a_set() -> None:
    assert several_options("DA", ["p", "q", "r", "s"]) == ("A", "D")
    assert several_options("DA", ["p", "q"]) == several_options("A", ["p", "q"]) == ()
    found = only([row(choices=["p", "q", "r"], answer="A,C")]).answer
    assert found is not None
    assert (found.type, found.value) == ("set", "A, C")


@pytest.mark.parametrize(
    "options",
    [
        ["a) cat", "b) cow"],
        [{"key": "A", "value": "cat"}, {"key": "B", "value": "cow"}],
        [{"id": "A", "content": "cat"}, {"id": "B", "content": "cow"}],
        '{"A": "cat", "B": "cow"}',
        "A. cat\nB. cow",
        ["[A] cat", "[B] cow"],
    ],
)
def test_options_are_read_in_every_usual_form(options: Any) -> None:
    found = only([row(question="Which?", options=options, answer="B")]).answer
    assert (found.value, found.choices) == ("cow", ("cat", "cow"))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "answer"),
    [("1. cat\n2. cow", "2"), (["① cat", "② cow"], "②"), (["1.5", "2.5"], "2.5")],
)
def test_options_may_be_numbered(options: Any, answer: str) -> None:
    found = only([row(question="Which?", options=options, answer=answer)]).answer
    assert found is not None
    assert (found.type, found.value) == ("choice", "2.5" if answer == "2.5" else "cow")


@pytest.mark.parametrize("answer", [["A", "C"], ["p", "r"], "A, C", "CA"])
def test_several_answers_that_all_are_options_are_a_set(answer: Any) -> None:
    found = only([row(question="Which?", options=["p", "q", "r"], answer=answer)]).answer
    assert found is not None
    assert (found.type, found.value) == ("set", "A, C")


# Golds


@pytest.mark.parametrize(
    ("gold", "type", "value", "unit"),
    [
        (r"Area $=9.5 \mathrm{~cm}^{2}$", "number", "9.5", "cm^2"),
        (r"Total S.A. $=25 \pi \mathrm{~mm}^{2}$", "number", r"25 \pi", "mm^2"),
        ("8米", "number", "8", "m"),
        ("6平方厘米", "number", "6", "cm^2"),
        ("$r=7.00$", "number", "7.00", None),
        (r"30^\circ T", "number", "30", "°"),
        ("5=s", "number", "5", None),
        ("3 million", "number", "3 million", None),
        ("2√{2}", "expression", r"2\sqrt{2}", None),
        ("2n-2", "expression", "2n-2", None),
        ("2 n - 2", "expression", "2 n - 2", None),
        ("1,3", "set", "1, 3", None),
        ("1, 3", "set", "1, 3", None),
        ("x=1 or x=3", "set", "1, 3", None),
        ("(5,8),(8,5)", "set", "(5,8), (8,5)", None),
        ("a,c", "set", "a, c", None),
        (r"(-\infty,3)", "interval", r"(-\infty,3)", None),
        (r"(-1,0) \cup (1,2)", "interval", r"(-1,0) \cup (1,2)", None),
        (r"x \leq 5", "interval", r"x \leq 5", None),
        (r"\left(x,y\right)=(2,1)", "tuple", "(2,1)", None),
        ("7 pm", "time", "7 pm", None),
        ("May 4, 2023", "date", "May 4, 2023", None),
        ("y=2x+3", "equation", "y=2x+3", None),
        ("1:64", "text", "1:64", None),
        ("E2", "text", "E2", None),
        ("U-235", "text", "U-235", None),
        ("7 hundredths", "text", "7 hundredths", None),
        ("$S_{ABCD}=24$", "number", "24", None),
        ("≈ 3.14", "number", "3.14", None),
        ("2010/11", "text", "2010/11", None),
        (r"(-\infty,3)\cup(5,\infty)", "interval", r"(-\infty,3)\cup(5,\infty)", None),
        ("(-inf, -2] U [2, inf)", "interval", "(-inf, -2] U [2, inf)", None),
        (r"-2 < x \le 5", "interval", r"-2 < x \le 5", None),
        ("x<-1 or x>3", "interval", "x<-1 or x>3", None),
        (r"x\in(2,3]", "interval", r"x\in(2,3]", None),
        ("x=2, y=3", "tuple", "x=2, y=3", None),
        ("A(1,2)", "tuple", "A(1,2)", None),
        (r"x=\pm 2", "set", "2, -2", None),
        ("5±√3", "set", "5+√3, 5-√3", None),
        ("A and C", "set", "A, C", None),
        ("∅", "set", "∅", None),
        (r"\dfrac{3}{4}", "expression", r"\dfrac{3}{4}", None),
        (r"2^{10}", "expression", r"2^{10}", None),
        (r"\log_2 5", "expression", r"\log_2 5", None),
        ("3.0E8 m/s", "number", "3.0E8", "m/s"),
        (r"32,\! 349", "number", "32,349", None),
        ("25¢", "number", "25", "¢"),
        ("1990s", "text", "1990s", None),
        ("half past 3", "time", "half past 3", None),
        ("1 hour 30 minutes", "duration", "1 hour 30 minutes", None),
        ("50 percent", "percent", "50 percent", None),
        ("May 2023", "date", "May 2023", None),
        ("FHP, 6 bit/s, b = 0.05", "text", "FHP, 6 bit/s, b = 0.05", None),
        ("0am - 4am", "text", "0am - 4am", None),
        (r"$12.5\,\mathrm{cm}$", "number", "12.5", "cm"),
        (r"2\,500", "number", "2,500", None),
        ("12 (cm)", "number", "12", "cm"),
        ("The length of AB is 12.5 cm.", "number", "12.5", "cm"),
        ("There are 12 apples.", "number", "12", None),
        ("It is 3 times larger.", "text", "It is 3 times larger.", None),
        (r"1.6 \times 10^{-19} C", "number", r"1.6 \times 10^{-19}", "C"),
        (r"4 \Omega", "number", "4", "Ω"),
        ("5个", "number", "5", None),
        ("8-10pm", "text", "8-10pm", None),
    ],
)
def test_a_gold_has_the_type_that_a_reader_gives_it(
    gold: str, type: str, value: str, unit: str | None
) -> None:
    answer = infer_answer(gold)
    assert (answer.type, answer.value, answer.unit) == (type, value, unit)


def test_golds_of_one_value_a_line_are_several_values() -> None:
    found = only([row(choices=["p", "q", "r"], answer="C\nA")]).answer
    assert found is not None
    assert (found.type, found.value) == ("set", "A, C")


def test_the_question_decides_on_equations_and_on_order() -> None:
    assert infer_answer("y = -3", question="Find the equation of the line.").type == "equation"
    assert infer_answer("y = -3", question="Find y.").type == "number"
    assert infer_answer("3, 1, 2", question="Sort them.").type == "list"
    assert infer_answer("3, 1", question="What are the coordinates of P?").type == "tuple"
    assert infer_answer("(2,3)", question="On which interval is it decreasing?").type == "interval"
    assert infer_answer("(2,3)", question="Where do they cross?").type == "tuple"


@pytest.mark.parametrize(
    ("gold", "question", "unit"),
    [
        ("50", "What percentage of the bars is red?", "%"),
        ("12.5", "By how many percent did it rise?", "%"),
        ("0.5", "What percentage is it?", None),  # or the fraction
        ("5", "By how many percentage points did it rise?", None),
        ("6", "How many countries have a percentage above 20?", None),
    ],
)
def test_a_number_that_a_question_asks_in_per_cent_has_that_unit(
    gold: str, question: str, unit: str | None
) -> None:
    assert infer_answer(gold, question=question).unit == unit


def test_which_things_there_are_is_a_set_and_values_are_a_list() -> None:
    names = infer_answer("[Chad, Peru]", "chart_number", question="Which two countries are shown?")
    assert names.type == "set"
    values = infer_answer("[4.2, 5.4]", "chart_number", question="What are the shares for A and B?")
    assert values.type == "list"
    assert infer_answer("18/19", "chart_number", question="Which year?").type == "text"


def test_a_long_list_of_numbers_is_read_at_once() -> None:
    gold = ",".join(str(27 * number) for number in range(200)) + ",x"
    assert infer_answer(gold).type in ("set", "text")


def test_rows_of_olympiadbench_have_the_types_that_their_columns_say() -> None:
    def gold(final: str, multiple: bool, type: str, **more: Any) -> Any:
        columns = {"context": None, "final_answer": [final], "is_multiple_answer": multiple}
        asked = {"question": "Find it.", "answer_type": type, "error": None}
        return only([columns | asked | more]).answer

    points = gold("$(0,2),(4,3)$", True, "Tuple")
    assert (points.type, points.value) == ("set", "(0,2),(4,3)")
    assert gold("$(2,4)$", False, "Tuple").value == "(2,4)"
    assert gold("$(2,4)$", True, "Tuple").type == "tuple"
    rounded = gold("4.2", False, "Numerical", error="1e-1", unit="m")
    assert rounded.tolerance * 4.2 == pytest.approx(0.1)
    assert gold("$x^{2}$", False, "Expression", error="1e-1").tolerance is None


def test_columns_on_the_answer_are_used() -> None:
    several = {"final_answer": ["3,5"], "is_multiple_answer": True, "context": "A ball."}
    both = only([{"question": "Find both.", "image": drawing(1), **several}])
    rounded = only([row(answer=1.0, precision=2)])
    declared = only([row(answer=r"$(2,\infty)$", answer_type="Numerical")])
    answers = [problem.answer for problem in (both, rounded, declared)]
    assert [(a.type, a.value) for a in answers if a] == [
        ("set", "3,5"), ("number", "1.00"), ("interval", r"(2,\infty)")
    ]  # fmt: skip


# Images and conversations


def test_a_row_without_an_image_is_asked_in_words_only() -> None:
    rows = [row(), row(1, image=""), row(2, image=None)]
    assert sorted(len(problem.images) for problem in problems(rows)) == [0, 0, 1]
    report = validate_dataset(rows)
    assert report.ok
    assert "2 problems without one" in report.text()
    task = Task(source=DatasetSource.load([row(image=None)]), seed=0)
    assert list(task.prompt(task.draw(1)[0]).images) == []


def test_a_question_that_misses_its_image_is_an_error_and_a_set_without_images_is_said_so() -> None:
    with pytest.raises(ValueError, match="place for an image"):
        DatasetSource.load([row(image=None, question="In <image>?")])
    words = {"question": "Two and two?", "answer": "4"}
    with pytest.raises(ValueError, match="--fields image= "):
        DatasetSource.load([words])
    assert only([words], {"image": None}).images == ()


@pytest.mark.parametrize(
    "mark",
    [
        "<image>", "<image1>", "<|image_1|>", "[IMG]", "<img>1.png</img>", "![](1.png)",
        "<|vision_start|><|image_pad|><|vision_end|>", "<img_3362>", '<img src="1.png">',
        "<img><IMG_CONTEXT></img>", "(<image>./</image>)", "<im_start><image><im_end>",
        "<|begin_of_image|><|image|><|end_of_image|>", "[IMG][IMG_BREAK][IMG_END]",
        "<|media_start|>image<|media_content|><|media_pad|><|media_end|>", "<image_soft_token>",
    ],
)  # fmt: skip
def test_no_placeholder_is_left_and_no_word_is_cut(mark: str) -> None:
    assert clean_question(f"{mark}\nHow many?", 1, iter([1])).text == "How many?"
    assert clean_question(f"What does {mark}", 1, iter([1])).text == "What does the picture"
    assert clean_question(f"{mark} shows bars.", 1, iter([1])).text == "the picture shows bars."
    assert clean_question(f"Then x is\n{mark}", 1, iter([1])).text == "Then x is"
    options = "Is it red? (A) Yes (B) No"
    assert clean_question(f"{options} {mark}", 1, iter([1])).text == options


def test_the_file_that_a_placeholder_names_is_shown(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "33.png").write_bytes(drawing(1))
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "In <img_33>?", "image": None, "answer": "4"}))
    assert len(only(str(path)).images) == 1


def test_every_turn_of_a_conversation_is_a_problem_with_what_was_said_before() -> None:
    texts = ("Be brief.", "<image>Red?", "No", "How many?", "3")
    roles = ("system", "user", "assistant", "user", "assistant")
    messages = [{"role": r, "content": c} for r, c in zip(roles, texts, strict=True)]
    found = problems([{"messages": messages, "images": [drawing(1)]}])
    asked = {problem.question: problem.answer.value for problem in found if problem.answer}
    first = "Be brief.\nthe picture\nRed?"
    assert set(asked.values()) == {"No", "3"}
    assert all(question.startswith("Be brief.") for question in asked), first
    assert any(question.endswith("No\nHow many?") for question in asked)


def test_a_turn_shows_no_image_of_a_later_one() -> None:
    said = ["<image>How many?", "3", "And here?<image>", "4"]
    messages = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": t} for n, t in enumerate(said)
    ]
    found = problems([{"messages": messages, "images": [drawing(1), drawing(2)]}])
    assert sorted((len(p.images), p.answer and p.answer.value) for p in found) == [
        (1, "3"),
        (2, "4"),
    ]


def test_parts_with_a_value_and_other_ways_to_name_a_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "1.png").write_bytes(drawing(1))
    parts = [{"type": "image_url", "value": "sub/1.png"}, {"type": "text", "value": "How many?"}]
    answer = [{"type": "text", "value": "3"}]
    rows = [
        {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]}
    ]
    others = [row(1, image={"url": "sub/1.png"}), row(2, image="sub\\1.png")]
    for number, written in enumerate((rows, others)):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\n".join(map(json.dumps, written)))
        assert [len(problem.images) for problem in problems(str(path))] == [1] * len(written)


def test_videos_and_sounds_are_refused() -> None:
    for content in ("<video>Why?", [{"type": "audio_url", "value": "1.wav"}]):
        asked = {"messages": [{"role": "user", "content": content}]}
        with pytest.raises(ValueError, match="a video or a sound"):
            only([row(answer="no") | asked], {"question": "messages"})


def test_a_system_prompt_and_earlier_turns_in_columns_stand_in_front() -> None:
    more = {"system": "Be brief.", "history": [["Is it red?", "No"]]}
    asked = {"query": "<image>How many?", "response": "3", "images": [drawing(1)]}
    alpaca = {"instruction": "How many?", "input": "", "output": "3", "images": [drawing(1)]}
    for given in (asked, alpaca):
        problem = only([given | more])
        assert problem.question.startswith("Be brief.\nIs it red?\nNo\n")
        assert (problem.system, problem.question[-9:]) == ("Be brief.", "How many?")
    with pytest.raises(ValueError, match="pairs of question and answer"):
        only([asked | {"history": ["Is it red?"]}])


def test_a_preferred_response_and_what_stands_behind_a_thought_are_answers() -> None:
    chat = [{"from": "human", "value": "<image>How many?"}]
    chosen = {
        "conversations": chat,
        "images": [drawing(1)],
        "chosen": {"from": "gpt", "value": "3"},
    }
    thought = row(question="How many?", answer="<think>2 + 1</think>\nThe answer is 3.")
    for given in (chosen, thought):
        found = only([given]).answer
        assert found is not None
        assert (found.type, found.value) == ("number", "3")


def test_a_conversation_may_be_json_text_and_its_files_named_by_placeholders(
    tmp_path: Path,
) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(drawing(int(name[0])))
    parts = [{"type": "image", "image": "1.png"}, {"type": "text", "text": "How many?"}]
    in_text = {"message": json.dumps([{"role": "user", "content": parts}]), "answer": "3"}
    named = {
        "image": {"<image_00>": "1.png", "<image_01>": "2.png"},
        "conversations": [
            {"role": "user", "content": "<image_00>\nIs it like <image_01>?"},
            {"role": "assistant", "content": "no"},
        ],
    }
    for given, question, count in (
        (in_text, "How many?", 1),
        (named, "Is it like picture 2?", 2),
    ):
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(given))
        problem = only(str(path))
        assert (problem.question, len(problem.images)) == (question, count)


def test_what_trainers_write_is_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(drawing(1))
    wrapped = base64.encodebytes(drawing(1)).decode()
    for written in (
        {"query": "<image>How many?", "response": "3", "images": ["1.png"]},
        {"conversation": [{"human": "<image>How many?", "assistant": "3"}], "images": ["1.png"]},
        {"instruction": "How", "input": "many?", "output": "3", "images": ["1.png"]},
        {"image": wrapped, "question": "How many?", "answer": "3"},
        {"image": 1, "question": "How many?", "answer": "3"},
        {"question": "Picture 1: <img>1.png</img>\nHow many?", "answer": "3", "image": None},
        {"image": None, "images": ["1.png"], "question": "How many?", "answer": "3"},
    ):
        (tmp_path / "one.jsonl").write_text(json.dumps(written))
        found = only(str(tmp_path / "one.jsonl"))
        assert (" ".join(found.question.split()), len(found.images)) == ("How many?", 1)


# Files


def test_a_file_is_read_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(drawing(1))
    listed = [row(number, image="1.png") for number in range(2)]
    (tmp_path / "array.jsonl").write_text(json.dumps(listed, indent=1))
    (tmp_path / "tabs.csv").write_text("image\tquestion\tanswer\n1.png\tHow many, then?\t3\n")
    assert len(problems(str(tmp_path / "array.jsonl"))) == 2
    assert only(str(tmp_path / "tabs.csv")).question == "How many, then?"


def test_numbers_and_days_of_a_table_are_as_they_were_written(tmp_path: Path) -> None:
    columns = {"image": [drawing(1), drawing(2)], "question": ["How far?", "When?"]}
    for answers, written in (
        (pa.array([3.1, 4.25], pa.float32()), {"3.1", "4.25"}),
        (pa.array([datetime(2020, 1, 2), datetime(2021, 3, 4)]), {"2020-01-02", "2021-03-04"}),
    ):
        pq.write_table(pa.table(columns | {"answer": answers}), tmp_path / "p.parquet")
        found = problems(str(tmp_path / "p.parquet"))
        assert {problem.answer.value for problem in found if problem.answer} == written


def test_several_files_in_one_text_are_several_images(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(drawing(number))
    (tmp_path / "p.jsonl").write_text(json.dumps(row(images="1.png, 2.png") | {"image": None}))
    assert len(only(str(tmp_path / "p.jsonl")).images) == 2


def test_a_folder_names_the_split_of_the_files_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "test" / "real"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(drawing(1))
    lines = [json.dumps(row(number, image="1.png")) for number in range(12)]
    (folder / "bars.jsonl").write_text("\n".join(lines))
    for path in (folder / "bars.jsonl", folder, folder.parent):
        assert validate_dataset(str(path)).splits == {"test": 12}


def test_images_in_a_folder_above_the_problems_are_named_in_the_error(tmp_path: Path) -> None:
    for name in ("data", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "1.png").write_bytes(drawing(1))
    path = tmp_path / "data" / "a.jsonl"
    path.write_text(json.dumps(row(image="images/1.png")))
    with pytest.raises(ValueError, match=f"image_folder={tmp_path}"):
        DatasetSource.load(str(path))
    loaded = DatasetSource.load(str(path), image_folder=str(tmp_path))
    assert len(loaded.problems["train"]) == 1


def test_the_file_of_a_folder_whose_columns_say_nothing_is_named_with_another_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "areas.json").write_text(json.dumps({"areas": [{"name": "a", "size": 3}]}))
    (tmp_path / "problems.json").write_text(json.dumps([{"ask": "2 + 2?", "answer": "4"}]))
    with pytest.raises(ValueError, match=r"'areas' first; .*name it: .*problems\.json"):
        validate_dataset(str(tmp_path))


def test_packed_files_utf_16_and_semicolons_are_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(drawing(1))
    packed, wide, local = (tmp_path / name for name in ("a.jsonl.gz", "b.csv", "c.csv"))
    packed.write_bytes(gzip.compress(json.dumps(row(image="1.png", answer="3.5")).encode()))
    wide.write_text("image,question,answer\n1.png,Größe?,3.5\n", "utf-16")
    local.write_text("image;question;answer\n1.png;Größe?;3,5\n", "utf-8")
    unmarked, piped, entity = (tmp_path / name for name in ("d.jsonl", "e.csv", "f.csv"))
    unmarked.write_text(json.dumps(row(image="1.png", answer="3.5")), "utf-16-le")
    piped.write_text("image|question|answer\n1.png|Size?|3.5\n")
    entity.write_text("image,question,answer\nmy%201.png,Is x &lt; 4?,3.5\n")
    (tmp_path / "my 1.png").write_bytes(drawing(1))
    assert only(str(entity)).question == "Is x < 4?"
    for path in (packed, wide, local, unmarked, piped, entity):
        answer = only(str(path)).answer
        assert answer is not None
        assert (answer.type, answer.value) == ("number", "3.5")


@pytest.mark.parametrize(
    ("name", "remedy"), [("a.zip", "unpack"), ("a.xlsx", "as CSV"), ("a.pkl", "could run code")]
)
def test_a_file_that_is_not_read_is_refused_with_a_remedy(
    name: str, remedy: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"PK")
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(ValueError, match=remedy):
            DatasetSource.load(str(path))


def test_links_into_the_blobs_of_a_hub_cache_are_read_and_links_out_of_it_are_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret.png").write_bytes(drawing(3))
    blobs, snapshot = tmp_path / "set" / "blobs", tmp_path / "set" / "snapshots" / "main"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "ab12").write_bytes(drawing(1))
    (snapshot / "1.png").symlink_to("../../blobs/ab12")
    (snapshot / "2.png").symlink_to("../../../secret.png")
    path = snapshot / "a.jsonl"
    path.write_text(json.dumps(row(image="1.png")))
    assert only(str(path)).images[0].render().size == (96, 64)
    path.write_text(json.dumps(row(image="2.png")))
    with pytest.raises(ValueError, match="lies outside"):
        DatasetSource.load(str(path))


# What a check costs, and what it finds


def test_an_image_is_decoded_once_for_all_rows_and_runs_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    check = StoredImage.check

    def counted(image: StoredImage) -> Any:
        decoded.append(image.name)
        return check(image)

    monkeypatch.setattr(StoredImage, "check", counted)
    (tmp_path / "1.jpg").write_bytes(drawing(1, "JPEG"))
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row(number, image="1.jpg")) for number in range(9)))
    assert validate_dataset(str(path)).ok
    assert validate_dataset(str(tmp_path), {"type": "number"}).ok
    assert decoded == ["1.jpg"]
    (tmp_path / "1.jpg").write_bytes(drawing(1, "JPEG", quality=50)[:-200])
    (finding,) = validate_dataset(str(path)).errors
    assert finding.count == 9
    assert "truncated" in finding.examples[0]
    assert len(decoded) == 2
    monkeypatch.setattr("mstar.envs.datasets.checked._version", lambda: "of other code")
    assert not validate_dataset(str(path)).ok
    assert len(decoded) == 3


def test_a_broken_store_of_checks_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    (tmp_path / "1.png").write_bytes(drawing(1))
    path.write_text(json.dumps(row(image="1.png")))
    (tmp_path / ".mstar_audit.json").write_text('{"version": "?"')
    assert validate_dataset(str(path)).ok


def test_rows_of_a_parquet_file_are_the_same_in_any_order(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    cells = [{"bytes": drawing(number), "path": None} for number in range(12)]
    pq.write_table(pa.table({"image": cells}), path, row_group_size=3)
    places = [(number // 3, number % 3) for number in range(12)] * 3
    random.Random(0).shuffle(places)
    for group, within in places:
        read = ParquetBytes(path, group, "image", within, ("bytes",))()
        assert read == cells[3 * group + within]["bytes"]


def test_with_skip_rows_without_a_problem_are_left_out_and_named() -> None:
    rows = [row(), row(1, choices=["1", "1"])]
    assert "leave the rows out" in validate_dataset(rows).text()
    report = validate_dataset(rows, on_error="skip")
    assert report.ok
    assert "and are left out: 1" in report.text()
    with pytest.warns(UserWarning, match="left out: rows: 1 of 2 rows"):
        DatasetSource.load(rows, on_error="skip")


def test_golds_that_can_hardly_be_met_or_are_given_away_are_warned_of() -> None:
    sentence = "A small black bar stands at the left."
    assert kinds([row(answer=sentence)])["golds that are sentences"] == 1
    exact, asked = row(1, answer="2.0944"), row(2, answer="2.0944", question="To 4 decimals?")
    decimals = "golds with three decimals or more that the question does not ask for; allow for"
    assert any(decimals in kind and n == 1 for kind, n in kinds([exact, asked]).items())
    years = kinds([row(3, answer="2014", tolerance=0.05)])
    assert years["golds that look like years and have a tolerance"] == 1
    always = [row(n, choices=["red", "blue", f"{n}"], answer="B") for n in range(30)]
    assert any("always answering B" in kind for kind in kinds(always))


def test_the_same_image_in_another_encoding_in_a_later_split_is_warned_of() -> None:
    rows = [row(number, split="train") for number in range(4)]
    rows += [row(9, image=drawing(2, "JPEG", quality=95), split="test")]
    rows += [row(8, image=drawing(7), split="test")]
    found = [f for f in validate_dataset(rows).findings if "another encoding" in f.message]
    assert [f.count for f in found] == [1]


def test_a_system_prompt_stands_in_front_of_the_question_or_in_a_turn_of_its_own() -> None:
    texts = {"system": "Be brief.", "user": "Is <image> red?", "assistant": "No"}
    messages = [{"role": role, "content": text} for role, text in texts.items()]
    problem = only([{"messages": messages, "images": [drawing(1)]}])
    usual = Task(source="BarChart", instruction="Go.").prompt(problem)
    assert (usual.system, usual.parts()) == ("", ["Be brief.\nIs ", 0, " red?\nGo."])
    own = Task(source="BarChart", instruction="Go.", system="data").prompt(problem)
    assert (own.system, own.parts()) == ("Be brief.", ["Is ", 0, " red?\nGo."])
    bare = Task(source="BarChart", instruction="Go.", system="data").prompt(only([row()]))
    assert (bare.system, bare.text) == ("", "How many 0?\nGo.")


# Where images stand


def shown(source: Any, phrasing: Phrasing | None = None) -> list[str | int]:
    problem = only(source)
    task = Task(source="BarChart", instruction="Go.")
    return task.prompt(problem if phrasing is None else phrase(problem, phrasing)).parts()


def test_a_sentence_right_behind_an_image_is_not_glued_to_its_name() -> None:
    asked = clean_question("Be brief.\n<image>Is it red?", 1, iter([1]))
    assert asked.text == "Be brief.\nthe picture Is it red?"
    assert asked.places == {0: (10, 21)}


def test_line_breaks_that_were_escaped_twice_are_line_breaks() -> None:
    asked = clean_question(r"Add $\nu$ to $x \neq 1$.\n\nWhich?\n<image1>", 1, iter([]))
    assert asked.text == "Add $\\nu$ to $x \\neq 1$.\n\nWhich?"


def test_images_stand_where_their_placeholders_stood() -> None:
    two = [drawing(1), drawing(2)]
    inside = row(question="Is <image2> like ![](a.png)?", image=two)
    assert shown([inside]) == ["Is ", 1, " like ", 0, "?\nGo."]
    assert only([inside]).question == "Is picture 2 like picture 1?"
    around = row(question="<image>\nSo many? How many? <image>", image=two)
    assert shown([around]) == [0, "So many? How many?", 1, "\nGo."]
    again = row(question="<|vision_start|><|image_pad|><|vision_end|>See [IMG] and <image1>.")
    assert shown([again]) == [0, "See the picture and the picture.\nGo."]


def test_placeholders_may_count_from_zero_and_must_not_outnumber_the_images() -> None:
    two = [drawing(1), drawing(2)]
    counted = row(question="Is <image_0> like <image_1>?", image=two)
    assert shown([counted]) == ["Is ", 0, " like ", 1, "?\nGo."]
    with pytest.raises(ValueError, match="places for 3 images, but the row has 2"):
        only([row(question="<image> <image> <image> Which?", image=two)])


def test_images_of_options_stand_in_the_options() -> None:
    marked = row(
        question="Which is like <image 1>?",
        image=[drawing(n) for n in range(3)],
        options=["<image 2>", "<image 3>"],
        answer="B",
    )
    assert shown([marked]) == ["Which is like ", 0, "?\n(A) ", 1, " (B) ", 2, "\nGo."]
    assert shown([marked], Phrasing(letters="A."))[:3] == [0, 1, 2]  # the text is another


def test_images_stand_in_front_without_placeholders_and_in_generated_problems() -> None:
    assert shown([row()]) == [0, "How many 0?\nGo."]
    assert only([row(question="<image>\nHow many?")]).image_places == ()
    assert Task(source="Venn", seed=1).draw(1)[0].image_places == ()


def test_envs_show_marks_where_images_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(drawing(number))
    path = tmp_path / "a.jsonl"
    asked = row(question="Is <image> like <image>?", image=["1.png", "2.png"], answer="yes")
    path.write_text(json.dumps(asked))
    cli.main(["envs", "show", str(path), "--count", "1"])
    assert "Is [image 1] like [image 2]?" in capsys.readouterr().out
