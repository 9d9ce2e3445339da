"""The regret of exploration controllers on simulated policies: ``mstar bench exploration``.

A simulated policy is a formula, so the best temperature of every round is known. A scenario says
how such a policy changes over a run. ``bench`` lets every controller choose the temperatures of
every scenario and sums its regret against the best ones. A controller of ``mstar.agents.explore``
plugs in through ``contenders`` in ``bench.py``, a scenario in ``scenarios.py``. ``python -m
mstar.experiments.bench.exploration.curves --out FILE.jsonl`` measures a real policy's samples at
several temperatures, and ``python -m mstar.experiments.bench.exploration.sample_allocation
FILE.jsonl`` replays sample-allocation rules on them.
"""
