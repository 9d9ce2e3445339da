"""TRL's reward functions as reward models, and reward models as TRL's reward functions.

A TRL reward function is called with ``prompts``, ``completions``, ``completion_ids`` and every
other column of the dataset, and returns a list of floats, or None where it does not apply.
``trl_columns.py`` says which columns carry an ``Attempt``.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mstar.rewards.base import Attempt, RewardModel, Scores
from mstar.rewards.panel import RewardPanel
from mstar.rewards.trl.columns import Messages, attempts_of


def to_trl(judge: RewardModel | RewardPanel) -> TrlReward:
    """A reward function for ``GRPOTrainer(reward_funcs=...)`` and the other TRL trainers.

    A model's scores are passed on one by one, so that TRL weighs and logs them by name. A panel
    gives its combined reward, under the name ``panel``: the same reward that the other agents
    see. Reward models that compare attempts need the whole group in one process.
    """
    return TrlReward(judge)


class TrlReward:
    """What ``to_trl`` returns: a class and not a closure, so that TRL's workers can pickle it."""

    def __init__(self, judge: RewardModel | RewardPanel) -> None:
        self.judge = judge
        self.__name__ = "panel" if isinstance(judge, RewardPanel) else judge.name

    def __call__(
        self, prompts: Sequence[Messages], completions: Sequence[Messages], **columns: Any
    ) -> list[float | None]:
        """One score per completion; None where the reward model abstains."""
        attempts = attempts_of(prompts, completions, columns)
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
) -> FromTrl:
    """A reward model of a TRL reward function, such as ``trl.rewards.accuracy_reward``.

    The function gets conversational prompts and completions; ``solution`` and ``answer``, both
    the gold's text; and ``question``. Where it names ``solution`` or ``answer`` among its
    parameters it is not shown unlabelled attempts: the model abstains on them, as it does where
    the function returns None or NaN.

    Args:
        function: sync or async, a function or a callable object.
        name: the column's name; the function's own where it is left out.
        scale: (lowest, highest) that the function returns, mapped to 0 and 1. Without it the
            panel refuses what lies outside [0, 1].
        tokenize: makes ``completion_ids`` of a response, for functions that ask for them.
        columns: further dataset columns of one attempt, by name.

    Raises:
        ValueError: the scale is empty, or the function names ``completion_ids`` among its
            parameters and there is no `tokenize`.
    """
    if scale is not None and not scale[0] < scale[1]:
        raise ValueError(f"scale must be (lowest, highest), got {scale}")
    model = FromTrl(function, name or _name(function), scale, tokenize, columns)
    if "completion_ids" in model.parameters and tokenize is None:
        raise ValueError(
            f"{model.name!r} reads completion_ids, which an attempt has not: pass tokenize="
        )
    return model


@dataclass(frozen=True)
class FromTrl:
    """What ``from_trl`` returns; its arguments are told there."""

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
        """Call the function once with all attempts that it applies to.

        Raises:
            ValueError: the function returned another number of scores.
        """
        labelled = {"solution", "answer"} & self.parameters
        shown = [i for i, attempt in enumerate(attempts) if attempt.answer or not labelled]
        scores = np.full(len(attempts), np.nan, np.float64)
        if not shown:
            return scores.astype(np.float32)
        returned = _settle(self.function(**self._arguments([attempts[i] for i in shown])))
        if len(returned) != len(shown):
            raise ValueError(
                f"TRL reward function {self.name!r} returned {len(returned)} scores for "
                f"{len(shown)} completions; it must return one each"
            )
        scores[shown] = [np.nan if score is None else float(score) for score in returned]
        if self.scale is not None:
            low, high = self.scale
            scores = (scores - low) / (high - low)
        return scores.astype(np.float32)

    def _arguments(self, attempts: Sequence[Attempt]) -> dict[str, Any]:
        golds = [attempt.answer.value if attempt.answer else None for attempt in attempts]
        extra = [self.columns(attempt) if self.columns else {} for attempt in attempts]
        arguments: dict[str, Any] = {
            "prompts": [[{"role": "user", "content": a.question}] for a in attempts],
            "completions": [[{"role": "assistant", "content": a.response}] for a in attempts],
            "question": [attempt.question for attempt in attempts],
            "solution": golds,
            "answer": golds,
            "trainer_state": None,
            "log_extra": _ignore,
            "log_metric": _ignore,
        }
        if self.tokenize is not None:
            arguments["completion_ids"] = [list(self.tokenize(a.response)) for a in attempts]
        return arguments | {key: [row[key] for row in extra] for key in extra[0]}


def _name(function: Callable[..., Any]) -> str:
    """The name that TRL itself would log the function under."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _settle(returned: Any) -> list[Any]:
    """The scores of a function, waited for in a thread of their own where it is async."""
    if inspect.isawaitable(returned):

        async def wait() -> Any:
            return await returned

        # asyncio.run refuses to start inside a running loop, such as a notebook's.
        with ThreadPoolExecutor(1) as pool:
            returned = pool.submit(asyncio.run, wait()).result()
    return list(returned)


def _ignore(*_: object) -> None:
    """Stands in for the trainer's logging."""
