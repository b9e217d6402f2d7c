"""What a batch is to do: the rows of a manifest, the files of a folder or of a pattern."""

from __future__ import annotations

import csv
import glob
import io
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa2v_lib.errors import BatchError
from spa2v_lib.files import displayed, read_text

__all__ = ["SUFFIXES", "ManifestRow", "read_rows"]

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("aac", "aif", "aifc", "aiff", "amb", "caf", "flac", "m4a", "mp3", "oga", "ogg", "opus"),
        *("w64", "wav", "avi", "mkv", "mov", "mp4", "webm"),
    )
)
"""Endings of the files that are taken from a folder."""

_OWN = ("recording", "name")
_DELIMITERS = ",;\t|"
_DECIMAL = re.compile(r"^(\s*-?\d+),(\d+\s*)$")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class ManifestRow:
    """One recording with the parameters of its run.

    Attributes
    ----------
    recording : str
        The path as it was written.
    path : Path
        The same, absolute.
    name : str
        What the results call it; the file's name if none is given.
    parameters : dict
        What this row sets, by the columns' names; the rest keeps its default.
    line : int
        In the manifest, or the number among the files, from 1.

    Examples
    --------
    >>> row = ManifestRow("a.wav", Path("/sounds/a.wav"), "rain", {"seed": "3"}, line=2)
    >>> row.name, row.path.name, row.parameters
    ('rain', 'a.wav', {'seed': '3'})
    """

    recording: str
    path: Path
    name: str
    parameters: dict[str, Any]
    line: int


def read_rows(
    sources: Sequence[str | os.PathLike[str]], columns: Mapping[str, Any]
) -> list[ManifestRow]:
    """Read manifests, folders, patterns and recordings, in the order given.

    Parameters
    ----------
    sources : sequence of path
        A manifest ends in .csv or .tsv, as text editors and spreadsheets write them: a header, a
        column ``recording`` with paths relative to the manifest, and any of ``name`` and
        `columns`; empty cells take the default. A folder gives the recordings directly in it, by
        name, without hidden files; a pattern (``*``, ``?``, ``**``) those that fit. Anything else
        is a recording.
    columns : mapping
        The parameters that a manifest may set, each with a value of the right type; None leaves
        the cell's text to whoever uses it.

    Returns
    -------
    list of ManifestRow

    Raises
    ------
    BatchError
        If something cannot be read or understood; the message names the lines.

    See Also
    --------
    spa2v_lib.batch.tasks.make_tasks : Makes items of them.

    Examples
    --------
    >>> read_rows(["no/such/folder/*.wav"], {})
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.BatchError: there is no recording in no/such/folder/*.wav
    """
    rows: list[ManifestRow] = []
    for source in sources:
        text = os.fspath(source)
        if "\0" in text:
            raise BatchError(f"a path cannot hold a NUL character: {text!r}")
        rows += _read(text, columns)
    if not rows:
        raise BatchError(f"there is no recording in {', '.join(map(str, sources)) or 'nothing'}")
    return rows


def _read(source: str, columns: Mapping[str, Any]) -> list[ManifestRow]:
    path = Path(source)
    try:
        if path.is_dir():
            return _plain_rows([str(file) for file in sorted(path.iterdir()) if _is_sound(file)])
        if path.suffix.lower() in (".csv", ".tsv"):
            return _manifest(path, columns)
        if not path.exists() and glob.has_magic(source):
            found = sorted(glob.glob(source, recursive=True))
            return _plain_rows([file for file in found if Path(file).is_file()])
    except OSError as error:
        raise BatchError(f"cannot read {source}: {error.strerror}") from error
    if trouble := _unusable(path):
        raise BatchError(f"{source}: {trouble}; give recordings, a folder, a pattern or a .csv")
    return _plain_rows([source])


def _is_sound(path: Path) -> bool:
    """Whether a folder's file is taken; hidden ones are other systems' debris, such as ._a.wav."""
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()


