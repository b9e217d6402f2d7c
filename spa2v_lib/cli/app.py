"""The command that the others hang on."""

from __future__ import annotations

from typing import Annotated

import typer

from spa2v_lib import __version__

app = typer.Typer(
    name="spa2v",
    help="From a stereo recording to a video whose things are where the sound says they are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"spa2v {__version__}")
        raise typer.Exit
