"""A recording of one's own, handed over in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from spa2v_lib.errors import AudioError

__all__ = ["save_upload"]


def save_upload(value: Any, folder: str | Path) -> Path | None:
    """Write the first file of an ipywidgets ``FileUpload`` into a folder.

    Parameters
    ----------
    value : dict or sequence
        The widget's ``value``: a dictionary from names to files in ipywidgets 7, a tuple of files
        with their names in ipywidgets 8.
    folder : str or Path
        Made if it is missing.

    Returns
    -------
    pathlib.Path or None
        The file, under its own name without any folder; None if nothing was uploaded.

    Raises
    ------
    AudioError
        If the uploaded file is empty or has no name.
    """
    if not value:
        return None
    if isinstance(value, Mapping):
        name, file = next(iter(value.items()))
    else:
        file = value[0]
        name = file["name"]
    # A name may come with folders of the machine that it was chosen on, in either notation.
    bare = PurePosixPath(str(name).replace("\\", "/")).name
    content = bytes(file["content"])
    if bare in ("", "..") or not content:
        raise AudioError(f"the upload {name!r} holds {len(content)} bytes; choose a sound file")
    target = Path(folder) / bare
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target
