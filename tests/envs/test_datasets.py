import base64
import io
import json
import os
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from PIL import Image

from mstar.envs import (
    DatasetSource,
    Problem,
    ProblemEnv,
    ProblemVectorEnv,
    open_source,
    register_dataset,
)
from mstar.envs.datasets.answer_types import infer_answer
from mstar.envs.datasets.images import MOST_PIXELS, StoredImage
from mstar.envs.datasets.options import (
    infer_answer_form,
    options_in_question,
    parse_options,
    resolve_option,
    with_options,
)
from mstar.envs.datasets.validate import validate_dataset

SAMPLES = Path(os.environ.get("MSTAR_SHARED", Path(__file__).parents[3] / "shared"), "real_samples")
COLORS = ("red", "green", "blue", "white")


def png(shade: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, shade if mode in "LP1" else (shade, 0, 255, 255)[: len(mode)]).save(
        file, "PNG"
    )
    return file.getvalue()


def chart(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"c{number}",
        "question": f"How high is bar {number}?",
        "image": png(number),
        "answer": number,
        **more,
    }


def charts(count: int) -> list[dict[str, Any]]:
    return [chart(number) for number in range(count)]


def write(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "problems.jsonl") -> str:
    """Write a file of rows, with their images beside it."""
    (folder / "images").mkdir(exist_ok=True)
    lines = []
    for number, row in enumerate(rows):
        picture = row.get("image")
        if isinstance(picture, bytes):
            (folder / "images" / f"{number}.png").write_bytes(picture)
            row = {**row, "image": f"images/{number}.png"}
        lines.append(json.dumps(row))
    (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder / name)


def all_problems(source: DatasetSource) -> list[Problem]:
    return [problem for problems in source.problems.values() for problem in problems]


def only(row: Mapping[str, Any], fields: Any = None) -> Problem:
    (problem,) = all_problems(DatasetSource.load([row], fields))
    return problem


# The order and the splits


def test_an_epoch_poses_every_problem_of_a_split_once_and_each_epoch_is_reshuffled() -> None:
    source = DatasetSource.load(charts(60))
    count = len(source.problems["train"])
    first = [source.problem("train", 3, i).id for i in range(count)]
    second = [source.problem("train", 3, count + i).id for i in range(count)]
    assert sorted(first) == sorted(second) == sorted(p.id for p in source.problems["train"])
    assert first != second
    assert first == [source.problem("train", 3, i).id for i in range(count)]
    assert first != [source.problem("train", 4, i).id for i in range(count)]


@pytest.mark.parametrize("count", [3, 10, 60, 1000])
def test_a_set_without_splits_is_divided_by_hash_and_no_split_is_empty(
    count: int,
) -> None:
    again = [DatasetSource.load(rows) for rows in (charts(count), charts(count)[::-1])]
    for split, problems in again[0].problems.items():
        assert problems
        assert {p.question for p in problems} == {p.question for p in again[1].problems[split]}
    assert len(all_problems(again[0])) == count
    assert len(again[0].problems["train"]) >= count / 2 - 1


