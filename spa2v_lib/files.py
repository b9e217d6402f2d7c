"""Text files are read within limits; files are written whole or not at all.

Reading: ordinary files only (a pipe would be waited for), up to a size, whatever editor saved them.

Writing: under a temporary name in the same folder, then a rename.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from spa2v_lib.errors import OutputError, Spa2vError

__all__ = [
    "MAX_TEXT_BYTES",
    "check_regular",
    "displayed",
    "parse_json",
    "read_json",
    "read_text",
    "replacing",
    "write_json",
    "write_text",
    "writing",
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


def read_text(path: str | os.PathLike[str], error: type[Spa2vError]) -> str:
    """Read a text file, as any editor may have saved it.

    Parameters
    ----------
    path : str or os.PathLike
        UTF-8, with or without a byte order mark, or UTF-16 with one.
    error : type of Spa2vError
        What to raise.

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
    if size > MAX_TEXT_BYTES:
        raise error(f"{name} has {size:,} bytes; at most {MAX_TEXT_BYTES:,} are read")
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_TEXT_BYTES)
        text = data.decode(_BYTE_ORDER_MARKS.get(data[:2], "utf-8-sig"))
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"{name} cannot be read: {_reason(reason)}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | os.PathLike[str], error: type[Spa2vError]) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Parameters
    ----------
    path : str or os.PathLike
        As for `read_text`.
    error : type of Spa2vError
        What to raise.

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
    return parse_json(read_text(path, error), displayed(path), error)


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

    See Also
    --------
    read_json : Of a file.

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
    spa2v_lib.folders.result_folder : the same for a whole folder.

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
        with writing(target):
            yield temporary
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(place: str | os.PathLike[str]) -> Iterator[None]:
    """Name the place when a disk that is full, or closed to us, ends the block.

    Parameters
    ----------
    place : str or os.PathLike
        What is being written, a file or a folder.

    Raises
    ------
    OutputError
        Instead of any `OSError`.

    Examples
    --------
    >>> with writing("run"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    spa2v_lib.errors.OutputError: cannot write run: No space left on device
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {place}: {error.strerror or error}") from error


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        As for `replacing`.
    text : str
        Its line ends are written as they are.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    OutputError
        As for `replacing`.

    See Also
    --------
    read_text : Reads it.

    Examples
    --------
    >>> write_text("a.txt", "caf\u00e9").read_bytes()
    b'caf\\xc3\\xa9'
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write JSON as a person reads it, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        As for `replacing`.
    content : any
        What JSON cannot hold is written as `str` has it.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    OutputError
        As for `replacing`.

    See Also
    --------
    read_json : Reads it.

    Examples
    --------
    >>> from spa2v_lib.errors import DataError
    >>> read_json(write_json("a.json", {"seed": 3, "recording": Path("a.wav")}), DataError)
    {'seed': 3, 'recording': 'a.wav'}
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str)
    return write_text(path, text + "\n")
