"""Measurements. `python -m tests.benchmarks.pool` prints the figures of a whole pool."""
