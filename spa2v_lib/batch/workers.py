"""Where items run: in this process, in several, or on a Ray cluster.

An engine takes tasks as they are needed and yields their results as they come, in any order, each
task once. Tasks are taken only when somebody is free to work on them, so that a manifest of any
length costs no memory and other batches find something left to do.

Worker processes are programs of their own, which exchange a line of JSON for a line of JSON
(``python -m spa2v_lib.batch.workers``). That is less code than a process pool would need around
it: pools that spawn run the caller's main script again, and their workers go on for a while when
the batch itself is killed. These end at once, in the middle of their work: what they have prepared
is hidden, and their locks fall back.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass

from spa2v_lib.batch.tasks import Task, TaskResult
from spa2v_lib.doctor import cpu_count
from spa2v_lib.errors import BatchError

__all__ = ["ENGINES", "Engine", "default_workers", "run_tasks"]

ENGINES = ("inline", "processes", "ray")

# Importing the package imports this module too, which runpy remarks upon.
_COMMAND = [sys.executable, "-W", "ignore::RuntimeWarning:runpy", "-m", "spa2v_lib.batch.workers"]
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Engine:
    """Where items run, and how many at once.

    Attributes
    ----------
    name : {"inline", "processes", "ray"}
        Where items run: in this process, in processes of this machine, or on a Ray cluster.
    workers : int or None
        How many; None takes half of the machine's cores, or what a Ray cluster can hold.
    timeout_s : float or None
        After so long an item is given up. Not with "inline", which has nobody to watch.
    tries : int
        How often an item is begun whose worker dies.
    address : str
        Of the Ray cluster: "auto" for the one that this machine belongs to, "local" for a new one
        of this machine alone, or HOST:PORT.
    cpus_per_item, gpus_per_item : float
        What Ray sets aside for each worker.

    Examples
    --------
    >>> Engine("processes", workers=4, timeout_s=600).check()
    >>> Engine(workers=4).check()
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.BatchError: engine inline is one worker; choose processes or ray for more
    """

    name: str = "inline"
    workers: int | None = None
    timeout_s: float | None = None
    tries: int = 2
    address: str = "auto"
    cpus_per_item: float = 1.0
    gpus_per_item: float = 0.0

    def check(self) -> None:
        """Refuse what cannot work.

        Raises
        ------
        BatchError
        """
        if self.name not in ENGINES:
            raise BatchError(f"no engine {self.name!r}; one of: {', '.join(ENGINES)}")
        if self.workers is not None and self.workers < 1:
            raise BatchError(f"{self.workers} workers were asked for; at least 1 is needed")
        if self.name == "inline" and (self.workers or 1) > 1:
            raise BatchError("engine inline is one worker; choose processes or ray for more")
        if self.name == "inline" and self.timeout_s is not None:
            raise BatchError("engine inline has no time limit; choose processes or ray")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise BatchError(f"the time limit is {self.timeout_s:g} s; it must be above 0")
        if self.tries < 1:
            raise BatchError(f"{self.tries} tries were asked for; at least 1 is needed")
        if self.cpus_per_item < 0 or self.gpus_per_item < 0:
            raise BatchError("processors and GPUs for an item cannot be fewer than 0")


def default_workers() -> int:
    """Return how many workers suit this machine: one for every two cores, at least one.

    Examples
    --------
    >>> default_workers() >= 1
    True
    """
    return max(cpu_count() // 2, 1)


def run_tasks(engine: Engine, tasks: Iterable[Task]) -> Generator[TaskResult, None, None]:
    """Have tasks done.

    Parameters
    ----------
    engine : Engine
        Where and how many at once.
    tasks : iterable of Task
        Taken as workers become free.

    Yields
    ------
    TaskResult

    Raises
    ------
    BatchError
        If no worker can be had.

    See Also
    --------
    spa2v_lib.batch.run_batch : The whole batch, with its folder.

    Examples
    --------
    >>> list(run_tasks(Engine(), []))
    []
    """
    if engine.name == "processes":
        return _in_processes(engine, tasks)
    if engine.name == "ray":
        from spa2v_lib.batch.ray_cluster import run_on_cluster

        return run_on_cluster(engine, tasks)
    return _inline(tasks)


def _inline(tasks: Iterable[Task]) -> Generator[TaskResult, None, None]:
    from spa2v_lib.batch.execution import execute

    yield from map(execute, tasks)


def _in_processes(engine: Engine, tasks: Iterable[Task]) -> Generator[TaskResult, None, None]:
    count = engine.workers or default_workers()
    source = _Source(tasks)
    results: queue.Queue[TaskResult | BaseException | None] = queue.Queue(maxsize=count)
    supervisors = [_Supervisor(engine, count, source, results) for _ in range(count)]
    for supervisor in supervisors:
        supervisor.start()
    try:
        working = count
        while working:
            result = results.get()
            if result is None:
                working -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        source.close()
        for supervisor in supervisors:
            supervisor.stop()
        # One that is ending its worker by itself may still be at it.
        for supervisor in supervisors:
            supervisor.join(2 * _PATIENCE_S)


class _Source:
    """Gives tasks to whoever asks, one thread at a time."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks, self._lock, self._open = iter(tasks), threading.Lock(), True

    def next(self) -> Task | None:
        with self._lock:
            return next(self._tasks, None) if self._open else None

    def close(self) -> None:
        with self._lock:
            self._open = False


