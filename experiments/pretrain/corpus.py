"""The pretraining corpus of the embedded model: generated problems with good and bad solutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info
from transformers import LlavaProcessor

from mstar.agents.policy.embedded import ASSISTANT, END, IMAGE, IMAGE_SIZE, USER
from mstar.envs.families.base import Latent
from mstar.envs.problem import Problem
from mstar.envs.registry import open_source
from mstar.envs.task import INSTRUCTION
from mstar.envs.variants.corruptions import corrupt_solution
from mstar.envs.variants.instructions import INSTRUCTIONS
from mstar.envs.variants.multiple_choice import as_choice
from mstar.envs.variants.phrasing import AXES, draw_phrasing, phrase

IGNORED = -100  # the label that the loss leaves out


@dataclass(frozen=True)
class CorpusConfig:
    """The problems of a corpus, and the quality of their solutions.

    Attributes:
        families: names, used in turn; a name that is listed twice is used twice as often.
        levels: shares of the levels 1, 2 and 3.
        choice: share of the problems that are multiple choice.
        phrased: share of the problems in another wording, instruction or language.
        careful: share of correct step-by-step solutions.
        corrupted: share of solutions with one wrong step; the rest are bare guesses.
        right_guesses: share of the bare guesses that are right.
        described: whether a description of the whole image follows the solution.
    """

    families: tuple[str, ...]
    levels: tuple[float, float, float]
    choice: float
    phrased: float
    careful: float
    corrupted: float
    right_guesses: float
    described: bool


# Descriptions of whole images: with them the image tower learns more from each image.
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
        config: of problems and solutions.
        processor: of the model to train.
        batch: problems in a batch.
        seed: decides problems, phrasings and solutions.
    """

    def __init__(
        self, config: CorpusConfig, processor: LlavaProcessor, batch: int, seed: int
    ) -> None:
        self.config, self.processor, self.batch, self.seed = config, processor, batch, seed

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
            problem = draw(self.config, self.seed, index, rng)
            turns.append(conversation(self.config, problem, rng))
            images.append(problem.images[0].render(IMAGE_SIZE))
        batch = self.processor(
            text=turns, images=images, padding=True, padding_side="right", return_tensors="pt"
        )
        return {**batch, "labels": self._labels(batch["input_ids"], batch["attention_mask"])}

    def _labels(self, ids: Any, mask: Any) -> Any:
        """Token ids where the assistant speaks, end token included; ``IGNORED`` elsewhere."""
        user, assistant = self.processor.tokenizer.convert_tokens_to_ids([USER, ASSISTANT])
        turn = (ids == assistant).cumsum(1) - (ids == user).cumsum(1)  # 0 in the assistant's turns
        spoken = (turn == 0) & (ids != assistant) & (mask == 1)
        return ids.masked_fill(~spoken, IGNORED)


def draw(config: CorpusConfig, seed: int, index: int, rng: np.random.Generator) -> Problem:
    """A problem of the train split, in some form and phrasing."""
    name = config.families[index % len(config.families)]
    level = 1 + int(rng.choice(3, p=config.levels))
    problem = open_source(name, level).problem("train", seed, index)
    if rng.random() < config.choice:
        problem = as_choice(problem)
    if rng.random() < config.phrased:
        problem = phrase(problem, draw_phrasing(rng, AXES))
    return problem


def conversation(config: CorpusConfig, problem: Problem, rng: np.random.Generator) -> str:
    """The question with a solution and, if the config says so, a description of the image."""
    own = problem.instruction
    asked = "\n".join(filter(None, (problem.question, INSTRUCTION if own is None else own)))
    answer, answered = solution(config, problem, rng), f"{USER}{IMAGE}{asked}{ASSISTANT}"
    text = f"{answered}{_as_told(answer, own)}{END}"
    name = problem.tags["family"]
    if config.described and name in DESCRIBE:
        words = DESCRIBE[name](dict(problem.latent))
        text += f"{USER}{DESCRIBE_PROMPT}{ASSISTANT}{words}{END}"
    return text


def solution(config: CorpusConfig, problem: Problem, rng: np.random.Generator) -> str:
    """A correct solution, a corrupted one, or a bare guess."""
    drawn = rng.random()
    if drawn < config.careful:
        return problem.solution
    wrong = corrupt_solution(problem, rng)
    if drawn < config.careful + config.corrupted and wrong is not None:
        return wrong.text
    assert problem.answer is not None
    guess = problem.answer.value
    if wrong is not None and rng.random() >= config.right_guesses:
        guess = wrong.answer
    return f"Answer: {guess}"


def corpus_texts(config: CorpusConfig, seed: int, count: int) -> Iterator[str]:
    """Texts of conversations to train the tokenizer on."""
    rng = np.random.default_rng([seed, count])
    for index in range(count):
        text = conversation(config, draw(config, seed, index, rng), rng)
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
