"""The child process of ``symbolic``: reads pairs of formulas, writes 1, 0 or ? for each."""

from __future__ import annotations

import json
import resource
import sys

MEMORY = 3 << 30  # bytes of address space
SECONDS = 5  # of processor time for one request, in case the parent is gone


def main() -> None:
    """Answer one line at a time until the input ends."""
    from math_verify import parse, verify

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    replies, sys.stdout = sys.stdout, sys.stderr  # nothing else may write to the pipe
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            gold, said = (parse(f"${text}$", parsing_timeout=None) for text in json.loads(line))
            same = verify(gold, said, strict=True, timeout_seconds=None) if gold and said else None
        except (Exception, RecursionError, MemoryError):  # whatever algebra raises, it is no answer
            same = None
        print("?" if same is None else int(same), file=replies, flush=True)


if __name__ == "__main__":
    main()
