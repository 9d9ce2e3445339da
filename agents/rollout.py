"""Sample and judge: the policy responds to problems, the panel scores every response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mstar.agents.policy import distributed
from mstar.agents.sampling.base import Response, RolloutEngine, Sampler
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task
from mstar.rewards.base import ScoreTable

NO_PROBLEM = Problem("", (), "", None)  # replaces a problem that is sent between processes
NO_PROMPT = Prompt("", (), "")


def collect(
    sampler: Sampler,
    task: Task,
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    seed: int,
    version: int,
    prompts: Sequence[Prompt] | None = None,
) -> list[Rollout]:
    """Sample K responses to each of N problems and judge them; each process does its share.

    Args:
        sampler: of the policy as it is now.
        task: makes the prompts and judges.
        problems: N problems.
        temperatures: K temperatures, one for each sample of every problem.
        seed: of the sampling; seed, problem and the number of the sample decide what is drawn.
        version: number of rounds that the policy has been trained for.
        prompts: those of the problems, if they have been made before.

    Returns:
        N x K rollouts, problem by problem, on every process.
    """
    prompts = prompts_of(task, problems) if prompts is None else prompts
    own = collect_local(
        sampler,
        task,
        distributed.share(problems),
        temperatures,
        seed=seed,
        version=version,
        prompts=distributed.share(prompts),
    )
    return joined(own, task, problems, prompts)


def collect_together(
    sampler: RolloutEngine,
    task: Task,
    problems: Sequence[Problem],
    groups: Sequence[Sequence[float]],
    seed: int,
    version: int,
) -> list[list[Rollout]]:
    """What ``collect`` gives for each group of temperatures, sampled in one call of the engine.

    Args:
        sampler: of the policy as it is now.
        task: makes the prompts and judges, one group at a time.
        problems: N problems.
        groups: of K temperatures each; sample k of every group draws the same random numbers.
        seed: of the sampling.
        version: number of rounds that the policy has been trained for.

    Returns:
        For each group N x K rollouts, problem by problem, on every process.
    """
    prompts = prompts_of(task, problems)
    own_problems, own_prompts = distributed.share(problems), distributed.share(prompts)
    drawn = sampler.generate(
        [prompt for prompt in own_prompts for _ in groups], [*groups] * len(own_prompts), seed
    )
    judged = [
        judge_responses(
            task,
            own_problems,
            own_prompts,
            drawn[place :: len(groups)],
            [temperatures] * len(own_prompts),
            version,
        )
        for place, temperatures in enumerate(groups)
    ]
    return [joined(own, task, problems, prompts) for own in judged]


def joined(
    own: Sequence[Rollout], task: Task, problems: Sequence[Problem], prompts: Sequence[Prompt]
) -> list[Rollout]:
    """The rollouts of all processes, on each of them, rewarded as one batch."""
    if distributed.count() == 1:
        return list(own)
    return combine_rewards(gather_rollouts(own, problems, prompts), task)


def collect_local(
    sampler: Sampler,
    task: Task,
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    seed: int,
    version: int,
    prompts: Sequence[Prompt] | None = None,
) -> list[Rollout]:
    """As ``collect``, by this process alone; all responses are judged in one batch."""
    prompts = prompts_of(task, problems) if prompts is None else prompts
    groups = sampler.sample(prompts, len(temperatures), list(temperatures), seed)
    return judge_responses(task, problems, prompts, groups, [temperatures] * len(groups), version)


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


def judge_responses(
    task: Task,
    problems: Sequence[Problem],
    prompts: Sequence[Prompt],
    groups: Sequence[Sequence[Response]],
    temperatures: Sequence[Sequence[float]],
    version: int,
) -> list[Rollout]:
    """The rollouts of N groups of responses, group by group, all judged in one batch.

    Args:
        task: judges.
        problems: N, one for each group.
        prompts: N, those of the problems.
        groups: the responses to each problem.
        temperatures: that each of them was sampled at.
        version: number of rounds that the policy has been trained for.
    """
    asked = zip(problems, prompts, groups, strict=True)
    owners = [(problem, prompt) for problem, prompt, group in asked for _ in group]
    responses = [response for group in groups for response in group]
    measured: list[dict[str, Any]] = [
        {"certainty": r.certainty, "logprob": r.logprob, "finished": r.finished} for r in responses
    ]
    flat = [temperature for group in temperatures for temperature in group]
    table = task.score(
        [problem for problem, _ in owners],
        [response.text for response in responses],
        measured,
    )
    return [
        Rollout(
            problem=problem,
            prompt=prompt,
            response=response,
            temperature=temperature,
            version=version,
            scores=dict(zip(table.names, map(float, table.scores[row]), strict=True)),
            reward=float(table.reward[row]),
            counts=task.panel.counts(problem.attempt(response.text, **measured[row])),
        )
        for row, ((problem, prompt), response, temperature) in enumerate(
            zip(owners, responses, flat, strict=True)
        )
    ]


def prompts_of(task: Task, problems: Sequence[Problem]) -> list[Prompt]:
    """The prompts of problems; images are rendered on first access."""
    return [task.prompt(problem) for problem in problems]


def gather_rollouts(
    own: Sequence[Rollout], problems: Sequence[Problem], prompts: Sequence[Prompt]
) -> list[Rollout]:
    """The rollouts of all processes, in the order of the processes, on each of them.

    Args:
        own: of this process.
        problems: all that any process was given; they are not sent between processes.
        prompts: of the problems; they are not sent either.
    """
    known = {each.id: (each, prompt) for each, prompt in zip(problems, prompts, strict=True)}
    sent = [(r.problem.id, replace(r, problem=NO_PROBLEM, prompt=NO_PROMPT)) for r in own]
    return [
        replace(rollout, problem=known[id][0], prompt=known[id][1])
        for id, rollout in distributed.gather(sent)
    ]


def combine_rewards(rollouts: Sequence[Rollout], task: Task) -> list[Rollout]:
    """The rollouts with the rewards of one batch: a rule may compare all of its rows."""
    panel = task.panel
    scores = np.array([[r.scores[name] for name in panel.names] for r in rollouts], np.float32)
    groups = tuple(r.problem.id for r in rollouts)
    table = panel.combine(ScoreTable(panel.names, scores, groups))
    return [
        replace(rollout, reward=float(reward))
        for rollout, reward in zip(rollouts, table.reward, strict=True)
    ]


def unique_problems(problems: Sequence[Problem]) -> list[Problem]:
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
