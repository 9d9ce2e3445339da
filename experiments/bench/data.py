"""What a data set with large images costs: checking it, and reading it again once it is checked."""

from __future__ import annotations

import io
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mstar.envs.datasets.audit import audit_dataset
from mstar.envs.datasets.source import DatasetSource
from mstar.envs.datasets.validate import validate_dataset
from mstar.experiments.bench.base import Bench
from mstar.experiments.rows import Row

DISTINCT = 200  # images; the other rows show the same ones under other names
WIDTH, HEIGHT = 800, 600  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBench(Bench):
    """Time checking and reading a made-up set of large images.

    Attributes:
        rows: of the set.
    """

    rows: int = 1_000

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each step."""
        return bench_data(self.rows)


def bench_data(rows: int) -> list[Row]:
    """Check a made-up set of JPEG files of about 100 KB, and start twice with it, in one process.

    Args:
        rows: of the set, each with a file of its own, which is read and decoded.

    Returns:
        A row for each of three steps: decoding every image in full, which is what checking cost
        before; ``mstar envs validate`` of a set that was never checked; and what a later start of
        a run spends on reading the set. Each has ``rows``, ``kilobytes`` of an image,
        ``cpu_seconds``, the ``ratio`` of these to those of the first step, and the largest memory
        of the process up to then, ``memory_mb``.
    """
    with tempfile.TemporaryDirectory() as folder:
        size = _write(Path(folder), rows)
        path = str(Path(folder, "problems.jsonl"))
        steps = (
            ("decode in full", lambda: _decode(Path(folder))),
            ("validate", lambda: validate_dataset(path)),
            ("read again", lambda: DatasetSource(audit_dataset(path))),
        )
        results: list[Row] = []
        for name, step in steps:
            began = time.process_time()
            step()
            seconds = time.process_time() - began
            first = results[0]["cpu_seconds"] if results else seconds
            results.append(
                {
                    "step": name,
                    "rows": rows,
                    "kilobytes": size / 1000,
                    "cpu_seconds": seconds,
                    "ratio": seconds / first,
                    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
    return results


def _write(folder: Path, rows: int) -> float:
    """Write the set; returns the mean size of an image in bytes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (HEIGHT // 10, WIDTH // 10, 3), dtype=np.uint8)
    shapes = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT)))
    sizes: list[int] = []
    with open(folder / "problems.jsonl", "w", encoding="utf-8") as file:
        for number in range(rows):
            path = folder / f"{number}.jpg"
            if number < DISTINCT:
                noise = rng.integers(0, 20, (HEIGHT, WIDTH, 1))
                pixels = np.clip(np.roll(shapes, 4 * number, 1) + noise, 0, 255).astype(np.uint8)
                encoded = io.BytesIO()
                Image.fromarray(pixels).save(encoded, "JPEG", quality=70)
                sizes.append(path.write_bytes(encoded.getvalue()))
            else:
                os.link(folder / f"{number % DISTINCT}.jpg", path)
            question = f"How many bars are higher than {number}?"
            row = {"image": path.name, "question": question, "answer": str(number % 97)}
            file.write(json.dumps(row) + "\n")
    return sum(sizes) / len(sizes)


def _decode(folder: Path) -> None:
    for path in folder.glob("*.jpg"):
        with Image.open(path) as image:
            image.convert("RGB")
