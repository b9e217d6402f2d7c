"""Files are written whole or not at all: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from spa2v_lib.errors import OutputError

__all__ = ["replacing"]


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
