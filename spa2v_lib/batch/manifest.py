"""What a batch is to do: the rows of a manifest, the files of a folder or of a pattern."""

from __future__ import annotations

import csv
import glob
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa2v_lib.errors import BatchError

__all__ = ["SUFFIXES", "Row", "read_rows"]

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("aac", "aif", "aifc", "aiff", "amb", "caf", "flac", "m4a", "mp3", "oga", "ogg", "opus"),
        *("w64", "wav", "avi", "mkv", "mov", "mp4", "webm"),
    )
)
"""Endings of the files that are taken from a folder."""

_OWN = ("recording", "name")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Row:
    """One recording with what is asked for it.

    Attributes
    ----------
    recording : str
        The path as it was written.
    path : Path
        The same, absolute.
    name : str
        How the results call it; the file's name if nothing else is said.
    parameters : dict
        What this row sets, by the columns' names; the rest keeps its default.
    line : int
        In the manifest, or the number among the files, from 1.
    """

    recording: str
    path: Path
    name: str
    parameters: dict[str, Any]
    line: int


def read_rows(sources: Sequence[str | os.PathLike[str]], columns: Mapping[str, Any]) -> list[Row]:
    """Read manifests, folders, patterns and recordings, in the order given.

    Parameters
    ----------
    sources : sequence of path
        A manifest ends in .csv: UTF-8, a header, a column ``recording`` with paths relative to
        the manifest, and any of ``name`` and `columns`; empty cells take the default. A folder
        gives the recordings directly in it, by name; a pattern (``*``, ``?``, ``**``) those that
        fit. Anything else is a recording.
    columns : mapping
        The parameters that a manifest may set, with a value of the right type for each.

    Returns
    -------
    list of Row

    Raises
    ------
    BatchError
        If something cannot be read or understood; the message names the lines.
    """
    rows: list[Row] = []
    for source in sources:
        text = os.fspath(source)
        if "\0" in text:
            raise BatchError(f"a path cannot hold a NUL character: {text!r}")
        rows += _read(text, columns)
    if not rows:
        raise BatchError(f"there is no recording in {', '.join(map(str, sources)) or 'nothing'}")
    return rows


def _read(source: str, columns: Mapping[str, Any]) -> list[Row]:
    path = Path(source)
    try:
        if path.is_dir():
            files = sorted(child for child in path.iterdir() if child.suffix.lower() in SUFFIXES)
            return _plain_rows([str(file) for file in files if file.is_file()])
        if path.suffix.lower() == ".csv":
            return _manifest(path, columns)
        if not path.exists() and glob.has_magic(source):
            found = sorted(glob.glob(source, recursive=True))
            return _plain_rows([file for file in found if Path(file).is_file()])
    except OSError as error:
        raise BatchError(f"cannot read {source}: {error.strerror}") from error
    if trouble := _unusable(path):
        raise BatchError(f"{source}: {trouble}; give recordings, a folder, a pattern or a .csv")
    return _plain_rows([source])


def _plain_rows(files: Sequence[str]) -> list[Row]:
    for file in files:
        if not file.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in file):
            raise BatchError(f"the name {file!r} is not UTF-8; rename the file")
    return [
        Row(file, Path(file).resolve(), Path(file).name, {}, number)
        for number, file in enumerate(files, 1)
    ]


def _manifest(path: Path, columns: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    problems: list[str] = []
    for line, fields in _records(path, columns):
        try:
            rows.append(_row(path, line, fields, columns))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        more = len(problems) - _MOST_SHOWN
        shown = "; ".join(problems[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise BatchError(f"{path}: {shown}")
    return rows


def _records(path: Path, columns: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells that are not empty, of every row that has some."""
    if not _is_file(path):
        raise BatchError(f"{path} is not a file; give a manifest, a folder or a pattern")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(path, header, columns)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(header):
                    raise BatchError(
                        f"{path}: line {reader.line_num}: {len(cells)} cells under "
                        f"{len(header)} columns; quote cells that hold commas"
                    )
                named = zip(header, cells, strict=False)
                yield reader.line_num, {name: cell for name, cell in named if cell.strip()}
    except UnicodeDecodeError as error:
        raise BatchError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except csv.Error as error:
        raise BatchError(f"{path} is not a table with commas: {error}") from error


def _check_header(path: Path, header: list[str], columns: Mapping[str, Any]) -> None:
    known = (*_OWN, *columns)
    if "recording" not in header:
        raise BatchError(f"{path} has no column 'recording'; its first line must name the columns")
    if unknown := [name for name in header if name not in known]:
        raise BatchError(
            f"{path}: no parameter {', '.join(map(repr, unknown))}; columns may be: "
            f"{', '.join(known)}"
        )
    if len(set(header)) < len(header):
        raise BatchError(f"{path} names a column twice: {', '.join(header)}")


def _row(path: Path, line: int, fields: dict[str, str], columns: Mapping[str, Any]) -> Row:
    """Make a row; a ValueError says what is wrong with it."""
    written = fields.get("recording")
    if written is None:
        raise ValueError("no recording")
    if "\0" in written:
        raise ValueError("a path cannot hold a NUL character")
    recording = path.parent / written
    if trouble := _unusable(recording):
        raise ValueError(f"{written}: {trouble}")
    given = {name: _value(name, fields[name], columns[name]) for name in columns if name in fields}
    name = " ".join(fields.get("name", recording.name).split()) or recording.name
    return Row(str(recording), recording.resolve(), name, given, line)


def _value(name: str, text: str, default: Any) -> Any:
    """Return a cell as the type that the parameter has."""
    kind, text = type(default), text.strip()
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if kind in (int, float):
            return kind(text)
    except (ValueError, KeyError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"{name} is {text!r}; it must be {wanted}") from None
    return text


def _unusable(path: Path) -> str | None:
    """Say why a path cannot be a recording; pipes and devices would never end."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a file"
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def _is_file(path: Path) -> bool:
    return _unusable(path) is None
