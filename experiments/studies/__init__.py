"""Studies: several agents compared over several seeds at equal cost.

Run one with ``mstar compare NAME``: it tunes and trains every arm, and writes tables, figures and a
page from the stored rows. A new study plugs in as one entry of ``STUDIES`` in ``catalog.py``: a
question, a base recipe, and the settings that each arm changes. ``plan`` lists its runs, ``tuning``
chooses learning rates, ``runner`` executes runs in processes, ``rows`` reads and packs what they
stored, and ``tables``, ``plots`` and ``page`` present it. Two analyses of stored rollouts have
commands of their own: ``python -m mstar.experiments.studies.selection_headroom RUN ...`` and
``python -m mstar.experiments.studies.hinted_reasons RUN ...``.
"""
