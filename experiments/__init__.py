"""Runs: recipes, the command line, run folders, statistics and reports."""
