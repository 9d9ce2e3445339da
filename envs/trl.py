"""Problem environments as environments of TRL's GRPO trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mstar.envs.env import ProblemEnv


class TrlProblem:
    """One rollout of a ``ProblemEnv`` as TRL's ``environment_factory`` wants it.

    TRL takes every public method for a tool of the policy, so there is none but ``reset``. It
    never calls ``step``: the functions of ``trl_rewards`` do. Each rollout is judged alone, so
    reward models that compare the attempts at a problem abstain; ``mstar.rewards.to_trl`` shows
    them the whole group.

    Args:
        env: of this rollout alone.
    """

    def __init__(self, env: ProblemEnv) -> None:
        self._env = env
        self._judged: tuple[str, dict[str, float | None]] | None = None

    def reset(self, **row: Any) -> list[dict[str, Any]]:
        """Pose the problem of a row of the data set as image and text blocks.

        Args:
            **row: ``problem_id`` or ``index`` (with an optional ``seed``) says which problem; the
                rows of a group must name the same one. Anything else is not looked at.
        """
        options = {key: row[key] for key in ("problem_id", "index") if row.get(key) is not None}
        if not options:
            raise ValueError(
                f"a row must have a problem_id or an index, this one has {sorted(row)}: without "
                "it the members of a group would get different problems"
            )
        observation, info = self._env.reset(seed=row.get("seed", 0), options=options)
        self._judged = None
        pictures = [{"type": "image", "image": image} for image in info["images"]]
        return [*pictures, {"type": "text", "text": observation["prompt"]}]

    def _scores(self, response: str) -> dict[str, float | None]:
        """Every score by name, None where one abstained; the environment is stepped once."""
        if self._judged is None or self._judged[0] != response:
            if self._judged is not None:
                self._env.reset(options={"problem_id": self._env.problem.id})
            _, reward, _, _, info = self._env.step(response)
            named = {n: s if info["valid"][n] else None for n, s in info["rewards"].items()}
            named["reward"] = reward if info["reward_valid"] else None
            self._judged = (response, named)
        return self._judged[1]


def trl_environment(make: Callable[[], ProblemEnv]) -> Callable[[], TrlProblem]:
    """What to pass to ``GRPOTrainer(environment_factory=...)``.

    Args:
        make: makes one environment; TRL asks for as many as a batch has rollouts.
    """
    return partial(_wrapped, make)


def trl_rewards(names: Sequence[str]) -> list[TrlScore]:
    """What to pass to ``GRPOTrainer(reward_funcs=...)``: one function per name, so called.

    Each score is then a column of TRL's own, with its weight, mean and deviation.

    Args:
        names: of the panel's reward models, or ``"reward"`` for the combined one.
    """
    return [TrlScore(name) for name in names]


class TrlScore:
    """One named score of the environments' panel as a reward function of TRL.

    Args:
        name: of a reward model in the panel, or ``"reward"``.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(
        self, completions: Sequence[Any], environments: Sequence[TrlProblem], **_: Any
    ) -> list[float | None]:
        """One score per completion; None where the reward model abstains."""
        return [
            environment._scores(_said(completion))[self.__name__]
            for completion, environment in zip(completions, environments, strict=True)
        ]


def _wrapped(make: Callable[[], ProblemEnv]) -> TrlProblem:
    return TrlProblem(make())


def _said(completion: Any) -> str:
    """The text of a completion, which TRL gives as a string or as a list of messages."""
    if isinstance(completion, str):
        return completion
    contents = [message["content"] for message in completion if message["role"] == "assistant"]
    parts: list[str] = []
    for content in contents:
        blocks = [{"text": content}] if isinstance(content, str) else content or []
        parts += [block["text"] for block in blocks if "text" in block]
    return "\n".join(parts)
