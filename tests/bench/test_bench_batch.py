"""The benchmark of batches: real batches, with fewer steps and shorter sounds."""

from __future__ import annotations

import os
from functools import partial

import pytest

from spa2v_lab.bench import batch


@pytest.mark.slow
def test_two_workers_overhead_and_resuming_are_measured_on_real_batches(monkeypatch):
    monkeypatch.setattr(batch, "_batch", partial(batch._batch, steps=1))
    monkeypatch.setattr(batch, "_SECONDS", 0.25)
    threads = os.environ.get("OMP_NUM_THREADS")
    results = batch.run(quick=True, seed=0, progress=lambda *_: None)
    assert {goal.name: (goal.relation, goal.bound) for goal in results.goals} == batch.GOALS
    assert all(goal.value is not None and goal.value > 0 for goal in results.goals)
    assert [(row.method, row.condition) for row in results.rows] == [
        ("1 worker", "0.25 s of sound"),
        ("2 workers", "0.25 s of sound"),
        ("notebook", "beyond the pipeline"),
        ("resuming", "finished batch"),
    ]
    assert os.environ.get("OMP_NUM_THREADS") == threads
