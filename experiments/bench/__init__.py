"""Benchmarks: speed as ratios within one run, and the regret of exploration controllers."""