class _Supervisor(threading.Thread):
    """Looks after one worker process, which is replaced when it dies or takes too long."""

    def __init__(self, engine: Engine, count: int, source: _Source, results: queue.Queue) -> None:
        super().__init__(daemon=True)
        self._engine, self._source, self._results = engine, source, results
        threads = str(max(cpu_count() // count, 1))
        self._environment = {"OMP_NUM_THREADS": threads, **os.environ}
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            while not self._stopped.is_set() and (task := self._source.next()) is not None:
                self._report(self._result(task))
            self._end(gently=True)
            self._report(None)
        except BaseException as error:  # shown where the results are read
            self._report(error)
        finally:
            self._end()

    def stop(self) -> None:
        """End the worker, now."""
        self._stopped.set()
        self._end()

    def _report(self, result: TaskResult | BaseException | None) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                return self._results.put(result, timeout=1.0)

    def _result(self, task: Task) -> TaskResult:
        deaths: list[str] = []
        while len(deaths) < self._engine.tries and not self._stopped.is_set():
            answer, death = self._ask(task)
            if answer is not None:
                return answer
            deaths.append(death)
            if death.startswith("gave up"):
                break
        error = f"the worker {deaths[-1]}" if deaths else "stopped"
        times = f" ({len(deaths)} times)" if len(deaths) > 1 else ""
        return TaskResult(task.name, "lost", error + times)

    def _ask(self, task: Task) -> tuple[TaskResult | None, str]:
        """Return the worker's answer, or how it died."""
        process = self._worker()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        limit = self._engine.timeout_s
        watch = threading.Timer(limit, give_up) if limit is not None else None
        if watch is not None:
            watch.start()
        try:
            line = _exchange(process, json.dumps(task.as_dict()) + "\n")
        finally:
            if watch is not None:
                watch.cancel()
        if line:
            return TaskResult(**json.loads(line)), ""
        self._end()
        if late.is_set():
            return None, f"gave up after {limit:g} s, the time limit"
        return None, _death(process.returncode)

    def _worker(self) -> subprocess.Popen[str]:
        if self._process is None:
            pipe = subprocess.PIPE
            options = {"text": True, "encoding": "utf-8", "env": self._environment}
            # A group of its own: Ctrl-C reaches the batch, which then ends its workers itself.
            options["start_new_session"] = True
            self._process = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, **options)
        return self._process

    def _end(self, *, gently: bool = False) -> None:
        """End the worker; `gently` one that has nothing to do, so that it can tidy up."""
        process, self._process = self._process, None
        if process is None:
            return
        if gently and process.stdin is not None:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
                return
        process.kill()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise BatchError(f"worker {process.pid} cannot be ended") from error


def _exchange(process: subprocess.Popen[str], line: str) -> str:
    """Send a line and wait for one; empty if the process died."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(line)
        process.stdin.flush()
        return process.stdout.readline()
    except (OSError, ValueError):
        return ""


def _death(code: int) -> str:
    if code >= 0:
        return f"ended by itself with code {code}"
    name = signal.Signals(-code).name
    hint = ", perhaps for lack of memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def _serve() -> None:
    """Be a worker: tasks in, results out, a line each, until the other end closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    tasks: queue.Queue[str | None] = queue.Queue()
    busy = threading.Lock()
    threading.Thread(target=_listen, args=(tasks, busy), daemon=True).start()
    from spa2v_lib.batch.execution import execute

    while (line := tasks.get()) is not None:
        with busy:
            task = Task(**json.loads(line))
            try:
                result = execute(task)
            except Exception as error:  # the worker goes on; the item says what happened
                result = TaskResult(task.name, "failed", f"{type(error).__name__}: {error}")
            answers.write(json.dumps(asdict(result)) + "\n")
            answers.flush()


def _listen(tasks: queue.Queue[str | None], busy: threading.Lock) -> None:
    for line in sys.stdin:
        tasks.put(line)
    if not busy.acquire(blocking=False):  # in the middle of an item that nobody waits for
        os._exit(1)
    tasks.put(None)


if __name__ == "__main__":
    _serve()
