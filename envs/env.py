"""ProblemEnv: one problem, one response, one episode, behind the Gymnasium interface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Unpack

import gymnasium
import numpy as np
from gymnasium import spaces

from mstar.envs.canvas import on_canvas
from mstar.envs.problem import Problem
from mstar.envs.render import render_card, render_text
from mstar.envs.spaces import LONGEST_PROMPT, LONGEST_RESPONSE, ResponseSpace, UnicodeText
from mstar.envs.task import Task, TaskConfig
from mstar.rewards.base import ScoreTable

Observation = dict[str, Any]
Info = dict[str, Any]


class ProblemEnv(gymnasium.Env[Observation, str]):
    """A question about images; the action is the full response, scored by a panel.

    Observation: ``{"image": (H, W, 3) uint8, "prompt": text}``. The image is letterboxed; several
    images share one canvas in a grid. ``info["images"]`` has each of them in full as
    ``PIL.Image``, for models that read several. The prompt is the question and the instruction.

    Action: any string of up to 32,768 characters. A longer one is cut there, and
    ``info["truncated_chars"]`` says by how much.

    Reward: the panel's combined reward. ``info["rewards"]`` has every score by name in the
    panel's order, and ``info["valid"]`` whether it counts: if a reward model abstained, its score
    reads 0.0. If there is no combined reward, the reward is 0.0 and ``info["reward_valid"]`` is
    False.

    Start: problem 0 of the seed given to ``reset``, then one after the other.
    ``options={"index": i}`` continues from problem i, ``{"problem_id": id}`` selects one problem.
    Termination: after one step. Truncation: never.

    Args:
        render_mode: None, ``"rgb_array"`` (a card) or ``"ansi"``.
        task: the task to adapt; if None, one is made of `config`.
        **config: see ``TaskConfig``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 1,
    }

    def __init__(
        self,
        *,
        render_mode: str | None = None,
        task: Task | None = None,
        **config: Unpack[TaskConfig],
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"render_mode must be None, 'rgb_array' or 'ansi', got {render_mode!r}"
            )
        self.render_mode = render_mode
        self.task = given_or_new(task, config)
        self.observation_space = observation_space(self.task)
        self.action_space = ResponseSpace()
        self.reward_names = self.task.panel.names
        self.reward_space = reward_space(self.task)
        self._current: tuple[Problem, Observation] | None = None
        self._result: tuple[str, float, Info] | None = None

    @property
    def problem(self) -> Problem:
        """The current problem; RuntimeError before the first ``reset``."""
        if self._current is None:
            raise RuntimeError("there is no current problem: call reset() first")
        return self._current[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start an episode with the first problem of a seed, or the next one without a seed.

        Args:
            seed: start at its problem 0; random if none was ever given.
            options: ``{"index": i}`` continues from problem i; ``{"problem_id": id}`` selects one.
        """
        super().reset(seed=seed)
        (problem,) = next_problems(self.task, 1, seed, options)
        observation, info = first_observation(self.task, problem)
        self._current, self._result = (problem, observation), None
        return self._observation(), info

    def step(self, action: str) -> tuple[Observation, float, bool, bool, Info]:
        """Score the response; the episode ends.

        Raises:
            RuntimeError: there is no current problem, or it has been answered already.
        """
        if self._result is not None:
            raise RuntimeError("the problem has been answered: call reset() for the next one")
        table = self.task.score([self.problem], [action])
        reward, info = step_result(table, 0)
        info["problem_id"] = self.problem.id
        info["truncated_chars"] = max(0, len(action) - LONGEST_RESPONSE)
        self._result = (action, reward, info)
        return self._observation(), reward, True, False, _copy(info)

    def render(self) -> Any:
        """The card as (H, W, 3) uint8, or as text; None without a render mode."""
        if self.render_mode is None:
            return None
        response, reward, info = self._result or ("", 0.0, None)
        draw = render_card if self.render_mode == "rgb_array" else render_text
        return draw(self.problem, response, None if info is None else (reward, info))

    def state(self) -> dict[str, int]:
        """The task's position, as JSON values."""
        return self.task.state()

    def restore(self, state: Mapping[str, int]) -> None:
        """Return to a ``state``: the next ``reset`` starts with the same problem as then."""
        self.task.restore(state)
        self._current = self._result = None

    def _observation(self) -> Observation:
        assert self._current is not None
        observation = self._current[1]
        return {"image": observation["image"].copy(), "prompt": observation["prompt"]}


def given_or_new(task: Task | None, config: TaskConfig) -> Task:
    """The task that was given, or a new one; TypeError for a task together with options."""
    if task is None:
        return Task(**config)
    if config:
        raise TypeError(f"give a task or the options of a new one, not both; got {sorted(config)}")
    return task


def observation_space(task: Task) -> spaces.Dict:
    """The image, (size, size, 3) uint8, and the prompt."""
    image = spaces.Box(0, 255, (task.size, task.size, 3), np.uint8)
    return spaces.Dict({"image": image, "prompt": UnicodeText(LONGEST_PROMPT)})


def reward_space(task: Task) -> spaces.Box:
    """(K,) float32 in [0, 1], one score per reward model, in the panel's order."""
    return spaces.Box(0.0, 1.0, (len(task.panel.names),), np.float32)


def next_problems(
    task: Task, count: int, seed: int | None, options: Mapping[str, Any] | None
) -> list[Problem]:
    """The `count` problems of a reset, as its seed and options say.

    Raises:
        ValueError: options other than {}, ``{"index": i}`` or ``{"problem_id": id}``.
    """
    options = options or {}
    if len(options) > 1 or set(options) - {"index", "problem_id"}:
        raise ValueError(
            f"options must be 'index' or 'problem_id', one of them; got {dict(options)}"
        )
    if seed is not None or "index" in options:
        task.start_at(seed, options.get("index", 0))
    if "problem_id" in options:
        return [task.find(options["problem_id"])] * count
    return task.draw(count)


def first_observation(task: Task, problem: Problem) -> tuple[Observation, Info]:
    """The observation of a problem and its info, both newly made.

    Raises:
        ValueError: the prompt is longer than ``LONGEST_PROMPT``.
    """
    prompt = task.prompt(problem)
    if len(prompt.text) > LONGEST_PROMPT:
        raise ValueError(
            f"the prompt of {problem.id} has {len(prompt.text)} characters; an observation holds "
            f"{LONGEST_PROMPT}: shorten its question"
        )
    images = tuple(prompt.images)
    observation = {"image": on_canvas(images, task.size), "prompt": prompt.text}
    return observation, {
        "problem_id": problem.id,
        "template": problem.template,
        "level": problem.tags.get("level", ""),
        "family": problem.tags.get("family", task.source.name),
        "versions": {"mstar": _release(), "problems": problem.id.partition("/")[0]},
        "images": images,
    }


def step_result(table: ScoreTable, row: int) -> tuple[float, Info]:
    """The reward of a row, and its scores by name; missing values read 0.0 and are marked."""
    scores = dict(zip(table.names, map(float, table.scores[row]), strict=True))
    reward = float(table.reward[row])
    return 0.0 if math.isnan(reward) else reward, {
        "rewards": {n: 0.0 if math.isnan(score) else score for n, score in scores.items()},
        "valid": {n: not math.isnan(score) for n, score in scores.items()},
        "reward_valid": not math.isnan(reward),
    }


def _copy(info: Info) -> Info:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in info.items()}


@lru_cache(maxsize=1)
def _release() -> str:
    try:
        return version("mstar-rl")
    except PackageNotFoundError:  # the folders are used without being installed
        return "unknown"
