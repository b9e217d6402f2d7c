"""``spa2v cues`` and ``spa2v plan``: one stage each; ``spa2v estimate``: what a model costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spa2v_lib.cli import terminal
from spa2v_lib.cli.app import app
from spa2v_lib.cli.options import (
    AsJson,
    Audio,
    Capture,
    Exemplars,
    Label,
    OutFile,
    Placement,
    Planner,
    Seed,
    Shots,
    check_out,
    clip_out,
)
from spa2v_lib.errors import PlanningError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.layout.scene_layout import VideoSceneLayout


@app.command()
def cues(
    audio: Audio,
    label: Label = None,
    capture: Capture = "auto",
    tagger: Annotated[
        str, typer.Option(help="Who says what sounds: embedded, ast, clap, or ast:FOLDER, ...")
    ] = "embedded",
    labels: Annotated[
        str | None, typer.Option(help="What may sound, for clap: words with commas between.")
    ] = None,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Split at scene changes; --out then names one file a clip."),
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure what sounds where, and when."""
    from spa2v_lib.audio.recording import read_audio
    from spa2v_lib.cues import extract_cues
    from spa2v_lib.cues.segments import clips as split
    from spa2v_lib.cues.tagging import get_tagger

    check_out(out, audio, clips=clips)
    words = None if labels is None else [word.strip() for word in labels.split(",")]
    tells = get_tagger(tagger, words)
    found = []
    with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
        progress("hear", 0, 1)
        recording = read_audio(audio)
        parts = split(recording) if clips else [recording]
        for part in parts:
            progress("hear", len(found), len(parts))
            found.append(extract_cues(part, label=label, capture=capture, tagger=tells))
    if out is not None:
        for number, one in enumerate(found, 1):
            one.save(clip_out(out, number) if clips else out)
    if as_json:
        text = [one.model_dump_json(indent=1) for one in found]
        print("[" + ",\n".join(text) + "]" if clips else text[0])
    else:
        for one in found:
            terminal.show_cues(one)


@app.command()
def plan(
    source: Annotated[Path, typer.Argument(help="A recording, or a cues.json.")],
    label: Label = None,
    capture: Capture = "auto",
    planner: Planner = "acoustic",
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Frames per second.")] = 8.0,
    aspect: Annotated[
        float, typer.Option(min=0.2, max=5, help="Width over height of the picture.")
    ] = 1.0,
    placement: Placement = "cues",
    exemplars: Exemplars = "knn",
    shots: Shots = 3,
    seed: Seed = 0,
    show_prompt: Annotated[
        bool, typer.Option("--show-prompt", help="Print what it would be given; send nothing.")
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Plan the layout: boxes and captions for every key frame."""
    check_out(out, source)
    view = {"fps": fps, "aspect": aspect}
    asked = {"placement": placement, "exemplars": exemplars, "shots": shots, "seed": seed}
    if show_prompt:
        return _show_prompt(source, label, capture, planner, **view, **asked)
    layout = _planned(source, label, capture, planner, view, asked)
    if out is not None:
        layout.save(out)
    if as_json:
        print(layout.to_json())
    else:
        terminal.show_layout(layout)


@app.command()
def estimate(
    sources: Annotated[
        list[Path], typer.Argument(help="Recordings, a manifest (.csv), folders or patterns.")
    ],
    planner: Planner,
    label: Label = None,
    capture: Capture = "auto",
    placement: Placement = "cues",
    exemplars: Exemplars = "knn",
    shots: Shots = 3,
    seed: Seed = 0,
) -> None:
    """Tell what planning recordings with a language model would take; nothing is sent.

    Manifests and folders are read, and long recordings cut, as `spa2v batch` does it.
    """
    from spa2v_lib.batch.estimate import COLUMNS, estimate_rows
    from spa2v_lib.batch.manifest import read_rows
    from spa2v_lib.planning import make_backend, parse_planner

    make_backend(parse_planner(planner))  # refuses one that asks no model before anything is heard
    told = {"label": label or "", "capture": capture, "planner": planner, "placement": placement}
    told |= {"exemplars": exemplars, "shots": shots, "seed": seed}
    with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
        found = estimate_rows(read_rows(sources, COLUMNS), told, progress)
    print(found)


def _planned(
    source: Path,
    label: str | None,
    capture: str,
    planner: str,
    view: dict[str, Any],
    asked: dict[str, Any],
) -> VideoSceneLayout:
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.planning import plan as plan_recording
    from spa2v_lib.planning import plan_acoustic
    from spa2v_lib.planning.exemplars import ranked_exemplars

    if source.suffix.lower() != ".json":
        with terminal.progress(after_s=terminal.PATIENCE_S) as progress:
            progress("hear", 0, 1)
            recording, found = _heard(source, label, capture)
            progress("hear", 1, 1)
            progress("plan", 0, 1)
            return plan_recording(recording, found, planner, **view, **asked)
    if label is not None or capture != "auto" or planner != "acoustic":
        raise PlanningError(
            f"{source} holds cues: label and capture were settled when they were measured, and "
            "only the acoustic planner works without the recording"
        )
    found = SpatialCues.load(source)
    ranked = ranked_exemplars(found, asked["exemplars"], seed=asked["seed"])
    return plan_acoustic(found, exemplars=ranked, shots=asked["shots"], **view)


def _show_prompt(
    source: Path, label: str | None, capture: str, planner: str, **options: Any
) -> None:
    """Print the prompt, and what sending it would take on the error stream."""
    from spa2v_lib.planning import parse_planner, prompt_for
    from spa2v_lib.planning.cost import estimate

    if source.suffix.lower() == ".json":
        raise PlanningError(f"{source} holds cues; a prompt is made from the recording")
    prompt = prompt_for(*_heard(source, label, capture), planner, **options)
    print(prompt.text)
    print(estimate(prompt, parse_planner(planner)), file=sys.stderr)


def _heard(source: Path, label: str | None, capture: str) -> tuple[Recording, SpatialCues]:
    from spa2v_lib.audio.recording import read_audio
    from spa2v_lib.cues import extract_cues

    recording = read_audio(source)
    return recording, extract_cues(recording, label=label, capture=capture)
