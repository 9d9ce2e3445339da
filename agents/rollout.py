"""Sample and judge: the policy answers problems, the environment's panel scores every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mstar.agents.policy import distributed
from mstar.agents.sampling.base import Prompt, Response, Sampler
from mstar.envs.problem import Problem
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.rewards.base import ScoreTable

NOWHERE = Problem("", (), "", None)  # stands for a problem on the way between processes


@dataclass(frozen=True, slots=True)
class Rollout:
    """One judged response.

    Attributes:
        problem: what was asked.
        response: what the policy wrote, with its token count and log-probability.
        temperature: that it was sampled at; 0 is greedy.
        version: number of rounds that the policy had been trained for.
        scores: every reward model's score by name; NaN where one abstained.
        reward: the panel's combined reward; NaN where there was nothing to go by.
        extra: drawn because of what the first samples of its problem showed, so that no estimate
            of what the policy can do may count it.
    """

    problem: Problem
    response: Response
    temperature: float
    version: int
    scores: dict[str, float]
    reward: float
    extra: bool = False


def collect(
    sampler: Sampler,
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    seed: int,
    version: int,
) -> list[Rollout]:
    """Answer N problems K times each and judge the answers; each process does its share.

    Args:
        sampler: of the policy as it is now.
        env: renders the prompts and judges.
        problems: N problems.
        temperatures: K temperatures, one for each sample of every problem.
        seed: of the sampling; the same seed, problem and place give the same draw.
        version: number of rounds that the policy has been trained for.

    Returns:
        N x K rollouts, problem by problem, on every process.
    """
    own = collect_alone(
        sampler, env, distributed.share(problems), temperatures, seed=seed, version=version
    )
    if distributed.count() == 1:
        return own
    return combined(together(own, problems), env)


def collect_alone(
    sampler: Sampler,
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    seed: int,
    version: int,
) -> list[Rollout]:
    """As ``collect``, all of it by this process, and all answers judged at once."""
    groups = sampler.sample(
        [ask(env, problem) for problem in problems], len(temperatures), list(temperatures), seed
    )
    return judged(env, problems, groups, [temperatures] * len(groups), version)


def sample_shared(
    sampler: Sampler,
    prompts: Sequence[Prompt],
    samples: Sequence[int],
    temperature: float,
    seed: int,
) -> list[list[Response]]:
    """As ``Sampler.sample``; each process writes the responses to its share of the prompts."""
    own = distributed.share(list(zip(prompts, samples, strict=True)))
    asked, counts = [prompt for prompt, _ in own], [count for _, count in own]
    return distributed.gather(sampler.sample(asked, counts, temperature, seed))


def judged(
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
    groups: Sequence[Sequence[Response]],
    temperatures: Sequence[Sequence[float]],
    version: int,
) -> list[Rollout]:
    """The rollouts of N groups of responses, group by group, all judged at once.

    Args:
        env: judges.
        problems: N, one for each group.
        groups: responses to each problem.
        temperatures: that they were sampled at.
        version: number of rounds that the policy has been trained for.
    """
    asked = [problem for problem, group in zip(problems, groups, strict=True) for _ in group]
    answers = [response for group in groups for response in group]
    heats = [heat for ladder in temperatures for heat in ladder]
    table = env.judge(
        asked,
        [response.text for response in answers],
        [{"certainty": r.certainty, "logprob": r.logprob} for r in answers],
    )
    return [
        Rollout(
            problem=problem,
            response=response,
            temperature=heat,
            version=version,
            scores=dict(zip(table.names, map(float, table.scores[row]), strict=True)),
            reward=float(table.reward[row]),
        )
        for row, (problem, response, heat) in enumerate(zip(asked, answers, heats, strict=True))
    ]


def together(own: Sequence[Rollout], problems: Sequence[Problem]) -> list[Rollout]:
    """The rollouts of all processes, in the order of the processes, on each of them.

    Args:
        own: of this process.
        problems: all that any process was given; they stay where they are.
    """
    known = {problem.id: problem for problem in problems}
    told = distributed.gather([(r.problem.id, replace(r, problem=NOWHERE)) for r in own])
    return [replace(rollout, problem=known[id]) for id, rollout in told]


def combined(rollouts: Sequence[Rollout], env: ProblemVectorEnv) -> list[Rollout]:
    """With the rewards of one batch, since a rule may look at all of its rows."""
    panel = env.examiner.panel
    scores = np.array([[r.scores[name] for name in panel.names] for r in rollouts], np.float32)
    groups = tuple(r.problem.attempt(r.response.text).group for r in rollouts)
    table = panel.combine(ScoreTable(panel.names, scores, groups))
    return [replace(r, reward=float(told)) for r, told in zip(rollouts, table.reward, strict=True)]


def ask(env: ProblemVectorEnv, problem: Problem) -> Prompt:
    """The problem as the policy is asked it: pictures at the environment's size, and the text."""
    return Prompt(
        text=env.prompt(problem),
        images=tuple(picture.render(env.size) for picture in problem.pictures),
        key=problem.id,
    )


def distinct(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once: a small data set comes round before a round is full."""
    return list({problem.id: problem for problem in problems}.values())


def score_table(rollouts: Sequence[Rollout]) -> ScoreTable:
    """The scores of rollouts as the panel's table of N attempts; all need the same scores."""
    names = tuple(rollouts[0].scores) if rollouts else ()
    scores = [[rollout.scores[name] for name in names] for rollout in rollouts]
    return ScoreTable(
        names,
        np.array(scores, np.float32).reshape(len(rollouts), len(names)),
        tuple(rollout.problem.id for rollout in rollouts),
        np.array([rollout.reward for rollout in rollouts], np.float32),
    )


def by_problem(rollouts: Sequence[Rollout]) -> dict[str, list[int]]:
    """Indices of the rollouts of each problem, in order of first appearance."""
    groups: dict[str, list[int]] = {}
    for index, rollout in enumerate(rollouts):
        groups.setdefault(rollout.problem.id, []).append(index)
    return groups
