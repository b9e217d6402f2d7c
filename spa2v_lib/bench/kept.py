"""Raw results that outlive an interruption: one JSON file, written anew after every item."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from spa2v_lib.errors import OutputError
from spa2v_lib.folders import check_folder
from spa2v_lib.writing import replacing

__all__ = ["RAW", "Kept", "read"]

RAW = "raw.json"
"""The file that everything measured is kept in."""

_DIGITS = 5


class Kept:
    """What a benchmark has measured so far.

    Parameters
    ----------
    path : Path
        The file; if it is there, work goes on from it.
    asked : dict
        What decides the results: parameters and hashes. JSON values only.
    overwrite : bool
        Begin anew where the file answers another question.

    Raises
    ------
    OutputError
        If the folder holds something else or cannot be written to, or the file was measured with
        other parameters, code or weights and `overwrite` is not set; the message says what differs.
    """

    def __init__(self, path: Path, asked: dict[str, Any], *, overwrite: bool = False) -> None:
        check_folder(path.parent, path.name, overwrite=True)
        self.path = path
        self.raw: dict[str, Any] = {"asked": asked}
        if not path.is_file():
            return
        found = read(path)
        other = [name for name in asked if found.get("asked", {}).get(name) != asked[name]]
        if not other:
            self.raw = found
        elif not overwrite:
            raise OutputError(
                f"{path} was measured with another {', '.join(other)}; choose another folder, or "
                "begin anew (--overwrite)"
            )

    def part(self, name: str) -> dict[str, Any]:
        """Return the part of that name."""
        return self.raw.setdefault(name, {})

    def put(self, part: dict[str, Any], key: str, value: Any) -> None:
        """Keep one item, rounded as in the file: tables made now and later are the same."""
        part[key] = rounded(value)
        self.save()

    def save(self) -> None:
        """Write all that is known."""
        with replacing(self.path) as partial:
            text = json.dumps(self.raw, allow_nan=False, separators=(",", ":"))
            partial.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read raw results.

    Raises
    ------
    OutputError
        If the file cannot be read or is none of this library's.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read as raw results: {error}") from error
    if not isinstance(found, dict) or "asked" not in found:
        raise OutputError(f"{path} holds no raw results of a benchmark")
    return found


def rounded(value: Any) -> Any:
    """Return a value with five decimals, and None in the place of every NaN, unknown to JSON."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    return value
