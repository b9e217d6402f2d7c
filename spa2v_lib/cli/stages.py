"""The stages as commands: ``spa2v cues``, ``plan``, ``generate`` and more."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spa2v_lib.cli import summaries, terminal
from spa2v_lib.cli.options import (
    AsJson,
    Audio,
    OutFile,
    OutFolder,
    Overwrite,
    check_out,
    clip_out,
    settings_options,
)
from spa2v_lib.errors import PlanningError
from spa2v_lib.runs.settings import VARIANT, Settings

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["cues", "doctor", "estimate", "fetch", "generate", "plan"]

_OF_CUES_ALONE = ("fps", "exemplars", "shots", "seed", "strict")
"""What planning from a file of cues can still be asked for."""


@settings_options(Settings.of_stages("read", "analyze"))
def cues(
    audio: Audio,
    settings: dict[str, Any],
    labels: Annotated[
        str | None, typer.Option(help="What may sound, for clap: words separated by commas.")
    ] = None,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Split at scene changes; --out then names one file a clip."),
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure what sounds where, and when.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rain.wav"
    >>> _ = Recording.from_samples(noise, 16000).save(path)
    >>> result = CliRunner().invoke(app, ["cues", str(path), "--label", "rain"])
    >>> print(result.output.splitlines()[0])
    rain.wav: 1.00 s, 2 channels, 16000 Hz; read as ...; 1 source
    """
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues import extract_cues
    from spa2v_lib.cues.segments import clips as split
    from spa2v_lib.cues.tagging import get_tagger

    check_out(out, audio, clips=clips)
    chosen = Settings.of(settings)
    words = None if labels is None else [word.strip() for word in labels.split(",")]
    given = {**chosen.of_stage("analyze"), "tagger": get_tagger(chosen.tagger, words)}
    measured = []
    with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
        progress("analyze", 0, 1)
        recording = read_audio(audio, track=chosen.track)
        parts = split(recording) if clips else [recording]
        for part in parts:
            progress("analyze", len(measured), len(parts))
            measured.append(extract_cues(part, **given))
    if out is not None:
        for number, one in enumerate(measured, 1):
            one.save(clip_out(out, number) if clips else out)
    if as_json:
        text = [one.model_dump_json(indent=1) for one in measured]
        print("[" + ",\n".join(text) + "]" if clips else text[0])
    else:
        for one in measured:
            summaries.show_cues(one)


