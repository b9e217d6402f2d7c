"""What the notebooks' widgets share: pictures inside HTML, and files that a reader uploads."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import AudioError
from spa2v_lib.viz.frames import data_url

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["image_html", "save_upload"]


def image_html(image: Image, alt: str) -> str:
    """Return an ``<img>`` that holds the picture.

    Parameters
    ----------
    image : PIL.Image.Image
    alt : str
        What it shows, for those who cannot see it.

    Examples
    --------
    >>> from PIL import Image
    >>> image_html(Image.new("RGB", (8, 8)), "black")[:17]
    '<img alt="black" '
    """
    source = data_url(image, "WEBP", quality=90)
    return f'<img alt="{escape(alt)}" style="max-width:100%;display:block" src="{source}">'


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

    Examples
    --------
    >>> save_upload(({"name": "train.wav", "content": b"RIFF"},), "uploads").name
    'train.wav'
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
