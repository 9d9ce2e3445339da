"""Give TRL's online trainers our problems, our sampler's responses and the panel's rewards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch

from mstar.agents.policy import distributed
from mstar.agents.policy.packing import in_rows, longest_row, packed
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import continued
from mstar.agents.rollout import collect_local
from mstar.agents.sampling.base import Sampler
from mstar.agents.seeds import mix
from mstar.agents.selection import not_judged, passes
from mstar.agents.types import Rollout, Selection
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task

RULE = "rule"  # name of the column with what the panel's rule adds to the weighted sum

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoundBatch:
    """The problems of a round, and how they are sampled.

    Attributes:
        number: of the round.
        problems: one for each row of the trainer's data; repeated if there are fewer.
        samples: responses to each.
        temperature: at which they are sampled, and scored by the trainer.
        gate: the score that is 1 for a right response.
        resamplings: how often dynamic sampling may replace the groups of one sampling; 0: never.
        fresh: draws so many more problems, the same ones on every process.
    """

    number: int
    problems: Sequence[Problem]
    samples: int
    temperature: float
    gate: str = "correctness"
    resamplings: int = 0
    fresh: Callable[[int], Sequence[Problem]] = lambda count: ()


class TrlBridge:
    """Data, generation and rewards of a TRL trainer, from a task, a sampler and a panel.

    Trainers are given token ids, of prompts as the sampler encodes them and of responses as they
    were drawn: ``test_online_trainers_learn_the_tokens_that_were_drawn``.

    The rows of the trainer's data set are slots, to which each round assigns its problems. When
    the trainer needs responses it calls ``respond``: our sampler generates them and the panel
    scores whole groups. The reward functions then return these scores, one column each.

    Args:
        policy: that is trained.
        sampler: of this policy.
        task: makes prompts and scores responses.
        seed: of the sampling.
        end_stage: called with the name of a stage when it ends.

    Attributes:
        rollouts: of the current round so far, in this process.
        replaced: ids of the problems whose groups dynamic sampling has replaced in it, likewise.
        scored: those for which the trainer requests rewards next.
    """

    def __init__(
        self,
        policy: Policy,
        sampler: Sampler,
        task: Task,
        seed: int,
        end_stage: Callable[[str], None],
    ) -> None:
        self.policy, self.sampler, self.task = policy, sampler, task
        self.rollouts: list[Rollout] = []
        self.replaced: list[str] = []
        self.scored: Sequence[Rollout] = ()
        self._answered = 0
        self._seed, self._end_stage = seed, end_stage
        self._batch = RoundBatch(0, (), 0, 0.0)
        self._problems: dict[str, Problem] = {}
        self._prompts: dict[str, Prompt] = {}

    def begin(self, batch: RoundBatch) -> None:
        """Start a round: assign its problems to the slots, and drop the last one's rollouts."""
        self._batch, self.rollouts, self.scored = batch, [], ()
        self._problems, self._prompts, self.replaced, self._answered = {}, {}, [], 0
        self._take(batch.problems)

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """The transform of the trainer's data set: slot numbers to rows with a prompt.

        Images are left out: models read them through ``continued`` alone.
        """
        prompts = [self._prompts[self._batch.problems[slot].id] for slot in batch["slot"]]
        return {
            "prompt": [
                # Trainers pass messages on unchanged, so a message can carry the id of its problem.
                [{"role": "user", "content": self.policy.plain(p.text), "problem": p.key}]
                for p in prompts
            ]
        }

    def __getstate__(self) -> dict[str, Any]:
        return {}  # datasets hashes a transform to name a cache, which is not used here

    def respond(self, problems: Sequence[Problem]) -> list[Rollout]:
        """Sample K responses to each of N problems, score them, and keep them for the columns.

        Under dynamic sampling a group that is all right or all wrong, and so without an advantage,
        is replaced by one of a fresh problem, until there is none or the limit is reached (Yu et
        al. 2025, arXiv 2503.14476, section 3.2, equation 11). All that is sampled stays in
        ``rollouts`` and is counted.

        Returns:
            N x K rollouts, problem by problem.
        """
        self._end_stage("update")
        batch = self._batch
        # TRL gives each process its own prompts; together they sample what one process would.
        seed = mix(self._seed, batch.number, 0, self._answered * distributed.count())
        rollouts = self._sample(problems, seed)
        for attempt in range(1, batch.resamplings + 1):
            uniform = self._uniform_groups(rollouts)
            needed = distributed.gather([len(uniform)])
            if not any(needed) or not (fresh := self._fresh_problems(sum(needed))):
                break
            first = sum(needed[: distributed.index()])
            own = fresh[first : first + len(uniform)]
            sampled = self._sample(own, mix(seed, attempt))
            for place, start in enumerate(uniform[: len(own)]):
                self.replaced.append(rollouts[start].problem.id)
                group = slice(place * batch.samples, (place + 1) * batch.samples)
                rollouts[start : start + batch.samples] = sampled[group]
        self._answered += len(rollouts)
        self.scored = rollouts
        # Trainers shuffle rows by torch's generator, which must be the same in a resumed run.
        torch.manual_seed(seed)
        self._end_stage("sample and judge")
        return rollouts

    def _sample(self, problems: Sequence[Problem], seed: int) -> list[Rollout]:
        batch = self._batch
        rollouts = collect_local(
            self.sampler,
            self.task,
            problems,
            [batch.temperature] * batch.samples,
            seed,
            batch.number - 1,
            [self._prompts[problem.id] for problem in problems],
        )
        self.rollouts += rollouts
        return rollouts

    def _uniform_groups(self, rollouts: Sequence[Rollout]) -> list[int]:
        """Where the groups begin in which all responses pass the gate, or none does."""
        samples, gate = self._batch.samples, self._batch.gate
        return [
            start
            for start in range(0, len(rollouts), samples)
            if len({passes(rollout, gate) for rollout in rollouts[start : start + samples]}) == 1
        ]

    def _fresh_problems(self, count: int) -> list[Problem]:
        """Up to `count` problems that the round has not asked, the same on every process."""
        drawn = {problem.id: problem for problem in self._batch.fresh(count)}
        fresh = [problem for id, problem in drawn.items() if id not in self._problems]
        self._take(fresh)
        return fresh

    def _take(self, problems: Sequence[Problem]) -> None:
        self._problems |= {problem.id: problem for problem in problems}
        self._prompts |= {problem.id: self.task.prompt(problem) for problem in problems}

    @property
    def asked(self) -> list[Problem]:
        """The problems of the round, each once, with the fresh ones, on every process."""
        return list(self._problems.values())

    def groups(self, prompts: Sequence[Sequence[Message]]) -> list[Problem]:
        """The problem of each group of K equal prompts.

        Raises:
            ValueError: the prompts are not whole groups.
        """
        samples = self._batch.samples
        ids = [prompt[-1]["problem"] for prompt in prompts]
        groups = [ids[start : start + samples] for start in range(0, len(ids), samples)]
        if any(len(group) < samples or len(set(group)) > 1 for group in groups):
            raise ValueError(
                f"a process got {len(ids)} prompts that are not whole groups of "
                f"{samples} samples; make batch x minibatches a multiple of samples"
            )
        return [self._problems[group[0]] for group in groups]

    def problems(self, prompts: Sequence[Sequence[Message]]) -> list[Problem]:
        """The problem of each prompt."""
        return [self._problems[prompt[-1]["problem"]] for prompt in prompts]

    def learnable(self, rollout: Rollout) -> list[int]:
        """The tokens of a response before its first media token, or a padding token without any.

        The model would expect one more image there. TRL never samples that token; our sampler
        samples from the policy's full distribution.
        """
        tokens, media = list(rollout.response.tokens), self.policy.media_tokens
        cut = next((i for i, token in enumerate(tokens) if token in media), len(tokens))
        return tokens[:cut] or [self.policy.processor.tokenizer.pad_token_id]

    def rollout(self, key: str, tokens: list[int]) -> Rollout | None:
        """The scored response with these tokens to the prompt with this key, if it was not cut.

        None too for one that was sampled from a distorted image: the trainer sees the clean one.
        """
        for rollout in self.scored:
            clean = not rollout.response.distorted
            if clean and rollout.prompt.key == key and list(rollout.response.tokens) == tokens:
                return rollout if self.learnable(rollout) == tokens else None
        return None

    def encode(self, problems: Sequence[Problem]) -> Any:
        """The prompts of problems as tensors; see ``Policy.encode``."""
        return self.policy.encode([self._prompts[problem.id] for problem in problems])

    def continued(
        self, keys: Sequence[str], tokens: torch.Tensor, given: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The inputs of a forward pass over N prompts and responses; see ``turns.continued``.

        Args:
            keys: of the prompts.
            tokens: (N, L) ids of the responses.
            given: (N, L) bool, which of them are read.
        """
        return continued(self.policy, [self._prompts[key] for key in keys], rows_of(tokens, given))

    def packed(
        self, keys: Sequence[str], tokens: torch.Tensor, given: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The same with one row for neighbours that have the same key; see ``packing.packed``.

        The labels have the N responses in the same order.
        """
        rows: list[tuple[Prompt, Sequence[Sequence[int]]]] = []
        pairs = zip(keys, rows_of(tokens, given), strict=True)
        for key, group in groupby(pairs, key=itemgetter(0)):
            prompt, responses = self._prompts[key], [response for _, response in group]
            length = self.policy.encode([prompt])["input_ids"].shape[1]
            parts = in_rows(responses, length, longest_row(self.policy, length))
            rows += [(prompt, part) for part in parts]
        if len(rows) == len(keys):
            return self.continued(keys, tokens, given)
        return packed(self.policy, [each for each, _ in rows], [part for _, part in rows])

    def prompt_tokens(self, problems: Sequence[Problem]) -> list[list[int]]:
        """The token ids of the prompts of problems, including image tokens, without padding."""
        encoded = self.encode(problems)
        return [
            ids[mask.bool()].tolist()
            for ids, mask in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        ]


def rows_of(tokens: torch.Tensor, given: torch.Tensor) -> list[list[int]]:
    """The ids (N, L) that are given (N, L), row by row."""
    return [row[mask].tolist() for row, mask in zip(tokens, given, strict=True)]


class RewardColumn:
    """A reward function of TRL: the scores of one reward model for the latest responses.

    TRL takes the weighted sum of the columns, and counts a missing score as 0. One more column,
    ``RULE``, holds the panel's combined reward minus this sum, so that TRL's reward is the
    combined one for every rule and with abstentions. Under the weighted mean and without
    abstentions it is 0.

    Args:
        bridge: with the scored responses.
        name: of a reward model of the panel, or ``RULE``.
    """

    def __init__(self, bridge: TrlBridge, name: str) -> None:
        self._bridge, self.__name__ = bridge, name
        # TRL reads weights only once; what guards change later ends up in the column of the rule.
        self._weights = column_weights(bridge.task)

    def __call__(self, completions: Sequence[Any], **_: Any) -> list[float | None]:
        """One score per completion; None if the model abstained.

        A response without a reward gets the mean reward of its group, which gives no advantage.

        Raises:
            ValueError: another number of completions than of scored responses.
        """
        rollouts = self._bridge.scored
        if len(completions) != len(rollouts):
            raise ValueError(
                f"TRL requests {len(completions)} rewards for {len(rollouts)} scored responses"
            )
        return [self._score(rollout) for rollout in rollouts]

    def _score(self, rollout: Rollout) -> float | None:
        if math.isnan(rollout.reward):
            return self._neutral(rollout) if self.__name__ == RULE else None
        if self.__name__ != RULE:
            score = rollout.scores[self.__name__]
            return None if math.isnan(score) else score
        scores = {name: s for name, s in rollout.scores.items() if not math.isnan(s)}
        added = rollout.reward - sum(self._weights[name] * score for name, score in scores.items())
        return round(added, 6)  # rewards are float32: drop what is rounding only

    def _neutral(self, rollout: Rollout) -> float | None:
        """The mean reward of a rollout's group; None if there is none, which TRL takes for 0."""
        rewards = [r.reward for r in self._bridge.scored if r.problem.id == rollout.problem.id]
        known = [reward for reward in rewards if not math.isnan(reward)]
        return sum(known) / len(known) if known else None


def column_weights(task: Task) -> dict[str, float]:
    """The weight of each reward column: the panel's, normalized to sum to 1, and 1 for the rule."""
    weights = task.panel.weights
    total = sum(weights.values()) or 1.0
    return {name: weight / total for name, weight in weights.items()} | {RULE: 1.0}


def informative_groups(
    rollouts: Sequence[Rollout],
    samples: int,
    gate: str,
    required: Sequence[str] = (),
    replaced: Sequence[str] = (),
) -> Selection:
    """Select the rollouts in groups whose rewards differ: only they have a gradient.

    Args:
        rollouts: group by group.
        samples: size of a group.
        gate: the score that is 1 for a rollout that passes.
        required: scores without which a rollout has no reward.
        replaced: ids of problems whose groups were not learned from.
    """
    unused = set(replaced)
    groups = [range(start, start + samples) for start in range(0, len(rollouts), samples)]
    kept: list[int] = []
    for group in groups:
        if rollouts[group[0]].problem.id in unused:
            continue
        rewards = {rollouts[i].reward for i in group}
        kept += group if len({r for r in rewards if not math.isnan(r)}) > 1 else []
    right = [[rollouts[i].scores[gate] == 1.0 for i in group] for group in groups]
    return Selection(
        tuple(kept),
        sum(map(any, right)) / max(1, len(groups)),
        sum(map(sum, right)) / max(1, len(rollouts)),
        sum(not_judged(rollout, required) for rollout in rollouts),
        len(unused),
    )
