"""The whole way in one call: from a recording to a folder with the video and what is behind it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import LayoutError, SamplingError
from spa2v_lib.folders import check_folder, result_folder

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.layout import VideoSceneLayout
    from spa2v_lib.sampling import Captions
    from spa2v_lib.video import Video

__all__ = ["MARKER", "MAX_SECONDS", "VERSION", "Settings", "generate_run"]

MARKER = "run.json"
"""The file that marks a run folder."""

MAX_SECONDS = 30.0
"""Longest video that is made unless told otherwise: sampling takes far longer than hearing."""

VERSION = "spa2v.run/1"

_SAME_LENGTH_S = 0.2

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """What a run was asked for; together with the recording it decides every frame.

    Attributes
    ----------
    label : str or None
        What sounds, of several sources the loudest first and with commas between; None leaves it
        to the tagger.
    capture : str
        Capture format, or "auto".
    planner, preset : str
    seed : int
        From 0 to 2**63 - 1.
    fps : float or None
        Frames per second; None takes the layout's if one is given, else 8.
    steps : int or None
        Sampling steps; None takes the preset's.
    clip : int or None
        Which scene of a long recording to take, from 1; None takes the recording from its start.
    max_seconds : float
        A longer recording or clip is cut, and the notes say so.
    grounding : str
        A grounding method of the preset, "default" or "none".
    captions : {"mixed", "global", "frame"}
        Which sentences every frame is told.
    device : {"auto", "cuda", "cpu"}
        Where to sample.
    """

    label: str | None = None
    capture: str = "auto"
    planner: str = "acoustic"
    preset: str = "tiny"
    seed: int = 0
    fps: float | None = None
    steps: int | None = None
    clip: int | None = None
    max_seconds: float = MAX_SECONDS
    grounding: str = "default"
    captions: Captions = "mixed"
    device: str = "auto"


def generate_run(
    audio: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    layout: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Path:
    """Make a video of a recording, and a folder that shows how.

    The folder holds ``video.mp4``, ``cues.json``, ``layout.json``, ``run.json`` and
    ``report.html``. It appears as a whole or not at all.

    Parameters
    ----------
    audio : path
        A sound file, or a video whose sound track is used.
    out : path
        The folder to make; it may exist if it is empty.
    layout : path, optional
        A layout to draw instead of planning one.
    overwrite : bool
        Replace the results of an earlier run in `out`.
    progress : callable, optional
        Called with the stage's name, the steps done and the steps in all.
    **settings
        Fields of `Settings`.

    Returns
    -------
    pathlib.Path
        `out`, absolute.

    Raises
    ------
    Spa2vError
        If anything about the request cannot work; nothing is written then.
    """
    wanted = Settings(**settings)
    report_stage = progress or (lambda stage, done, total: None)
    target = check_folder(out, MARKER, overwrite=overwrite)
    _check_settings(wanted)
    given = None if layout is None else _given_layout(layout, wanted)
    watch = _Stopwatch()
    with watch.timing("read"):
        recording = _read(audio, wanted)
        input_hash = _file_hash(Path(audio))
    with result_folder(target, MARKER, overwrite=overwrite) as folder:
        with watch.timing("hear"):
            report_stage("hear", 0, 1)
            cues = _hear(recording, wanted)
            report_stage("hear", 1, 1)
        with watch.timing("plan"):
            planned = given or _plan(recording, cues, wanted)
            _check_length(planned, recording)
        with watch.timing("sample"):
            video = _sample(planned, wanted, report_stage)
        with watch.timing("write"):
            report_stage("write", 0, 1)
            cues.save(folder / "cues.json")
            planned.save(folder / "layout.json")
            video.save(folder / "video.mp4", recording)
            record = _record(wanted, recording, input_hash, cues, video, given is not None)
        record["timings_s"] = watch.seconds
        _write_report(folder, record, video, recording, cues, planned)
        record["files"] = {path.name: _entry(path) for path in sorted(folder.iterdir())}
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        (folder / MARKER).write_text(text, encoding="utf-8")
        report_stage("write", 1, 1)
    return target


class _Stopwatch:
    """Seconds of wall time per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


