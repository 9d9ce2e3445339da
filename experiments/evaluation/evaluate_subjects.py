"""Runs and models on test problems: every one on every set, a file of rows for each pair."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.engine import sampler_of
from mstar.agents.seeds import mix
from mstar.envs.variants.phrasing import AXES, distinct_phrasings
from mstar.experiments.benchmarks.base import benchmark_set
from mstar.experiments.benchmarks.catalog import BENCHMARKS
from mstar.experiments.evaluation.evaluate import METRICS, values
from mstar.experiments.evaluation.subject import Subject
from mstar.experiments.evaluation.variants import ask_variants
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.problems import TRAINED, EvaluationSet, environment_sets, evaluation_sets
from mstar.experiments.run.train import evaluate_policy
from mstar.experiments.stats import Estimate, estimate
from mstar.rewards.models.relaxed_accuracy import Scoring

Tests = Callable[[Recipe], list[EvaluationSet]]
# Settings that decide how a problem is asked and an answer is drawn.
ASKING = (
    *("max_new_tokens", "test_temperature", "test_samples", "form", "show", "answer_form"),
    *("instruction", "system", "image_size", "min_pixels", "max_pixels", "phrasings"),
)

# Settings that decide which problems a run or a model has of its own.
PROBLEMS = ("env", "level", "families", "extra_families")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One figure of an evaluation.

    Attributes:
        subject: the run or model.
        test: the environment, or the group of a run's own test problems; where lines were asked
            for by family or the like, with the name of that behind it.
        metric: ``greedy``, ``pass@1``, ``pass@k`` or ``cut``.
        estimate: with its interval, over problems.
    """

    subject: str
    test: str
    metric: str
    estimate: Estimate

    def as_json(self) -> Row:
        """The same as JSON values; shares, not per cent."""
        found = self.estimate
        return {
            "subject": self.subject,
            "test": self.test,
            "metric": self.metric,
            "value": found.mean,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "seeds": found.runs,
        }


def opener(envs: Sequence[str], scoring: Scoring, benchmark: str, data: str, count: int) -> Tests:
    """What opens the test problems of a recipe.

    Args:
        envs: environments to test on; () for what the recipe trains on.
        scoring: what counts as right there.
        benchmark: a published benchmark in place of both, or "".
        data: where its published files are.
        count: number of its problems; 0 for all.
    """
    if benchmark:
        kind = BENCHMARKS[benchmark]
        return lambda recipe: [benchmark_set(benchmark, kind, data, recipe, count)]
    if envs:
        return lambda recipe: environment_sets(recipe, envs, scoring)
    return lambda recipe: evaluation_sets(recipe, scoring)


def evaluate_subjects(
    subjects: Sequence[Subject],
    tests: Tests,
    scoring: str,
    by: str,
    out: Path | None,
    say: Callable[[str], None],
) -> list[Accuracy]:
    """Every subject on its test problems, all of which are opened before a model is loaded.

    Args:
        subjects: runs and models, with the settings to evaluate under.
        tests: opens the test problems of a recipe.
        scoring: what counts as right, for the names of the files.
        by: the column of the rows that has a line for each of its values, or ``test`` for one line.
        out: a folder for the rows, a file for each subject and set; what stands there already is
            not evaluated again. None keeps nothing.
        say: is told what is going on.

    Raises:
        ValueError, FileNotFoundError: problems or a model are not usable.
    """
    plans = [(subject, tests(subject.recipe)) for subject in subjects]
    own = any(tested.group == TRAINED for _, opened in plans for tested in opened)
    for line in unequal_settings(subjects, (*PROBLEMS, *ASKING) if own else ASKING):
        say(line)
    found = []
    for subject, opened in plans:
        policy: Policy | None = None
        for tested in opened:
            path = None if out is None else out / _file_name(subject, tested, scoring)
            if path is not None and path.exists():
                say(f"{subject.name} on {tested.group}: there already")
                rows = read_rows(path)
            else:
                say(f"{subject.name} on {tested.group}: {len(tested.problems)} problems")
                policy = policy or subject.policy()
                labels = {"subject": subject.name, "test": tested.group}
                rows = evaluate_policy(tested, policy, subject.recipe, **labels)
                if path is not None and distributed.is_main():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_rows(path, rows)
            for part in sorted({row[by] for row in rows}):
                chosen = [row for row in rows if row[by] == part]
                test = (
                    tested.group if part == tested.group else f"{tested.group}, {part or 'other'}"
                )
                found += [
                    Accuracy(subject.name, test, metric, estimate([values(chosen, metric)]))
                    for metric in (*METRICS, "cut")
                ]
    return found


def unequal_settings(subjects: Sequence[Subject], deciding: Sequence[str]) -> list[str]:
    """A line for each of the deciding settings under which not all subjects are asked alike."""
    recipes = {subject.name: subject.recipe.resolved().settings() for subject in subjects}
    lines = []
    for setting in deciding:
        used = {name: settings[setting] for name, settings in recipes.items()}
        if len(set(used.values())) > 1:
            each = ", ".join(f"{value!r} for {name}" for name, value in used.items())
            flag = "--" + setting.replace("_", "-")
            lines.append(f"not asked alike: {setting} is {each}; {flag} sets it for all")
    return lines


def accuracy_table(found: Sequence[Accuracy]) -> str:
    """A markdown table with 95 % intervals by bootstrap over problems."""
    lines = [
        f"| {each.subject} | {each.test} | {each.metric} | {percent(each.estimate)} "
        f"| {each.estimate.n} | {each.estimate.runs} |"
        for each in found
    ]
    return table("| model | test problems | metric | % | n | seeds |", lines)


def ask_subject_variants(subject: Subject, count: int, axes: Sequence[Any]) -> list[Row]:
    """Greedy answers to every test problem in `count` phrasings; kept in the folder of a run.

    Args:
        subject: the run or model.
        count: of phrasings.
        axes: what varies; everything if none is named.

    Returns:
        A row a problem and phrasing; see ``ask_variants``.

    Raises:
        ValueError: fewer than two phrasings, or more than the axes give.
    """
    if count < 2:
        raise ValueError(f"a comparison needs at least two phrasings, got {count}")
    seed = subject.recipe.run.seed
    phrasings = distinct_phrasings(count, tuple(axes) or AXES, seed)
    tests = evaluation_sets(subject.recipe)
    sampler = sampler_of(subject.policy(), subject.recipe)
    rows: list[Row] = []
    for tested in tests:
        task, problems = tested.task, tested.problems
        rows += ask_variants(
            sampler, task, problems, phrasings, mix(seed, 0, 4), group=tested.group
        )
    if distributed.is_main() and subject.run is not None:
        write_rows(subject.run.path / "variants.jsonl", rows)
    return rows


def _file_name(subject: Subject, tested: EvaluationSet, scoring: str) -> str:
    """Another name for everything that would give other rows."""
    decides: Mapping[str, Any] = {
        "recipe": subject.recipe.settings(),
        "weights": weight_files(subject),
        "problems": [problem.id for problem in tested.problems],
        "scoring": scoring,
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]
    words = re.sub(r"[^\w.-]+", "-", f"{subject.name}--{tested.group}").strip("-")
    return f"{words[-100:]}-{digest}.jsonl"


def weight_files(subject: Subject) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files with the weights; [] for a model of the hub."""
    name = subject.recipe.model.name
    folder = subject.checkpoint or (EMBEDDED if name == "embedded" else Path(name))
    files = sorted(folder.glob("*.safetensors"))
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
