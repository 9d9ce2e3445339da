"""The response one reasoning step at a time, each with its exact process reward."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from mstar.envs.problem import Problem, Step
from mstar.envs.task import Info, Observation
from mstar.envs.variants.corruptions import arithmetic

ANSWER = re.compile(r"\s*answer\s*:", re.IGNORECASE)
WORD = re.compile(r"[\w.:/-]+")


class Stepwise(gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs):
    """An action is one step of the reasoning; the episode ends at a line ``Answer: ...``.

    ``info["process"]`` is the step's process reward, 1.0 where it agrees with the exact solution
    and 0.0 where it does not, and ``info["process_valid"]`` is False where nothing can be said of
    it. The reward stays 0.0 until the end, when the panel judges the whole response. The prompt
    grows by the steps so far.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
        max_steps: the response is judged as it is after so many, and the episode truncated.
    """

    def __init__(self, env: gymnasium.Env[Observation, str], max_steps: int = 16) -> None:
        if max_steps < 1:
            raise ValueError(f"max_steps must be 1 or more, got {max_steps}")
        RecordConstructorArgs.__init__(self, max_steps=max_steps)
        gymnasium.Wrapper.__init__(self, env)
        self.max_steps = max_steps
        self._asked: Observation = {}
        self._lines: list[str] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Pose a problem; see ``ProblemEnv.reset``."""
        self._asked, info = self.env.reset(seed=seed, options=options)
        self._lines = []
        return self._observation(), info

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Take one step; an action of several lines ends at its first answer line too."""
        agrees = check(self.get_wrapper_attr("problem"), action)
        process = {"process": float(agrees or False), "process_valid": agrees is not None}
        self._lines.append(action)
        answered = any(ANSWER.match(line) for line in action.splitlines())
        if not answered and len(self._lines) < self.max_steps:
            names = self.get_wrapper_attr("reward_names")
            silent = {
                "rewards": dict.fromkeys(names, 0.0),
                "valid": dict.fromkeys(names, False),
                "reward_valid": False,
                "problem_id": self.get_wrapper_attr("problem").id,
                "truncated_chars": 0,
            }
            return self._observation(), 0.0, False, False, {**silent, **process}
        _, reward, _, _, info = self.env.step("\n".join(self._lines))
        return self._observation(), reward, answered, not answered, {**info, **process}

    def _observation(self) -> Observation:
        prompt = "\n".join([self._asked["prompt"], *self._lines])
        space: Any = self.observation_space
        return {
            "image": self._asked["image"].copy(),
            "prompt": prompt[: space["prompt"].max_length],
        }


def check(problem: Problem, text: str) -> bool | None:
    """Whether one step agrees with the exact solution; None where nothing can be said of it.

    An equation of whole numbers is right if it is true. A reading is right if it names what some
    step of the solution reads from the picture and gives its value, and no number beside it.

    >>> check(Problem("", (), "", None), "12 - 7 = 5")
    True
    """
    left, equals, right = text.partition("=")
    if equals:
        value = arithmetic(left.rpartition(":")[2])
        claimed = arithmetic(right.strip().rstrip("."))
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