def _check_settings(wanted: Settings) -> None:
    """Refuse what can be refused without opening the recording."""
    from spa2v_lib.classes import get_class
    from spa2v_lib.cues import CAPTURES
    from spa2v_lib.errors import CueError
    from spa2v_lib.planning import parse_planner
    from spa2v_lib.sampling import (
        check_captions,
        check_device,
        check_grounding,
        check_labels,
        get_preset,
        preset_info,
    )

    if wanted.capture not in ("auto", *CAPTURES):
        known = ", ".join(("auto", *CAPTURES))
        raise CueError(f"no capture format {wanted.capture!r}; one of: {known}")
    parse_planner(wanted.planner)
    check_grounding(wanted.grounding, get_preset(wanted.preset))
    check_captions(wanted.captions)
    check_device(get_preset(wanted.preset), wanted.device)
    if not 0 <= wanted.seed < 2**63:
        raise SamplingError(f"seed is {wanted.seed}; it must lie between 0 and 2**63 - 1")
    if wanted.fps is not None and not 0 < wanted.fps <= 60:
        raise SamplingError(f"fps is {wanted.fps:g}; it must be above 0 and at most 60")
    if wanted.steps is not None and wanted.steps < 1:
        raise SamplingError(f"{wanted.steps} sampling steps were asked for; at least 1 is needed")
    preset_info(wanted.preset)  # refuses an unknown preset and missing weights
    if wanted.label is not None:
        named = [get_class(name).name for name in wanted.label.split(",")]
        check_labels(named, get_preset(wanted.preset))


def _given_layout(path: str | os.PathLike[str], wanted: Settings) -> VideoSceneLayout:
    from spa2v_lib.layout import VideoSceneLayout
    from spa2v_lib.sampling import check

    layout = VideoSceneLayout.load(path)
    if wanted.fps is not None and wanted.fps != layout.fps:
        raise LayoutError(
            f"{path} is for {layout.fps:g} frames a second, but {wanted.fps:g} were asked for; "
            "leave the frame rate out or change it in the layout"
        )
    check(layout, wanted.preset, steps=wanted.steps)
    return layout


def _read(audio: str | os.PathLike[str], wanted: Settings) -> Recording:
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues.segments import one_clip

    if wanted.clip is None:
        return read_audio(audio, max_seconds=wanted.max_seconds)
    return one_clip(read_audio(audio), wanted.clip, wanted.max_seconds)


def _check_length(layout: VideoSceneLayout, recording: Recording) -> None:
    if abs(layout.duration_s - recording.duration_s) > _SAME_LENGTH_S:
        raise LayoutError(
            f"the layout lasts {layout.duration_s:.2f} s and {recording.name} "
            f"{recording.duration_s:.2f} s; a layout of the same length is needed"
        )


def _hear(recording: Recording, wanted: Settings) -> SpatialCues:
    from spa2v_lib.cues import extract_cues

    return extract_cues(recording, label=wanted.label, capture=wanted.capture)


def _plan(recording: Recording, cues: SpatialCues, wanted: Settings) -> VideoSceneLayout:
    from spa2v_lib.planning import plan
    from spa2v_lib.sampling import check, get_preset

    width, height = get_preset(wanted.preset).size
    fps = 8.0 if wanted.fps is None else wanted.fps
    layout = plan(recording, cues, wanted.planner, fps=fps, aspect=width / height)
    check(layout, wanted.preset, steps=wanted.steps)
    return layout


def _sample(layout: VideoSceneLayout, wanted: Settings, report_stage: Progress) -> Video:
    from spa2v_lib import sampling

    return sampling.generate(
        layout,
        wanted.preset,
        wanted.seed,
        steps=wanted.steps,
        grounding=wanted.grounding,
        captions=wanted.captions,
        device=wanted.device,
        progress=lambda done, total: report_stage("sample", done, total),
    )


def _record(
    wanted: Settings,
    recording: Recording,
    input_hash: str,
    cues: SpatialCues,
    video: Video,
    layout_given: bool,
) -> dict[str, Any]:
    """Gather what is needed to know, and to repeat, a run."""
    from spa2v_lib.doctor import environment
    from spa2v_lib.sampling import preset_info

    count, height, width, _ = video.frames.shape
    return {
        "version": VERSION,
        "input": {
            "name": recording.name,
            "sha256": input_hash,
            "duration_s": round(recording.duration_s, 4),
            "rate": recording.rate,
            "channels": recording.channels,
        },
        "parameters": {**asdict(wanted), "fps": video.fps, "layout_given": layout_given},
        "seed": wanted.seed,
        "frames": {
            "count": count,
            "width": width,
            "height": height,
            "fps": video.fps,
            "sha256": video.sha256(),
        },
        "weights": preset_info(wanted.preset)["weights"],
        "environment": environment(),
        "notes": list(dict.fromkeys([*recording.notes, *cues.notes])),
    }


def _write_report(
    folder: Path,
    record: dict[str, Any],
    video: Video,
    recording: Recording,
    cues: SpatialCues,
    layout: VideoSceneLayout,
) -> None:
    from spa2v_lib.report import render_report

    mp4 = (folder / "video.mp4").read_bytes()
    page = render_report(record, video, mp4, recording, cues, layout)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _file_hash(path)}


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
