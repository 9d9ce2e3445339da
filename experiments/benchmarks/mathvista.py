"""MathVista (Lu et al. 2024, arXiv 2310.02255)."""

from __future__ import annotations

import re
from typing import Any

from mstar.experiments.benchmarks.base import Cells
from mstar.rewards.verifier.verify import extract

HINTS = {
    "integer": "requiring an integer answer and provide the final value, e.g., 1, 2, 3,",
    "float1": "requiring a floating-point number with one decimal place and provide the final "
    "value, e.g., 1.2, 1.3, 1.4,",
    "float2": "requiring a floating-point number with two decimal places and provide the final "
    "value, e.g., 1.23, 1.34, 1.45,",
    "list": "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], "
    "[1.2, 1.3, 1.4],",
}
LETTER = re.compile(r"\(([a-zA-Z])\)")
LED = re.compile(r"\(?([A-Z])\)?(?=[.,:;]|$)")  # an answer that begins with a letter alone
QUOTED = re.compile(r'The answer is "(.*)"\.')
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?|-?\.\d+")
LIST = re.compile(r"\[[^\[\]]*\]")


class MathVista:
    """Exact match after normalisation by question type, answer type and precision.

    Prompt: the published ``query``, zero-shot with a hint (``evaluation/build_query.py`` of the
    repository lupantech/MathVista, with the hint in front as in its published outputs). Scoring:
    ``normalize_extracted_answer`` and ``safe_equal`` of ``evaluation/calculate_score.py``: an
    option is named by its letter or is the option nearest by edit distance, an integer is cut, a
    float is rounded to the precision of the row, and the text must then be that of the answer.

    Between the two the published protocol lets GPT-4 extract the answer from the response
    (``evaluation/extract_answer.py``). Here the rules of that file come first (the whole response,
    then its quick extraction), and in the place of GPT-4 our ``extract``, or the last line where a
    response commits to nothing; how far the verdicts agree is in experiments/results/benchmarks.
    """

    schema: str | None = "mathvista"

    def prompt(self, cells: Cells) -> str:
        """The published query, or the same built from the row."""
        if cells.get("query"):
            return str(cells["query"])
        unit = f" (Unit: {cells['unit']})" if cells.get("unit") else ""
        lines = [_hint(cells), f"Question: {cells['question']}{unit}"]
        if options := _options(cells):
            lines.append("Choices:")
            lines += [f"({chr(ord('A') + i)}) {option}" for i, option in enumerate(options)]
        return "\n".join(lines)

    def right(self, response: str, cells: Cells) -> bool:
        """Whether the normalised extraction is the answer, character by character."""
        return normalised(extraction(response, cells), cells) == str(cells["answer"])


def extraction(response: str, cells: Cells) -> str:
    """The answer in a response, in the form that GPT-4 is asked for; "" for none.

    >>> extraction("It holds 100 g.", {"answer_type": "integer"})
    '100'
    """
    response, kind = response.strip(), cells["answer_type"]
    if response in _options(cells):
        return response
    if quoted := QUOTED.search(response):
        return quoted[1]
    stated = extract(response) or (response.splitlines() or [""])[-1]
    if kind == "list":
        lists = LIST.findall(stated) or LIST.findall(response)
        return lists[-1] if lists else ""
    if kind in ("integer", "float"):
        numbers = NUMBER.findall(stated)
        return numbers[-1].replace(",", "") if numbers else ""
    led = LED.match(stated)
    return led[1] if led else stated


def normalised(extracted: str, cells: Cells) -> str | None:
    """An extraction as it is compared; None if it is not of the answer's type.

    >>> normalised("(B) 8", {"question_type": "multi_choice", "choices": ["7", "8"]})
    '8'
    >>> row = {"question_type": "free_form", "answer_type": "float", "precision": 1}
    >>> normalised("1.26", row), normalised("about 1", row)
    ('1.3', None)
    """
    if cells["question_type"] == "multi_choice":
        options = _options(cells)
        letters = LETTER.findall(extracted)
        named = letters[0].upper() if letters else extracted.strip()
        if len(named) == 1 and 0 <= ord(named) - ord("A") < len(options):
            return options[ord(named) - ord("A")]
        return min(options, key=lambda option: edit_distance(named, option))
    try:
        if cells["answer_type"] == "integer":
            return str(int(float(extracted)))
        if cells["answer_type"] == "float":
            return str(round(float(extracted), int(cells["precision"])))
    except (ValueError, OverflowError):
        return None
    return extracted


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's distance: the fewest insertions, deletions and substitutions.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def _options(cells: Cells) -> list[str]:
    found: Any = cells.get("choices")
    return [str(option) for option in found] if found is not None else []


def _hint(cells: Cells) -> str:
    if cells["question_type"] == "multi_choice":
        said = "and provide the correct option letter, e.g., A, B, C, D,"
    else:
        precision = int(cells["precision"]) if cells["answer_type"] == "float" else ""
        said = HINTS[f"{cells['answer_type']}{precision}"]
    return f"Hint: Please answer the question {said} at the end."