@settings_options((*Settings.of_stages("read", "analyze", "plan"), "seed"))
def plan(
    source: Annotated[Path, typer.Argument(help="A recording, or a cues.json.")],
    settings: dict[str, Any],
    aspect: Annotated[
        float, typer.Option(min=0.2, max=5, help="Width over height of the picture.")
    ] = 1.0,
    show_prompt: Annotated[
        bool,
        typer.Option("--show-prompt", help="Print the model's prompt; send nothing."),
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Plan the layout: boxes and captions for every key frame.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rain.wav"
    >>> _ = Recording.from_samples(noise, 16000).save(path)
    >>> import json
    >>> result = CliRunner().invoke(app, ["plan", str(path), "--label", "bus", "--json"])
    >>> json.loads(result.output)["objects"][0]["label"]
    'bus'
    """
    check_out(out, source)
    if show_prompt:
        return _show_prompt(source, settings, aspect)
    layout, notes = _planned(source, settings, aspect)
    if out is not None:
        layout.save(out)
    if as_json:
        print(layout.to_json())
    else:
        summaries.show_layout(layout)
        terminal.show_notes(notes)


def _planned(
    source: Path, given: Mapping[str, Any], aspect: float
) -> tuple[VideoSceneLayout, list[str]]:
    from spa2v_lib.planning import plan as plan_recording

    settings = Settings.of(given)
    asked = settings.planned_with() | {"aspect": aspect, "strict": settings.strict}
    with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
        progress("analyze", 0, 1)
        recording, measured = _analyzed(source, given, settings)
        progress("analyze", 1, 1)
        progress("plan", 0, 1)
        layout = plan_recording(recording, measured, **asked)
    notes = [] if recording is None else recording.notes
    return layout, list(dict.fromkeys([*notes, *measured.notes]))


def _show_prompt(source: Path, given: Mapping[str, Any], aspect: float) -> None:
    """Print the prompt, and what sending it would take on the error stream."""
    from spa2v_lib.planning import parse_planner, prompt_for
    from spa2v_lib.planning.cost import estimate as estimate_prompt

    settings = Settings.of(given)
    if _holds_cues(source):
        raise PlanningError(f"{source} holds cues; a prompt is made from the recording")
    recording, measured = _analyzed(source, given, settings)
    prompt = prompt_for(recording, measured, **settings.planned_with() | {"aspect": aspect})
    print(prompt.text)
    print(estimate_prompt(prompt, parse_planner(settings.planner)), file=sys.stderr)


def _holds_cues(source: Path) -> bool:
    return source.suffix.lower() == ".json"


def _analyzed(
    source: Path, given: Mapping[str, Any], settings: Settings
) -> tuple[Recording | None, SpatialCues]:
    """Return a recording with its cues, or the cues alone of a file that holds them."""
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.runs.make import analyze_recording

    if not _holds_cues(source):
        recording = read_audio(source, track=settings.track)
        return recording, analyze_recording(recording, settings).cues
    if late := [name for name in given if name not in _OF_CUES_ALONE]:
        raise PlanningError(
            f"{source} holds cues, to which {', '.join(late)} cannot be applied any more: give the "
            "recording instead (only the acoustic planner works without it)"
        )
    return None, SpatialCues.load(source)


@settings_options()
def estimate(
    sources: Annotated[
        list[Path], typer.Argument(help="Recordings, a manifest (.csv), folders or patterns.")
    ],
    settings: dict[str, Any],
) -> None:
    """Estimate what planning recordings with a language model takes; nothing is sent.

    Manifests and folders are read, and long recordings cut, as `spa2v batch` does it.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["estimate", "rain.wav", "--planner", "acoustic"]).exception)
    the planner 'acoustic' asks no model
    """
    from spa2v_lib.batch.estimate import estimate_rows
    from spa2v_lib.batch.manifest import read_rows
    from spa2v_lib.batch.tasks import SETTINGS_COLUMNS
    from spa2v_lib.planning import make_backend, parse_planner

    # Refuses a planner that asks no model before anything is analyzed.
    make_backend(parse_planner(Settings.of(settings).planner))
    with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
        expected = estimate_rows(read_rows(sources, SETTINGS_COLUMNS), settings, progress)
    print(expected)


@settings_options()
def generate(
    audio: Audio,
    out: OutFolder,
    settings: dict[str, Any],
    layout: Annotated[
        Path | None, typer.Option(help="Draw this layout instead of planning one.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a video of a recording, in a folder that also shows how it came about.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["generate", "nowhere.wav", "--out", "run"]).exception)
    nowhere.wav does not exist; give the path of an audio or video file
    >>> arguments = ["generate", "bus.flac", "--out", "run"]
    >>> CliRunner().invoke(app, arguments).exit_code  # doctest: +SKIP
    0
    """
    from spa2v_lib.runs import generate_run

    with terminal.progress() as progress:
        folder = generate_run(
            audio, out, layout=layout, overwrite=overwrite, progress=progress, **settings
        )
    summaries.show_run(folder)


def doctor(
    preset: Annotated[
        str | None, typer.Option(help="Sample a known layout with this preset, and judge it.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to sample: auto, cuda, mps or cpu.")] = "auto",
    video: Annotated[
        Path | None, typer.Option(help="Keep the video of the check in this file.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps of the check; else the preset's own.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of the check's video.")] = 2.0,
) -> None:
    """Show what is installed, which weights are there, and which device would be used.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> result = CliRunner().invoke(app, ["doctor"])  # doctest: +SKIP
    >>> print(result.output.splitlines()[-1])  # doctest: +SKIP
    everything is there: the embedded default can run
    """
    if preset is not None:
        return _check_preset(preset, video, device=device, steps=steps, seconds=seconds)
    from spa2v_lib.doctor import examine

    findings = examine()
    summaries.show_findings(findings)
    if not all(finding.good for finding in findings):
        raise typer.Exit(2)


@settings_options([name for name in VARIANT if name != "size"])
def fetch(
    preset: Annotated[str, typer.Argument(help="The preset whose weights are downloaded.")],
    settings: dict[str, Any],
) -> None:
    """Download a preset's weights, and those asked for beside it, and check that they fit.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["fetch", "nope"]).exception)
    no preset 'nope'; there is: tiny, ...
    """
    from spa2v_lib.sampling import fetch as fetch_weights
    from spa2v_lib.sampling.fit import check_fit

    chosen = Settings.of({**settings, "preset": preset}).sampled_with()
    for folder in fetch_weights(chosen):
        print(folder)
    check_fit(chosen)


def _check_preset(name: str, keep: Path | None, **how: Any) -> None:
    from spa2v_lib.sampling.selfcheck import check_preset

    with terminal.progress() as progress:
        verdict = check_preset(
            name, progress=lambda done, total: progress("sample", done, total), **how
        )
    if keep is not None:
        verdict.video.save(keep)
    summaries.show_verdict(name, verdict)
    if not verdict.good:
        raise typer.Exit(2)
