"""What tests of every part share."""

from __future__ import annotations

import signal
import sys

import pytest
from hypothesis import settings

from spa2v_lib import cli

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("untimed")


@pytest.fixture
def spa2v(monkeypatch, capsys):
    """Run the command line in this process; gives exit code, stdout and stderr."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["spa2v", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as done:
            code = done.code or 0
        return code, *capsys.readouterr()

    return call
