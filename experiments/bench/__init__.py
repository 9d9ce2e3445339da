"""Benchmarks that run on their own: ``mstar bench NAME``.

Speed is measured as a ratio of two ways within one run, so that numbers of different machines can
be compared; the verifier is measured by its agreement with stated verdicts (``verdicts.jsonl``) and
by random text. A new verdict plugs in as one line of that file; a new benchmark as a file with a
subclass of ``Bench``, and one line in ``catalog``.
"""