def test_problems_about_the_same_image_stay_in_one_split() -> None:
    rows = [chart(n, image=png(n // 4)) for n in range(120)]
    source = DatasetSource.load(rows)
    pictures = [
        {p.images[0].render().tobytes() for p in problems} for problems in source.problems.values()
    ]
    assert sum(map(len, pictures)) == 30
    assert not pictures[0] & pictures[2]


def test_a_set_keeps_its_splits_and_a_missing_one_is_taken_from_train() -> None:
    rows = [chart(n, split="train" if n < 50 else "test") for n in range(60)]
    source = DatasetSource.load(rows)
    assert {p.answer.value for p in source.problems["test"] if p.answer} == {
        str(n) for n in range(50, 60)
    }
    assert len(source.problems["train"]) + len(source.problems["validation"]) == 50
    assert source.problems["validation"]


def test_the_split_is_inferred_from_file_names(tmp_path: Path) -> None:
    write(tmp_path, charts(20), "problems_train.jsonl")
    write(tmp_path, [chart(n) for n in range(20, 23)], "dev-00000-of-00001.jsonl")
    write(tmp_path, [chart(n) for n in range(30, 34)], "testmini.jsonl")
    counts = {k: len(v) for k, v in DatasetSource.load(str(tmp_path)).problems.items()}
    assert counts == {"train": 20, "validation": 3, "test": 4}


def test_a_benchmark_is_not_used_for_training() -> None:
    source = DatasetSource.load([chart(n, split="test") for n in range(5)])
    assert len(source.problems["test"]) == 5
    with pytest.raises(ValueError, match=r"no problem in split 'train'.*fields=\{'split': '=all'"):
        source.problem("train", 0, 0)
    divided = DatasetSource.load([chart(n, split="test") for n in range(5)], {"split": "=all"})
    assert divided.problem("train", 0, 0).answer is not None


def test_problems_shared_by_train_and_test_are_left_out_of_train() -> None:
    rows = [chart(n, split="train") for n in range(20)]
    rows += [chart(n, split="test") for n in (3, 30)]
    with pytest.warns(UserWarning, match="1 problems appear again in a later split"):
        source = DatasetSource.load(rows)
    asked = [{p.question for p in source.problems[s]} for s in ("train", "validation", "test")]
    assert not asked[2] & (asked[0] | asked[1])
    assert "How high is bar 3?" in asked[2]


def test_the_revision_in_an_id_changes_only_with_the_problems() -> None:
    first, again = (DatasetSource.load(charts(5)).revision for _ in range(2))
    other = DatasetSource.load([*charts(4), chart(4, answer=5)]).revision
    assert first == again != other
    assert f"rows@{first}/" in all_problems(DatasetSource.load(charts(5)))[0].id


# Forms of a row


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet", "keyed.json"])
def test_every_file_format_gives_the_same_problems(ending: str, tmp_path: Path) -> None:
    rows = [chart(n, choices=["4", "5", "6"], answer=str(n)) for n in (4, 5, 6)]
    write(tmp_path, rows)
    rows = [{**row, "image": f"images/{i}.png"} for i, row in enumerate(rows)]
    path = tmp_path / f"problems.{ending}"
    if ending == "json":
        path.write_text(json.dumps(rows, indent=1))
    elif ending == "keyed.json":
        path.write_text(json.dumps({str(i): row for i, row in enumerate(rows)}, indent=1))
    elif ending == "parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(rows), path)
    elif ending != "jsonl":
        mark = "," if ending == "csv" else "\t"
        lines = [
            mark.join(['"4; 5; 6"' if k == "choices" else str(v) for k, v in row.items()])
            for row in rows
        ]
        path.write_text("\n".join([mark.join(rows[0]), *lines]) + "\n")
    found = DatasetSource.load(str(path))
    assert sorted(p.question for p in all_problems(found)) == [
        f"How high is bar {n}?\n(A) 4 (B) 5 (C) 6" for n in (4, 5, 6)
    ]
    assert {p.answer.type for p in all_problems(found) if p.answer} == {"choice"}


@pytest.mark.parametrize(
    "held",
    [
        png(7),
        {"bytes": png(7), "path": None},
        Image.open(io.BytesIO(png(7))),
        "data:image/png;base64," + base64.b64encode(png(7)).decode(),
    ],
    ids=["bytes", "struct", "PIL", "base64"],
)
def test_an_image_may_be_stored_in_any_form(held: Any) -> None:
    picture = only(chart(1, image=held)).images[0]
    assert picture.render().getpixel((0, 0)) == (7, 0, 255)
    assert picture.render(112).size == (8, 6)  # stored pictures keep their size


def test_several_images_come_from_a_list_or_from_numbered_columns() -> None:
    assert len(only(chart(1, image=[png(1), png(2)])).images) == 2
    row = {"question": "Alike?", "answer": "yes", "image_1": png(1), "image_2": png(2)}
    assert len(only({**row, "image_3": None}).images) == 2


@pytest.mark.parametrize("nested", [False, True])
def test_images_inside_parquet_are_read_on_demand(nested: bool, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    held = [{"bytes": png(n), "path": f"{n}.png"} for n in range(5)]
    rows = [chart(n, image=[h, h] if nested else h) for n, h in enumerate(held)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet", row_group_size=2)
    found = all_problems(DatasetSource.load(str(tmp_path)))
    assert len(found) == 5
    for problem in found:
        assert problem.answer is not None
        assert len(problem.images) == 1 + nested
        shade = problem.images[-1].render().getpixel((0, 0))
        assert shade == (int(problem.answer.value), 0, 255)
    assert len(pickle.dumps(found)) < 5_000


def test_a_datasets_table_is_read_from_memory_and_from_disk(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "image": datasets.Image(),
            "answer": datasets.Value("int64"),
        }
    )
    rows = [{key: chart(n)[key] for key in features} for n in range(4)]
    table = datasets.Dataset.from_list(
        [{**row, "image": {"bytes": row["image"], "path": None}} for row in rows], features
    )
    datasets.DatasetDict({"train": table, "test": table.select([0])}).save_to_disk(
        tmp_path / "saved"
    )
    live = DatasetSource.load(table)
    both = DatasetSource.load(datasets.DatasetDict({"train": table, "dev": table.select([])}))
    assert both.revision == live.revision
    assert sorted(p.question for p in all_problems(live)) == [r["question"] for r in rows]
    with pytest.warns(UserWarning, match="1 problems appear again"):
        saved = DatasetSource.load(str(tmp_path / "saved"))
    assert len(saved.problems["test"]) == 1
    assert saved.problem("test", 0, 0).images[0].render().size == (8, 6)


@pytest.mark.parametrize(
    ("mode", "seen"), [("RGBA", (255, 255, 255)), ("P", None), ("L", (9, 9, 9)), ("1", None)]
)
def test_every_image_mode_becomes_rgb(mode: str, seen: tuple[int, ...] | None) -> None:
    file = io.BytesIO()
    color = (9, 9, 9, 0) if mode == "RGBA" else 9 if mode == "L" else 1
    Image.new(mode, (4, 4), color).save(file, "PNG")
    image = StoredImage(file.getvalue(), "it").render()
    assert image.mode == "RGB"
    assert seen is None or image.getpixel((0, 0)) == seen


def test_16_bit_gray_keeps_its_shades() -> None:
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 128 * 256, 255 * 256]] * 3, np.uint16)).save(file, "PNG")
    image = StoredImage(file.getvalue(), "it").render()
    shades = [image.getpixel((x, 0)) for x in range(3)]
    assert shades == [(0, 0, 0), (128, 128, 128), (255, 255, 255)]


