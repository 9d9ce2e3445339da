"""What the embedded model is made of: generated problems, solved well, badly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info
from transformers import LlavaProcessor

from mstar.agents.policy.embedded import ASSISTANT, END, IMAGE, IMAGE_SIZE, USER
from mstar.envs.families.base import Latent
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem
from mstar.envs.task import INSTRUCTION
from mstar.envs.variants.corruptions import corrupt_solution
from mstar.envs.variants.instructions import INSTRUCTIONS
from mstar.envs.variants.multiple_choice import as_choice
from mstar.envs.variants.phrasing import AXES, draw_phrasing, phrase

IGNORED = -100  # the label that the loss leaves out


@dataclass(frozen=True)
class Mixture:
    """What the problems of a corpus are, and how well they are solved.

    Attributes:
        families: in turn; a name that stands twice comes up twice.
        levels: shares of the levels 1, 2 and 3.
        choice: share of the problems that are multiple choice.
        phrased: share that is asked in another wording, instruction or language.
        careful: share of careful chains; the rest is slips and bare guesses.
        slips: share of chains with one wrong step.
        right_guesses: share of the bare guesses that are right.
        described: whether a description of all that the picture says follows the solution.
    """

    families: tuple[str, ...]
    levels: tuple[float, float, float]
    choice: float
    phrased: float
    careful: float
    slips: float
    right_guesses: float
    described: bool


# Everything that a picture says, after the question: a tower learns to see more from one picture.
DESCRIBE: dict[str, Callable[[Latent], str]] = {
    "BarChart": lambda latent: _pairs(latent["colors"], latent["values"]),
    "Counting": lambda latent: "\n".join(
        " ".join(cell or "none" for cell in latent["cells"][row : row + 4])
        for row in range(0, len(latent["cells"]), 4)
    ),
    "Clock": lambda latent: f"{latent['hour']} {latent['minute']}",
    "Shapes": lambda latent: "\n".join(
        f"{f['color']} {f['kind']} {' '.join(map(str, f['numbers']))}" for f in latent["figures"]
    ),
    "Ruler": lambda latent: _pairs(
        latent["colors"], [f"{low} {high}" for low, high in latent["ends"]]
    ),
    "Dice": lambda latent: _pairs(latent["colors"], latent["pips"]),
}
DESCRIBE_PROMPT = "Describe the picture."


class Corpus(IterableDataset[dict[str, Any]]):
    """Endless batches of problems with a solution, ready for the model.

    Batch number b is the same whatever the number of workers that share the work.

    Args:
        mixture: of problems and solutions.
        processor: of the model that is to be made.
        batch: problems in a batch.
        seed: decides problems, phrasings and solutions.
    """

    def __init__(self, mixture: Mixture, processor: LlavaProcessor, batch: int, seed: int) -> None:
        self.mixture, self.processor, self.batch, self.seed = mixture, processor, batch, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield self._batch(number)
            number += step

    def _batch(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, number])
        turns, images = [], []
        for index in range(number * self.batch, (number + 1) * self.batch):
            problem = draw(self.mixture, self.seed, index, rng)
            turns.append(conversation(self.mixture, problem, rng))
            images.append(problem.images[0].render(IMAGE_SIZE))
        batch = self.processor(
            text=turns, images=images, padding=True, padding_side="right", return_tensors="pt"
        )
        return {**batch, "labels": self._labels(batch["input_ids"], batch["attention_mask"])}

    def _labels(self, ids: Any, mask: Any) -> Any:
        """The loss is on what the assistant says, and on its ending."""
        user, assistant = self.processor.tokenizer.convert_tokens_to_ids([USER, ASSISTANT])
        turn = (ids == assistant).cumsum(1) - (ids == user).cumsum(1)  # 0 while it speaks
        spoken = (turn == 0) & (ids != assistant) & (mask == 1)
        return ids.masked_fill(~spoken, IGNORED)


def draw(mixture: Mixture, seed: int, index: int, rng: np.random.Generator) -> Problem:
    """A problem of the train split, in some form and phrasing."""
    name = mixture.families[index % len(mixture.families)]
    level = 1 + int(rng.choice(3, p=mixture.levels))
    problem = FAMILIES[name](level).problem("train", seed, index)
    if rng.random() < mixture.choice:
        problem = as_choice(problem)
    if rng.random() < mixture.phrased:
        problem = phrase(problem, draw_phrasing(rng, AXES))
    return problem


def conversation(mixture: Mixture, problem: Problem, rng: np.random.Generator) -> str:
    """The question, a solution, and in some corpora the whole picture in words."""
    own = problem.instruction
    asked = "\n".join(filter(None, (problem.question, INSTRUCTION if own is None else own)))
    answer, answered = solution(mixture, problem, rng), f"{USER}{IMAGE}{asked}{ASSISTANT}"
    text = f"{answered}{_as_told(answer, own)}{END}"
    name = problem.tags["family"]
    if mixture.described and name in DESCRIBE:
        words = DESCRIBE[name](dict(problem.latent))
        text += f"{USER}{DESCRIBE_PROMPT}{ASSISTANT}{words}{END}"
    return text


def solution(mixture: Mixture, problem: Problem, rng: np.random.Generator) -> str:
    """A careful chain, one with a slip, or a bare guess."""
    drawn = rng.random()
    if drawn < mixture.careful:
        return problem.solution
    wrong = corrupt_solution(problem, rng)
    if drawn < mixture.careful + mixture.slips and wrong is not None:
        return wrong.text
    assert problem.answer is not None
    guess = problem.answer.value
    if wrong is not None and rng.random() >= mixture.right_guesses:
        guess = wrong.answer
    return f"Answer: {guess}"


def corpus_texts(mixture: Mixture, seed: int, count: int = 6000) -> Iterator[str]:
    """Conversations that the tokenizer learns its merges from."""
    rng = np.random.default_rng([seed, count])
    for index in range(count):
        text = conversation(mixture, draw(mixture, seed, index, rng), rng)
        for special in (USER, IMAGE, ASSISTANT, END):
            text = text.replace(special, "\n")
        yield text


def _as_told(text: str, instruction: str | None) -> str:
    r"""The last line in the form that the instruction asks for: ``\boxed{7}`` or ``Answer: 7``."""
    boxed = {styles["boxed"] for styles in INSTRUCTIONS.values()}
    if instruction not in boxed:
        return text
    steps, _, answer = text.rpartition("Answer: ")
    return f"{steps}\\boxed{{{answer}}}"


def _pairs(names: Sequence[str], values: Sequence[object]) -> str:
    return "\n".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
