"""Pictures inside widgets."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["image_html"]


def image_html(image: Image.Image, words: str) -> str:
    """Return an ``<img>`` that holds the picture.

    Parameters
    ----------
    image : PIL.Image.Image
    words : str
        What it shows, for those who cannot see it.
    """
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="{escape(words)}" style="max-width:100%;display:block" '
        f'src="data:image/webp;base64,{data}">'
    )