# Options and answers


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (["red", "blue"], ("red", "blue")),
        (["(A) red", "(B) blue"], ("red", "blue")),
        ("A. red; B. blue", ("red", "blue")),
        ("(A) red (B) blue (C) blue, too", ("red", "blue", "blue, too")),
        ("A: red, B: blue", ("red", "blue")),
        ("['$6', 'it''s']", ("$6", "its")),
        ('["red", "blue"]', ("red", "blue")),
        ({"B": "blue", "A": "red"}, ("red", "blue")),
        ("red\nblue", ("red", "blue")),
        ("red | blue", ("red", "blue")),
        ([6.0, 3, None, "nan"], ("6", "3")),
        (None, ()),
        ("", ()),
    ],
)
def test_options_are_parsed_from_any_notation(cell: Any, expected: tuple[str, ...]) -> None:
    assert parse_options(cell) == expected


def test_code_in_options_is_not_executed(tmp_path: Path) -> None:
    victim = tmp_path / "run"
    assert parse_options(f"[open({str(victim)!r}, 'w'), 2]")
    assert not victim.exists()
    with pytest.raises(ValueError, match="can't read options"):
        parse_options("[" * 9_000 + "]" * 9_000)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which?\nOptions: A: 3, B: 4, C: 5, D: 6", ("3", "4", "5", "6")),
        ("Which?\nChoices:\n(A) 145°\n(B) 135°", ("145°", "135°")),
        ("Which? A. left B. right\nAnswer with the letter.", ("left", "right")),
        ("Which?\nA. left\nB. right\nAnswer with the letter.", ("left", "right")),
        ("Is angle (A) larger than 3?", ()),
        ("How many cells are there?", ()),
    ],
)
def test_options_are_found_in_the_question(question: str, expected: tuple[str, ...]) -> None:
    assert options_in_question(question) == expected


