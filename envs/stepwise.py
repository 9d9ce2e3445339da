"""Stepwise: one reasoning step per action, each with an exact process reward."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from mstar.envs.env import Info, Observation
from mstar.envs.problem import Problem, Step
from mstar.envs.variants.corruptions import evaluate_arithmetic

ANSWER = re.compile(r"\s*answer\s*:", re.IGNORECASE)
WORD = re.compile(r"[\w.:/-]+")


class Stepwise(gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs):
    """An action is one reasoning step; the episode ends with a line ``Answer: ...``.

    ``info["process"]`` is the step's process reward: 1.0 if it agrees with the exact solution, 0.0
    if it does not. ``info["process_valid"]`` is False if the step can't be checked. The reward is
    0.0 until the end, when the panel scores the full response. The steps so far are appended to
    the prompt.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
        max_steps: after this many steps the response is scored as it is, and the episode is
            truncated.
    """

    def __init__(self, env: gymnasium.Env[Observation, str], max_steps: int = 16) -> None:
        if max_steps < 1:
            raise ValueError(f"max_steps must be 1 or more, got {max_steps}")
        RecordConstructorArgs.__init__(self, max_steps=max_steps)
        gymnasium.Wrapper.__init__(self, env)
        self.max_steps = max_steps
        self._first: Observation = {}
        self._lines: list[str] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start an episode; see ``ProblemEnv.reset``."""
        self._first, info = self.env.reset(seed=seed, options=options)
        self._lines = []
        return self._observation(), info

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Take one step; an answer line anywhere in the action ends the episode."""
        agrees = check(self.get_wrapper_attr("problem"), action)
        process = {"process": float(agrees or False), "process_valid": agrees is not None}
        self._lines.append(action)
        answered = any(ANSWER.match(line) for line in action.splitlines())
        if not answered and len(self._lines) < self.max_steps:
            names = self.get_wrapper_attr("reward_names")
            no_scores = {
                "rewards": dict.fromkeys(names, 0.0),
                "valid": dict.fromkeys(names, False),
                "reward_valid": False,
                "problem_id": self.get_wrapper_attr("problem").id,
                "truncated_chars": 0,
            }
            return self._observation(), 0.0, False, False, {**no_scores, **process}
        _, reward, _, _, info = self.env.step("\n".join(self._lines))
        return self._observation(), reward, answered, not answered, {**info, **process}

    def _observation(self) -> Observation:
        prompt = "\n".join([self._first["prompt"], *self._lines])
        space: Any = self.observation_space
        return {
            "image": self._first["image"].copy(),
            "prompt": prompt[: space["prompt"].max_length],
        }


def check(problem: Problem, text: str) -> bool | None:
    """Whether a step agrees with the exact solution; None if it can't be checked.

    An equation between integers agrees if it is true. A reading of the image agrees if it names
    an object that a step of the solution reads, and gives its value and no other number.

    >>> check(Problem("", (), "", None), "12 - 7 = 5")
    True
    """
    left, equals, right = text.partition("=")
    if equals:
        value = evaluate_arithmetic(left.rpartition(":")[2])
        claimed = evaluate_arithmetic(right.strip().rstrip("."))
        if value is not None and claimed is not None:
            return value == claimed
    words = _words(text)
    read = [step for step in problem.steps if step.kind == "perceive" and step.value]
    named = [s for s in read if s.refs and set(_words(" ".join(s.refs))) <= set(words)]
    if not named:
        exact = [_words(step.text) for step in problem.steps]
        return True if words in exact else None
    return any(_reads(step, set(words)) for step in named)


def _reads(step: Step, words: set[str]) -> bool:
    numbers = {word for word in words if any(map(str.isdigit, word))}
    return set(_words(step.value)) <= words and numbers <= set(_words(step.text))


def _words(text: str) -> list[str]:
    words = (word.strip(".:/") for word in WORD.findall(text.casefold()))
    return [word for word in words if word]
