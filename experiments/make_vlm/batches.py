"""Batches of images with questions and answers, as tensors that a model is taught to see with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED, padded
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS
from mstar.envs.families.parts.icons import ICONS
from mstar.experiments.make_vlm.assemble import IMAGE
from mstar.experiments.make_vlm.perception import KINDS, WORDS, Reading, draw_reading
from mstar.experiments.rows import Row

# The words that an image token may be asked for. A number is the sum of its digits, "17" is "10"
# and "7": so a digit is learned from all numbers that have it, and in its place.
DIGITS = (*range(10), *range(10, 100, 10), *range(100, 1000, 100))
VOCABULARY = (*COLORS, *ICONS, *WORDS, *"+-=?x°", *map(str, DIGITS))
COVERED = 0.3  # of a cell, or of the box of a word, from which on the word is in the cell
MARK = "\ue000"  # a private character, in no text: stands for a question or an answer

Batch = dict[str, torch.Tensor]
Span = tuple[int, int, bool]  # the characters of an answer, and whether it came to its end
Written = tuple[str, list[Span]]  # a conversation and its answers


class Readings(IterableDataset[Batch]):
    """Endless batches of ``draw_reading``, from number `start` on, on the CPU.

    A row is one conversation about an image, with all of its questions; some more, the last ones,
    are of plain words. A batch has ``input_ids`` and ``attention_mask`` (R, T), padded on the
    right; ``labels`` (R, T), the ids of the answers alone; of the N images ``pixels`` (N, 3, S, S)
    uint8, and ``words`` (N, cells, V) bool, those of ``VOCABULARY`` that are in the place of each
    image token.

    Args:
        policy: whose chat template and tokenizer are used.
        families: out of which problems are drawn.
        batch: images of a batch.
        seed: of the images.
        start: number of the first batch.
        plain: rows of ``own_answers``.
        every: a batch has one of these for so many images; 0: none.
    """

    def __init__(
        self,
        policy: Policy,
        families: Sequence[str],
        batch: int,
        seed: int,
        start: int,
        plain: Sequence[Row] = (),
        every: int = 16,
    ) -> None:
        self._plain, self._every = plain, every
        self._conversations = Conversations(policy)
        self._families, self._rows, self._seed, self._start = families, batch, seed, start
        self._size = int(policy.network.config.vision_config.image_size)
        self._side = round(int(policy.processor.image_seq_len) ** 0.5)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        number += self._start
        while True:
            yield self._batch(number)
            number += step

    def _batch(self, number: int) -> Batch:
        drawn = [
            draw_reading(self._families, "train", self._seed, index, self._size)
            for index in range(number * self._rows, (number + 1) * self._rows)
        ]
        rng = np.random.default_rng([self._seed, number])
        count = math.ceil(self._rows / self._every) if self._plain and self._every else 0
        plain = [self._plain[int(rng.integers(len(self._plain)))] for _ in range(count)]
        pixels = np.stack([np.asarray(each.image).transpose(2, 0, 1) for each in drawn])
        words = np.stack([in_cells(each.words, self._side) for each in drawn])
        return {
            **self._conversations.encode(drawn, plain),
            "pixels": torch.from_numpy(pixels),
            "words": torch.from_numpy(words),
        }


class Conversations:
    """Writes conversations about images as a policy's processor does, many at a time.

    The processor would read each image for as long as all else takes together.

    Args:
        policy: whose chat template and tokenizer are used.
    """

    def __init__(self, policy: Policy) -> None:
        processor = policy.processor
        self._tokenizer, self._ends = processor.tokenizer, policy.end_tokens
        self._fill = processor.tokenizer.pad_token_id or 0
        blank = np.zeros((processor.image_processor.size["longest_edge"],) * 2 + (3,), np.uint8)
        ids = processor(text=IMAGE, images=[blank])["input_ids"][0]
        self._image: str = self._tokenizer.decode(ids)
        self._frames = [_frame(processor, n) for n in range(len(KINDS) + 1)]  # 0: without an image

    def encode(self, readings: Sequence[Reading], plain: Sequence[Row] = ()) -> Batch:
        """``input_ids``, ``attention_mask`` and ``labels``; see ``Readings``."""
        written = [self._about(each) for each in readings] + [self._plainly(row) for row in plain]
        texts, spans = zip(*written, strict=True)
        read = self._tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        labels = [
            self._answers(np.array(ids), np.array(offsets), answers)
            for ids, offsets, answers in zip(
                read["input_ids"], read["offset_mapping"], spans, strict=True
            )
        ]
        ids, mask = padded(read["input_ids"], self._fill)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": padded(labels, IGNORED)[0],
        }

    def _about(self, reading: Reading) -> Written:
        """The conversation about an image."""
        frame = self._frames[len(reading.questions)]
        told = [text for asked in reading.questions for text in (asked.text, asked.answer)]
        parts = [*chain.from_iterable(zip(frame, told, strict=False)), frame[-1]]
        parts[0] = parts[0].replace(IMAGE, self._image)
        ends = np.cumsum([len(part) for part in parts])
        spans = [(int(ends[i - 1]), int(ends[i]), True) for i in range(3, len(parts), 4)]
        return "".join(parts), spans

    def _plainly(self, row: Row) -> Written:
        """A question and an answer without an image; an answer that was cut has no end."""
        before, between, after = self._frames[0]
        start = before + row["question"] + between
        end = start + row["answer"]
        return end + after, [(len(start), len(end), row["finished"])]

    def _answers(self, ids: np.ndarray, offsets: np.ndarray, answers: Sequence[Span]) -> list[int]:
        """The ids of the answers with the token that ends each; ``IGNORED`` elsewhere."""
        learned = np.zeros(len(ids), bool)
        ending = np.isin(ids, self._ends)
        for start, end, finished in answers:
            learned |= (offsets[:, 1] > start) & (offsets[:, 0] < end)
            if finished:
                learned |= ending & (offsets[:, 0] == end)
        found: list[int] = np.where(learned, ids, IGNORED).tolist()
        return found


def _frame(processor: Any, questions: int) -> list[str]:
    """What the chat template writes around so many questions and answers, the image in front.

    With 0, around one question without an image, and its answer.
    """
    text = [{"type": "text", "text": MARK}]
    turns = []
    for number in range(max(1, questions)):
        asked = [{"type": "image"}, *text] if questions and number == 0 else text
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": text}]
    written: str = processor.apply_chat_template(turns, tokenize=False)
    return written.split(MARK)


def in_cells(words: Sequence[tuple[str, Box]], side: int) -> np.ndarray:
    """Which of ``VOCABULARY`` are in each of side x side cells, row by row: (cells, V) bool."""
    found = np.zeros((side, side, len(VOCABULARY)), bool)
    for text, (left, top, right, bottom) in words:
        for place in _places(text):
            found[_cells(top, bottom, side), _cells(left, right, side), place] = True
    return found.reshape(side * side, -1)


def _cells(low: float, high: float, side: int) -> slice:
    """The cells of a row that hold enough of the span from `low` to `high`."""
    enough = COVERED * min(1 / side, high - low)
    first, end = math.floor((low + enough) * side), math.ceil((high - enough) * side)
    return slice(max(0, first), max(0, end))


@lru_cache(maxsize=4096)
def _places(text: str) -> tuple[int, ...]:
    """The numbers in ``VOCABULARY`` of the words of a text."""
    words = [
        str(int(digit) * 10 ** (len(word) - place)) if word.isdigit() else word
        for word in re.findall(r"\d+|[a-z]+|[^\s\w]", text)
        for place, digit in enumerate(word, 1)
        if word.isdigit() or place == 1
    ]
    return tuple(dict.fromkeys(PLACE[word] for word in words if word in PLACE))


PLACE = {word: number for number, word in enumerate(VOCABULARY)}