@pytest.mark.parametrize(
    ("gold", "form", "index"),
    [
        ("dark red", "text", 1),
        ("Dark  Red", "text", 1),
        ("B", "letter", 1),
        ("(b)", "letter", 1),
        ("B.", "letter", 1),
        ("B. dark red", "letter", 1),
        ("B. red", "letter", None),
        ("E", "letter", None),
        ("1", "index", 1),
        ("1", "number", 0),
        ("0", "number", None),
        ("9" * 5000, "index", None),
        ("²", "index", None),
    ],
)
def test_an_answer_names_one_option(gold: str, form: Any, index: int | None) -> None:
    assert resolve_option(gold, ("red", "dark red", "blue"), form) == index


@pytest.mark.parametrize(
    ("golds", "form"),
    [
        ([("3", ["6", "3", "4", "2"]), ("4", ["4", "1", "0", "7"])], "text"),
        ([("0", ["cat", "dog"]), ("1", ["1", "2"])], "index"),
        ([("1", ["cat", "dog"]), ("2", ["6", "7"])], "number"),
        ([("A", ["cat", "dog"]), ("B", ["1", "2"])], "letter"),
    ],
)
def test_the_form_of_the_answers_is_inferred_from_all_rows(
    golds: list[tuple[str, list[str]]], form: str
) -> None:
    assert infer_answer_form(golds) == form


def test_indices_of_numeric_options_are_not_read_as_their_texts() -> None:
    rows = [
        chart(n, choices=["3", "2", "1", "0"] if n else ["a", "b", "c", "d"], answer=n % 4)
        for n in range(12)
    ]
    found = {p.question[:18]: p.answer for p in all_problems(DatasetSource.load(rows))}
    answer = found["How high is bar 3?"]
    assert answer is not None
    assert answer.value == "0"
    forced = only(chart(1, choices=["3", "2", "1"], answer="1"), {"answer_form": "index"})
    assert forced.answer is not None
    assert forced.answer.value == "2"


def test_options_are_added_to_the_question_once() -> None:
    assert with_options("Which?", ["red", "blue"]) == "Which?\n(A) red (B) blue"
    for shown in ("Which?\n(A) red (B) blue", "Which? A. red B. blue", "Which?\nA: red, B: blue"):
        assert with_options(shown, ["red", "blue"]) == shown


@pytest.mark.parametrize(
    ("gold", "question", "type_", "value", "unit"),
    [
        ("12", "", "number", "12", None),
        ("1,234.5", "", "number", "1,234.5", None),
        ("$8.20", "", "number", "8.20", "$"),
        ("12 cm", "", "number", "12", "cm"),
        ("45°", "", "number", "45", "°"),
        ("25%", "", "percent", "25%", None),
        ("1/2", "", "fraction", "1/2", None),
        ("4:45", "", "time", "4:45", None),
        ("12:30 PM", "", "time", "12:30 PM", None),
        ("Yes", "", "yes_no", "Yes", None),
        ("2010", "In which year was it?", "year", "2010", None),
        ("2010", "How many?", "number", "2010", None),
        ("[3, 5, 7]", "", "list", "[3, 5, 7]", None),
        ("(-5, 5)", "", "tuple", "(-5, 5)", None),
        ("[1,3)", "", "interval", "[1,3)", None),
        ("y=2x+3", "", "equation", "y=2x+3", None),
        ("5\\sqrt{3}", "", "expression", "5\\sqrt{3}", None),
        ("x^2+2x+1", "", "expression", "x^2+2x+1", None),
        ("Tuesday", "", "date", "Tuesday", None),
        ("Reardon Corporation", "", "text", "Reardon Corporation", None),
        ("7 apples", "", "number", "7", None),
    ],
)
def test_the_type_of_an_answer_is_inferred(
    gold: str, question: str, type_: str, value: str, unit: str | None
) -> None:
    answer = infer_answer(gold, question=question)
    assert (answer.type, answer.value, answer.unit) == (type_, value, unit)


def test_type_unit_and_tolerance_come_from_a_constant_or_a_column() -> None:
    said = {"type": "chart_number", "unit": "=cm", "tolerance": 0.05}
    answer = only(chart(12), said).answer
    assert answer is not None
    assert (answer.type, answer.unit, answer.tolerance) == ("chart_number", "cm", 0.05)
    answer = only(chart(12, kind="integer", u="kg"), {"type": "kind", "unit": "u"}).answer
    assert answer is not None
    assert (answer.type, answer.unit) == ("number", "kg")


