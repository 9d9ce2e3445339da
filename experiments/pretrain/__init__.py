"""Pretraining of the embedded model that ships with the package.

``python -m mstar.experiments.pretrain.pretrain --out DIR`` trains it from random weights, first to
read images and then on solutions of mixed quality. ``corpus`` draws the problems and writes the
solutions; a family plugs in by its name in ``--families``.
"""
