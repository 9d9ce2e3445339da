"""The benchmarks by name: to add one, write a subclass of ``Bench`` and add a line here."""

from __future__ import annotations

from mstar.agents.registry import Entry

BENCHES: dict[str, Entry] = {
    "sampler": "mstar.experiments.bench.model_sampler:SamplerBench",
    "train": "mstar.experiments.bench.train:TrainBench",
    "memory": "mstar.experiments.bench.memory:MemoryBench",
    "architectures": "mstar.experiments.bench.architectures:ArchitecturesBench",
    "verifier": "mstar.experiments.bench.verifier:VerifierBench",
    "envs": "mstar.experiments.bench.envs:EnvsBench",
    "data": "mstar.experiments.bench.data:DataBench",
    "judge": "mstar.experiments.bench.judge:JudgeBench",
    "exploration": "mstar.experiments.bench.exploration.bench:ExplorationBench",
    "kills": "mstar.experiments.bench.kills:KillsBench",
    "soak": "mstar.experiments.bench.soak:SoakBench",
}
