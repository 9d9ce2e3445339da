"""What GPUs have: memory, and speed as their makers state it."""

from __future__ import annotations

from dataclasses import dataclass

from mstar.agents.registry import unknown
from mstar.experiments.estimate.predict import Range

# Share of the stated speed that whole runs reach. Sampling is bound by memory, and small models by
# launches; TRL's trainers at 1 to 8 billion weights reach up to a third.
REACHED = (0.03, 0.35)
USABLE = 0.9  # of the memory; the rest is taken by libraries and lost between blocks (docs/cost.md)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        name: on the command line.
        gib: of memory.
        teraflops: dense, in bfloat16 (float16 where it lacks that), from the maker's data sheet.
    """

    name: str
    gib: int
    teraflops: int

    @property
    def usable_bytes(self) -> int:
        """Memory that a run can have."""
        return int(USABLE * self.gib * 2**30)

    def hours(self, flops: Range) -> Range:
        """GPU-hours of a work, between the best and the worst share of the speed."""
        worst, best = (reached * self.teraflops * 1e12 * 3600 for reached in REACHED)
        middle = (worst * best) ** 0.5
        return Range(flops.mean / middle, flops.low / best, flops.high / worst)


GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        Gpu("t4", 16, 65),
        Gpu("l4", 24, 121),
        Gpu("rtx4090", 24, 165),
        Gpu("a10g", 24, 70),
        Gpu("l40s", 48, 362),
        Gpu("a100-40gb", 40, 312),
        Gpu("a100-80gb", 80, 312),
        Gpu("h100", 80, 989),
        Gpu("h200", 141, 989),
    )
}


def gpu_named(name: str) -> Gpu:
    """The GPU of a name; ValueError if it is not in the list."""
    if name not in GPUS:
        raise ValueError(unknown("GPU", name, GPUS))
    return GPUS[name]
