"""One problem, one response, one episode: the Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import gymnasium

from mstar.envs.problem import Problem
from mstar.envs.render import render_card, render_text
from mstar.envs.source import Cursor
from mstar.envs.spaces import LONGEST_RESPONSE, ResponseSpace
from mstar.envs.task import (
    INSTRUCTION,
    Info,
    Observation,
    Setting,
    checked_options,
    examiner,
    verdict,
)

__all__ = ["INSTRUCTION", "ProblemEnv"]


class ProblemEnv(gymnasium.Env[Observation, str]):
    """A question about pictures; the action is the whole response, and a panel judges it.

    Observation: ``{"image": (H, W, 3) uint8, "prompt": text}``. The picture is letterboxed to the
    canvas; several stand side by side on it. ``info["images"]`` has each in full, as
    ``PIL.Image``, for a model that reads several. The prompt is question and instruction.

    Action: any string of up to 32,768 characters. A longer one is cut there, and
    ``info["truncated_chars"]`` says by how much.

    Reward: the panel's combined reward. ``info["rewards"]`` has every score by name in the
    panel's order, and ``info["valid"]`` whether it counts: where a reward model abstained its
    score reads 0.0. Where there was nothing to go by the reward is 0.0 and
    ``info["reward_valid"]`` is False.

    Start: problem 0 of the seed given to ``reset``, then one after the other.
    ``options={"index": i}`` goes on from there, ``{"problem_id": id}`` poses that one problem.
    Termination: after one step. Truncation: never.

    Args:
        render_mode: None, ``"rgb_array"`` (a card) or ``"ansi"``.
        **setting: what is asked and who judges; see ``Setting``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 1,
    }

    def __init__(self, *, render_mode: str | None = None, **setting: Unpack[Setting]) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"render_mode must be None, 'rgb_array' or 'ansi', got {render_mode!r}"
            )
        self.render_mode = render_mode
        self.examiner = examiner(setting)
        self.observation_space = self.examiner.observation_space
        self.action_space = ResponseSpace()
        self.reward_names = self.examiner.panel.names
        self.reward_space = self.examiner.reward_space
        self._cursor: Cursor | None = None
        self._posed: tuple[Problem, Observation] | None = None
        self._judged: tuple[str, float, Info] | None = None

    @property
    def problem(self) -> Problem:
        """What is posed at the moment; RuntimeError before the first ``reset``."""
        if self._posed is None:
            raise RuntimeError("no problem is posed: call reset() first")
        return self._posed[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Pose the first problem of a seed, or the next one where none is given.

        Args:
            seed: starts at its problem 0; by chance where none was ever given.
            options: ``{"index": i}`` goes on from there; ``{"problem_id": id}`` poses that one.
        """
        super().reset(seed=seed)
        chosen = checked_options(options)
        if seed is not None or self._cursor is None:
            start = int(self.np_random.integers(2**31)) if seed is None else seed
            self._cursor = Cursor(start)
        if "index" in chosen:
            self._cursor = Cursor(self._cursor.seed, chosen["index"])
        if "problem_id" in chosen:
            problem = self.examiner.find(chosen["problem_id"])
        else:
            problem = self.examiner.problem(self._cursor.seed, self._cursor.take(1)[0])
        observation, info = self.examiner.pose(problem)
        self._posed, self._judged = (problem, observation), None
        return self._observation(), info

    def step(self, action: str) -> tuple[Observation, float, bool, bool, Info]:
        """Judge the response; the episode is over.

        Raises:
            RuntimeError: no problem is posed, or the present one has been answered.
        """
        if self._judged is not None:
            raise RuntimeError("the problem has been answered: call reset() for the next one")
        table = self.examiner.judge([self.problem], [action])
        reward, info = verdict(table, 0)
        info["problem_id"] = self.problem.id
        info["truncated_chars"] = max(0, len(action) - LONGEST_RESPONSE)
        self._judged = (action, reward, info)
        return self._observation(), reward, True, False, _copy(info)

    def render(self) -> Any:
        """The card as (H, W, 3) uint8, or its text; None without a render mode."""
        if self.render_mode is None:
            return None
        response, reward, info = self._judged or ("", 0.0, None)
        draw = render_card if self.render_mode == "rgb_array" else render_text
        return draw(self.problem, response, None if info is None else (reward, info))

    def state(self) -> dict[str, int]:
        """The place in the source, as JSON values; RuntimeError before the first ``reset``."""
        if self._cursor is None:
            raise RuntimeError("no seed has been drawn yet: call reset() first")
        return self._cursor.state()

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on from a ``state``: the next ``reset`` poses what it would have posed."""
        self._cursor = Cursor.restore(state)
        self._posed = self._judged = None

    def _observation(self) -> Observation:
        assert self._posed is not None
        observation = self._posed[1]
        return {"image": observation["image"].copy(), "prompt": observation["prompt"]}


def _copy(info: Info) -> Info:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in info.items()}
