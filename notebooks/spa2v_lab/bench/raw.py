"""Raw results of a long benchmark, written anew after every item: they outlive an interruption."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from spa2v_lib.errors import OutputError
from spa2v_lib.files import read_json, write_text
from spa2v_lib.folders import check_folder

__all__ = ["RAW", "RawResults", "read"]

RAW = "raw.json"
"""The file that everything measured is kept in."""

_DIGITS = 5


class RawResults:
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

    See Also
    --------
    read : the same file, without asking what it was measured with

    Examples
    --------
    >>> from pathlib import Path
    >>> raw = RawResults(Path("out/raw.json"), {"seed": 0})
    >>> raw.put(raw.part("scenes"), "0", {"IoU": 0.123456789})
    >>> RawResults(Path("out/raw.json"), {"seed": 0}).part("scenes")
    {'0': {'IoU': 0.12346}}
    """

    def __init__(self, path: Path, asked: dict[str, Any], *, overwrite: bool = False) -> None:
        check_folder(path.parent, path.name, overwrite=True)
        self.path = path
        self.raw: dict[str, Any] = {"asked": asked}
        if not path.is_file():
            return
        stored = read(path)
        other = [name for name in asked if stored.get("asked", {}).get(name) != asked[name]]
        if not other:
            self.raw = stored
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
        text = json.dumps(self.raw, allow_nan=False, separators=(",", ":"))
        write_text(self.path, text + "\n")


def read(path: Path) -> dict[str, Any]:
    """Read raw results.

    Raises
    ------
    OutputError
        If the file cannot be read or is none of this library's.

    See Also
    --------
    RawResults : goes on from them

    Examples
    --------
    >>> read(Path("raw.json"))  # doctest: +SKIP
    """
    content = read_json(path, OutputError)
    if "asked" not in content:
        raise OutputError(f"{path} holds no raw results of a benchmark")
    return content


def rounded(value: Any) -> Any:
    """Return a value with five decimals, and None in the place of every NaN, unknown to JSON."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    return value
