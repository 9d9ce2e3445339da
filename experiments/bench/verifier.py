"""Compare our verifier with math-verify: agreement with expected verdicts, and speed."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from mstar.experiments.bench.base import Bench
from mstar.experiments.bench.fuzz import fuzz_verifier
from mstar.experiments.bench.verdicts import SHIPPED, Case, read_verdicts
from mstar.experiments.rows import Row
from mstar.rewards.verifier.verify import verify

PATIENCE = 8.0  # seconds until a child that has not answered is killed
START = 120.0  # seconds for the imports of a child

Grade = Callable[[Case], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierBench(Bench):
    """Compare the verifier's verdicts with stated ones, beside math-verify; or try random text.

    Attributes:
        cases: a JSONL file of cases; by default those that ship.
        fuzz: number of random responses to verify instead of the cases.
    """

    cases: Path = SHIPPED
    fuzz: int = 0

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each grader and tier, or one for the random text."""
        return [fuzz_verifier(self.fuzz)] if self.fuzz else bench_verifier(self.cases)


def bench_verifier(cases: Path) -> list[Row]:
    """Have both graders grade every case, in one run.

    Args:
        cases: JSONL in one of the forms of ``verdicts.read_verdicts``.

    Returns:
        A row for each grader and tier: ``grader``, ``tier``, ``cases``, ``agreement`` in [0, 1],
        ``false_accepts``, ``false_rejects``, ``undecided`` (no verdict; not an agreement),
        ``median_ms`` and ``max_ms`` of wall-clock time, and ``over_1_s``, the cases that took
        longer than a second (math-verify gives up after three to eight).

    Raises:
        ValueError: a line is no case.
    """
    read = read_verdicts(cases)
    rows: list[Row] = []
    with _MathVerify() as other:
        for name, grade in (("mstar", _ours), ("math-verify", other.grade)):
            results = [_timed(grade, case) for case in read]
            for tier in ("all", *sorted({case.tier for case in read})):
                kept = [i for i, case in enumerate(read) if tier in ("all", case.tier)]
                told = [(read[i].expected, *results[i]) for i in kept]
                rows.append({"grader": name, "tier": tier, **_summary(told)})
    return rows


def _timed(grade: Grade, case: Case) -> tuple[bool | None, float]:
    began = time.perf_counter()
    return grade(case), time.perf_counter() - began


def _summary(told: list[tuple[bool, bool | None, float]]) -> Row:
    times = [1000 * seconds for _, _, seconds in told]
    return {
        "cases": len(told),
        "agreement": sum(said == expected for expected, said, _ in told) / len(told),
        "false_accepts": sum(said is True and not expected for expected, said, _ in told),
        "false_rejects": sum(said is False and expected for expected, said, _ in told),
        "undecided": sum(said is None for _, said, _ in told),
        "median_ms": statistics.median(times),
        "max_ms": max(times),
        "over_1_s": sum(each > 1000 for each in times),
    }


def _ours(case: Case) -> bool | None:
    verdict = verify(case.response, case.answer)
    # A reference answer that can't be read is to be refused: that is a verdict.
    refused = "reference answer" in verdict.reason
    return verdict.correct if verdict.valid or refused else None


class _MathVerify:
    """math-verify with its defaults, in a child process that is killed if it does not answer."""

    def __enter__(self) -> _MathVerify:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def grade(self, case: Case) -> bool | None:
        """The child's verdict; None if it was killed or raised an exception."""
        try:
            self._pipe.send((case.answer.value, case.response))
            if self._pipe.poll(PATIENCE):
                said: bool | None = self._pipe.recv()
                return said
        except (EOFError, OSError):
            pass
        self._stop()
        self._start()
        return None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(target=_grade_for_ever, args=(theirs,), daemon=True)
        self._child.start()
        theirs.close()
        if not self._pipe.poll(START) or self._pipe.recv() != "ready":
            raise RuntimeError(f"math-verify did not start within {START:.0f} s")

    def _stop(self) -> None:
        self._child.kill()
        self._child.join()
        self._pipe.close()


def _grade_for_ever(pipe: Connection) -> None:
    from math_verify import parse
    from math_verify import verify as compare

    compare(parse("$1$"), parse("$1$"))
    pipe.send("ready")
    while True:
        try:
            gold, response = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(bool(compare(parse(f"${gold}$"), parse(response))))
        except Exception:  # a grader that raises gives no verdict
            pipe.send(None)
