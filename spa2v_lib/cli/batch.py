"""``spa2v batch``, ``spa2v verify`` and ``spa2v rerun``: many runs, and runs once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spa2v_lib.cli import batch_terminal, terminal
from spa2v_lib.cli.app import app
from spa2v_lib.cli.options import OutFolder, Overwrite

Sound = Annotated[
    Path | None, typer.Option(help="The recording, if it is not where it was found before.")
]
# What is not given is left as the row, the notebook or the earlier run has it.
GivenPlacement = Annotated[
    str | None, typer.Option(help="With a language model, who places boxes: cues or model.")
]
GivenExemplars = Annotated[
    str | None,
    typer.Option(help="Which examples teach the planner: knn, fixed, random or none."),
]
GivenShots = Annotated[int | None, typer.Option(min=0, help="How many examples.")]
GivenCaptions = Annotated[
    str | None, typer.Option(help="What frames are told: mixed, global or frame captions.")
]
GivenFps = Annotated[float | None, typer.Option(help="Frames per second.")]
GivenClip = Annotated[
    int | None, typer.Option(min=1, help="Which scene, as cues --clips counts them.")
]
GivenMaxSeconds = Annotated[
    float | None, typer.Option(help="A longer recording or scene is cut to this length.")
]
GivenDevice = Annotated[str | None, typer.Option(help="Where to draw: auto, cuda or cpu.")]


@app.command()
def batch(
    sources: Annotated[
        list[Path], typer.Argument(help="A manifest (.csv), folders, patterns or recordings.")
    ],
    out: OutFolder,
    label: Annotated[str | None, typer.Option(help="What sounds, where no row says it.")] = None,
    capture: Annotated[str | None, typer.Option(help="How it was recorded.")] = None,
    planner: Annotated[str | None, typer.Option(help="Who plans.")] = None,
    placement: GivenPlacement = None,
    exemplars: GivenExemplars = None,
    shots: GivenShots = None,
    preset: Annotated[str | None, typer.Option(help="Which weights draw.")] = None,
    grounding: Annotated[str | None, typer.Option(help="How boxes guide the drawing.")] = None,
    captions: GivenCaptions = None,
    device: GivenDevice = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For rows that name none.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    fps: GivenFps = None,
    clip: GivenClip = None,
    max_seconds: GivenMaxSeconds = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Do what is missing, failed or out of date.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="Who works: inline (this process), processes or ray.")
    ] = "inline",
    workers: Annotated[int | None, typer.Option(min=1, help="How many work at once.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Give an item up after so many seconds.")
    ] = None,
    address: Annotated[str, typer.Option(help="Ray cluster: auto, local, or HOST:PORT.")] = "auto",
    cpus_per_item: Annotated[float, typer.Option(help="Processors for each, with Ray.")] = 1.0,
    gpus_per_item: Annotated[float, typer.Option(help="GPUs for each, with Ray.")] = 0.0,
    notebook: Annotated[
        Path | None, typer.Option(help="Another notebook with RECORDING and OUT.")
    ] = None,
) -> None:
    """Make a run folder of every recording, an index page and a table of results.

    Exit code 0: all is there; 1: some items failed, and their notebooks say why; 2: nothing was
    begun, or the folder could not be written to.
    """
    from spa2v_lib.batch import Crew, run_batch

    crew = Crew(
        engine=engine,
        workers=workers,
        timeout_s=timeout,
        address=address,
        cpus_per_item=cpus_per_item,
        gpus_per_item=gpus_per_item,
    )
    told = {
        "label": label,
        "capture": capture,
        "planner": planner,
        "placement": placement,
        "exemplars": exemplars,
        "shots": shots,
        "preset": preset,
        "grounding": grounding,
        "captions": captions,
        "device": device,
        "seed": seed,
        "steps": steps,
        "fps": fps,
        "clip": clip,
        "max_seconds": max_seconds,
    }
    given = {name: value for name, value in told.items() if value is not None}
    with batch_terminal.batch_progress() as progress:
        summary = run_batch(
            sources,
            out,
            crew=crew,
            notebook=notebook,
            resume=resume,
            progress=progress,
            announce=batch_terminal.show_estimate,
            **given,
        )
    batch_terminal.show_batch(summary)
    if summary.failed:
        raise typer.Exit(1)


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="A run folder.")], recording: Sound = None
) -> None:
    """Execute a run again, and say what differs from its run.json.

    Exit code 0: the files are intact and the result is the same; 1: they are not.
    """
    from spa2v_lib.runs import verify as verify_run

    with terminal.progress() as progress:
        found = verify_run(run, recording=recording, progress=progress)
    batch_terminal.show_verification(found)
    if not found.reproduced:
        raise typer.Exit(1)


@app.command()
def rerun(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: OutFolder,
    recording: Sound = None,
    label: Annotated[str | None, typer.Option(help="What sounds.")] = None,
    capture: Annotated[str | None, typer.Option(help="How it was recorded.")] = None,
    planner: Annotated[str | None, typer.Option(help="Who plans.")] = None,
    placement: GivenPlacement = None,
    exemplars: GivenExemplars = None,
    shots: GivenShots = None,
    preset: Annotated[str | None, typer.Option(help="Which weights draw.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The source of randomness.")] = None,
    fps: GivenFps = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    clip: GivenClip = None,
    max_seconds: GivenMaxSeconds = None,
    grounding: Annotated[str | None, typer.Option(help="How boxes guide the drawing.")] = None,
    captions: GivenCaptions = None,
    device: GivenDevice = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a run again with the parameters that are given changed, and all others kept."""
    from spa2v_lib.runs import rerun as rerun_folder

    told: dict[str, Any] = {
        "label": label,
        "capture": capture,
        "planner": planner,
        "placement": placement,
        "exemplars": exemplars,
        "shots": shots,
        "preset": preset,
        "seed": seed,
        "fps": fps,
        "steps": steps,
        "clip": clip,
        "max_seconds": max_seconds,
        "grounding": grounding,
        "captions": captions,
        "device": device,
    }
    changes = {name: value for name, value in told.items() if value is not None}
    with terminal.progress() as progress:
        folder = rerun_folder(
            run, out, recording=recording, overwrite=overwrite, progress=progress, **changes
        )
    terminal.show_run(folder)
