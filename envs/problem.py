"""Problem, its solution steps, and Prompt: the words that the whole room shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, overload

from PIL import Image

from mstar.rewards.base import Answer, Attempt, LazyImage

StepKind = Literal["perceive", "compute", "conclude"]
Split = Literal["train", "validation", "test"]
Span = tuple[int, int]  # characters of a text: the first, and the one behind the last


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an exact solution.

    Attributes:
        text: the step as written, one line. Arithmetic has the form ``12 - 7 = 5``.
        kind: read from the image, computed from earlier steps, or the closing statement.
        value: what the step establishes, as it appears in the text.
        refs: names of the objects in the image that the step is about.
        box: (left, top, right, bottom) of what is read, as fractions of the image in [0, 1].
    """

    text: str
    kind: StepKind
    value: str
    refs: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A question about one or more images, with its answer.

    Attributes:
        id: identifies the problem and its origin, such as ``BarChart-v1/train/L1/7/42``.
        images: rendered on demand; () for a problem in words only, of a data set.
        question: the question alone; the prompt adds the instruction.
        answer: the reference answer, or None if the problem is unlabelled.
        steps: an exact solution without its answer line, or () if none is known.
        latent: the values that determine image, question and answer, as JSON; {} if unknown.
        template: which of the family's question templates this is.
        distractors: wrong answers that a plausible mistake would give.
        counterfactual: the same question about another image, with another answer; None if there
            is none.
        tags: labels that reports group by: family, level, wording, phrasing.
        instruction: follows the question in the prompt; None for the task's own instruction.
        answer_spec: how to read answers if `answer` is None: type, options and unit; its value
            is "".
        withheld: the labelled problem behind an unlabelled one, for evaluation only.
        image_places: for each image, the characters of the question in whose place it stands, such
            as "picture 1"; (0, 0) is in front of it. () if all images stand in front.
        system: the system prompt of a data set that the question begins with; "" if there is none.
        caption: a description of the images, of a data set; "" if there is none. See
            ``mstar.envs.shown.caption``.
    """

    id: str
    images: tuple[LazyImage, ...]
    question: str
    answer: Answer | None
    steps: tuple[Step, ...] = ()
    latent: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""
    distractors: tuple[str, ...] = ()
    counterfactual: Problem | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    instruction: str | None = None
    answer_spec: Answer | None = None
    withheld: Problem | None = None
    image_places: tuple[Span, ...] = ()
    system: str = ""
    caption: str = ""

    @property
    def pictures(self) -> tuple[LazyImage, ...]:
        """The old name of ``images``, for one version."""
        return self.images

    @property
    def twin(self) -> Problem | None:
        """The old name of ``counterfactual``, for one version."""
        return self.counterfactual

    @property
    def kind(self) -> Answer | None:
        """The old name of ``answer_spec``, for one version."""
        return self.answer_spec

    @property
    def solution(self) -> str:
        """The steps, one a line, followed by the answer line.

        Raises:
            ValueError: the problem is unlabelled.
        """
        if self.answer is None:
            raise ValueError(f"problem {self.id} is unlabelled, so it has no solution to show")
        return "\n".join([*(step.text for step in self.steps), f"Answer: {self.answer.value}"])

    def attempt(self, response: str, **measured: Any) -> Attempt:
        """What reward models see of this problem and one response to it.

        Args:
            response: the full text of the response.
            **measured: ``certainty``, ``logprob`` and ``finished``, if the sampler recorded them.
        """
        return Attempt(
            question=self.question,
            response=response,
            answer=self.answer,
            images=self.images,
            group=self.id,
            facts=tuple(step.value for step in self.steps if step.kind == "perceive"),
            counterfactual=self.counterfactual.answer if self.counterfactual else None,
            counterfactual_images=self.counterfactual.images if self.counterfactual else (),
            answer_spec=self.answer_spec,
            **measured,
        )


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Prompt:
    """What the policy is asked; two prompts are the same only if they are one object.

    Attributes:
        text: question and instruction, as the user's turn.
        images: shown before the text, in order, unless `places` says otherwise.
        key: seeds the sampling; prompts with the same key draw the same random numbers.
        places: for each image, the characters of the text that it replaces; () if all images are
            shown before the text.
        system: the system turn in front of the user's; "" for none.
    """

    text: str
    images: Sequence[Image.Image]
    key: str
    places: tuple[Span, ...] = ()
    system: str = ""

    def parts(self) -> list[str | int]:
        """Texts and indices of images, as they follow one another."""
        return interleaved(self.text, len(self.images), self.places)


def interleaved(text: str, images: int, places: Sequence[Span] = ()) -> list[str | int]:
    """A text split where images stand: parts of the text, and indices of images.

    >>> interleaved("Is picture 1 red?", 1, ((3, 12),))
    ['Is ', 0, ' red?']

    Args:
        text: with names of images.
        images: how many there are.
        places: for each image, the characters that it replaces; images in one place keep their
            order. () puts all of them in front.
    """
    if not places:
        return [*range(images), text]
    parts: list[str | int] = []
    position = 0
    for index in sorted(range(images), key=places.__getitem__):
        start, end = places[index]
        parts += [text[position:start], index]
        position = end
    return [part for part in [*parts, text[position:]] if part != ""]


class RenderedImages(Sequence[Image.Image]):
    """The images of a problem, rendered on first access and kept.

    Args:
        images: one or more images.
        size: side in pixels of images that are drawn; stored images keep their own size.
    """

    def __init__(self, images: Sequence[LazyImage], size: int) -> None:
        self._images, self._size = images, size

    @cached_property
    def _rendered(self) -> tuple[Image.Image, ...]:
        return tuple(image.render(self._size) for image in self._images)

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Sequence[Image.Image]:
        return self._rendered[index]
