"""Who does the work: this process, several processes, or a Ray cluster.

An engine is a function that takes tasks as they are needed and yields their outcomes as they come,
in any order, each task once. Tasks are taken only when somebody is free to work on them, so that a
manifest of any length costs no memory and other batches find something left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from spa2v_lib.batch.tasks import Outcome, Task
from spa2v_lib.errors import BatchError

__all__ = ["ENGINES", "Crew", "outcomes"]

ENGINES = ("inline", "processes", "ray")


@dataclass(frozen=True)
class Crew:
    """Who is to work.

    Attributes
    ----------
    engine : {"inline", "processes", "ray"}
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
    """

    engine: str = "inline"
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
        if self.engine not in ENGINES:
            raise BatchError(f"no engine {self.engine!r}; one of: {', '.join(ENGINES)}")
        if self.workers is not None and self.workers < 1:
            raise BatchError(f"{self.workers} workers were asked for; at least 1 is needed")
        if self.engine == "inline" and (self.workers or 1) > 1:
            raise BatchError("engine inline is one worker; choose processes or ray for more")
        if self.engine == "inline" and self.timeout_s is not None:
            raise BatchError("engine inline has no time limit; choose processes or ray")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise BatchError(f"the time limit is {self.timeout_s:g} s; it must be above 0")
        if self.tries < 1:
            raise BatchError(f"{self.tries} tries were asked for; at least 1 is needed")
        if self.cpus_per_item < 0 or self.gpus_per_item < 0:
            raise BatchError("processors and GPUs for an item cannot be fewer than 0")


def outcomes(crew: Crew, tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Have the tasks done.

    Parameters
    ----------
    crew : Crew
    tasks : iterable of Task
        Taken as workers become free.

    Yields
    ------
    Outcome

    Raises
    ------
    BatchError
        If no worker can be had.
    """
    return _engine(crew)(crew, tasks)


def _engine(crew: Crew) -> Callable[[Crew, Iterable[Task]], Iterator[Outcome]]:
    if crew.engine == "processes":
        from spa2v_lib.batch.engines.processes import outcomes as engine
    elif crew.engine == "ray":
        from spa2v_lib.batch.engines.cluster import outcomes as engine
    else:
        engine = _inline
    return engine


def _inline(crew: Crew, tasks: Iterable[Task]) -> Iterator[Outcome]:
    from spa2v_lib.batch.work import do

    yield from map(do, tasks)
