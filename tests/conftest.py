"""What tests of every part share."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

from spa2v_lib import cli

# A busy machine is no fault of the code, and a check fails for a change, never by chance: the same
# cases each time, unless more are asked for.
settings.register_profile("steady", deadline=None, derandomize="SPA2V_FUZZ" not in os.environ)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, so that no worker ends up alone with it."""
    items.sort(key=lambda item: item.path.name != "test_memory.py")


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
