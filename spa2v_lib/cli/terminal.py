"""How the command line speaks to a terminal or a log: progress, notes, one line for an error.

Whatever names, labels and captions hold is printed as text: neither markup nor terminal escapes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from spa2v_lib.pages import printable

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

    from spa2v_lib.batch import BatchProgress

__all__ = [
    "PATIENCE_S",
    "batch_progress",
    "new_console",
    "plain",
    "progress",
    "show_error",
    "show_notes",
]

PATIENCE_S = 2.0
"""Seconds after which a person wonders whether anything happens."""

_STAGES = {
    "analyze": "analyzing",
    "plan": "planning",
    "load": "loading",
    "sample": "sampling",
    "decode": "decoding",
    "write": "writing",
}
_QUIET_S = 10.0  # between two lines where there is no terminal


def show_error(error: Exception) -> None:
    """Print an expected error as one red line on stderr.

    Parameters
    ----------
    error : Exception
        Line breaks and control characters of its message are not printed as such.

    Examples
    --------
    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout):
    ...     show_error(ValueError("seed is -1;\\n it must be at least 0"))
    Error: seed is -1; it must be at least 0
    """
    line = printable(" ".join(str(error).split()))
    console = Console(stderr=True, highlight=False, emoji=False)
    console.print(f"Error: {line}", style="red", markup=False, soft_wrap=True)


@contextmanager
def progress(after_s: float = 0.0) -> Iterator[Callable[..., None]]:
    """Give a function that shows where each stage stands; silent off a terminal.

    Parameters
    ----------
    after_s : float
        Show nothing of work that is done within so many seconds, and leave nothing behind.

    Yields
    ------
    callable
        Takes the stage's name, the steps done, the steps in all and, where it is known before the
        first step is done, the seconds that the stage takes.

    Examples
    --------
    >>> with progress() as show:
    ...     for step in range(1, 4):
    ...         show("sample", step, 3)
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    class _LeftColumn(TextColumn):
        """How long a stage will take, and from its first step on how long its rest does."""

        def render(self, task: Task) -> Text:
            left_s = task.fields["left_s"]
            if not left_s or task.finished:
                return Text()
            now = max(left_s - (time.monotonic() - task.fields["told_s"]), 1.0)
            return Text(_time_left(now, "left" if task.completed else "on this machine"))

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _LeftColumn(""),
    )
    silent = not console.is_terminal
    bar = Progress(*columns, console=console, disable=silent, transient=after_s > 0.0)
    tasks: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int, expected_s: float | None = None) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(_STAGES.get(stage, stage), total=total, left_s=None)
        bar.update(tasks[stage], completed=done, total=total)
        left_s = expected_s or _seconds_left(bar.tasks[tasks[stage]])
        bar.update(tasks[stage], left_s=left_s, told_s=time.monotonic())

    with _shown(bar, after_s):
        yield update


@contextmanager
def _shown(bar: Progress, after_s: float) -> Iterator[None]:
    """Show a bar, at once or after a while."""
    if not after_s:
        with bar:
            yield
        return
    later = Timer(after_s, bar.start)
    later.daemon = True
    later.start()
    try:
        yield
    finally:
        later.cancel()
        later.join()  # a bar that is just being shown must not outlive this
        bar.stop()


@contextmanager
def batch_progress() -> Iterator[Callable[[BatchProgress], None]]:
    """Give a function that shows where a batch stands: a bar, or now and then a line in a log.

    Yields
    ------
    callable
        Takes the `BatchProgress` each time an item ends.

    Examples
    --------
    >>> from contextlib import redirect_stderr
    >>> from spa2v_lib.batch import BatchProgress
    >>> with redirect_stderr(sys.stdout), batch_progress() as show:
    ...     show(BatchProgress(done=1, failed=0, total=2, left_s=12.0, last=None))
    1 of 2 about 12 s left
    """
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}", markup=False))
    with Bar(*columns, console=console) as bar:
        row = bar.add_task("batch", total=None, left="")

        def update(state: BatchProgress) -> None:
            bar.update(row, completed=state.done, total=state.total, left=_left(state))
            if state.last is not None and state.last.status != "done":
                bar.console.print(_failure(state), style="red", markup=False, soft_wrap=True)

        yield update


class _Lines:
    """Lines for a log: every failure, the last item, and otherwise one in ten seconds."""

    def __init__(self) -> None:
        self._printed_s = -_QUIET_S

    def __call__(self, state: BatchProgress) -> None:
        if state.last is not None and state.last.status != "done":
            print(_failure(state), file=sys.stderr, flush=True)
        if time.monotonic() - self._printed_s >= _QUIET_S or state.done == state.total:
            self._printed_s = time.monotonic()
            line = f"{state.done} of {state.total} {_left(state)}".rstrip()
            print(line, file=sys.stderr, flush=True)


def _failure(state: BatchProgress) -> str:
    return printable(f"failed: {state.last.name}: {state.last.error}") if state.last else ""


def _left(state: BatchProgress) -> str:
    failed = f"{state.failed} failed" if state.failed else ""
    return ", ".join(part for part in (failed, _time_left(state.left_s)) if part)


def _seconds_left(task: Task) -> float | None:
    if not task.completed or task.total is None or task.elapsed is None:
        return None
    return task.elapsed / task.completed * (task.total - task.completed)


def _time_left(seconds: float | None, what: str = "left") -> str:
    if not seconds:
        return ""
    if seconds < 90:
        return f"about {max(round(seconds), 1)} s {what}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min {what}"
    return f"about {seconds / 3600:.1f} h {what}"


def new_console() -> Console:
    """Return a console for stdout that takes neither numbers nor words for something to colour.

    Examples
    --------
    >>> new_console().print("3 of 4 frames")
    3 of 4 frames
    """
    return Console(highlight=False, emoji=False)


def plain(text: str) -> str:
    """Return text that is printed as it is, inside of markup.

    Parameters
    ----------
    text : str
        A name, label or caption, which may hold anything.

    Examples
    --------
    >>> new_console().print(plain("[red]bus"))
    [red]bus
    """
    return escape(printable(text))


def show_notes(notes: list[str]) -> None:
    """Print notes, a line each.

    Parameters
    ----------
    notes : list of str
        Of cues, a layout or a run.

    Examples
    --------
    >>> show_notes(["the channels are identical"])
    note: the channels are identical
    """
    for note in notes:
        new_console().print(
            f"note: {printable(note)}", style="yellow", markup=False, soft_wrap=True
        )
