"""What a command prints of its result: tables and sentences for a person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from spa2v_lib.cli.terminal import new_console, plain, show_notes
from spa2v_lib.errors import RunError
from spa2v_lib.files import read_json
from spa2v_lib.pages import printable, render

if TYPE_CHECKING:
    from spa2v_lib.batch import BatchSummary
    from spa2v_lib.cues import SourceTrack, SpatialCues
    from spa2v_lib.doctor import Finding
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.planning.cost import Estimate
    from spa2v_lib.runs import Verification
    from spa2v_lib.sampling.selfcheck import Verdict

__all__ = [
    "show_batch",
    "show_cues",
    "show_estimate",
    "show_findings",
    "show_layout",
    "show_run",
    "show_verdict",
    "show_verification",
]

_ROWS = 12
_DIGEST = 16


def show_cues(cues: SpatialCues) -> None:
    """Print a line or two for each source, then their tracks side by side.

    Parameters
    ----------
    cues : SpatialCues
        Of any recording, also one without sources.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues import extract_cues
    >>> silence = Recording.from_samples(np.zeros((2, 16000)), 16000, name="silence")
    >>> show_cues(extract_cues(silence))
    silence: 1.00 s, 2 channels, 16000 Hz; ...
    """
    from spa2v_lib.viz.words import naming_in_words, pass_by_in_words

    words = {"naming_in_words": naming_in_words, "pass_by_in_words": pass_by_in_words}
    console = new_console()
    console.print(render("templates/cues.txt", cues=cues, plain=plain, **words), end="")
    if cues.sources:
        console.print(_tracks(cues))
    show_notes(cues.notes)


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
    """Print the caption, the reasoning and the boxes of the key frames.

    Parameters
    ----------
    layout : VideoSceneLayout
        A row is printed for each of some key frames, spread over all of them.

    Examples
    --------
    >>> from spa2v_lib.layout import VideoSceneLayout
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject
    >>> box = Box(x0=0.1, y0=0.4, x1=0.5, y1=0.8)
    >>> show_layout(
    ...     VideoSceneLayout(
    ...         caption="a bus waits", frame_captions=["a bus"], key_times_s=[0.0], duration_s=1.0,
    ...         objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[box])],
    ...     )
    ... )
    a bus waits
    ...
    0.00 s  0.10 0.40 0.50 0.80  a bus
    """
    console = new_console()
    console.print(f"[bold]{plain(layout.caption)}[/]")
    console.print(printable(layout.reasoning, lines=True), markup=False)
    names = [plain(item.id) for item in layout.objects]
    table = Table("time", *names, "caption", box=None, pad_edge=False)
    for index in _spread(len(layout.key_times_s)):
        boxes = [item.boxes[index] for item in layout.objects]
        table.add_row(
            f"{layout.key_times_s[index]:.2f} s",
            *(
                "out of view" if b is None else "{:.2f} {:.2f} {:.2f} {:.2f}".format(*b.as_tuple())
                for b in boxes
            ),
            plain(layout.frame_captions[index]),
        )
    console.print(table)


def show_run(folder: Path) -> None:
    """Print what a run made, where, and its notes.

    Parameters
    ----------
    folder : pathlib.Path
        A run folder.

    Examples
    --------
    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> record = {"timings_s": {"sample": 4.2}, "notes": [], "frames": {"count": 16}}
    >>> _ = (folder / "run.json").write_text(json.dumps(record))
    >>> _ = (folder / "layout.json").write_text('{"caption": "a bus waits"}')
    >>> show_run(folder)
    a bus waits
    16 frames in 4 s
    ...video.mp4
    ...report.html
    """
    record = read_json(folder / "run.json", RunError)
    layout = read_json(folder / "layout.json", RunError)
    seconds = sum(record["timings_s"].values())
    console = new_console()
    console.print(f"[bold]{plain(layout['caption'])}[/]")
    show_notes(record["notes"])
    console.print(f"{record['frames']['count']} frames in {seconds:.0f} s")
    for name in ("video.mp4", "report.html"):
        console.print(printable(str(folder / name)), markup=False, soft_wrap=True)


def show_findings(findings: list[Finding]) -> None:
    """Print the doctor's findings by group, and a verdict.

    Parameters
    ----------
    findings : list of Finding
        In the order they are shown in; those of a group stand together.

    Examples
    --------
    >>> from spa2v_lib.doctor import Finding
    >>> show_findings([Finding("packages", "torch", "missing", good=False)])
    packages  torch  missing
    1 missing: the embedded default cannot run
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    group = None
    for finding in findings:
        value = plain(finding.value)
        table.add_row(
            "" if finding.group == group else f"[bold]{finding.group}[/]",
            finding.name,
            value if finding.good else f"[red]{value}[/]",
        )
        group = finding.group
    new_console().print(table)
    wrong = sum(not finding.good for finding in findings)
    bad = f"[red]{wrong} missing[/]: the embedded default cannot run"
    new_console().print(bad if wrong else "everything is there: the embedded default can run")


