"""MATH-V, also called MATH-Vision (Wang et al. 2024, arXiv 2402.14804)."""

from __future__ import annotations

import re

from mstar.experiments.benchmarks.base import Cells
from mstar.rewards.verifier.parsing.arithmetic import decimal, evaluate
from mstar.rewards.verifier.parsing.formula import UnreadableError, parse
from mstar.rewards.verifier.parsing.latex import plain

INSTRUCTION = (
    'Please solve the problem step by step and put your answer in one "\\boxed{}". If it is a '
    'multiple choice question, only one letter is allowed in the "\\boxed{}".'
)
ANNOUNCED = (
    "the final answer is",
    "the answer is",
    "the correct answer is",
    "the answer should be",
)
LETTERS = "ABCDE"
BOX = re.compile(r"oxed{(.*)}", re.S)
# Taken out of an answer before it is compared, in this order.
TAKEN_OUT = (
    " ", "\\,", "\n", "\\text", "\\mbox", "\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3",
    "m^3", "{units}", "units", "{km}", "km", "\\!", "\\$", "$", "\\%",
)  # fmt: skip


class MathV:
    """The letter of the option or its value, or a value equal to two decimals.

    Prompt: ``models/GPT4.py`` of the repository mathllm/MATH-V. Scoring: ``evaluation/evaluate.py``
    (the answer of a response) and ``find_math_answer`` and ``is_equal`` of ``evaluation/utils.py``
    there. Instead of latex2sympy and ``eval``, values come from our parser of formulas, which
    evaluates nothing that it cannot read; how far the verdicts agree is in
    experiments/results/benchmarks.
    """

    schema: str | None = None

    def prompt(self, cells: Cells) -> str:
        """Instruction, question and options; options that are letters stand in the image."""
        options = "".join(
            f"({letter}) {option}\n"
            for letter, option in zip(LETTERS, cells["options"], strict=False)
        )
        shown = options if "".join(cells["options"]) != LETTERS else ""
        return f"{INSTRUCTION}\n{cells['question']}\n{shown}"

    def right(self, response: str, cells: Cells) -> bool:
        """Whether it states the letter, the value of the option, or the value."""
        given, answer = stated(response), str(cells["answer"])
        options = list(cells["options"])
        value = str(options[LETTERS.index(answer)]) if options else ""
        return equal(answer, given) or equal(value, given)


def stated(response: str) -> str:
    r"""The answer of a response as it is compared.

    >>> stated(r"So it is \boxed{60}."), stated("The answer is (B)."), stated("It is 7.")
    ('60', 'b', '7')
    """
    answer = response.strip()
    for letter in LETTERS:
        ends = (f" {letter}.", f" ({letter}).")
        starts = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if answer.endswith(ends) or answer.startswith(starts):
            answer = letter
    last = answer.split("is ")[-1].rstrip(".")
    if _is_float(last):
        answer = last
    if "oxed{" not in answer:
        for announced in ANNOUNCED:
            for words in (announced, announced.replace("the", "The")):
                before, answer = answer, answer.split(words)[-1].strip()
                if words in before:
                    answer = answer.split("\n")[0].split(". ")[0]
    elif answer.count("oxed{") > 1:
        answer = "\\boxed{" + answer.split("oxed{")[-1]
    answer = cleaned(answer)
    for letter in LETTERS.lower():
        answer = answer.replace(f"({letter})", letter).replace(f"{{{letter}}}", letter)
    return answer.rstrip(".").lstrip(":").strip()


def cleaned(text: str) -> str:
    """What is in the box, or behind the last equals sign, without units and signs of LaTeX."""
    text = text.lower().replace("{}", "")
    boxes = BOX.findall(text)
    answer = boxes[-1] if boxes else text
    opened, closed = answer.find("{"), answer.find("}")
    if closed != -1 and (opened == -1 or closed < opened):
        answer = answer[:closed]
    answer = answer.split("=")[-1].split("\\approx")[-1]
    for mark in TAKEN_OUT:
        answer = answer.replace(mark, "")
    return answer


def equal(answer: str, given: str) -> bool:
    r"""Whether two answers are the same text, or values equal when rounded to two decimals.

    >>> equal("0.5", r"\frac{1}{2}"), equal("B", "b"), equal("", "7")
    (True, True, False)
    """
    answer, given = answer.lower().strip(), given.lower().strip()
    if not answer or not given:
        return False
    if answer == given:
        return True
    values = [_value(text) for text in (answer, given)]
    return None not in values and values[0] == values[1]


def _value(text: str) -> float | None:
    try:
        # A ratio is a quotient there, and what follows a brace that was never opened is not read.
        return round(float(decimal(evaluate(parse(plain(_readable(text).replace(":", "/")))))), 2)
    except (UnreadableError, OverflowError, ValueError, RecursionError):
        return None


def _readable(text: str) -> str:
    """The text up to the first brace that closes without having been opened."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return text[:place]
    return text


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
