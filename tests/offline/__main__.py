"""Run a command that must stay within the machine: ``python tests/offline COMMAND ...``.

The command finds no network. It fails if it, or a Python process that it starts, tried to open a
connection or to look a name up, even where it went on as if nothing had happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = str(Path(__file__).resolve().parent)


def main(command: list[str]) -> int:
    """Return the command's exit code, or 1 if it tried to leave the machine."""
    with TemporaryDirectory() as folder:
        record = Path(folder) / "connections"
        ways = filter(None, [HERE, os.environ.get("PYTHONPATH")])
        told = {"PYTHONPATH": os.pathsep.join(ways), "SPA2V_CONNECTIONS": str(record)}
        code = subprocess.run(command, env=os.environ | told, check=False).returncode
        if not record.is_file():
            print("offline: nothing watched the command; it must start Python", file=sys.stderr)
            return 1
        found = dict.fromkeys(record.read_text(encoding="utf-8").splitlines())
    for line in found:
        print(f"offline: {line}", file=sys.stderr)
    return code or bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
