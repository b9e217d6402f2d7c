"""Text files are read within limits; files and folders are written whole or not at all.

Reading: ordinary files only (a pipe would be waited for), up to a size, whatever editor saved them.

Writing: under a temporary name in the same folder, then a rename. A folder of results is checked
before the work, written aside and put in place as a whole. It holds one JSON file that marks it as
such and lists the others under "files"; the marker is written last, so that a folder with its
marker is complete.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from spa2v_lib.errors import OutputError, Spa2vError

__all__ = [
    "MAX_TEXT_BYTES",
    "check_folder",
    "check_regular",
    "displayed",
    "parse_json",
    "read_json",
    "read_text",
    "replacing",
    "result_folder",
]

MAX_TEXT_BYTES = 64 * 2**20
"""Largest text file that is read, in bytes."""

_NOT_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe, which can be read only once (save it to a file first)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def displayed(path: str | os.PathLike[str]) -> str:
    """Return a path as text that can be printed and saved.

    Parameters
    ----------
    path : str or os.PathLike
        Bytes of it that are not UTF-8 appear as ``\\xNN``.

    Examples
    --------
    >>> displayed("caf\\udce9.wav")
    'caf\\\\xe9.wav'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_regular(path: str | os.PathLike[str], error: type[Spa2vError], hint: str) -> int:
    """Refuse a path that is not an ordinary file, without opening it.

    Parameters
    ----------
    path : str or os.PathLike
        Links are followed.
    error : type of Spa2vError
        What to raise.
    hint : str
        What would be right, for example "give the path of an audio file".

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    Spa2vError
        Of the type `error`, if there is no such file, or it is a folder, pipe, socket or device.

    Examples
    --------
    >>> from spa2v_lib.errors import AudioError
    >>> check_regular("/dev/null", AudioError, "give the path of an audio file")
    Traceback (most recent call last):
    spa2v_lib.errors.AudioError: /dev/null is a device; give the path of an audio file
    """
    name = displayed(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise error(f"{name} does not exist; {hint}") from None
    except (OSError, ValueError) as reason:  # ValueError: a null character in the name
        raise error(f"{name!r} cannot be read: {_reason(reason)}") from None
    for is_one, noun in _NOT_FILES:
        if is_one(found.st_mode):
            raise error(f"{name} is {noun}; {hint}")
    return found.st_size


def read_text(
    path: str | os.PathLike[str], error: type[Spa2vError], max_bytes: int = MAX_TEXT_BYTES
) -> str:
    """Read a text file, as any editor may have saved it.

    Parameters
    ----------
    path : str or os.PathLike
        UTF-8, with or without a byte order mark, or UTF-16 with one.
    error : type of Spa2vError
        What to raise.
    max_bytes : int
        Size up to which it is read.

    Returns
    -------
    str
        With every line end as a single line feed.

    Raises
    ------
    Spa2vError
        Of the type `error`, if it is missing, not an ordinary file, too large, or no such text.

    See Also
    --------
    read_json : the same for JSON.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from spa2v_lib.errors import LayoutError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "a.txt"
    ...     _ = path.write_bytes(b"\\xef\\xbb\\xbfone\\r\\ntwo")
    ...     read_text(path, LayoutError)
    'one\\ntwo'
    """
    name = displayed(path)
    size = check_regular(path, error, "give the name of a text file")
    if size > max_bytes:
        raise error(f"{name} has {size:,} bytes; at most {max_bytes:,} are read")
    try:
        with open(path, "rb") as stream:
            data = stream.read(max_bytes)
        text = data.decode(_BYTE_ORDER_MARKS.get(data[:2], "utf-8-sig"))
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"{name} cannot be read: {_reason(reason)}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: str | os.PathLike[str], error: type[Spa2vError], max_bytes: int = MAX_TEXT_BYTES
) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Parameters
    ----------
    path : str or os.PathLike
        As for `read_text`.
    error : type of Spa2vError
        What to raise.
    max_bytes : int
        Size up to which it is read.

    Returns
    -------
    dict

    Raises
    ------
    Spa2vError
        Of the type `error`, if it cannot be read, is not JSON, or holds something else.

    See Also
    --------
    parse_json : the same for a text.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from spa2v_lib.errors import LayoutError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "a.json"
    ...     _ = path.write_text('{"fps": 8}', encoding="utf-8-sig")
    ...     read_json(path, LayoutError)
    {'fps': 8}
    """
    return parse_json(read_text(path, error, max_bytes), displayed(path), error)


def parse_json(text: str, name: str, error: type[Spa2vError]) -> dict[str, Any]:
    """Parse a text that holds one JSON object.

    Parameters
    ----------
    text : str
        The whole text.
    name : str
        What the message calls it.
    error : type of Spa2vError
        What to raise.

    Returns
    -------
    dict

    Raises
    ------
    Spa2vError
        Of the type `error`, if it is not JSON or holds something else, is nested too deeply, has a
        number of thousands of digits, or half a character.

    Examples
    --------
    >>> from spa2v_lib.errors import LayoutError
    >>> parse_json("[1, 2]", "the answer", LayoutError)
    Traceback (most recent call last):
    spa2v_lib.errors.LayoutError: the answer holds list; a JSON object is needed
    """
    try:
        fields = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(fields, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise error(f"{name} holds half a character (a lone surrogate); save it again") from None
    except RecursionError:
        raise error(f"{name} is not JSON that can be read: it is nested too deeply") from None
    except json.JSONDecodeError as reason:
        raise error(f"{name} is not JSON: {reason}") from None
    except ValueError:  # Python's own limit
        raise error(
            f"{name} holds a number of thousands of digits; that is no JSON to use"
        ) from None
    if not isinstance(fields, dict):
        raise error(f"{name} holds {type(fields).__name__}; a JSON object is needed")
    return fields


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path`.

    Missing parent folders are made. When the block raises, the temporary file is removed and
    whatever stood at `path` stays as it was.

    Parameters
    ----------
    path : str or os.PathLike
        The file that is wanted. The temporary name keeps its suffix, so that a library which
        picks the format by suffix picks the right one.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or `path` is a folder.

    See Also
    --------
    result_folder : the same for a whole folder.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    ...     target.exists()
    False
    >>> target.read_text()
    'whole'
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"cannot write {target}: it is a folder; give the name of a file")
    # Short, and another one for every writer, on this machine and on others.
    temporary = target.with_name(f".{target.stem[:40]}.{token_hex(6)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}; choose a folder that can be "
            "written to"
        ) from error
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def check_folder(out: str | os.PathLike[str], marker: str, *, overwrite: bool = False) -> Path:
    """Refuse a place where results cannot or should not be written.

    Parameters
    ----------
    out : path
        The folder that is wanted; it and its parents may be missing.
    marker : str
        Name of the JSON file that marks a folder of such results.
    overwrite : bool
        Allow a folder that has the marker.

    Returns
    -------
    pathlib.Path
        `out`, absolute.

    Raises
    ------
    OutputError
        If it is a file, holds something else, or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> check_folder(folder / "out", "run.json") == (folder / "out").resolve()
    True
    """
    target = Path(out).resolve()
    if target.exists():
        _check_contents(target, marker, overwrite)
    existing = next(place for place in (target, *target.parents) if place.exists())
    if not existing.is_dir():
        raise OutputError(f"cannot write {target}: {existing} is a file; choose another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            f"cannot write {target}: {existing} is not writable; choose another folder"
        )
    return target


def _check_contents(target: Path, marker: str, overwrite: bool) -> None:
    if not target.is_dir():
        raise OutputError(f"cannot write {target}: it is a file; choose another folder")
    try:
        empty = not any(target.iterdir())
    except OSError as error:
        raise OutputError(f"cannot look into {target}: {error.strerror}") from error
    if empty:
        return
    marked = (target / marker).is_file()
    if not overwrite:
        hint = "or allow overwriting (--overwrite)" if marked else "it is not a folder of results"
        raise OutputError(f"{target} already holds files; choose another folder, {hint}")
    if not marked:
        raise OutputError(
            f"{target} holds files but no {marker}: only results of an earlier run are overwritten"
        )


@contextmanager
def result_folder(
    out: str | os.PathLike[str], marker: str, *, overwrite: bool = False
) -> Iterator[Path]:
    """Yield a temporary folder; on success its files are moved to `out`, otherwise removed.

    Parameters
    ----------
    out : path
        The folder that is wanted, as for `check_folder`.
    marker : str
        Name of the JSON file that marks a folder of such results.
    overwrite : bool
        Allow a folder that has the marker. When results are overwritten, only the files that the
        old marker lists are removed; anything else in the folder stays.

    Yields
    ------
    pathlib.Path
        An empty folder to write plain files to, the marker among them.

    Raises
    ------
    OutputError
        As for `check_folder`, or if the disk is full or the files cannot be put in place.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "out"
    >>> with result_folder(out, "run.json") as folder:
    ...     _ = (folder / "run.json").write_text('{"files": {}}')
    >>> [path.name for path in out.iterdir()]
    ['run.json']
    """
    target = check_folder(out, marker, overwrite=overwrite)
    made = _missing(target.parent)
    # Inside a folder that exists: its parent may be another disk, or closed to us.
    beside = target if target.exists() else target.parent
    temporary = beside / f".{target.name[:40]}.{token_hex(6)}.part"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        _remove_empty(made)
        raise OutputError(f"cannot write {target}: {error.strerror}") from error
    try:
        yield temporary
        _put_in_place(temporary, target, marker)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise OutputError(f"cannot write {target}: {error.strerror}") from error
        raise


def _put_in_place(temporary: Path, target: Path, marker: str) -> None:
    try:
        if not target.exists():
            temporary.rename(target)
            return
        for name in _listed(target / marker):
            (target / name).unlink(missing_ok=True)
        for file in sorted(temporary.iterdir(), key=lambda path: path.name == marker):
            file.replace(target / file.name)
        temporary.rmdir()
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error


def _listed(marker: Path) -> list[str]:
    """Return the marker and the plain file names that it lists, the marker first."""
    try:
        fields = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    files = fields.get("files", {}) if isinstance(fields, dict) else {}
    return [marker.name, *(name for name in files if Path(name).name == name)]


def _missing(folder: Path) -> list[Path]:
    """Return `folder` and its parents as far as they are missing, the deepest first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
