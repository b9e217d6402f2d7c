"""Batches: many recordings through a parameterized notebook, on one machine or many."""

from spa2v_lib.batch.engines import ENGINES, Crew
from spa2v_lib.batch.run import Progress, Summary, run_batch

__all__ = ["ENGINES", "Crew", "Progress", "Summary", "run_batch"]
