"""A batch from its recordings to its index page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spa2v_lib.batch.estimate import estimate_tasks, hosted
from spa2v_lib.batch.execution import changes, record_failure
from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.batch.results import as_row, write_index, write_tables
from spa2v_lib.batch.store import Store
from spa2v_lib.batch.tasks import Task, TaskResult, end_to_end, make_tasks, read_template
from spa2v_lib.batch.workers import Engine, run_tasks
from spa2v_lib.errors import BatchError, OutputError
from spa2v_lib.planning.cost import Estimate
from spa2v_lib.resources import install_command

__all__ = ["BatchProgress", "BatchSummary", "run_batch"]

_NEEDED = ("papermill", "pyarrow", "filelock")
_INDEX_EVERY_S = 15.0
_LOOK_AGAIN_S = 2.0


@dataclass(frozen=True)
class BatchProgress:
    """Where a batch stands.

    Attributes
    ----------
    done, failed, total : int
        Items; `done` counts the failed ones too, and those that needed no work.
    left_s : float or None
        Seconds that the rest is going to take at the pace so far; None before there is one.
    last : TaskResult or None
        What has just come in.

    Examples
    --------
    >>> state = BatchProgress(done=3, failed=1, total=10, left_s=42.0, last=None)
    >>> state.total - state.done
    7
    """

    done: int
    failed: int
    total: int
    left_s: float | None
    last: TaskResult | None


@dataclass(frozen=True)
class BatchSummary:
    """What a batch has come to.

    Attributes
    ----------
    root : Path
        The batch's folder, absolute.
    total, kept, worked, failed : int
        Items in all; those whose earlier result still held; those worked on, here or by a batch
        beside; and those of the latter that failed.

    Examples
    --------
    >>> summary = BatchSummary(Path("/runs"), total=10, kept=6, worked=4, failed=1)
    >>> summary.worked - summary.failed  # made anew
    3
    """

    root: Path
    total: int
    kept: int
    worked: int
    failed: int


def run_batch(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    notebook: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[BatchProgress], None] | None = None,
    announce: Callable[[Estimate], None] | None = None,
    **defaults: Any,
) -> BatchSummary:
    """Run many recordings through a notebook, each into a run folder of its own.

    Parameters
    ----------
    sources : sequence of path
        Manifests, folders, patterns or recordings; see `spa2v_lib.batch.manifest.read_rows`.
    out : path
        The batch's folder: ``items/``, ``index.html``, ``results.csv``, ``results.parquet``.
    engine : Engine, optional
        Where items run; in this process if not given.
    notebook : path, optional
        A notebook with parameters RECORDING and OUT that makes a run folder at OUT; the book's
        end-to-end notebook if not given.
    resume : bool
        Go on with the batch in `out`: only what is missing, failed, or followed from another
        input, other parameters, weights, code or notebook is done. Several batches may work in
        one folder at the same time.
    progress : callable, optional
        Called with a `BatchProgress` whenever an item has come in.
    announce : callable, optional
        If a hosted model plans, called before it is asked with an `Estimate` of what the items
        that are to be done take. They are analyzed once more for it.
    **defaults
        Parameters for all rows that say nothing else, by the manifest's names.

    Returns
    -------
    BatchSummary

    Raises
    ------
    BatchError
        If anything about the request cannot work; nothing is begun then. An item that fails does
        not raise: see `BatchSummary.failed`.
    OutputError
        If `out` cannot be written to, or not any more.

    See Also
    --------
    spa2v_lib.runs.generate_run : One recording.

    Examples
    --------
    >>> run_batch(["no/such/folder/*.wav"], "runs")
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.BatchError: there is no recording in no/such/folder/*.wav
    """
    _check_installed()
    engine = engine or Engine()
    engine.check()
    template = read_template(notebook or end_to_end())
    store = Store(Path(out).resolve())
    tasks = make_tasks(store.root, read_rows(sources, template.columns), template, defaults)
    store.open(template, resume=resume)
    if announce is not None:
        _announce(store, tasks, announce)
    state = _State(store, tasks, progress or (lambda _: None))
    store.sweep_all()
    try:
        _work(store, engine, state)
    finally:
        store.sweep_all()
        state.write_index()
    return state.summary()


def _check_installed() -> None:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise BatchError(f"batches need {', '.join(missing)}: {install_command('batch')}")


def _announce(store: Store, tasks: Sequence[Task], announce: Callable[[Estimate], None]) -> None:
    """Say what is going to be paid for; whether items still hold is looked up for no others."""
    expected = estimate_tasks(task for task in hosted(tasks) if changes(store, task))
    if expected is not None:
        announce(expected)


def _work(store: Store, engine: Engine, state: _State) -> None:
    """Do what is to be done, and wait for what other batches have begun."""
    todo = state.to_be_done()
    while todo:
        busy: set[str] = set()
        with closing(run_tasks(engine, todo)) as results:  # workers end before all else is tidied
            for result in results:
                if result.status == "busy":
                    busy.add(result.name)
                else:
                    state.take(result)
        todo = (state.tasks[name] for name in sorted(busy)) if busy else None
        if busy:
            state.write_index()
            time.sleep(_LOOK_AGAIN_S)


class _State:
    """Counts what has come in, and keeps index and tables up to date."""

    def __init__(
        self, store: Store, tasks: Sequence[Task], progress: Callable[[BatchProgress], None]
    ) -> None:
        self.tasks: Mapping[str, Task] = {task.name: task for task in tasks}
        self._store, self._progress = store, progress
        self._kept = self._worked = self._failed = 0
        self._begin = self._written = time.monotonic()

    def to_be_done(self) -> Iterator[Task]:
        """Yield the tasks whose results are not there or do not hold any more."""
        for task in self.tasks.values():
            if changes(self._store, task):
                yield task
            else:
                self._kept += 1
                self._report(None)

    def take(self, result: TaskResult) -> None:
        """Count a result; of a lost worker, keep what can be said about it."""
        if result.status == "broken":
            raise OutputError(result.error)
        if result.status == "lost":
            record_failure(self.tasks[result.name], result.error)
        self._worked += 1
        self._failed += result.status != "done"
        if time.monotonic() - self._written > _INDEX_EVERY_S:
            self.write_index()
        self._report(result)

    def _report(self, result: TaskResult | None) -> None:
        done = self._kept + self._worked
        left = None
        if self._worked:
            pace = (time.monotonic() - self._begin) / self._worked
            left = pace * (len(self.tasks) - done)
        self._progress(BatchProgress(done, self._failed, len(self.tasks), left, result))

    def write_index(self) -> None:
        """Write index and tables from what lies in the folder, other batches' items included."""
        with self._store.whole():
            records = self._store.records()
            rows = [as_row(record) for record in records]
            there = {record["folder"] for record in records}
            write_tables(self._store, rows)
            write_index(self._store, rows, sum(name not in there for name in self.tasks))
        self._written = time.monotonic()

    def summary(self) -> BatchSummary:
        return BatchSummary(
            self._store.root, len(self.tasks), self._kept, self._worked, self._failed
        )
