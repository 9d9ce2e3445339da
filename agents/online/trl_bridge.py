"""What TRL's online trainers get from us: problems, our sampler's responses, panel scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import collect_local
from mstar.agents.sampling.base import Sampler
from mstar.agents.seeds import mix
from mstar.agents.types import Rollout, Selection
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task

RULE = "rule"  # the column of what the panel's rule adds to a weighted sum

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoundBatch:
    """A round of practice.

    Attributes:
        number: of the round.
        problems: one for each row of the trainer's data; a small data set comes round.
        samples: responses to each.
        temperature: that they are sampled and scored at.
    """

    number: int
    problems: Sequence[Problem]
    samples: int
    temperature: float


class TrlBridge:
    """Stands between a TRL trainer and the environment: data, generation and rewards in one place.

    The trainer's rows are slots, filled with the round's problems. When the trainer wants
    responses it calls ``respond``: our sampler writes them and the panel judges the whole groups.
    The reward functions then only read the scores off, a column each.

    Args:
        policy: that practises.
        sampler: of it.
        task: poses and judges.
        seed: of the sampling.
        lap: is told when a stage of the work ends.

    Attributes:
        rollouts: all of the present round so far, of this process.
        scored: those that the trainer asks rewards for next.
    """

    def __init__(
        self,
        policy: Policy,
        sampler: Sampler,
        task: Task,
        seed: int,
        lap: Callable[[str], None],
    ) -> None:
        self.policy, self.sampler, self.task = policy, sampler, task
        self.rollouts: list[Rollout] = []
        self.scored: Sequence[Rollout] = ()
        self._seed, self._lap = seed, lap
        self._exercise = RoundBatch(0, (), 0, 0.0)
        self._problems: dict[str, Problem] = {}
        self._prompts: dict[str, Prompt] = {}

    def begin(self, exercise: RoundBatch) -> None:
        """A new round: other problems in the slots, no rollouts yet."""
        self._exercise, self.rollouts, self.scored = exercise, [], ()
        self._problems = {problem.id: problem for problem in exercise.problems}
        self._prompts = {id: self.task.prompt(problem) for id, problem in self._problems.items()}

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """The rows of slot numbers, as TRL's vision trainers take them; a data set's transform."""
        prompts = [self._prompts[self._exercise.problems[slot].id] for slot in batch["slot"]]
        return {
            "prompt": [
                # Trainers hand messages on as they are, so that a message can say its problem.
                [{"role": "user", "content": self.policy.plain(p.text), "problem": p.key}]
                for p in prompts
            ],
            "images": [list(prompt.images) for prompt in prompts],
        }

    def __getstate__(self) -> dict[str, Any]:
        return {}  # data sets hash a transform to name a cache; this one has none

    def respond(self, asked: Sequence[Problem]) -> list[Rollout]:
        """Answer N problems K times each, judge the answers, and keep them for the columns.

        Returns:
            N x K rollouts, problem by problem.
        """
        self._lap("update")
        exercise = self._exercise
        # TRL has given each process its own prompts; together they sample what one process would.
        sampled = len(self.rollouts) * distributed.count()
        seed = mix(self._seed, exercise.number, 0, sampled)
        heat = [exercise.temperature] * exercise.samples
        prompts = [self._prompts[problem.id] for problem in asked]
        found = collect_local(
            self.sampler, self.task, asked, heat, seed, exercise.number - 1, prompts
        )
        self.rollouts += found
        self.scored = found
        # A trainer mixes its rows by torch's numbers, which a resumed run must find as they were.
        torch.manual_seed(seed)
        self._lap("sample and judge")
        return found

    def groups(self, prompts: Sequence[Sequence[Message]]) -> list[Problem]:
        """The problems of prompts that a trainer repeats K times each, once for each group."""
        samples = self._exercise.samples
        ids = [prompt[-1]["problem"] for prompt in prompts]
        groups = [ids[start : start + samples] for start in range(0, len(ids), samples)]
        if any(len(group) < samples or len(set(group)) > 1 for group in groups):
            raise ValueError(
                f"a process got {len(ids)} prompts that are no whole groups of "
                f"{samples} samples; make batch x minibatches a multiple of samples"
            )
        return [self._problems[group[0]] for group in groups]

    def problems(self, prompts: Sequence[Sequence[Message]]) -> list[Problem]:
        """The problems of prompts."""
        return [self._problems[prompt[-1]["problem"]] for prompt in prompts]

    def learnable(self, rollout: Rollout) -> list[int]:
        """The tokens of a response up to the first that stands for a picture.

        Behind it the model would look for one more picture. TRL never samples that token, but
        our sampler takes the policy as it is.
        """
        picture = getattr(self.policy.network.config, "image_token_id", None)
        tokens = list(rollout.response.tokens)
        if picture not in tokens:
            return tokens
        return tokens[: tokens.index(picture)] or [self.policy.processor.tokenizer.pad_token_id]

    def encode(self, asked: Sequence[Problem]) -> Any:
        """The prompts of problems as ``Policy.encode`` makes them."""
        return self.policy.encode([self._prompts[problem.id] for problem in asked])

    def prompt_tokens(self, asked: Sequence[Problem]) -> list[list[int]]:
        """The token ids of the prompts of problems, those of images included, without padding."""
        encoded = self.encode(asked)
        return [
            ids[mask.bool()].tolist()
            for ids, mask in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        ]


class RewardColumn:
    """A reward column of TRL: what one reward model says of the responses given last.

    TRL adds the columns up by their weights, and what is missing counts 0. So there is one more
    column, ``RULE``: what the panel's rule makes of the scores less their weighted sum. With it
    TRL's sum is the panel's combined reward, for every rule and with abstentions; without an
    abstention, a panel that takes the weighted mean makes it 0 throughout.

    Args:
        practice: knows the scores.
        name: of a reward model of the panel, or ``RULE``.
    """

    def __init__(self, bridge: TrlBridge, name: str) -> None:
        self._practice, self.__name__ = bridge, name
        # As TRL is told them once: what guards change later is in the rule's column.
        self._weights = column_weights(bridge.task)

    def __call__(self, completions: Sequence[Any], **_: Any) -> list[float | None]:
        """One score per completion; None where the model abstained or no reward could be made."""
        rollouts = self._practice.scored
        if len(completions) != len(rollouts):
            raise ValueError(
                f"TRL asks for {len(completions)} rewards, but {len(rollouts)} responses were given"
            )
        return [self._score(rollout) for rollout in rollouts]

    def _score(self, rollout: Rollout) -> float | None:
        if math.isnan(rollout.reward):
            return None
        if self.__name__ != RULE:
            score = rollout.scores[self.__name__]
            return None if math.isnan(score) else score
        told = {name: s for name, s in rollout.scores.items() if not math.isnan(s)}
        added = rollout.reward - sum(self._weights[name] * score for name, score in told.items())
        return round(added, 6)  # rewards are float32: rounding must not look like a difference


def column_weights(task: Task) -> dict[str, float]:
    """The weight of each reward column: those of the panel sum to 1, and that of the rule is 1."""
    weights = task.panel.weights
    total = sum(weights.values()) or 1.0
    return {name: weight / total for name, weight in weights.items()} | {RULE: 1.0}


def informative_groups(rollouts: Sequence[Rollout], samples: int, gate: str) -> Selection:
    """Of a round's rollouts, those in groups whose rewards differ: only they move the policy.

    Args:
        rollouts: group by group.
        samples: of a group.
        gate: the score that says whether a rollout passed.
    """
    groups = [range(start, start + samples) for start in range(0, len(rollouts), samples)]
    kept: list[int] = []
    for group in groups:
        rewards = {rollouts[i].reward for i in group}
        kept += group if len({r for r in rewards if not math.isnan(r)}) > 1 else []
    right = [[rollouts[i].scores[gate] == 1.0 for i in group] for group in groups]
    return Selection(
        tuple(kept),
        sum(map(any, right)) / max(1, len(groups)),
        sum(map(sum, right)) / max(1, len(rollouts)),
    )
