"""Runs, studies, benchmarks and the command line."""
