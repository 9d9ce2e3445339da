"""A run before it is started: memory, time, price, disk, accuracy, and where more would help."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.policy.policy import pick_device
from mstar.agents.rollout import unique_problems
from mstar.experiments.estimate.gpus import Gpu
from mstar.experiments.estimate.memory import Memory, empty_policy, longest, memory_of
from mstar.experiments.estimate.pilot import Pilot, pilot_recipe, run_pilot
from mstar.experiments.estimate.predict import Prediction, Range, advice, predict
from mstar.experiments.run.peak_memory import peak_memory
from mstar.experiments.run.problems import evaluation_sets, open_task
from mstar.experiments.run.train import prepare_torch
from mstar.rewards import Correctness, RewardPanel

GIB = 2**30
PROMPTS = 16  # that tell how long a prompt is
# Of what a run takes beside libraries: about the most that glibc kept for later of what was freed
# (experiments/results/memory). With these variables it gives all of it back.
KEPT = 0.45
# Beside libraries, a run's most over that of the pilot's two rounds: heaps hold more after more of
# them. About the middle of the runs there; on a GPU nothing is kept so.
LATER = 1.08
GIVING_BACK = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run takes and gives.

    Attributes:
        memory: of each process on its device, counted from shapes.
        libraries: bytes that Python and its libraries take of the same memory; 0 on a GPU, where
            they take none of what can be used.
        kept: bytes that the allocator may keep of what was freed, beyond what is in use; 0 on a GPU
            and where it gives all back.
        gpu: that was asked about; None for this machine.
        expected: bytes that a process of the run takes at most, by what the pilot took; None
            without a pilot on a device of the same kind.
        pilot: None where none was run.
        prediction: from the pilot; None without one.
        hours: of the whole run on this machine; None without a pilot.
        gpu_hours: on `gpu`, from the work and the maker's speed; None without either.
        price: of the hours; None without a price.
        disk: bytes; None without a pilot.
        advice: sentences.
    """

    memory: Memory
    libraries: int
    kept: int
    gpu: Gpu | None = None
    expected: int | None = None
    pilot: Pilot | None = None
    prediction: Prediction | None = None
    hours: Range | None = None
    gpu_hours: Range | None = None
    price: Range | None = None
    disk: int | None = None
    advice: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values, without the rows of the pilot."""
        found = asdict(self)
        if found["pilot"]:
            del found["pilot"]["rows"]
        memory = {"training": self.memory.training, "sampling": self.memory.sampling}
        return {**found, "memory": {**found["memory"], **memory}}

    def text(self) -> str:
        """Lines for the terminal."""
        return "\n".join([*self._memory(), *self._work(), *self._outcome()])

    def _memory(self) -> list[str]:
        m = self.memory
        held = {
            "weights": m.weights,
            "base policy": m.reference,
            "gradients": m.gradients,
            "moments": m.moments,
            "activations": m.activations,
            "logits, or a layer computed again": m.passing,
            "first weights": m.first,
        }
        parts = ", ".join(f"{name} {_gib(count)}" for name, count in held.items() if count)
        lines = [
            f"memory      {_gib(m.training)} to train: {parts}",
            f"            {_gib(m.sampling)} to sample, {_gib(m.cache)} of it keys and values",
        ]
        if self.libraries:
            lines.append(f"            {_gib(self.libraries)} for Python and libraries beside it")
        if self.expected:
            lines.append(
                f"            {_gib(self.expected)} to expect in all, by what the pilot took"
            )
        elif self.kept:
            given_back = " ".join(f"{name}=1048576" for name in GIVING_BACK)
            lines += [
                f"            up to {_gib(self.kept)} more that glibc keeps for later; with",
                f"            {given_back}",
                "            it gives all back, for about a tenth more time",
            ]
        if self.gpu:
            fits = (self.expected or m.most) <= self.gpu.usable_bytes
            lines.append(
                f"            {'fits' if fits else 'does not fit'} on one {self.gpu.name} "
                f"({self.gpu.gib} GiB, {_gib(self.gpu.usable_bytes)} of it usable)"
                + ("" if fits else "; see --lora-rank, --micro-batch, --gradient-checkpointing")
            )
        return lines

    def _work(self) -> list[str]:
        if self.prediction is None:
            return ["            (no pilot: time, tokens, disk and accuracy are not known)"]
        found = self.prediction
        lines = [
            f"pilot       {found.rounds} rounds on this machine; the run has {found.expected}",
            f"tokens      {_span(found.tokens * 1e-6, '.2f')} million in the rounds",
            f"work        {_span(found.flops * 1e-15, '.3g')} PFLOP, estimated",
        ]
        if self.hours:
            minutes = self.hours.high < 2
            time = _span(self.hours * (60 if minutes else 1), ".1f")
            lines.append(f"time        {time} {'minutes' if minutes else 'hours'} on this machine")
        if self.gpu and self.gpu_hours:
            lines.append(
                f"            {_span(self.gpu_hours, '.2g')} hours on one {self.gpu.name}, from "
                "its stated speed: a pilot there tells more"
            )
        if self.price:
            lines.append(f"price       {_span(self.price, '.2f')}")
        if self.disk is not None:
            lines.append(f"disk        up to {self.disk / 1e9:.2f} GB")
        return lines

    def _outcome(self) -> list[str]:
        if self.prediction is None:
            return []
        found = self.prediction.accuracy
        lines = [
            f"accuracy    {100 * found.mean:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}] "
            "greedy on validation problems after the last round, if it goes on as it began"
        ]
        return lines + [f"advice      {sentence}" for sentence in self.advice]


def estimate_run(
    recipe: Recipe,
    gpu: Gpu | None = None,
    pilot_seconds: float = 180.0,
    price_per_hour: float | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> RunEstimate:
    """Estimate a run; the pilot's folder is deleted.

    Args:
        recipe: of the run.
        gpu: to tell whether it fits, and how long it takes there.
        pilot_seconds: length of the pilot; 0 for none.
        price_per_hour: of the GPU, or of this machine.
        say: told the progress.

    Raises:
        ValueError, OSError: problems or model cannot be used.
    """
    prepare_torch(recipe.run.threads)
    device = "cuda" if gpu else pick_device("auto").type
    agent_class(recipe.run.agent)  # imports what the run will
    libraries = peak_memory() if device == "cpu" else 0
    memory = _memory_of(recipe, device)
    kept = kept_bytes(memory.most) if device == "cpu" else 0
    if not pilot_seconds:
        return RunEstimate(memory, libraries, kept, gpu)
    with tempfile.TemporaryDirectory(prefix="mstar-pilot-") as folder:
        pilot = run_pilot(recipe, Path(folder), pilot_seconds, say)
    tested = sum(len(each.problems) for each in evaluation_sets(recipe))
    found = predict(pilot.rows, recipe, pilot.scale, tested)
    hours = hours_of(pilot, found)
    gpu_hours = gpu.hours(found.flops) if gpu else None
    responses = recipe.run.rounds * recipe.sampling.prompts * recipe.sampling.samples
    return RunEstimate(
        memory,
        libraries,
        kept,
        gpu,
        _expected_memory(recipe, pilot, memory, libraries, device),
        pilot,
        found,
        hours,
        gpu_hours,
        (gpu_hours or hours) * price_per_hour if price_per_hour is not None else None,
        int(pilot.checkpoint_bytes + pilot.response_bytes * responses),
        tuple(advice(pilot.rows, recipe)),
    )


def hours_of(pilot: Pilot, found: Prediction) -> Range:
    """Hours of a whole run on the machine of its pilot; models are loaded twice."""
    loading = Range(1.5, 1.0, 2.0) * pilot.load_seconds
    return (loading + found.seconds + found.test_seconds) * (1 / 3600)


def kept_bytes(used: int) -> int:
    """The most that the allocator of this system keeps beside what a run uses."""
    gives_back = platform.libc_ver()[0] != "glibc" or all(map(os.environ.get, GIVING_BACK))
    return 0 if gives_back else int(KEPT * used)


def _expected_memory(
    recipe: Recipe, pilot: Pilot, memory: Memory, libraries: int, device: str
) -> int | None:
    """What the pilot took and later rounds add, scaled as what is counted if it was smaller."""
    if device != pick_device("auto").type or not pilot.memory:
        return None
    small = pilot_recipe(recipe)
    scale = memory.most / _memory_of(small, device).most if small != recipe else 1.0
    later = LATER if device == "cpu" else 1.0
    return int(libraries + later * scale * (pilot.memory - libraries))


def _memory_of(recipe: Recipe, device: str) -> Memory:
    policy = empty_policy(recipe)
    task = open_task(recipe, "train", panel=RewardPanel([Correctness()]))
    problems = unique_problems([task.problem(recipe.run.seed, index) for index in range(PROMPTS)])
    prompt = longest(policy, [task.prompt(each) for each in problems])
    return memory_of(recipe, policy, prompt, device)


def _gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB"


def _span(found: Range, form: str) -> str:
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"