def test_a_field_map_may_hold_texts_as_on_the_command_line() -> None:
    row = {"question": "How?", "left": png(1), "right": png(2), "x": "so", "y": "no", "answer": "B"}
    found = only(row, {"image": "left, right", "choices": "x,y"})
    assert len(found.images) == 2
    assert found.answer is not None
    assert found.answer.choices == ("so", "no")
    answer = only(chart(12), {"type": "number", "tolerance": "0.05"}).answer
    assert answer is not None
    assert answer.tolerance == 0.05


def test_placeholders_and_hints_are_removed() -> None:
    shown = only(chart(1, question="<image>\nWhat is <image 1> worth?")).question
    assert shown == "What is the picture worth?"
    both = chart(1, question="Is <image1> like <image2>?", image=[png(1), png(2)])
    assert only(both).question == "Is picture 1 like picture 2?"


@pytest.mark.parametrize(
    "said", ["The answer is 7.5", "Answer: 7.5", "$7.5$", "\\boxed{7.5}", "#### 7.5"]
)
def test_an_answer_is_extracted_from_its_sentence(said: str) -> None:
    answer = only(chart(1, answer=said)).answer
    assert answer is not None
    assert answer.value == "7.5"


def test_a_row_without_an_answer_is_an_unlabelled_problem() -> None:
    assert only(chart(1, answer=None)).answer is None
    assert only(chart(1, answer="")).answer is None


# Errors


def load_error(source: Any, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"\S") as raised:
        DatasetSource.load(source, **options)
    return str(raised.value)


def test_unknown_columns_are_listed_with_an_example_of_a_field_map() -> None:
    message = load_error([{"ask": "Why?", "image": png(), "reply": "so"}])
    assert "can't tell which column is the question and the answer" in message
    assert "Columns found: 'ask', 'image', 'reply'" in message
    assert "fields={'question': 'COLUMN', 'image': 'image', 'answer': 'COLUMN'}" in message


def test_a_field_mapped_to_a_missing_column_is_an_error() -> None:
    message = load_error(charts(2), fields={"question": "qestion"})
    assert "maps 'question' to 'qestion', which is no column; did you mean 'question'?" in message
    assert "no field 'qestion' to map" in load_error(charts(2), fields={"qestion": "question"})
    assert "no schema 'mathvsta'; known: mathvista" in load_error(charts(2), fields="mathvsta")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"question": "Why?", "image": }', "line 3: broken JSON at column 31"),
        (b'{"question": "Wh\xff?"}', "line 3 is not UTF-8: byte 0xff at column 17"),
        (b"[1, 2]", "line 3: a row must be a JSON object"),
        (b"[" * 200_000, "line 3"),
        (b'{"answer": ' + b"9" * 5000 + b"}", "line 3: the JSON can't be read"),
        (
            b'{"answer": "1", "answer": "2"}',
            "line 3: the JSON can't be read: an object repeats keys",
        ),
    ],
    ids=["broken", "not UTF-8", "no object", "deep", "digits", "twice"],
)
def test_the_error_of_a_broken_line_names_file_and_line(
    line: bytes, words: str, tmp_path: Path
) -> None:
    path = Path(write(tmp_path, charts(2)))
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert f"{path} {words}" in load_error(str(path))


