"""Arguments and options that several commands share.

Where a command may write its JSON: never over what it reads.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from spa2v_lib.errors import OutputError

__all__ = [
    "check_out",
    "clip_out",
]

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


def check_out(out: Path | None, source: Path, *, clips: bool = False) -> None:
    """Refuse a file that JSON should not be written to, before anything is read.

    Parameters
    ----------
    out : Path or None
        What ``--out`` names; None is always right.
    source : Path
        What the command reads.
    clips : bool
        Files of `clip_out` are written, instead of `out` itself.

    Raises
    ------
    OutputError
        If `out` does not end in .json, or is the source.
    """
    if out is None:
        return
    if out.suffix.lower() != ".json":
        raise OutputError(f"--out {out} does not end in .json; JSON is written, so end it in .json")
    # How many clips there are is known only later, so every number counts.
    number = r"-[1-9]\d*" if clips else ""
    names_it = re.fullmatch(re.escape(out.stem) + number + re.escape(out.suffix), source.name)
    beside = out.parent.resolve() == source.parent.resolve()
    if (names_it and beside) or (not clips and _same(out, source)):
        raise OutputError(f"--out {out} would overwrite {source}, which is read; name another file")


def clip_out(out: Path, number: int) -> Path:
    """Return the file of one clip: ``c-1.json`` and so on for ``c.json``."""
    return out.with_stem(f"{out.stem}-{number}")


def _same(out: Path, source: Path) -> bool:
    """Whether two names lead to one file, be it through links or upper case."""
    return out.exists() and source.exists() and out.samefile(source)
