"""Benchmarks: measured on scenes with known truth, written in one form."""

from spa2v_lab.bench.frame import Goal, Interval, Results, Row, interval, run_benchmark

__all__ = ["Goal", "Interval", "Results", "Row", "interval", "run_benchmark"]