def _plain_rows(files: Sequence[str]) -> list[ManifestRow]:
    return [
        ManifestRow(displayed(file), Path(file).resolve(), displayed(Path(file).name), {}, number)
        for number, file in enumerate(files, 1)
    ]


def _manifest(path: Path, columns: Mapping[str, Any]) -> list[ManifestRow]:
    rows: list[ManifestRow] = []
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
    text = read_text(path, BatchError)
    delimiter, skipped = _delimiter(text)
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        next(lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(path, header, columns)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                line = reader.line_num + skipped
                yield line, _named(path, line, header, cells, delimiter)
    except csv.Error as error:
        raise BatchError(f"{path} is not a table with commas: {error}") from error


def _delimiter(text: str) -> tuple[str, int]:
    """Return what separates cells, and how many lines stand before the header.

    The header decides: it has a column ``recording``. Spreadsheets may write ``sep=;`` before it.
    """
    lines = text.split("\n", 50)
    skipped = next((k for k, line in enumerate(lines) if line.strip(" \t\r,;")), 0)
    first = lines[skipped].strip().strip('"').lower()
    if re.fullmatch(r"sep=.", first):
        return first[-1], skipped + 1
    for delimiter in _DELIMITERS:
        cells = [cell.strip(' \r"') for cell in first.split(delimiter)]
        if "recording" in cells and len(cells) > 1:
            return delimiter, skipped
    return ",", skipped


def _check_header(path: Path, header: list[str], columns: Mapping[str, Any]) -> None:
    known, named = (*_OWN, *columns), [name for name in header if name]
    if "recording" not in named:
        raise BatchError(f"{path} has no column 'recording'; its first line must name the columns")
    if unknown := [name for name in named if name not in known]:
        raise BatchError(
            f"{path}: no parameter {', '.join(map(repr, unknown))}; columns may be: "
            f"{', '.join(known)}"
        )
    if len(set(named)) < len(named):
        raise BatchError(f"{path} names a column twice: {', '.join(named)}")


def _named(
    path: Path, line: int, header: list[str], cells: list[str], delimiter: str
) -> dict[str, str]:
    """Return a row's cells by their columns; beside the named columns there may be empty ones."""
    names = header + [""] * (len(cells) - len(header))
    filled = [(name, cell) for name, cell in zip(names, cells, strict=False) if cell.strip()]
    if not all(name for name, _ in filled):
        count = max(k for k, cell in enumerate(cells, 1) if cell.strip())
        raise BatchError(
            f"{path}: line {line}: {count} cells under {sum(map(bool, header))} named columns; "
            "quote cells that hold commas"
        )
    if delimiter == ";":  # where cells are separated so, a comma is a decimal point
        filled = [(n, cell if n in _OWN else _DECIMAL.sub(r"\1.\2", cell)) for n, cell in filled]
    return dict(filled)


def _row(path: Path, line: int, fields: dict[str, str], columns: Mapping[str, Any]) -> ManifestRow:
    """Make a row; a ValueError says what is wrong with it."""
    written = fields.get("recording")
    if written is None:
        raise ValueError("no recording")
    if "\0" in written:
        raise ValueError("a path cannot hold a NUL character")
    recording = path.parent / written
    if _unusable(recording):  # perhaps for a space beside the comma
        recording = path.parent / written.strip()
    if trouble := _unusable(recording):
        raise ValueError(f"{written}: {trouble}")
    given = {name: _value(name, fields[name], columns[name]) for name in columns if name in fields}
    name = " ".join(fields.get("name", recording.name).split()) or recording.name
    return ManifestRow(str(recording), recording.resolve(), name, given, line)


def _value(name: str, text: str, default: Any) -> Any:
    """Return a cell as the type that the parameter has."""
    form, text = type(default), text.strip()
    try:
        if form is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if form in (int, float):
            return form(text)
    except (ValueError, KeyError):
        right = {bool: "true or false", int: "a whole number", float: "a number"}[form]
        raise ValueError(f"{name} is {text!r}; it must be {right}") from None
    return text


def _unusable(path: Path) -> str | None:
    """Say why a path cannot be a recording; pipes and devices would never end."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a file"
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
