"""The guard of `make check-notebooks` bites: nothing leaves the machine unseen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = [sys.executable, str(ROOT / "tests" / "offline")]

# Each goes on as if nothing had happened, as libraries do that look for news. The addresses are
# set apart for documentation, and would be waited for in vain.
LEAVING = {
    "connect 192.0.2.1": "socket.socket().connect(('192.0.2.1', 80))",
    "connect 2001:db8::1": "socket.socket(socket.AF_INET6).connect_ex(('2001:db8::1', 80))",
    "sendto 192.0.2.2": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.2', 53))",
    "getaddrinfo example.invalid": "urllib.request.urlopen('http://example.invalid')",
    "gethostbyname example.invalid": "socket.gethostbyname_ex('example.invalid')",
}
STAYING = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1])).close()
sys.exit(7)
"""


def offline(*command: str) -> tuple[int, str]:
    """Run a command under the guard; gives its exit code and its error stream."""
    done = subprocess.run([*OFFLINE, *command], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def quietly(statement: str) -> str:
    return (
        "import socket, urllib.request\n"
        f"try:\n    {statement}\nexcept Exception:\n    pass\n"
        "print('all is well')\n"
    )


@pytest.mark.parametrize("named", LEAVING)
def test_whatever_leaves_the_machine_is_refused_and_named_though_its_error_is_caught(named):
    code, said = offline(sys.executable, "-c", quietly(LEAVING[named]))
    assert code == 1 and said.startswith(f"offline: {named} by ")


def test_a_connection_within_the_machine_is_left_alone_and_the_exit_code_kept():
    assert offline(sys.executable, "-c", STAYING) == (7, "")


def test_threads_and_processes_that_are_started_are_watched_too():
    inner = quietly(LEAVING["connect 192.0.2.1"])
    outer = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}])"
    thread = (
        "import socket, threading\n"
        "threading.Thread(target=socket.gethostbyname, args=['example.invalid']).start()"
    )
    for code in (outer, thread):
        assert offline(sys.executable, "-c", code)[0] == 1


def test_a_command_that_nobody_watches_fails():
    code, said = offline("git", "--version")
    assert code == 1 and "nothing watched" in said


def test_the_kernel_of_a_notebook_is_watched(tmp_path):
    cell = new_code_cell(quietly(LEAVING["getaddrinfo example.invalid"]))
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    papermill = [sys.executable, "-m", "papermill", "--no-progress-bar", "--kernel", "python3"]
    code, said = offline(*papermill, str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"))
    (done,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert done.outputs[0].text == "all is well\n"  # the notebook itself noticed nothing
    assert code == 1 and "offline: getaddrinfo example.invalid by " in said


def test_every_notebook_is_executed_under_the_guard():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "OFFLINE := $(BIN)/python tests/offline $(RUN)" in makefile
    recipe = makefile.split("\ncheck-%:")[1].split("\n\n")[0]
    runs = re.findall(r"^\t(.*(?:papermill|--nbval ).*)$", recipe, re.MULTILINE)
    assert len(runs) == 2 and all(line.startswith("$(OFFLINE) ") for line in runs)
