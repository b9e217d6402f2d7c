"""Arguments and options that several commands share, those of a run's `Settings` among them.

And where a command may write its JSON: never over what it reads.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from spa2v_lib.errors import OutputError
from spa2v_lib.runs.settings import Settings

__all__ = [
    "AsJson",
    "Audio",
    "OutFile",
    "OutFolder",
    "Overwrite",
    "check_out",
    "clip_out",
    "settings_options",
]

Audio = Annotated[Path, typer.Argument(help="A sound file, or a video with a sound track.")]
OutFile = Annotated[Path | None, typer.Option(help="Write JSON to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OutFolder = Annotated[Path, typer.Option(help="The folder to make.")]
Overwrite = Annotated[bool, typer.Option(help="Replace the results of an earlier run in --out.")]


def settings_options(
    names: Sequence[str] = (), *, defaults: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for every field of `Settings`, in the place of ``settings``.

    The command gets a dictionary of those that were given on the command line.

    Parameters
    ----------
    names : sequence of str
        The fields; all of them if there are none here.
    defaults : bool
        Show the fields' defaults in the help; not where what is not given comes from elsewhere.

    Examples
    --------
    >>> @settings_options(["seed"])
    ... def command(out: Path, settings: dict[str, Any]) -> None:
    ...     print(out, settings)
    >>> list(inspect.signature(command).parameters)
    ['out', 'seed']
    >>> command(out="a", seed=3), command(out="b", seed=None)
    a {'seed': 3}
    b {}
    (None, None)
    """
    chosen = tuple(names) or tuple(Settings.model_fields)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def call(**given: Any) -> Any:
            values = {name: given.pop(name) for name in chosen}
            settings = {name: value for name, value in values.items() if value not in (None, [])}
            return command(**given, settings=settings)

        hints = get_type_hints(command, include_extras=True)
        parameters: list[inspect.Parameter] = []
        for name, parameter in inspect.signature(command).parameters.items():
            if name == "settings":
                parameters += [_option(field, defaults) for field in chosen]
            else:
                parameters.append(parameter.replace(annotation=hints[name]))
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        call.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
        return call

    return decorate


def _option(name: str, show_default: bool) -> inspect.Parameter:
    """Return the option of a field; bounds are left to `Settings`, which checks them all alike."""
    field = Settings.model_fields[name]
    repeated = isinstance(field.default, tuple)
    shown = show_default and field.default not in (None, ()) and field.annotation is not bool
    meaning = f"{field.description} Default: {field.default}." if shown else field.description
    option = typer.Option(help=meaning, show_default=False)
    typed = list[str] if repeated else field.annotation  # typer repeats an option of a list
    annotation = Annotated[typed | None, option]  # type: ignore[operator]
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=annotation)


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

    Examples
    --------
    >>> check_out(Path("cues.json"), Path("train.flac"))
    """
    if out is None:
        return
    if out.suffix.lower() != ".json":
        raise OutputError(f"--out {out} does not end in .json; JSON is written, so end it in .json")
    # How many clips there are is known only later, so every number counts.
    number = r"-[1-9]\d*" if clips else ""
    names_it = re.fullmatch(re.escape(out.stem) + number + re.escape(out.suffix), source.name)
    beside = out.parent.resolve() == source.parent.resolve()
    same = out.exists() and source.exists() and out.samefile(source)
    if (names_it and beside) or (not clips and same):
        raise OutputError(f"--out {out} would overwrite {source}, which is read; name another file")


def clip_out(out: Path, number: int) -> Path:
    """Return the file of one clip.

    Parameters
    ----------
    out : Path
        What ``--out`` names.
    number : int
        From 1.

    Examples
    --------
    >>> clip_out(Path("c.json"), 1).name
    'c-1.json'
    """
    return out.with_stem(f"{out.stem}-{number}")
