"""The child of ``symbolic``, run as a file: reads pairs of formulas, writes 1, 0 or ? for each."""

from __future__ import annotations

import json
import resource
import signal
import sys

MEMORY = 3 << 30  # bytes of address space
SECONDS = 0.7  # of processor time for one request; then the process ends, whatever it is doing


def main() -> None:
    """Answer one line at a time until the input ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # nothing else may write to the pipe
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    compare("x", "x")  # import and build the parsers before the first request
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + 5  # in case a library replaces the timer
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # SIGPROF is not handled, so it kills
        same = compare(*json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print("?" if same is None else int(same), file=replies, flush=True)


def compare(reference: str, predicted: str) -> bool | None:
    """Whether math-verify calls two formulas equal; None if it can't read one of them."""
    from math_verify import parse, verify

    try:
        left, right = (parse(f"${text}$", parsing_timeout=None) for text in (reference, predicted))
        same = verify(left, right, strict=True, timeout_seconds=None) if left and right else None
    except (Exception, RecursionError, MemoryError):  # no error of the libraries is an answer
        return None
    return same


if __name__ == "__main__":
    main()
