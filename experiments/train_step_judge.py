"""Train the process reward model that ships with the package, and say how well it finds errors.

    python -m mstar.experiments.train_step_judge --out DIR

It starts from a policy and learns, by binary cross-entropy on every step, from three kinds of
responses in equal parts: exact solutions, solutions with one slip, and the policy's own samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console

from mstar.agents.collect import ask
from mstar.agents.recipe import Recipe
from mstar.agents.sampler import LocalSampler
from mstar.agents.step_judge import StepJudge
from mstar.agents.step_labels import Labelled, exact, labelled, slipped
from mstar.envs.problem import Problem
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.experiments.problems import open_env
from mstar.experiments.run_folder import Row, write_rows
from mstar.experiments.step_errors import error_table
from mstar.experiments.train import load_policy, prepare_torch
from mstar.rewards.process import first_error

SEED = 7_000  # far from the seeds of runs, so that a judge has not seen their problems


@dataclass(frozen=True)
class JudgeTraining:
    """How the step judge is made.

    Attributes:
        out: folder for the judge.
        model: the policy that it starts from and whose samples it learns to judge.
        families: whose problems.
        updates: of AdamW.
        batch: responses of an update.
        learning_rate: peak, after 20 updates; then a straight line to a tenth.
        samples: of the policy, per problem that is sampled.
        test: unseen problems that the errors are looked for in.
        seed: of problems and sampling.
    """

    out: Path
    model: str = "embedded"
    families: tuple[str, ...] = Recipe().families
    updates: int = 300
    batch: int = 32
    learning_rate: float = 2e-3
    samples: int = 1
    test: int = 300
    seed: int = SEED


def examples(
    settings: JudgeTraining, sampler: LocalSampler, env: ProblemVectorEnv, rng: np.random.Generator
) -> Iterator[Labelled]:
    """Endless labelled responses to fresh problems, the three kinds in turn."""
    while True:
        problems = env.draw(48)
        third = len(problems) // 3
        found: list[Labelled | None] = [exact(problem) for problem in problems[:third]]
        found += [slipped(problem, rng) for problem in problems[third : 2 * third]]
        found += own(settings, sampler, env, problems[2 * third :])
        known = [example for example in found if example is not None]
        yield from (known[i] for i in rng.permutation(len(known)))


def own(
    settings: JudgeTraining,
    sampler: LocalSampler,
    env: ProblemVectorEnv,
    problems: Sequence[Problem],
) -> list[Labelled | None]:
    """The policy's own samples at temperature 1, with exact labels."""
    prompts = [ask(env, problem) for problem in problems]
    groups = sampler.sample(prompts, settings.samples, 1.0, settings.seed)
    return [
        labelled(problem, response.text)
        for problem, group in zip(problems, groups, strict=True)
        for response in group
    ]


def fit(judge: StepJudge, stream: Iterator[Labelled], settings: JudgeTraining) -> Iterator[float]:
    """Train the judge in place; yields the loss of every update."""
    weights = [*judge.backbone.model.parameters(), *judge.head.parameters()]
    optimizer = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=0.01)
    judge.backbone.model.train()
    for update in range(settings.updates):
        left = 1 - 0.9 * update / settings.updates
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min((update + 1) / 20, left)
        batch = [next(stream) for _ in range(settings.batch)]
        prompts = [judge.prompt(example.problem.attempt("")) for example in batch]
        logits = torch.cat(judge.logits(prompts, [example.steps for example in batch]))
        right = torch.tensor([float(value) for example in batch for value in example.right])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, right.to(logits))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        yield float(loss.detach())
    judge.backbone.model.eval()


def examined(judge: StepJudge, asked: Sequence[tuple[str, Labelled]]) -> list[Row]:
    """A row a response: where its first error is, and where the judge sees it."""
    attempts = [example.problem.attempt("\n".join(example.steps)) for _, example in asked]
    return [
        {
            "problem": example.problem.id,
            "family": example.problem.tags["family"],
            "source": source,
            "kind": example.kind,
            "first_error": example.first_error,
            "seen": first_error(steps),
            "steps": len(steps),
            "least": float(steps.min()),
        }
        for (source, example), steps in zip(asked, judge.scores(attempts), strict=True)
    ]


def train_step_judge(settings: JudgeTraining, console: Console) -> list[Row]:
    """Train, save, and look for errors in unseen problems; returns the rows of the test."""
    prepare_torch(1)
    torch.manual_seed(settings.seed)
    recipe = Recipe(families=settings.families, model=settings.model, seed=settings.seed)
    rng = np.random.default_rng(settings.seed)
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.batch_rows)
    judge = StepJudge.fresh(load_policy(recipe), recipe.size)
    stream = examples(settings, sampler, open_env(recipe, "train"), rng)
    losses: list[float] = []
    for loss in fit(judge, stream, settings):
        losses.append(loss)
        if len(losses) % 50 == 0:
            mean = np.mean(losses[-50:])
            console.print(f"update {len(losses)}/{settings.updates}  loss {mean:.4f}")
    judge.save(settings.out)
    env = open_env(recipe, "test")
    problems = env.draw(settings.test)
    asked = [("exact", exact(problem)) for problem in problems]
    asked += [("slip", found) for p in problems if (found := slipped(p, rng)) is not None]
    asked += [("own", found) for found in own(settings, sampler, env, problems) if found]
    rows = examined(judge, asked)
    write_rows(settings.out / "errors.jsonl", rows)
    described = {name: str(value) for name, value in vars(settings).items() if name != "out"}
    (settings.out / "training.json").write_text(json.dumps(described, indent=2) + "\n")
    return rows


if __name__ == "__main__":
    terminal = Console()
    tested = train_step_judge(tyro.cli(JudgeTraining), terminal)
    terminal.print(error_table(tested), soft_wrap=True)
