"""Files are written whole or not at all: a temporary name in the same folder, then a rename.

Folders of results: checked before the work, written aside, put in place as a whole.

A folder of results holds one JSON file that marks it as such and lists the others under "files".
It is written last, so that a folder with its marker is complete.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from spa2v_lib.errors import OutputError

__all__ = [
    "check_folder",
    "replacing",
    "result_folder",
]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`.

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
    """Give a temporary folder; on success its files are found in `out`, otherwise nowhere.

    Parameters
    ----------
    out, marker, overwrite
        As for `check_folder`. When results are overwritten, only the files that the old marker
        lists are removed; anything else in the folder stays.

    Yields
    ------
    pathlib.Path
        An empty folder to write plain files to, the marker among them.

    Raises
    ------
    OutputError
        As for `check_folder`, or if the disk is full or the files cannot be put in place.
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
