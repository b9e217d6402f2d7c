"""Paths of the shipped data: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from spa2v_lib.errors import DataError

__all__ = ["ADDRESS", "data_dir", "install_command", "resource"]

ADDRESS = "https://github.com/OWNER/spa2v"
"""The project's public address; ``make address URL=...`` sets it here and everywhere else."""

_PACKAGE = Path(__file__).resolve().parent


@cache
def data_dir() -> Path:
    """Return the folder that holds recordings, sprites and models.

    Raises
    ------
    DataError
        If neither the checkout's ``data/`` nor the wheel's copy is there.

    See Also
    --------
    resource : A file in it.

    Examples
    --------
    >>> (data_dir() / "recordings").is_dir()
    True
    """
    for folder in (_PACKAGE.parent / "data", _PACKAGE / "_data"):
        if (folder / "recordings" / "recordings.csv").is_file():
            return folder
    raise DataError(
        "the shipped data are missing: neither data/ beside the package nor spa2v_lib/_data holds "
        "recordings/recordings.csv; reinstall spa2v or run from a complete checkout"
    )


def resource(*parts: str) -> Path:
    """Return the path of a shipped file or folder, which must exist.

    Parameters
    ----------
    *parts : str
        Path below ``data/``, part by part.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If it is missing.

    See Also
    --------
    data_dir : The folder.

    Examples
    --------
    >>> resource("recordings", "recordings.csv").name
    'recordings.csv'
    """
    path = data_dir().joinpath(*parts)
    if not path.exists():
        raise DataError(f"shipped file {'/'.join(('data', *parts))} is missing")
    return path


def install_command(*extras: str) -> str:
    """Return the command that installs the library with extras.

    By address, because ``spa2v`` on the package registry is not this project.

    Parameters
    ----------
    *extras : str
        Names under ``[project.optional-dependencies]``.

    Returns
    -------
    str

    Examples
    --------
    >>> install_command("batch", "ray").startswith('pip install "spa2v[batch,ray] @ git+https://')
    True
    """
    return f'pip install "spa2v[{",".join(extras)}] @ git+{ADDRESS}"'
