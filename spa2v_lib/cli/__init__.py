"""The command line: ``spa2v cues | plan | generate | batch | ...``, a file a group of commands."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

# isort: off  (`spa2v --help` lists the commands in this order)
from spa2v_lib.cli import batch, doctor, generate, stages, terminal  # noqa: F401
from spa2v_lib.cli.app import app
from spa2v_lib.errors import Spa2vError

# isort: on

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["app", "main"]

for _entry in entry_points(group="spa2v.commands"):
    _entry.load()(app)  # such as spa2v_lab's `scenes` and `bench`


def main() -> None:
    """Run the command line; an expected error becomes one red line and exit code 2."""
    # A polite kill must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except Spa2vError as error:
        terminal.show_error(error)
        sys.exit(2)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
