"""TRL's reward functions as reward models, and reward models as TRL's reward functions.

TRL calls a reward function with lists of one length: ``prompts``, ``completions``,
``completion_ids`` and every other column of the dataset. It returns a list of floats, or None
where it does not apply. These columns of a dataset are read into an ``Attempt``:

==================  ===============================================================================
``answer``          the reference answer as ``answer_to_json`` writes it, or the same as a mapping;
                    None or absent: unlabelled
``question``        the question alone; absent: the text of the prompt's last user message
``group``           id of the problem; absent: made from the prompt, the answer and the images
``image``           a Pillow image; or ``images``, a list of them; None or absent: no image
``facts``           a list of what a correct reading of the image contains
``counterfactual``  the reference answer of the counterfactual problem, written like ``answer``
``answer_spec``     how to read answers where there is no reference answer, written like ``answer``
``certainty``       as in ``Attempt``
``logprob``         as in ``Attempt``
==================  ===============================================================================
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mstar.rewards.base import Answer, Attempt, RewardModel, Scores
from mstar.rewards.panel import RewardPanel

if TYPE_CHECKING:  # Pillow is not needed to score text
    import PIL.Image

COLUMNS = (
    "answer",
    "question",
    "group",
    "image",
    "images",
    "facts",
    "counterfactual",
    "answer_spec",
    "certainty",
    "logprob",
)
OLD_COLUMNS = {"counterfactual": "twin", "answer_spec": "kind"}  # still read, for one version
Messages = str | Sequence[Mapping[str, Any]]  # TRL's standard or conversational form


def to_trl(judge: RewardModel | RewardPanel) -> TRLRewardFunction:
    """A reward function for ``GRPOTrainer(reward_funcs=...)`` and the other TRL trainers.

    The scores of a single model are passed on as they are, so that TRL weights and logs them by
    name. A panel returns its combined reward, under the name ``panel``: the same reward that the
    other agents get. Reward models that compare attempts need the whole group in one process.
    """
    return TRLRewardFunction(judge)


class TRLRewardFunction:
    """The return type of ``to_trl``; unlike a closure, TRL's workers can pickle it."""

    def __init__(self, judge: RewardModel | RewardPanel) -> None:
        self.judge = judge
        self.__name__ = "panel" if isinstance(judge, RewardPanel) else judge.name

    def __call__(
        self, prompts: Sequence[Messages], completions: Sequence[Messages], **columns: Any
    ) -> list[float | None]:
        """One score per completion; None where the reward model abstains."""
        attempts = _attempts(prompts, completions, columns)
        if isinstance(self.judge, RewardPanel):
            scores = self.judge.score(attempts).reward
        else:
            scores = self.judge.score(attempts)
        return [None if np.isnan(score) else float(score) for score in scores]


def from_trl(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    scale: tuple[float, float] | None = None,
    tokenize: Callable[[str], Sequence[int]] | None = None,
    columns: Callable[[Attempt], Mapping[str, Any]] | None = None,
) -> TRLRewardModel:
    """A reward model that calls a TRL reward function, such as ``trl.rewards.accuracy_reward``.

    The function is called with conversational prompts and completions; with ``solution`` and
    ``answer``, which both hold the text of the reference answer; and with ``question``. If
    ``solution`` or ``answer`` is among its parameters it is not called for unlabelled attempts:
    the model abstains on them, as it does where the function returns None or NaN.

    Args:
        function: sync or async, a function or a callable object.
        name: the column's name; the function's own name if left out.
        scale: the (lowest, highest) value that the function returns, mapped to 0 and 1. Without
            it the panel rejects scores outside [0, 1].
        tokenize: computes the ``completion_ids`` of a response, for functions that need them.
        columns: further dataset columns of one attempt, by name.

    Raises:
        ValueError: the scale is empty, or the function has a parameter ``completion_ids`` and
            there is no `tokenize`.
    """
    if scale is not None and not scale[0] < scale[1]:
        raise ValueError(f"scale must be (lowest, highest), got {scale}")
    model = TRLRewardModel(function, name or _name(function), scale, tokenize, columns)
    if "completion_ids" in model.parameters and tokenize is None:
        raise ValueError(
            f"{model.name!r} reads completion_ids, which an attempt does not have: pass tokenize="
        )
    return model


