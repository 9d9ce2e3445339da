"""Training and evaluation of the step judge, the learned process reward model.

``python -m mstar.experiments.judges.train --out DIR`` trains one on labelled responses; ``python -m
mstar.experiments.judges.evaluation --out FILE.jsonl`` measures how well it finds the first error,
``best_of`` what it adds to majority votes, and ``label_agreement`` how well Monte-Carlo labels
agree with exact ones. Another judge is evaluated by giving its folder with ``--judge``; other
problems plug in with ``--env``.
"""
