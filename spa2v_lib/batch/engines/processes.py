"""Several worker processes on this machine, each replaced when it dies or takes too long."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spa2v_lib.batch.tasks import Outcome, Task
from spa2v_lib.errors import BatchError

if TYPE_CHECKING:
    from spa2v_lib.batch.engines import Crew

__all__ = ["default_workers", "outcomes"]

_COMMAND = [sys.executable, "-m", "spa2v_lib.batch.worker"]
_PATIENCE_S = 10.0


def default_workers() -> int:
    """Return how many workers suit this machine: one for every two cores, at least one."""
    return max(_cores() // 2, 1)


def outcomes(crew: Crew, tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Yield the outcomes of the tasks as they come; see `spa2v_lib.batch.engines.outcomes`."""
    count = crew.workers or default_workers()
    source = _Source(tasks)
    found: queue.Queue[Outcome | BaseException | None] = queue.Queue(maxsize=count)
    team = [_Member(crew, count, source, found) for _ in range(count)]
    for member in team:
        member.start()
    try:
        working = count
        while working:
            outcome = found.get()
            if outcome is None:
                working -= 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                yield outcome
    finally:
        source.close()
        for member in team:
            member.stop()
        # A member that is ending its worker by itself may still be at it.
        for member in team:
            member.join(_PATIENCE_S)


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


class _Member(threading.Thread):
    """Looks after one worker process."""

    def __init__(self, crew: Crew, count: int, source: _Source, found: queue.Queue) -> None:
        super().__init__(daemon=True)
        self._crew, self._source, self._found = crew, source, found
        threads = str(max(_cores() // count, 1))
        self._environment = {"OMP_NUM_THREADS": threads, **os.environ}
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            while not self._stopped.is_set() and (task := self._source.next()) is not None:
                self._tell(self._outcome(task))
            self._tell(None)
        except BaseException as error:  # shown where the outcomes are read
            self._tell(error)
        finally:
            self._end()

    def stop(self) -> None:
        """End the worker, now."""
        self._stopped.set()
        self._end()

    def _tell(self, outcome: Outcome | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                return self._found.put(outcome, timeout=1.0)
            except queue.Full:
                continue

    def _outcome(self, task: Task) -> Outcome:
        deaths: deque[str] = deque()
        while len(deaths) < self._crew.tries and not self._stopped.is_set():
            answer, died = self._ask(task)
            if answer is not None:
                return answer
            deaths.append(died)
            if died.startswith("gave up"):
                break
        error = f"the worker {deaths[-1]}" if deaths else "stopped"
        times = f" ({len(deaths)} times)" if len(deaths) > 1 else ""
        return Outcome(task.name, "lost", error + times)

    def _ask(self, task: Task) -> tuple[Outcome | None, str]:
        """Return the worker's answer, or how it died."""
        process = self._worker()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        limit = self._crew.timeout_s
        watch = threading.Timer(limit, give_up) if limit is not None else None
        if watch is not None:
            watch.start()
        try:
            line = _exchange(process, json.dumps(task.as_dict()) + "\n")
        finally:
            if watch is not None:
                watch.cancel()
        if line:
            return Outcome(**json.loads(line)), ""
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

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
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


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