@dataclass(frozen=True)
class TRLRewardModel:
    """The return type of ``from_trl``, which documents its fields."""

    function: Callable[..., Any]
    name: str
    scale: tuple[float, float] | None
    tokenize: Callable[[str], Sequence[int]] | None
    columns: Callable[[Attempt], Mapping[str, Any]] | None

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the function's parameters."""
        return frozenset(inspect.signature(self.function).parameters)

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Call the function once, with all attempts that it applies to.

        Raises:
            ValueError: the function returned another number of scores.
        """
        needs_label = {"solution", "answer"} & self.parameters
        rows = [i for i, attempt in enumerate(attempts) if attempt.answer or not needs_label]
        scores = np.full(len(attempts), np.nan, np.float64)
        if not rows:
            return scores.astype(np.float32)
        returned = _awaited(self.function(**self._arguments([attempts[i] for i in rows])))
        if len(returned) != len(rows):
            raise ValueError(
                f"TRL reward function {self.name!r} returned {len(returned)} scores for "
                f"{len(rows)} completions; it must return one each"
            )
        scores[rows] = [np.nan if score is None else float(score) for score in returned]
        if self.scale is not None:
            low, high = self.scale
            scores = (scores - low) / (high - low)
        return scores.astype(np.float32)

    def _arguments(self, attempts: Sequence[Attempt]) -> dict[str, Any]:
        references = [attempt.answer.value if attempt.answer else None for attempt in attempts]
        extra = [self.columns(attempt) if self.columns else {} for attempt in attempts]
        arguments: dict[str, Any] = {
            "prompts": [[{"role": "user", "content": a.question}] for a in attempts],
            "completions": [[{"role": "assistant", "content": a.response}] for a in attempts],
            "question": [attempt.question for attempt in attempts],
            "solution": references,
            "answer": references,
            "trainer_state": None,
            "log_extra": _ignore,
            "log_metric": _ignore,
        }
        if self.tokenize is not None:
            arguments["completion_ids"] = [list(self.tokenize(a.response)) for a in attempts]
        return arguments | {key: [row[key] for row in extra] for key in extra[0]}


def answer_to_json(answer: Answer | None) -> str | None:
    """An answer as text for a dataset's ``answer`` column.

    >>> answer_to_json(Answer("number", "7", unit="cm"))
    '{"type": "number", "value": "7", "unit": "cm"}'
    """
    if answer is None:
        return None
    return json.dumps({key: value for key, value in asdict(answer).items() if value is not None})


def answer_from_json(column: str | Mapping[str, Any] | None) -> Answer | None:
    """The answer in a dataset's ``answer`` column.

    Raises:
        ValueError: it is neither a JSON object nor a mapping with a type and a value.
    """
    if column is None:
        return None
    try:
        fields = json.loads(column) if isinstance(column, str) else dict(column)
        choices = fields.pop("choices", None)
        return Answer(choices=tuple(choices) if choices is not None else None, **fields)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"the answer column holds {column!r}, which is not an answer ({error}); write it with "
            "mstar.rewards.answer_to_json"
        ) from error


def _attempts(
    prompts: Sequence[Messages], completions: Sequence[Messages], columns: Mapping[str, Any]
) -> list[Attempt]:
    """One attempt per completion, from the lists that TRL passes to a reward function."""
    return [
        _attempt(prompt, completion, _row(columns, index))
        for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
    ]


@dataclass(frozen=True)
class _LoadedImage:
    """A Pillow image from a dataset's column, with the interface of ``base.LazyImage``."""

    image: PIL.Image.Image

    def render(self, size: int | None = None) -> PIL.Image.Image:
        return self.image.convert("RGB")


def _attempt(prompt: Messages, completion: Messages, row: Mapping[str, Any]) -> Attempt:
    images = row.get("images") or ([row["image"]] if row.get("image") is not None else [])
    answer = answer_from_json(row.get("answer"))
    return Attempt(
        question=row.get("question") or _text(prompt, "user", last=True),
        response=_text(completion, "assistant"),
        answer=answer,
        images=tuple(_LoadedImage(image) for image in images),
        group=row.get("group") or _group(_text(prompt, "user"), answer, images),
        facts=tuple(row.get("facts") or ()),
        counterfactual=answer_from_json(row.get("counterfactual")),
        answer_spec=answer_from_json(row.get("answer_spec")),
        certainty=row.get("certainty"),
        logprob=row.get("logprob"),
    )


def _row(columns: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One row of the columns that an attempt is made of."""
    present = {name: columns.get(name, columns.get(OLD_COLUMNS.get(name, ""))) for name in COLUMNS}
    return {name: values[index] for name, values in present.items() if values is not None}


def _text(messages: Messages, role: str, last: bool = False) -> str:
    if isinstance(messages, str):
        return messages
    texts = []
    for message in messages:
        if message.get("role", role) == role:
            content = message.get("content") or ""
            parts = [{"text": content}] if isinstance(content, str) else content
            texts.append("".join(part.get("text") or "" for part in parts))
    return (texts[-1] if texts else "") if last else "\n".join(texts)


def _group(prompt: str, answer: Answer | None, images: Sequence[PIL.Image.Image]) -> str:
    """One id for all completions of a row: the trainer repeats rows and copies their images."""
    digest = hashlib.sha256(f"{prompt}\0{answer_to_json(answer)}".encode("utf-8", "surrogatepass"))
    for image in images:
        digest.update(f"{image.mode}{image.size}".encode() + image.tobytes())
    return digest.hexdigest()[:16]


def _name(function: Callable[..., Any]) -> str:
    """The name under which TRL itself would log the function."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _awaited(returned: Any) -> list[Any]:
    """The scores of a function; those of an async one are awaited in a thread of their own."""
    if inspect.isawaitable(returned):

        async def wait() -> Any:
            return await returned

        # asyncio.run fails inside a running event loop, such as a notebook's.
        with ThreadPoolExecutor(1) as pool:
            returned = pool.submit(asyncio.run, wait()).result()
    return list(returned)


def _ignore(*_: object) -> None:
    """Stands in for the trainer's logging functions."""
