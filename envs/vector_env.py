"""Many problems, several responses to each, judged in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mstar.envs.problem import Problem
from mstar.envs.render import render_card, render_text
from mstar.envs.source import Cursor
from mstar.envs.spaces import LONGEST_RESPONSE, ResponseSpace
from mstar.envs.task import Info, Observation, Setting, checked_options, examiner, verdict
from mstar.rewards.panel import ScoreTable

Batch = tuple[
    dict[str, Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class ProblemVectorEnv(VectorEnv[dict[str, Any], Sequence[str], NDArray[Any]]):
    """The batched twin of ``ProblemEnv``: N problems, K responses to each, N x K slots.

    Slots k x K to k x K + K - 1 share problem k, so that reward models which compare the attempts
    at one problem see them all. The next problems of the seed follow when a step has judged the
    present ones (autoreset SAME_STEP); what ended is in ``final_obs`` and ``final_info``.

    Agents that sample K responses a prompt need not go through ``reset`` and ``step``, which hold
    every picture K times, as the interface wants it. They ``draw`` problems, sample, and
    ``judge``; ``reset`` and ``step`` are thin layers over those two.

    Args:
        num_envs: slots, N x K; a multiple of `group_size`.
        group_size: K, responses to each problem.
        seed: of the problems until ``reset`` gives another; by chance where there is none.
        render_mode: None, ``"rgb_array"`` or ``"ansi"``.
        **setting: as of ``ProblemEnv``.
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
        seed: int | None = None,
        render_mode: str | None = None,
        **setting: Unpack[Setting],
    ) -> None:
        if group_size < 1 or num_envs < 1 or num_envs % group_size:
            raise ValueError(
                f"num_envs is {num_envs} and group_size is {group_size}; the slots must be a "
                "multiple of the group size, both 1 or more"
            )
        self.num_envs, self.group_size, self.render_mode = num_envs, group_size, render_mode
        self.examiner = examiner(setting)
        self.reward_names = self.examiner.panel.names
        self.reward_space = self.examiner.reward_space
        self.single_observation_space = self.examiner.observation_space
        self.single_action_space = ResponseSpace()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._cursor = None if seed is None else Cursor(seed)
        self._slots: list[Problem] = []  # N x K, each problem K times in a row
        self._posed: list[tuple[Observation, Info]] = []  # N
        self._judged: tuple[list[Problem], Sequence[str], ScoreTable] | None = None

    @property
    def size(self) -> int:
        """Side of the pictures, in pixels."""
        return self.examiner.size

    @property
    def cursor(self) -> Cursor:
        """The place in the source; at the start of a seed by chance where none was given."""
        if self._cursor is None:
            self._cursor = Cursor(int(self.np_random.integers(2**31)))
        return self._cursor

    def draw(self, count: int) -> list[Problem]:
        """The next `count` problems of the seed; the cursor moves behind them."""
        seed = self.cursor.seed
        return [self.examiner.problem(seed, index) for index in self.cursor.take(count)]

    def prompt(self, problem: Problem) -> str:
        """The text that is asked: question and instruction."""
        return self.examiner.prompt(problem)

    def judge(
        self,
        problems: Sequence[Problem],
        responses: Sequence[str],
        measured: Sequence[Mapping[str, float]] | None = None,
    ) -> ScoreTable:
        """Score one response to each listed problem; see ``Examiner.judge``."""
        return self.examiner.judge(problems, responses, measured)

    def state(self) -> dict[str, int]:
        """The place in the source, as JSON values."""
        return self.cursor.state()

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on from a ``state``: the next ``draw`` or ``reset`` gives what it would have."""
        self._cursor = Cursor.restore(state)
        self._slots, self._posed, self._judged = [], [], None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Pose the first problems of a seed, or the next ones where none is given.

        Args:
            seed: starts at its problem 0.
            options: ``{"index": i}`` starts there; ``{"problem_id": id}`` poses that one to all.
        """
        super().reset(seed=seed)
        chosen = checked_options(options)
        if seed is not None:
            self._cursor = Cursor(seed)
        if "index" in chosen:
            self._cursor = Cursor(self.cursor.seed, chosen["index"])
        count = self.num_envs // self.group_size
        if "problem_id" in chosen:
            self._pose([self.examiner.find(chosen["problem_id"])] * count)
        else:
            self._pose(self.draw(count))
        self._judged = None
        infos: dict[str, Any] = {}
        for slot in range(self.num_envs):
            infos = self._add_info(infos, self._posed[slot // self.group_size][1], slot)
        return self._observations(), infos

    def step(self, actions: Sequence[str]) -> Batch:
        """Judge one response per slot and pose the next problems.

        Args:
            actions: N x K texts.
        """
        if not self._slots:
            raise RuntimeError("no problem is posed: call reset() before step()")
        problems, posed, responses = self._slots, self._posed, list(actions)
        table = self.judge(problems, responses)
        self._judged = (problems, responses, table)
        self._pose(self.draw(self.num_envs // self.group_size))
        rewards = np.zeros(self.num_envs, np.float64)
        infos: dict[str, Any] = {}
        for slot in range(self.num_envs):
            group = slot // self.group_size
            rewards[slot], ended = verdict(table, slot)
            ended["problem_id"] = problems[slot].id
            ended["truncated_chars"] = max(0, len(responses[slot]) - LONGEST_RESPONSE)
            last = {**posed[group][0], "image": posed[group][0]["image"].copy()}
            infos = self._add_info(infos, {"final_obs": last, "final_info": ended}, slot)
            infos = self._add_info(infos, self._posed[group][1], slot)
        done = np.ones(self.num_envs, np.bool_)
        return self._observations(), rewards, done, ~done, infos

    def render(self) -> tuple[Any, ...] | None:
        """A card per slot: what was last judged, or what is posed where nothing was yet."""
        if self.render_mode is None:
            return None
        draw = render_card if self.render_mode == "rgb_array" else render_text
        if self._judged is None:
            return tuple(draw(problem, "", None) for problem in self._slots)
        problems, responses, table = self._judged
        return tuple(
            draw(problem, response, verdict(table, row))
            for row, (problem, response) in enumerate(zip(problems, responses, strict=True))
        )

    def _pose(self, problems: Sequence[Problem]) -> None:
        self._slots = [problem for problem in problems for _ in range(self.group_size)]
        self._posed = [self.examiner.pose(problem) for problem in problems]

    def _observations(self) -> dict[str, Any]:
        groups = [observation for observation, _ in self._posed]
        pictures = np.stack([observation["image"] for observation in groups])
        return {
            "image": np.repeat(pictures, self.group_size, axis=0),
            "prompt": tuple(o["prompt"] for o in groups for _ in range(self.group_size)),
        }
