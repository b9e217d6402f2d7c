"""Folders of results: checked before the work, written aside, put in place as a whole.

A folder of results holds one JSON file that marks it as such and lists the others under "files".
It is written last, so that a folder with its marker is complete.

Folders that are being written are named ``….part`` and locked. The operating system takes the lock
back from a process that dies, so that whoever comes next can tell what is abandoned, and removes
it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from spa2v_lib.errors import OutputError
from spa2v_lib.files import writing

try:
    import fcntl
except ImportError:  # not on Windows, where nothing is locked and nothing swept
    fcntl = None  # type: ignore[assignment]

__all__ = ["check_folder", "held_folder", "result_folder", "sweep"]

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

    See Also
    --------
    result_folder : Makes it.

    Examples
    --------
    >>> check_folder("out", "run.json") == Path("out").resolve()
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
        part = _part_pattern(_prefix(target))  # of a run that is being written, or was killed
        empty = all(part.fullmatch(path.name) for path in target.iterdir())
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

    What a killed process left beside `out` or in it is removed first.

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
        As for `check_folder`; if another process writes the same folder, unless `overwrite` is
        set; or if the disk is full or the files cannot be put in place.

    See Also
    --------
    spa2v_lib.files.replacing : the same for one file.

    Examples
    --------
    >>> with result_folder("out", "run.json") as folder:
    ...     _ = (folder / "run.json").write_text('{"files": {}}')
    >>> [path.name for path in Path("out").iterdir()]
    ['run.json']
    """
    target = check_folder(out, marker, overwrite=overwrite)
    # Inside a folder that exists: its parent may be another disk, or closed to us.
    beside = target if target.exists() else target.parent
    running = [left for place in (target, target.parent) for left in sweep(place, _prefix(target))]
    if running and not overwrite:
        raise OutputError(
            f"{target} is being written by another run; choose another folder, or allow "
            "overwriting (--overwrite)"
        )
    made = _missing(target.parent)
    try:
        with held_folder(beside, _prefix(target)) as temporary:
            yield temporary
            _put_in_place(temporary, target, marker, overwrite)
    except BaseException as error:
        _remove_empty(made)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise OutputError(f"cannot write {target}: {error.strerror}") from error
        raise


@contextmanager
def held_folder(parent: Path, prefix: str, *, private: bool = False) -> Iterator[Path]:
    """Yield a new folder for as long as the block lasts.

    It is locked meanwhile: if the process is killed, `sweep` tells it from one that is in use.

    Parameters
    ----------
    parent : Path
        Made if it is missing.
    prefix : str
        The beginning of the name; with a dot it is hidden. The rest is random.
    private : bool
        Let nobody else look into it.

    Yields
    ------
    pathlib.Path

    Raises
    ------
    OutputError
        If it cannot be made.

    See Also
    --------
    sweep : Removes what killed processes left.

    Examples
    --------
    >>> with held_folder(Path("work"), ".run.") as folder:
    ...     folder.is_dir(), sweep(Path("work"), ".run.") == [folder]
    (True, True)
    >>> list(Path("work").iterdir())
    []
    """
    folder = parent / f"{prefix}{token_hex(6)}.part"
    fresh = folder.with_suffix(".new")  # until it is locked, nobody takes it for abandoned
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir(mode=0o700 if private else 0o777)
        handle = _locked(fresh)
        fresh.rename(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _unlock(handle)


def sweep(parent: Path, prefix: str) -> list[Path]:
    """Remove the folders of `held_folder` whose processes were killed.

    Parameters
    ----------
    parent : Path
        The folder that is swept.
    prefix : str
        How the names of what is swept begin.

    Returns
    -------
    list of Path
        Those that are in use.

    See Also
    --------
    held_folder : Makes what is not swept.

    Examples
    --------
    >>> Path(".run.0123456789ab.part").mkdir()
    >>> sweep(Path(), ".run.")
    []
    >>> Path(".run.0123456789ab.part").exists()
    False
    """
    pattern, in_use = _part_pattern(prefix), []
    with suppress(OSError):  # nothing there, or closed to us
        for left in sorted(path for path in parent.iterdir() if pattern.fullmatch(path.name)):
            try:
                handle = _locked(left)
            except BlockingIOError:
                in_use.append(left)
                continue
            if handle is not None:
                shutil.rmtree(left, ignore_errors=True)
                _unlock(handle)
    return in_use


def _prefix(target: Path) -> str:
    """Return how the folders begin that are being written for `target`, and for no other."""
    name = target.name
    return f".{name if len(name) <= 40 else name[:32] + sha256(name.encode()).hexdigest()[:8]}."


def _part_pattern(prefix: str) -> re.Pattern[str]:
    return re.compile(re.escape(prefix) + r"[0-9a-f]{12}\.part")


def _locked(folder: Path, *, wait: bool = False) -> int | None:
    """Return a handle that locks a folder; None where that cannot be done.

    Raises
    ------
    BlockingIOError
        If another process has it, and `wait` is not set.
    """
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # another user's
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def _unlock(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _put_in_place(temporary: Path, target: Path, marker: str, overwrite: bool) -> None:
    """Move the files to `target`; of two runs without `overwrite`, one is first."""
    try:
        if not overwrite and temporary.parent != target:
            temporary.rename(target)  # fails if there are files meanwhile
            return
        if not target.exists():
            temporary.rename(target)
            return
        handle = _locked(target, wait=True)
        try:
            if not overwrite:
                _check_contents(target, marker, overwrite)
            for name in _listed(target / marker):
                (target / name).unlink(missing_ok=True)
            for file in sorted(temporary.iterdir(), key=lambda path: path.name == marker):
                file.replace(target / file.name)
        finally:
            _unlock(handle)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise OutputError(
                f"{target} was written by another run meanwhile; nothing of it was replaced"
            ) from error
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
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
