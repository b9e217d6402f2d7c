"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Audio = Annotated[Path, typer.Argument(help="A sound file, or a video with a sound track.")]
Label = Annotated[str | None, typer.Option(help="What sounds; otherwise the tagger decides.")]
Capture = Annotated[
    str,
    typer.Option(help="How it was recorded: auto, panned, xy, ms, ortf, ab, binaural, foa, mono."),
]
Planner = Annotated[
    str,
    typer.Option(
        help="Who plans: acoustic, smollm, google:MODEL, openai-chat:MODEL[@URL], "
        "transformers:REPO_OR_FOLDER."
    ),
]
Placement = Annotated[
    str, typer.Option(help="With a language model, who places boxes: cues or model.")
]
Exemplars = Annotated[
    str, typer.Option(help="Which examples teach the planner: knn, fixed, random or none.")
]
Shots = Annotated[int, typer.Option(min=0, help="How many examples.")]
OutFile = Annotated[Path | None, typer.Option(help="Write JSON to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OutFolder = Annotated[Path, typer.Option(help="The folder to make.")]
Seed = Annotated[int, typer.Option(min=0, help="The only source of randomness.")]
Overwrite = Annotated[bool, typer.Option(help="Replace the results of an earlier call in --out.")]
