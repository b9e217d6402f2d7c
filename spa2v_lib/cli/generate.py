"""``spa2v generate``: from a recording to a folder with its video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spa2v_lib.cli import terminal
from spa2v_lib.cli.app import app
from spa2v_lib.cli.options import (
    Audio,
    Capture,
    Exemplars,
    Label,
    OutFolder,
    Overwrite,
    Placement,
    Planner,
    Seed,
    Shots,
)
from spa2v_lib.runs import MAX_SECONDS


@app.command()
def generate(
    audio: Audio,
    out: OutFolder,
    label: Label = None,
    capture: Capture = "auto",
    planner: Planner = "acoustic",
    placement: Placement = "cues",
    exemplars: Exemplars = "knn",
    shots: Shots = 3,
    preset: Annotated[str, typer.Option(help="Which weights draw.")] = "tiny",
    seed: Seed = 0,
    fps: Annotated[float | None, typer.Option(help="Frames per second; 8 by default.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    clip: Annotated[
        int | None, typer.Option(min=1, help="Take this scene, as cues --clips counts them.")
    ] = None,
    max_seconds: Annotated[
        float, typer.Option(help="A longer recording is cut to this length.")
    ] = MAX_SECONDS,
    grounding: Annotated[
        str,
        typer.Option(
            help="How boxes guide the drawing; none leaves them unheard. Knobs follow a colon: "
            "attention:noise=on,strength=0.5."
        ),
    ] = "default",
    captions: Annotated[
        str, typer.Option(help="What frames are told: mixed, global or frame captions.")
    ] = "mixed",
    device: Annotated[str, typer.Option(help="Where to draw: auto, cuda or cpu.")] = "auto",
    layout: Annotated[
        Path | None, typer.Option(help="Draw this layout instead of planning one.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a video of a recording, in a folder that also shows how it came about."""
    from spa2v_lib.runs import generate_run

    with terminal.progress() as progress:
        folder = generate_run(
            audio,
            out,
            layout=layout,
            overwrite=overwrite,
            progress=progress,
            label=label,
            capture=capture,
            planner=planner,
            placement=placement,
            exemplars=exemplars,
            shots=shots,
            preset=preset,
            seed=seed,
            fps=fps,
            steps=steps,
            clip=clip,
            max_seconds=max_seconds,
            grounding=grounding,
            captions=captions,
            device=device,
        )
    terminal.show_run(folder)
