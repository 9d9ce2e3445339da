"""Reward models, one a file: a `name` and `score(attempts)`; each has a line in `REWARDS`."""
