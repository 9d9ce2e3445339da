"""ProblemVectorEnv: N problems with K responses each, scored in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mstar.envs.env import (
    Info,
    Observation,
    first_observation,
    given_or_new,
    next_problems,
    observation_space,
    reward_space,
    step_result,
)
from mstar.envs.problem import Problem
from mstar.envs.render import render_card, render_text
from mstar.envs.spaces import LONGEST_RESPONSE, ResponseSpace
from mstar.envs.task import Task, TaskConfig
from mstar.rewards.base import ScoreTable

Batch = tuple[
    dict[str, Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class ProblemVectorEnv(VectorEnv[dict[str, Any], Sequence[str], NDArray[Any]]):
    """The batched form of ``ProblemEnv``: N problems, K responses to each, N x K slots.

    Slots n x K to n x K + K - 1 share problem n, so that reward models which compare the responses
    to a problem see the whole group. A step scores all slots and moves on to the next N problems
    (autoreset SAME_STEP); what ended is in ``final_obs`` and ``final_info``.

    The interface repeats every image K times. An agent that samples K responses per prompt can
    use the ``Task`` directly instead: ``draw``, ``prompt``, ``score``.

    Args:
        num_envs: slots, N x K; a multiple of `group_size`.
        group_size: K, responses to each problem.
        render_mode: None, ``"rgb_array"`` or ``"ansi"``.
        task: the task to adapt; if None, one is made of `config`.
        **config: see ``TaskConfig``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        group_size: int = 1,
        render_mode: str | None = None,
        task: Task | None = None,
        **config: Unpack[TaskConfig],
    ) -> None:
        if group_size < 1 or num_envs < 1 or num_envs % group_size:
            raise ValueError(
                f"num_envs is {num_envs} and group_size is {group_size}; the slots must be a "
                "multiple of the group size, both 1 or more"
            )
        self.num_envs, self.group_size, self.render_mode = num_envs, group_size, render_mode
        self.task = given_or_new(task, config)
        self.reward_names = self.task.panel.names
        self.reward_space = reward_space(self.task)
        self.single_observation_space = observation_space(self.task)
        self.single_action_space = ResponseSpace()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._slots: list[Problem] = []  # N x K, each problem K times in a row
        self._current: list[tuple[Observation, Info]] = []  # N
        self._result: tuple[list[Problem], Sequence[str], ScoreTable] | None = None

    def state(self) -> dict[str, int]:
        """The task's position, as JSON values."""
        return self.task.state()

    def restore(self, state: Mapping[str, int]) -> None:
        """Return to a ``state``: the next ``reset`` starts with the same problems as then."""
        self.task.restore(state)
        self._slots, self._current, self._result = [], [], None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start with the first problems of a seed, or the next ones without a seed.

        Args:
            seed: start at its problem 0; random if none was ever given.
            options: ``{"index": i}`` continues from problem i; ``{"problem_id": id}`` gives all
                slots that problem.
        """
        super().reset(seed=seed)
        count = self.num_envs // self.group_size
        self._set_problems(next_problems(self.task, count, seed, options))
        self._result = None
        infos: dict[str, Any] = {}
        for slot in range(self.num_envs):
            infos = self._add_info(infos, self._current[slot // self.group_size][1], slot)
        return self._observations(), infos

    def step(self, actions: Sequence[str]) -> Batch:
        """Score one response per slot and move on to the next problems.

        Args:
            actions: N x K texts.
        """
        if not self._slots:
            raise RuntimeError("there are no current problems: call reset() before step()")
        problems, current, responses = self._slots, self._current, list(actions)
        table = self.task.score(problems, responses)
        self._result = (problems, responses, table)
        self._set_problems(self.task.draw(self.num_envs // self.group_size))
        rewards = np.zeros(self.num_envs, np.float64)
        infos: dict[str, Any] = {}
        for slot in range(self.num_envs):
            group = slot // self.group_size
            rewards[slot], ended = step_result(table, slot)
            ended["problem_id"] = problems[slot].id
            ended["truncated_chars"] = max(0, len(responses[slot]) - LONGEST_RESPONSE)
            last = {**current[group][0], "image": current[group][0]["image"].copy()}
            infos = self._add_info(infos, {"final_obs": last, "final_info": ended}, slot)
            infos = self._add_info(infos, self._current[group][1], slot)
        done = np.ones(self.num_envs, np.bool_)
        return self._observations(), rewards, done, ~done, infos

    def render(self) -> tuple[Any, ...] | None:
        """A card per slot: the last step's responses, or the current problems before any step."""
        if self.render_mode is None:
            return None
        draw = render_card if self.render_mode == "rgb_array" else render_text
        if self._result is None:
            return tuple(draw(problem, "", None) for problem in self._slots)
        problems, responses, table = self._result
        return tuple(
            draw(problem, response, step_result(table, row))
            for row, (problem, response) in enumerate(zip(problems, responses, strict=True))
        )

    def _set_problems(self, problems: Sequence[Problem]) -> None:
        self._slots = [problem for problem in problems for _ in range(self.group_size)]
        self._current = [first_observation(self.task, problem) for problem in problems]

    def _observations(self) -> dict[str, Any]:
        groups = [observation for observation, _ in self._current]
        images = np.stack([observation["image"] for observation in groups])
        return {
            "image": np.repeat(images, self.group_size, axis=0),
            "prompt": tuple(o["prompt"] for o in groups for _ in range(self.group_size)),
        }