def test_a_line_of_one_gigabyte_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    for name in ("problems.jsonl", "problems.csv", "problems.json"):
        with (tmp_path / name).open("wb") as file:
            file.write(b'["')
            file.truncate(2**30)  # a sparse file of zeros
        tracemalloc.start()
        message = load_error(str(tmp_path / name))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "longer than 33,554,432 characters" in message or "broken JSON" in message
        assert peak < 300 * 2**20


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "question,answer\nWhy?,1,2\n", r"a.csv line 2: 3 cells under 2 columns"),
        ("a.csv", 'question,answer\n"Why?,1\n', r"a.csv line 2: broken CSV"),
        ("a.csv", "question,a,a\nWhy?,1,2\n", "a.csv: the header repeats columns: ['a']"),
        ("a.json", '[{"question": "a"},\n {"question": }]', r"a.json item 2: broken JSON"),
        ("a.json", '{"a": {"b": 1},\n "c": }', r"a.json line 2: broken JSON"),
        ("a.parquet", "PAR1 no", r"a.parquet is not a parquet file"),
        ("a.jsonl", "\n\n", r"a.jsonl is empty: it has no rows"),
        ("a.xlsx", "", r"ends in one of .parquet, .jsonl"),
    ],
)
def test_the_error_of_a_broken_file_names_it(
    name: str, text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert words in load_error(str(tmp_path / name))


@pytest.mark.parametrize("each", [40 * 2**20, 2**20], ids=["a large row", "many alike"])
def test_a_parquet_decompression_bomb_is_refused_in_bounded_memory(
    each: int, tmp_path: Path
) -> None:
    texts = [f"{number}{'x' * each}" for number in range(1 + 2**27 // each if each < 2**25 else 1)]
    columns = {"question": texts, "image": ["1.png"] * len(texts), "answer": ["1"] * len(texts)}
    path = tmp_path / "problems.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 2**20
    assert f"{path} unpacks to" in load_error(str(path))


def test_few_large_rows_are_read_to_determine_the_columns() -> None:
    taken: list[int] = []

    def large() -> Iterator[dict[str, Any]]:
        for number in range(64):
            taken.append(number)
            yield {"ask": "x" * 2**23}

    assert "can't tell which column" in load_error(large())
    assert len(taken) < 8


def test_the_error_of_a_folder_without_a_table_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png())
    assert "Images need a table beside them" in load_error(str(tmp_path))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../secret.png", "lies outside of"),
        ("images/../../secret.png", "lies outside of"),
        ("/etc/passwd", "lies outside of"),
        ("link.png", "lies outside of"),
        ("https://example.org/1.png", "is a URL; nothing is downloaded"),
        ("images/none.png", "no such file"),
        ("images", "no such file"),
        ("pipe", "no such file"),
        ("a\0b.png", "is not a path"),
        ("x" * 300, "no such file in"),
        ("x y" * 1000, "neither a path nor base64"),
        (7, "no such file"),
        (7.5, "must be a path, bytes or a PIL image"),
    ],
)
def test_images_from_outside_the_folder_are_refused(path: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder / "pipe")
    message = load_error(write(folder, [chart(1), chart(2, image=path)]))
    assert words in message
    assert "line 2" in message


def test_images_may_be_in_a_folder_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_bytes(png())
    path = write(tmp_path / "set", [chart(1, image="1.png")])
    source = DatasetSource.load(path, image_folder=str(tmp_path / "elsewhere"))
    assert all_problems(source)[0].images[0].render().size == (8, 6)


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims any size, with almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png_of(60_000, 60_000), "is too large"),
        (png_of(2**13, MOST_PIXELS // 2**13 + 1), "is too large"),
        (png_of(9_000, 100), "50 times the shorter"),
        (png(0, (300, 300))[:150], "is broken"),
        (png()[:20], "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        (b"", "is not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
    ],
    ids=["bomb", "large", "strip", "truncated", "cut", "EPS", "empty", "SVG"],
)
def test_hostile_images_are_refused_by_row_in_little_memory(data: bytes, words: str) -> None:
    tracemalloc.start()
    message = load_error([chart(1), chart(2, image=data)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words in message
    assert "rows in memory, number 1" in message
    assert peak < 20 * 2**20


def test_up_to_five_faulty_rows_are_listed_or_all_are_skipped() -> None:
    rows = charts(20) + [chart(n, choices=["1", "2"], answer="9") for n in range(20, 27)]
    message = load_error(rows)
    assert "7 of 27 rows hold no problem that can be posed and checked" in message
    assert message.count("is none of the options") == 5
    assert "and 2 more" in message
    with pytest.warns(UserWarning, match="left out"):
        source = DatasetSource.load(rows, on_error="skip")
    assert len(all_problems(source)) == 20
    assert len(source.skipped) == 7


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (chart(1, question=""), "there is no question in 'question'"),
        (chart(1, question="x" * 9000), "the question has 9000 characters"),
        (chart(1, question="x" * 7000, choices=["y" * 900, "z"], answer="z"), "with its options"),
        (chart(1, answer="x" * 3000), "the answer has 3000 characters"),
        (chart(1, answer=["1", "2"]), "several answers"),
        (chart(1, answer={"text": "1"}), "fields={'answer': 'answer.text'}"),
        (chart(1, choices=["1"] * 30, answer="1"), "more than there are letters"),
        (chart(1, choices=["3", "4"], answer="C"), "is none of the options"),
    ],
)
def test_the_error_of_a_row_says_what_is_wrong(row: Mapping[str, Any], words: str) -> None:
    assert words in load_error([row])


def test_an_answer_that_does_not_verify_against_itself_is_refused() -> None:
    assert "apple" in load_error([chart(1, answer="apple")], fields={"type": "number"})


# As an environment


def test_a_file_is_an_environment_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path, charts(30))
    env = ProblemEnv(source=path, panel=["repetition"])
    observation, info = env.reset(seed=1)
    assert "How high is bar" in observation["prompt"]
    assert info["versions"]["problems"].startswith(f"{tmp_path.name}@")
    again, _ = env.reset(seed=1)
    assert again["prompt"] == observation["prompt"]
    assert (
        env.reset(options={"problem_id": info["problem_id"]})[1]["problem_id"]
        == (info["problem_id"])
    )
    batch = ProblemVectorEnv(4, source=path, panel=["repetition"], seed=1)
    assert batch.reset(seed=1)[0]["prompt"][0] == observation["prompt"]


