"""Reward models, one a file: a class with a `name` and `score(attempts)`; its line stands in `REWARDS`."""
