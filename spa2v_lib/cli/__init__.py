"""The command line: ``spa2v cues | plan | generate | batch | ...``."""

from __future__ import annotations

import signal
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from spa2v_lib import __version__
from spa2v_lib.cli import batch, stages, terminal
from spa2v_lib.errors import Spa2vError

__all__ = ["app", "command_line", "main"]

_own = typer.Typer(
    name="spa2v",
    help="Turn a stereo recording into a video that shows its sources where they sound from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@_own.callback(invoke_without_command=True)
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
    _own.command()(_command)


@cache
def command_line() -> typer.Typer:
    """Return the whole command line, with the commands that other packages add.

    Those come from the entry-point group ``spa2v.commands``, such as `spa2v_lab`'s ``scenes`` and
    ``bench``; they are loaded when the command line is first used, so that their modules may
    import this one.

    Examples
    --------
    >>> names = [info.callback.__name__ for info in command_line().registered_commands]
    >>> "generate" in names
    True
    """
    for entry in entry_points(group="spa2v.commands"):
        entry.load()(_own)
    return _own


def __getattr__(name: str) -> Any:
    if name == "app":
        return command_line()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Run the command line; an expected error becomes one red line and exit code 2.

    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> CliRunner().invoke(command_line(), ["--version"]).output.split()[0]
    'spa2v'
    """
    # A polite kill must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        command_line()()
    except Spa2vError as error:
        terminal.show_error(error)
        sys.exit(2)
