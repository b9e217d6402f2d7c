"""The whole way in one call: from a recording to a folder with the video and what is behind it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import LayoutError
from spa2v_lib.files import writing
from spa2v_lib.folders import check_folder, result_folder
from spa2v_lib.runs.record import MARKER, describe, file_hash, write_record
from spa2v_lib.runs.settings import VARIANT, Settings, check_sampling, check_settings

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import Analysis, SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["StageProgress", "analyze_recording", "generate_run", "read_recording"]

_SAME_LENGTH_S = 0.2

StageProgress = Callable[..., None]
"""Called with the stage's name (analyze, plan, load, sample, decode, write), the steps done and in
all, and once, before the first step of sampling, with the seconds that it is expected to take."""


def generate_run(
    audio: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    layout: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: StageProgress | None = None,
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

    See Also
    --------
    spa2v_lib.runs.verify : Whether a run is as it says.
    spa2v_lib.runs.rerun : Makes it again.

    Examples
    --------
    >>> generate_run("nowhere.wav", "run")
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: nowhere.wav does not exist; give the path of an audio or video file
    >>> generate_run("bus.flac", "run", label="bus", seed=3)  # doctest: +SKIP
    PosixPath('/home/ada/run')
    """
    from spa2v_lib.runs.report import render_report

    chosen = Settings.of(settings)
    report_stage = progress or (lambda *_: None)
    target = check_folder(out, MARKER, overwrite=overwrite)
    check_settings(chosen)
    chosen = _settled(chosen)
    given = None if layout is None else _given_layout(layout, chosen)
    watch = _Stopwatch()
    with watch.timing("read"):
        recording = read_recording(audio, chosen)
        input_hash = file_hash(Path(audio))
    with result_folder(target, MARKER, overwrite=overwrite) as folder:
        with watch.timing("analyze"):
            report_stage("analyze", 0, 1)
            analysis = analyze_recording(recording, chosen)
            cues = analysis.cues
            report_stage("analyze", 1, 1)
        with watch.timing("plan"):
            planned = given or _plan(recording, cues, chosen)
            _check_length(planned, recording)
        with watch.timing("sample"):
            video = _sample(planned, chosen, report_stage)
        report_stage("write", 0, 1)
        with writing(target):
            with watch.timing("write"):
                cues.save(folder / "cues.json")
                planned.save(folder / "layout.json")
                video.save(folder / "video.mp4", recording)
                record = describe(chosen, recording, input_hash, cues, video, given is not None)
            record["timings_s"] = watch.seconds
            mp4 = (folder / "video.mp4").read_bytes()
            page = render_report(record, video, mp4, analysis, planned)
            (folder / "report.html").write_text(page, encoding="utf-8")
            write_record(folder, record)
        report_stage("write", 1, 1)
    return target


def _settled(settings: Settings) -> Settings:
    """Say what "auto" and the preset's own values stand for, so that the record does."""
    from spa2v_lib.cues.tagging import get_tagger

    preset = settings.sampled_with()
    own = ("steps", "guidance_scale", "guidance_start", "guidance_stop")
    chosen = {name: getattr(preset, name) for name in own if getattr(settings, name) is None}
    if settings.tagger == "auto":
        chosen["tagger"] = get_tagger("auto").name.lower()
    return settings.model_copy(update=chosen)


class _Stopwatch:
    """Seconds of wall time per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


def _given_layout(path: str | os.PathLike[str], settings: Settings) -> VideoSceneLayout:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

    layout = VideoSceneLayout.load(path)
    if settings.fps is not None and settings.fps != layout.fps:
        raise LayoutError(
            f"{path} is for {layout.fps:g} frames a second, but {settings.fps:g} were asked for; "
            "leave the frame rate out or change it in the layout"
        )
    check_sampling(settings, layout)
    return layout


def read_recording(audio: str | os.PathLike[str], settings: Settings) -> Recording:
    """Open a recording, cut as a run with these settings cuts it.

    Raises
    ------
    Spa2vError
        If it cannot be used, or has no such scene.

    Parameters
    ----------
    audio : path
        A sound file, or a video whose sound track is used.
    settings : Settings
        Its `track`, `clip` and `max_seconds` are used.

    Returns
    -------
    Recording
        At most `max_seconds` long.

    See Also
    --------
    analyze_recording : What a run does next.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> _ = Recording.from_samples(np.full((2, 16000), 0.1), 8000).save(path)
    >>> read_recording(path, Settings(max_seconds=0.5)).duration_s
    0.5
    """
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues.segments import one_clip

    if settings.clip is None:
        return read_audio(audio, max_seconds=settings.max_seconds, track=settings.track)
    whole = read_audio(audio, track=settings.track)
    return one_clip(whole, settings.clip, settings.max_seconds)


def _check_length(layout: VideoSceneLayout, recording: Recording) -> None:
    if abs(layout.duration_s - recording.duration_s) > _SAME_LENGTH_S:
        raise LayoutError(
            f"the layout lasts {layout.duration_s:.2f} s and {recording.name} "
            f"{recording.duration_s:.2f} s; a layout of the same length is needed"
        )


def analyze_recording(recording: Recording, settings: Settings) -> Analysis:
    """Analyze a recording as a run with these settings does.

    Parameters
    ----------
    recording : Recording
        What is analyzed.
    settings : Settings
        Those of the analysis are used.

    Returns
    -------
    Analysis
        The cues, and what they were measured from.

    Raises
    ------
    CueError
        If the capture format does not fit the recording, or a label cannot be used.

    See Also
    --------
    spa2v_lib.cues.extract.analyze : With parameters of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> recording = Recording.from_samples(noise, 16000)
    >>> analyze_recording(recording, Settings(label="rain")).cues.sources[0].label
    'rain'
    """
    from spa2v_lib.cues.extract import analyze

    return analyze(recording, **settings.of_stage("analyze"))


def _plan(recording: Recording, cues: SpatialCues, settings: Settings) -> VideoSceneLayout:
    from spa2v_lib.layout.classes import CLASSES
    from spa2v_lib.planning import plan
    from spa2v_lib.sampling import check_labels

    # Before a model is asked, which may take long and cost money.
    known = [source.label for source in cues.sources if source.label in CLASSES]
    check_labels(known, settings.sampled_with())
    layout = plan(recording, cues, strict=settings.strict, **settings.planned_with())
    check_sampling(settings, layout)
    return layout


def _sample(layout: VideoSceneLayout, settings: Settings, report_stage: StageProgress) -> Video:
    from spa2v_lib import sampling

    asked = settings.of_stage("sample")
    passed = {name: value for name, value in asked.items() if name not in VARIANT}
    passed["preset"] = settings.sampled_with()
    return sampling.generate(layout, **passed, on_stage=report_stage)