def test_a_registered_data_set_is_made_from_its_id_and_its_spec(tmp_path: Path) -> None:
    path = write(tmp_path, [{"ask": f"Bar {n}?", **chart(n)} for n in range(30)])
    register_dataset("me/Charts-v0", path, fields={"question": "ask"})
    try:
        env = gymnasium.make("me/Charts-v0", panel=["repetition"])
        assert env.spec is not None
        check_env(env.unwrapped)
        again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
        first, second = env.reset(seed=5), again.reset(seed=5)
        assert first[1]["problem_id"] == second[1]["problem_id"]
        assert first[0]["prompt"].startswith("Bar ")
        vector = gymnasium.make_vec("me/Charts-v0", num_envs=2, panel=["repetition"])
        assert vector.reset(seed=5)[0]["prompt"][0] == first[0]["prompt"]
        assert open_source("me/Charts-v0").size == 24
    finally:
        del gymnasium.registry["me/Charts-v0"]


def test_registering_refuses_missing_paths_and_values_other_than_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        register_dataset("me/None-v0", str(tmp_path / "none.jsonl"))
    with pytest.raises(ValueError, match="must be JSON values"):
        register_dataset("me/None-v0", str(tmp_path), fields={"question": png()})
    assert "me/None-v0" not in gymnasium.registry


@pytest.mark.parametrize("name", ["BarChart", "mstar/BarChart-v1", "mstar/Mixture-v2"])
def test_families_are_opened_by_name_and_by_id(name: str) -> None:
    assert open_source(name, level=2).problem("train", 0, 0).tags["level"] == "2"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Barchart", r"did you mean .*BarChart.*Known: .*mstar/Clock-v0.*or hub:NAME"),
        ("mstar/BarChart-v7", "BarChart is at version 1"),
        ("nowhere/problems.jsonl", "no such file or folder"),
        ("CartPole-v1", "not one of this package's environments"),
    ],
)
def test_the_error_of_an_unknown_name_lists_known_names(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        open_source(name)


def test_the_error_of_an_unreachable_hub_names_the_data_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[Any, ...]] = []

    def refuse(name: str, config: str | None, revision: str | None) -> None:
        asked.append((name, config, revision))
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ValueError, match="hub:me/Charts:en@v1 can't be loaded: offline"):
        open_source("hub:me/Charts:en@v1")
    assert asked == [("me/Charts", "en", "v1")]


# The report


