"""Sample and judge: the policy responds to problems, the panel scores every response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mstar.agents.policy import distributed
from mstar.agents.sampling.base import Prompt, Response, Sampler
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.rewards.base import ScoreTable

NO_PROBLEM = Problem("", (), "", None)  # takes the place of a problem between processes


def collect(
    sampler: Sampler,
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    seed: int,
    version: int,
) -> list[Rollout]:
    """Sample K responses to each of N problems and judge them; each process does its share.

    Args:
        sampler: of the policy as it is now.
        env: renders the prompts and judges.
        problems: N problems.
        temperatures: K temperatures, one for each sample of every problem.
        seed: of the sampling; seed, problem and the number of the sample decide what is drawn.
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
    """As ``collect``, by this process alone; all responses are judged in one batch."""
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
    """As ``Sampler.sample``; each process samples the responses to its share of the prompts."""
    own = distributed.share(list(zip(prompts, samples, strict=True)))
    own_prompts, counts = [prompt for prompt, _ in own], [count for _, count in own]
    return distributed.gather(sampler.sample(own_prompts, counts, temperature, seed))


def judged(
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
    groups: Sequence[Sequence[Response]],
    temperatures: Sequence[Sequence[float]],
    version: int,
) -> list[Rollout]:
    """The rollouts of N groups of responses, group by group, all judged in one batch.

    Args:
        env: judges.
        problems: N, one for each group.
        groups: the responses to each problem.
        temperatures: that each of them was sampled at.
        version: number of rounds that the policy has been trained for.
    """
    owners = [problem for problem, group in zip(problems, groups, strict=True) for _ in group]
    responses = [response for group in groups for response in group]
    flat = [temperature for group in temperatures for temperature in group]
    table = env.judge(
        owners,
        [response.text for response in responses],
        [{"certainty": r.certainty, "logprob": r.logprob} for r in responses],
    )
    return [
        Rollout(
            problem=problem,
            response=response,
            temperature=temperature,
            version=version,
            scores=dict(zip(table.names, map(float, table.scores[row]), strict=True)),
            reward=float(table.reward[row]),
        )
        for row, (problem, response, temperature) in enumerate(
            zip(owners, responses, flat, strict=True)
        )
    ]


def together(own: Sequence[Rollout], problems: Sequence[Problem]) -> list[Rollout]:
    """The rollouts of all processes, in the order of the processes, on each of them.

    Args:
        own: of this process.
        problems: all that any process was given; they are not sent around.
    """
    known = {problem.id: problem for problem in problems}
    gathered = distributed.gather([(r.problem.id, replace(r, problem=NO_PROBLEM)) for r in own])
    return [replace(rollout, problem=known[id]) for id, rollout in gathered]


def combined(rollouts: Sequence[Rollout], env: ProblemVectorEnv) -> list[Rollout]:
    """The rollouts with the rewards of one batch: a rule may compare all of its rows."""
    panel = env.examiner.panel
    scores = np.array([[r.scores[name] for name in panel.names] for r in rollouts], np.float32)
    groups = tuple(r.problem.attempt(r.response.text).group for r in rollouts)
    table = panel.combine(ScoreTable(panel.names, scores, groups))
    return [
        replace(rollout, reward=float(reward))
        for rollout, reward in zip(rollouts, table.reward, strict=True)
    ]


def ask(env: ProblemVectorEnv, problem: Problem) -> Prompt:
    """The problem as a prompt: its images at the environment's size, and the text."""
    return Prompt(
        text=env.prompt(problem),
        images=tuple(image.render(env.size) for image in problem.pictures),
        key=problem.id,
    )


def distinct(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once: a small data set repeats before a round is full."""
    return list({problem.id: problem for problem in problems}.values())


def score_table(rollouts: Sequence[Rollout]) -> ScoreTable:
    """The scores of N rollouts as the panel's table; all must have the same reward models."""
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
