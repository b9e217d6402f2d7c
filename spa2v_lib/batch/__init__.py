"""Batches: many recordings through a parameterized notebook, on one machine or many."""

from spa2v_lib.batch.run import BatchProgress, BatchSummary, run_batch
from spa2v_lib.batch.workers import ENGINES, Engine

__all__ = ["ENGINES", "BatchProgress", "BatchSummary", "Engine", "run_batch"]
