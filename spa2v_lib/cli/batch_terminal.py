"""What batches and verifications print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from spa2v_lib.batch import Progress, Summary
    from spa2v_lib.planning.cost import Estimate
    from spa2v_lib.runs import Verification

__all__ = ["batch_progress", "show_batch", "show_estimate", "show_verification"]

_QUIET_S = 10.0  # between two lines where there is no terminal
_DIGEST = 16


@contextmanager
def batch_progress() -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows where a batch stands: a bar, or now and then a line in a log."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}", markup=False))
    with Bar(*columns, console=console) as bar:
        row = bar.add_task("batch", total=None, left="")

        def update(stand: Progress) -> None:
            bar.update(row, completed=stand.done, total=stand.total, left=_left(stand))
            if stand.last is not None and stand.last.status != "done":
                bar.console.print(_failure(stand), style="red", markup=False, soft_wrap=True)

        yield update


class _Lines:
    """Lines for a log: every failure, the last item, and otherwise one in ten seconds."""

    def __init__(self) -> None:
        self._said = -_QUIET_S

    def __call__(self, stand: Progress) -> None:
        if stand.last is not None and stand.last.status != "done":
            print(_failure(stand), file=sys.stderr, flush=True)
        if time.monotonic() - self._said >= _QUIET_S or stand.done == stand.total:
            self._said = time.monotonic()
            line = f"{stand.done} of {stand.total} {_left(stand)}".rstrip()
            print(line, file=sys.stderr, flush=True)


def _failure(stand: Progress) -> str:
    return f"failed: {stand.last.name}: {stand.last.error}" if stand.last else ""


def _left(stand: Progress) -> str:
    failed = f"{stand.failed} failed" if stand.failed else ""
    return ", ".join(part for part in (failed, _time_left(stand.left_s)) if part)


def _time_left(seconds: float | None) -> str:
    if not seconds:
        return ""
    if seconds < 90:
        return f"about {max(round(seconds), 1)} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"


def show_estimate(estimate: Estimate) -> None:
    """Print on stderr what planning is going to take, before anything is sent."""
    print(f"planning: {estimate}", file=sys.stderr, flush=True)


def show_batch(summary: Summary) -> None:
    """Print what a batch has come to, and where its index is."""
    done = summary.worked - summary.failed
    kept = f", {summary.kept} kept" if summary.kept else ""
    failed = f", [red]{summary.failed} failed[/]" if summary.failed else ""
    console = _console()
    console.print(f"{done} of {summary.total} made{kept}{failed}")
    console.print(str(summary.root / "index.html"), markup=False, soft_wrap=True)


def show_verification(found: Verification) -> None:
    """Print what differs, and whether the run came out the same."""
    console = _console()
    if found.differences:
        table = Table("what", "recorded", "found", box=None, pad_edge=False)
        for one in found.differences:
            cells = (f"{one.kind} {one.name}", _short(one.recorded), _short(one.found))
            table.add_row(*map(escape, cells))
        console.print(table)
    if found.reproduced:
        console.print(f"the run came out the same: frames {found.frames[:_DIGEST]}…")
    else:
        console.print("[red]the run is not the same[/]")


def _short(text: str) -> str:
    """Shorten what is a digest."""
    long = len(text) == 64 and " " not in text
    return f"{text[:_DIGEST]}…" if long else text


def _console() -> Console:
    return Console(highlight=False, emoji=False)
