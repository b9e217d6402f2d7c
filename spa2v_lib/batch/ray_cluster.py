"""Workers on the nodes of a Ray cluster, each replaced when it or its node is lost.

Every node must see the batch's folder and the recordings under the same paths. Ray itself moves
Python objects between machines by pickling; the batch gives it plain tables and gets plain tables.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.batch.tasks import Task, TaskResult
from spa2v_lib.errors import BatchError
from spa2v_lib.resources import install_command

if TYPE_CHECKING:
    from spa2v_lib.batch.workers import Engine

__all__ = ["run_on_cluster"]

_PATIENCE_S = 120.0
_LOOK_S = 1.0
_ANSWER_S = 10.0


class Worker:
    """Lives on a node, and keeps what it has loaded from one item to the next."""

    def ready(self, root: str) -> str:
        """Return the node's name, or raise if the batch's folder is not seen from it."""
        import platform

        if not (Path(root) / "batch.json").is_file():
            raise BatchError(
                f"node {platform.node()} does not see {root}; a batch needs a folder that all "
                "nodes share"
            )
        return platform.node()

    def do(self, task: dict[str, Any]) -> dict[str, Any]:
        """Work on one item."""
        from spa2v_lib.batch.execution import execute

        return asdict(execute(Task(**task)))


def run_on_cluster(engine: Engine, tasks: Iterable[Task]) -> Generator[TaskResult, None, None]:
    """Yield the results of tasks as they come.

    Parameters as of `spa2v_lib.batch.workers.run_tasks`.

    Parameters
    ----------
    engine : Engine
        Address of the cluster, and the processors and GPUs that each item takes.
    tasks : iterable of Task
        In the order they are begun in.

    Yields
    ------
    TaskResult
        Of each task, in the order they end in.

    Raises
    ------
    BatchError
        If Ray is not installed, there is no such cluster, or a node does not see the folder.

    Examples
    --------
    >>> from spa2v_lib.batch import Engine
    >>> cluster = Engine("ray", address="10.0.0.5:6379", gpus_per_item=1.0)
    >>> for result in run_on_cluster(cluster, tasks):  # doctest: +SKIP
    ...     print(result.name, result.status)
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        import ray
    except ImportError as error:
        raise BatchError(f"engine ray needs Ray: {install_command('batch', 'ray')}") from error
    mine = not ray.is_initialized()
    if mine:
        _connect(ray, engine)
    try:
        yield from _Team(ray, engine).results(tasks)
    finally:
        if mine:
            ray.shutdown()


def _connect(ray: Any, engine: Engine) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    options["configure_logging"] = False
    if engine.address == "local":
        options["include_dashboard"] = False
    try:
        _knock(engine.address)
        ray.init(address=engine.address, **options)
    except (RuntimeError, ValueError, OSError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BatchError(
            f"no Ray cluster at {engine.address!r}: {reason}; start one (ray start --head), or "
            "take --address local"
        ) from error


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()


class _Team:
    """Hands out tasks, one to each worker at a time."""

    def __init__(self, ray: Any, engine: Engine) -> None:
        self._ray, self._engine = ray, engine
        needs = {"num_cpus": engine.cpus_per_item, "num_gpus": engine.gpus_per_item}
        # Ray restarts nothing by itself: a worker that comes back would do its item in vain.
        self._hire = ray.remote(max_restarts=0, max_task_retries=0, **needs)(Worker).remote
        self._count = engine.workers or self._room()
        self._coming: dict[Any, Any] = {}  # a worker's first sign of life, and the worker
        self._busy: dict[Any, tuple[Any, Task, int, float]] = {}
        self._again: deque[tuple[Task, int]] = deque()

    def _room(self) -> int:
        """Return how many workers the cluster has room for."""
        has = self._ray.cluster_resources()
        needed = {"CPU": self._engine.cpus_per_item, "GPU": self._engine.gpus_per_item}
        places = [int(has.get(what, 0.0) / each) for what, each in needed.items() if each]
        if not min(places, default=1):
            raise BatchError(
                f"the Ray cluster has {has.get('CPU', 0):g} processors and {has.get('GPU', 0):g} "
                f"GPUs, too few for one item ({needed['CPU']:g} and {needed['GPU']:g})"
            )
        return min(places, default=1)

    def results(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """Yield results as they come."""
        todo = iter(tasks)
        first = next(todo, None)
        if first is None:
            return
        self._again.append((first, 0))
        root, alive = first.root, time.monotonic()
        for _ in range(self._count):
            self._call_in(root)
        idle: list[Any] = []
        while True:
            idle = self._hand_out(idle, todo)
            if not self._busy and not self._again:
                return
            signs = [*self._coming, *self._busy]
            ready, _ = self._ray.wait(signs, num_returns=1, timeout=_LOOK_S)
            for sign in ready:
                alive = time.monotonic()
                if sign in self._coming:
                    idle += self._arrived(sign, root)
                    continue
                worker, result = self._answered(sign, root)
                if worker is not None:
                    idle.append(worker)
                if result is not None:
                    yield result
            yield from self._late(root)
            if not self._busy and not idle and time.monotonic() - alive > _PATIENCE_S:
                raise BatchError(f"no worker has come up for {_PATIENCE_S:g} s; see `ray status`")

    def _call_in(self, root: str) -> None:
        worker = self._hire()
        self._coming[worker.ready.remote(root)] = worker

    def _hand_out(self, idle: list[Any], todo: Iterator[Task]) -> list[Any]:
        """Give every idle worker a task; return those for whom there is none."""
        for index, worker in enumerate(idle):
            task, tries = self._again.popleft() if self._again else (next(todo, None), 0)
            if task is None:
                return idle[index:]
            sign = worker.do.remote(task.as_dict())
            self._busy[sign] = (worker, task, tries + 1, time.monotonic())
        return []

    def _arrived(self, sign: Any, root: str) -> list[Any]:
        worker = self._coming.pop(sign)
        try:
            self._ray.get(sign)
        except self._ray.exceptions.RayTaskError as error:
            raise BatchError(str(error.cause)) from error
        except self._ray.exceptions.RayError:
            self._call_in(root)
            return []
        return [worker]

    def _answered(self, sign: Any, root: str) -> tuple[Any, TaskResult | None]:
        """Return the worker if it lives, and the result unless the task is begun again."""
        worker, task, tries, _ = self._busy.pop(sign)
        try:
            return worker, TaskResult(**self._ray.get(sign))
        except self._ray.exceptions.RayTaskError as error:
            return worker, TaskResult(task.name, "failed", f"{type(error.cause).__name__}: {error}")
        except self._ray.exceptions.RayError:
            self._call_in(root)
            if tries < self._engine.tries:
                self._again.append((task, tries))
                return None, None
            times = f" ({tries} times)" if tries > 1 else ""
            return None, TaskResult(task.name, "lost", f"the worker or its node was lost{times}")

    def _late(self, root: str) -> Iterator[TaskResult]:
        """Give up items that take too long, with their workers."""
        limit = self._engine.timeout_s
        if limit is None:
            return
        for sign, (worker, task, _, begin) in list(self._busy.items()):
            if time.monotonic() - begin > limit:
                del self._busy[sign]
                self._ray.kill(worker)
                self._call_in(root)
                error = f"the worker gave up after {limit:g} s, the time limit"
                yield TaskResult(task.name, "lost", error)
