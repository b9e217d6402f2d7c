"""A worker process: ``python -m spa2v_lib.batch.worker``; tasks in, outcomes out, a line each.

Messages are JSON on the standard streams. When the other end goes away, so does the worker, in
the middle of its work: what it has prepared is hidden, and its lock falls back.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from dataclasses import asdict

from spa2v_lib.batch.tasks import Outcome, Task

__all__ = ["main"]


def main() -> None:
    """Work until the other end closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    tasks: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    from spa2v_lib.batch.work import do

    while True:
        task = Task(**json.loads(tasks.get()))
        try:
            outcome = do(task)
        except Exception as error:  # the worker goes on; the item says what happened
            outcome = Outcome(task.name, "failed", f"{type(error).__name__}: {error}")
        answers.write(json.dumps(asdict(outcome)) + "\n")
        answers.flush()


def _listen(tasks: queue.Queue[str]) -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
