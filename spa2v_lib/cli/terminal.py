"""What the command line prints: tables, a progress bar, one line for an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.progress import Progress

    from spa2v_lib.cues import SourceTrack, SpatialCues
    from spa2v_lib.doctor import Finding
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.selfcheck import Verdict

__all__ = [
    "PATIENCE_S",
    "new_console",
    "progress",
    "show_cues",
    "show_error",
    "show_findings",
    "show_layout",
    "show_notes",
    "show_run",
    "show_verdict",
]

PATIENCE_S = 2.0
"""Seconds after which a person wonders whether anything happens."""

_STAGES = {"hear": "hearing", "plan": "planning", "sample": "drawing", "write": "writing"}
_ROWS = 12


def show_error(error: Exception) -> None:
    """Print an expected error as one red line on stderr."""
    line = " ".join(str(error).split())
    console = Console(stderr=True, highlight=False, emoji=False)
    console.print(f"Error: {line}", style="red", markup=False, soft_wrap=True)


@contextmanager
def progress(after_s: float = 0.0) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows (stage, steps done, steps in all); silent off a terminal.

    Parameters
    ----------
    after_s : float
        Show nothing of work that is done within so many seconds, and leave nothing behind.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    silent = not console.is_terminal
    bar = Progress(*columns, console=console, disable=silent, transient=after_s > 0.0)
    tasks: dict[str, object] = {}

    def update(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(_STAGES.get(stage, stage), total=total)
        bar.update(tasks[stage], completed=done, total=total)

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


def show_cues(cues: SpatialCues) -> None:
    """Print what was heard: a line or two for each source, then their tracks side by side."""
    console = new_console()
    capture = cues.capture
    channels = f"{cues.channels} channel{'' if cues.channels == 1 else 's'}"
    console.print(
        f"[bold]{escape(cues.recording)}[/]: {cues.duration_s:.2f} s, {channels}, "
        f"{cues.rate} Hz; read as {capture.format} (confidence {capture.confidence:.2f}); "
        f"{_count(cues)}"
    )
    for source in cues.sources:
        _show_source(console, source)
    if cues.sources:
        console.print(_tracks(cues))
    show_notes(cues.notes)


def _count(cues: SpatialCues) -> str:
    count = len(cues.sources)
    said = f"{count or 'no'} source{'' if count == 1 else 's'}"
    if cues.count_low == cues.count_high:
        return said
    return f"{said} (90 % interval {cues.count_low} to {cues.count_high})"


def _show_source(console: Console, source: SourceTrack) -> None:
    from spa2v_lib.viz.cue_summary import pass_by_in_words

    label = source.label or "something unknown"
    console.print(
        f"[bold]{source.id}[/]: {escape(label)} (confidence {source.label_confidence:.2f}), "
        f"{source.motion.replace('_', ' ')} (confidence {source.motion_confidence:.2f}), "
        f"level {source.level_change_db:+.1f} dB"
    )
    if source.pass_by is not None:
        console.print(f"  {pass_by_in_words(source.pass_by)}")
    if len(source.tags) > 1:
        spans = (
            f"{tag.start_s:.1f} to {tag.end_s:.1f} s {tag.label or 'unknown'} {tag.confidence:.2f}"
            for tag in source.tags
        )
        console.print(f"  {escape('; '.join(spans))}")


def _tracks(cues: SpatialCues) -> Table:
    """Return azimuth with its interval, and level, of every source at some moments."""
    columns = [
        heading
        for source in cues.sources
        for heading in (f"{source.id} azimuth", "90 % interval", "level")
    ]
    table = Table("time", *columns, box=None, pad_edge=False)
    for index in _spread(len(cues.times_s)):
        cells = [cell for source in cues.sources for cell in _moment(source, index)]
        table.add_row(f"{cues.times_s[index]:.2f} s", *cells)
    return table


def _moment(source: SourceTrack, index: int) -> tuple[str, str, str]:
    angles = (source.azimuth_low_deg[index], source.azimuth_high_deg[index])
    return (
        _degrees(source.azimuth_deg[index]),
        f"{_degrees(angles[0])} to {_degrees(angles[1])}" if None not in angles else "",
        f"{source.level_db[index]:.1f} dB" if source.active[index] else "silent",
    )


def show_layout(layout: VideoSceneLayout) -> None:
    """Print the caption, the reasoning and the boxes of the key frames."""
    console = new_console()
    console.print(f"[bold]{escape(layout.caption)}[/]")
    console.print(layout.reasoning, markup=False)
    names = [escape(thing.id) for thing in layout.objects]
    table = Table("time", *names, "caption", box=None, pad_edge=False)
    for index in _spread(len(layout.key_times_s)):
        boxes = [thing.boxes[index] for thing in layout.objects]
        table.add_row(
            f"{layout.key_times_s[index]:.2f} s",
            *(
                "out of view" if b is None else "{:.2f} {:.2f} {:.2f} {:.2f}".format(*b.as_tuple())
                for b in boxes
            ),
            escape(layout.frame_captions[index]),
        )
    console.print(table)


def show_run(folder: Path) -> None:
    """Print what a run made, where, and what to keep in mind."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    layout = json.loads((folder / "layout.json").read_text(encoding="utf-8"))
    seconds = sum(record["timings_s"].values())
    console = new_console()
    console.print(f"[bold]{escape(layout['caption'])}[/]")
    show_notes(record["notes"])
    console.print(f"{record['frames']['count']} frames in {seconds:.0f} s")
    for name in ("video.mp4", "report.html"):
        console.print(str(folder / name), markup=False, soft_wrap=True)


def show_findings(findings: list[Finding]) -> None:
    """Print the doctor's findings by group, and a verdict."""
    table = Table(box=None, show_header=False, pad_edge=False)
    group = None
    for finding in findings:
        value = escape(finding.value)
        table.add_row(
            "" if finding.group == group else f"[bold]{finding.group}[/]",
            finding.name,
            value if finding.good else f"[red]{value}[/]",
        )
        group = finding.group
    new_console().print(table)
    wrong = sum(not finding.good for finding in findings)
    bad = f"[red]{wrong} missing[/]: the embedded default cannot run"
    new_console().print(bad if wrong else "all is there: the embedded default can run")


def show_verdict(preset: str, verdict: Verdict) -> None:
    """Print what the check of a preset found."""
    console = new_console()
    console.print(
        f"a car was asked for, from left to right: found in {verdict.detected:.0%} of the frames, "
        f"IoU {verdict.iou:.2f} with the asked boxes, {verdict.mirrored_iou:.2f} with their mirror"
    )
    bad = f"[red]preset {preset} does not follow the layout[/]"
    console.print(f"preset {preset} follows the layout" if verdict.good else bad)


def new_console() -> Console:
    return Console(highlight=False, emoji=False)


def show_notes(notes: list[str]) -> None:
    for note in notes:
        new_console().print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def _degrees(angle: float | None) -> str:
    return "" if angle is None else f"{angle:+.0f}°"


def _spread(count: int) -> list[int]:
    """Return at most twelve indices from the first to the last."""
    return sorted({round(k * (count - 1) / (_ROWS - 1)) for k in range(_ROWS)})