def test_the_report_counts_problems_and_finds_errors() -> None:
    rows = [chart(n, split="train") for n in range(10)]
    rows += [chart(3, split="test", id="leak"), chart(30, split="test")]
    rows += [chart(5, split="train", answer=6, id="torn")]
    rows += [chart(41, split="test", image=png(41)[:40])]
    rows += [chart(42, split="test", choices=["6", "7", "7"], answer="7")]
    rows += [chart(43, split="test", choices=["B", "A"], answer="A", id="c30")]
    rows += [chart(44, split="test", answer=None, image=png(9))]
    report = validate_dataset(rows)
    assert not report.ok
    assert (report.rows, report.problems, report.own_splits) == (17, 15, True)
    assert report.splits["test"] == 4
    assert sum(report.splits.values()) == 15
    found = {(f.level, f.kind): f for f in report.findings}
    assert "is not an image" in found["error", "pictures"].examples[0]
    assert found["error", "leakage"].count == 1
    assert found["error", "choices"].count == 1
    assert "repeat it" in found["error", "golds"].examples[0]
    assert found["warning", "leakage"].count == 2
    assert found["warning", "ids"].examples == ("id 'c30' 2 times",)
    assert found["warning", "labels"].count == 1
    torn = [f for f in report.findings if f.kind == "duplicates"]
    assert any("different answers" in f.message and "number 5" in f.examples[0] for f in torn)
    assert report.sides == {"to 112": 12}
    assert json.loads(json.dumps(report.as_json()))["ok"] is False
    assert "not ok" in report.text()


def test_the_report_of_a_sound_set_is_ok() -> None:
    report = validate_dataset(
        [chart(n, choices=["1", "2"], answer="AB"[n % 3 == 0]) for n in range(30)]
    )
    assert report.ok
    assert report.gold_rate == 1.0
    assert report.answer_form == "letter"
    assert report.blind["commonest letter 'A'"] == pytest.approx(20 / 30)
    assert report.text().endswith("ok")


def test_an_answer_that_fails_lowers_the_self_verification_rate() -> None:
    report = validate_dataset([chart(1), chart(2), chart(3, answer="nothing")], {"type": "number"})
    assert report.gold_rate == pytest.approx(2 / 3)
    assert [f.kind for f in report.findings] == ["golds"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real samples are not beside the repository")
@pytest.mark.parametrize("name", ["algopuzzlevqa", "nlvr", "puzzlevqa", "tabmwp"])
def test_real_problems_load_with_their_answers(name: str) -> None:
    path = SAMPLES / name / "problems.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    source = DatasetSource.load(str(path))
    found = {p.id.rpartition("/")[2]: p for p in all_problems(source)}
    assert len(found) == len(rows)
    for row in rows:
        answer = found[row["id"]].answer
        assert answer is not None
        assert (answer.value, answer.type) == (row["answer"], row["answer_type"])
        assert found[row["id"]].images[0].render().size == tuple(row["image_size"])


def test_letters_as_options_are_listed_plainly_and_resolved_by_other_answers() -> None:
    unclear = chart(1, choices=["B", "A"], answer="A")
    sure = [chart(n, choices=["5", "6"], answer="A") for n in range(2, 9)]
    assert validate_dataset([unclear, *sure]).ok
    (found,) = [
        p for p in all_problems(DatasetSource.load([unclear, *sure])) if "- B" in p.question
    ]
    assert found.question.endswith("\n- B\n- A")
    assert found.answer is not None
    assert found.answer.value == "B"
    written = chart(3, question="Which?\n(A) B\n(B) A", answer="A")
    assert "appear in the question with other letters" in validate_dataset([written, *sure]).text()


def test_an_image_that_breaks_after_the_audit_is_left_out_and_named(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    rows = [
        {"image": f"{n}.png", "question": f"How many in {n}?", "answer": str(n)} for n in range(8)
    ]
    file = tmp_path / "problems.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    source = DatasetSource.load(str(file), on_error="skip")
    size = len(source.problems["train"])
    first, second, *others = [source.problem("train", 0, index) for index in range(size)]
    assert others
    (tmp_path / f"{first.answer.value}.png").write_bytes(png()[:20])
    (tmp_path / f"{second.answer.value}.png").unlink()
    with pytest.warns(UserWarning, match=r"left out: .*: image .\.png") as said:
        drawn = [source.problem("train", 0, index) for index in range(2 * size)]
    assert len(said) == 2
    assert {each.id for each in drawn} == {each.id for each in others}
    for each in others:
        (tmp_path / f"{each.answer.value}.png").unlink()
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="no image of split 'train'"),
    ):
        source.problem("train", 0, 0)
