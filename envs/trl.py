"""Problem environments for TRL's GRPO trainer (its ``environment_factory``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mstar.envs.env import ProblemEnv


class TrlProblem:
    """A ``ProblemEnv`` for one rollout, in the form that TRL's ``environment_factory`` expects.

    TRL offers every public method to the policy as a tool, so ``reset`` is the only one. TRL
    never calls ``step``; the functions of ``trl_rewards`` do. Each rollout is scored alone, so
    reward models that compare the responses to a problem abstain; ``mstar.rewards.to_trl`` scores
    whole groups.

    Args:
        env: used by this rollout only.
    """

    def __init__(self, env: ProblemEnv) -> None:
        self._env = env
        self._scored: tuple[str, dict[str, float | None]] | None = None

    def reset(self, **row: Any) -> list[dict[str, Any]]:
        """The problem of a row of the data set, as image and text blocks.

        Args:
            **row: ``problem_id`` or ``index`` (with an optional ``seed``) selects the problem; the
                rows of a group must select the same one. Other columns are ignored.
        """
        options = {key: row[key] for key in ("problem_id", "index") if row.get(key) is not None}
        if not options:
            raise ValueError(
                f"a row must have a problem_id or an index, this one has {sorted(row)}: without "
                "it the members of a group would get different problems"
            )
        observation, info = self._env.reset(seed=row.get("seed", 0), options=options)
        self._scored = None
        images = [{"type": "image", "image": image} for image in info["images"]]
        return [*images, {"type": "text", "text": observation["prompt"]}]

    def _scores(self, response: str) -> dict[str, float | None]:
        """Every score by name, None for an abstention; steps the environment once per response."""
        if self._scored is None or self._scored[0] != response:
            if self._scored is not None:
                self._env.reset(options={"problem_id": self._env.problem.id})
            _, reward, _, _, info = self._env.step(response)
            named = {n: s if info["valid"][n] else None for n, s in info["rewards"].items()}
            named["reward"] = reward if info["reward_valid"] else None
            self._scored = (response, named)
        return self._scored[1]


def trl_environment(make: Callable[[], ProblemEnv]) -> Callable[[], TrlProblem]:
    """The argument for ``GRPOTrainer(environment_factory=...)``.

    Args:
        make: makes one environment; TRL calls it once per rollout of a batch.
    """
    return partial(_adapted, make)


def trl_rewards(names: Sequence[str]) -> list[TrlScore]:
    """The argument for ``GRPOTrainer(reward_funcs=...)``: one function per name.

    TRL weights each score and logs its mean and standard deviation under its name.

    Args:
        names: of the panel's reward models, or ``"reward"`` for the combined reward.
    """
    return [TrlScore(name) for name in names]


class TrlScore:
    """One score of the environments' panel as a TRL reward function.

    Args:
        name: of a reward model in the panel, or ``"reward"``.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(
        self, completions: Sequence[Any], environments: Sequence[TrlProblem], **_: Any
    ) -> list[float | None]:
        """One score per completion; None if the reward model abstained."""
        return [
            environment._scores(_text(completion))[self.__name__]
            for completion, environment in zip(completions, environments, strict=True)
        ]


def _adapted(make: Callable[[], ProblemEnv]) -> TrlProblem:
    return TrlProblem(make())


def _text(completion: Any) -> str:
    """The text of a completion, which TRL passes as a string or as a list of messages."""
    if isinstance(completion, str):
        return completion
    contents = [message["content"] for message in completion if message["role"] == "assistant"]
    parts: list[str] = []
    for content in contents:
        blocks = [{"text": content}] if isinstance(content, str) else content or []
        parts += [block["text"] for block in blocks if "text" in block]
    return "\n".join(parts)
