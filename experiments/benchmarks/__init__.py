"""Published benchmarks by name, asked and scored as their makers do, for comparable figures.

A benchmark plugs in with one file, a class like those beside this one (``base.Benchmark``), and one
line in ``catalog.BENCHMARKS``. Elsewhere, and in training, our own prompts and verifier are used.
"""
