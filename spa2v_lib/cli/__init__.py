"""The command line: ``spa2v cues | plan | generate | batch | ...``."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated

import typer

from spa2v_lib import __version__
from spa2v_lib.cli import batch, stages, terminal
from spa2v_lib.errors import Spa2vError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app", "main"]

app = typer.Typer(
    name="spa2v",
    help="Turn a stereo recording into a video that shows its sources where they sound from.",
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


# In the order of `spa2v --help`.
for _command in (
    *(stages.cues, stages.plan, stages.estimate, stages.generate),
    *(batch.batch, batch.verify, batch.rerun),
    stages.fetch,
    stages.doctor,
):
    app.command()(_command)
for _entry in entry_points(group="spa2v.commands"):
    _entry.load()(app)  # such as spa2v_lab's `scenes` and `bench`


def main() -> None:
    """Run the command line; an expected error becomes one red line and exit code 2.

    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> CliRunner().invoke(app, ["--version"]).output.split()[0]
    'spa2v'
    """
    # A polite kill must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except Spa2vError as error:
        terminal.show_error(error)
        sys.exit(2)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
