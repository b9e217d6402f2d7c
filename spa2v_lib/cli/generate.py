"""``spa2v generate`` and ``spa2v scenes``: folders of videos, real and simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spa2v_lib import terminal
from spa2v_lib.captions import Motion
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
from spa2v_lib.errors import SceneError
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


@app.command()
def scenes(
    out: OutFolder,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many scenes: 5, of the benchmark 200.")
    ] = None,
    seed: Seed = 0,
    benchmark: Annotated[
        bool,
        typer.Option("--benchmark", help="The benchmark's clips, with a card."),
    ] = False,
    kind: Annotated[
        Motion | None, typer.Option(help="How the thing moves; every motion in turn by default.")
    ] = None,
    receiver: Annotated[
        str, typer.Option(help="What records: panned, xy, ms, ortf, ab, binaural or foa.")
    ] = "xy",
    duration: Annotated[float, typer.Option(min=0.5, help="Seconds per scene.")] = 4.0,
    overwrite: Overwrite = False,
) -> None:
    """Render simulated scenes whose truth is known: sound, layout, picture, contact sheet."""
    from spa2v_lib.scenes.export import write_scenes

    if benchmark:
        if kind is not None or receiver != "xy" or duration != 4.0:
            raise SceneError(
                "the benchmark's clips are what they are: --kind, --receiver and "
                "--duration cannot be chosen with --benchmark"
            )
        return _benchmark(out, count or 200, seed, overwrite)
    with terminal.progress() as progress:
        folder = write_scenes(
            out,
            count=count or 5,
            seed=seed,
            motion=kind,
            receiver=receiver,
            duration_s=duration,
            overwrite=overwrite,
            progress=progress,
        )
    print(f"{count or 5} scene{'' if count == 1 else 's'} in {folder}")


def _benchmark(out: Path, count: int, seed: int, overwrite: bool) -> None:
    from spa2v_lib.scenes.benchmark_card import write_benchmark

    with terminal.progress() as progress:
        folder = write_benchmark(
            out, count=count, seed=seed, overwrite=overwrite, progress=progress
        )
    made = "1 clip and its card" if count == 1 else f"{count} clips and their card"
    print(f"{made}, README.md, in {folder}")