def show_verdict(preset: str, verdict: Verdict) -> None:
    """Print the result of a preset's check.

    Parameters
    ----------
    preset : str
        The preset's name.
    verdict : Verdict
        Of `spa2v_lib.sampling.selfcheck`.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.sampling.selfcheck import Verdict, known_layout
    >>> from spa2v_lib.video import Video
    >>> video = Video(np.zeros((16, 8, 8, 3), np.uint8), 8.0, known_layout(1.0))
    >>> show_verdict("tiny", Verdict(iou=0.6, mirrored_iou=0.1, detected=1.0, video=video))
    asked for a car from left to right: detected in 100% of the frames, IoU 0.60 ...
    preset tiny follows the layout
    """
    console = new_console()
    if verdict.missing:
        console.print(f"the video was made; where the car is was not measured: {verdict.missing}")
        return
    console.print(
        f"asked for a car from left to right: detected in {verdict.detected:.0%} of the frames, "
        f"IoU {verdict.iou:.2f} with the boxes asked for, {verdict.mirrored_iou:.2f} with their "
        "mirror image"
    )
    bad = f"[red]preset {preset} does not follow the layout[/]"
    console.print(f"preset {preset} follows the layout" if verdict.good else bad)


def show_estimate(estimate: Estimate) -> None:
    """Print on stderr what planning will take, before anything is sent.

    Parameters
    ----------
    estimate : Estimate
        Tokens in and out, and dollars where the price is known.

    Examples
    --------
    >>> from contextlib import redirect_stderr
    >>> from spa2v_lib.planning.cost import Estimate
    >>> with redirect_stderr(sys.stdout):
    ...     show_estimate(Estimate(2000, 800, 0.0031))
    planning: about 2000 tokens in and 800 out for each try; about $0.0031
    """
    print(f"planning: {estimate}", file=sys.stderr, flush=True)


def show_batch(summary: BatchSummary) -> None:
    """Print how many items a batch made, and where its index is.

    Parameters
    ----------
    summary : BatchSummary
        From `spa2v_lib.batch.run_batch`.

    Examples
    --------
    >>> from spa2v_lib.batch.run import BatchSummary
    >>> show_batch(BatchSummary(Path("/runs"), total=10, kept=6, worked=4, failed=1))
    3 of 10 made, 6 kept, 1 failed
    /runs/index.html
    """
    done = summary.worked - summary.failed
    kept = f", {summary.kept} kept" if summary.kept else ""
    failed = f", [red]{summary.failed} failed[/]" if summary.failed else ""
    console = new_console()
    console.print(f"{done} of {summary.total} made{kept}{failed}")
    console.print(printable(str(summary.root / "index.html")), markup=False, soft_wrap=True)


def show_verification(verification: Verification) -> None:
    """Print what differs, and whether the run came out the same.

    Parameters
    ----------
    verification : Verification
        From `spa2v_lib.runs.verify`.

    Examples
    --------
    >>> from spa2v_lib.runs.repeat import Difference, Verification
    >>> newer = Difference("version", "torch", "2.6.0", "2.7.0")
    >>> show_verification(Verification([newer], "0" * 64))
    what           recorded  now
    version torch  2.6.0     2.7.0
    the run came out the same: frames 0000...
    """
    console = new_console()
    if verification.differences:
        table = Table("what", "recorded", "now", box=None, pad_edge=False)
        for one in verification.differences:
            cells = (f"{one.category} {one.name}", _short(one.recorded), _short(one.actual))
            table.add_row(*map(plain, cells))
        console.print(table)
    if verification.reproduced:
        console.print(f"the run came out the same: frames {verification.frames[:_DIGEST]}…")
    else:
        console.print("[red]the run is not the same[/]")


def _short(text: str) -> str:
    """Shorten what is a digest."""
    long = len(text) == 64 and " " not in text
    return f"{text[:_DIGEST]}…" if long else text


def _degrees(angle: float | None) -> str:
    return "" if angle is None else f"{angle:+.0f}°"


def _spread(count: int) -> list[int]:
    """Return at most twelve indices from the first to the last."""
    return sorted({round(k * (count - 1) / (_ROWS - 1)) for k in range(_ROWS)})
