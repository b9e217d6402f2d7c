"""Samples out of the library: written as a sound file, or played in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from spa2v_lib.errors import OutputError
from spa2v_lib.files import replacing

__all__ = ["PLAYER_SECONDS", "player_html", "write_sound"]

PLAYER_SECONDS = 60.0
"""As much of a recording as its player in a notebook holds."""

_SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}


def write_sound(path: Path, blocks: Iterable[np.ndarray], rate: int, channels: int) -> Path:
    """Write a .wav (32-bit float) or .flac (24-bit, clipped at full scale) file.

    Parameters
    ----------
    path : pathlib.Path
        Missing folders are made; the file is there as a whole or not at all.
    blocks : iterable of numpy.ndarray
        Samples in order, each [channels, n], full scale ±1.
    rate : int
        In Hz.
    channels : int
        At least 1.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    OutputError
        If the suffix is another, or the place cannot be written to or is full.

    See Also
    --------
    spa2v_lib.audio.recording.Recording.save : the same for a recording.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_sound(folder / "a.flac", [np.zeros((2, 100))], 16_000, 2).stat().st_size > 0
    True
    """
    subtype = _SUBTYPES.get(path.suffix.lower())
    if subtype is None:
        raise OutputError(f"cannot write {path}: the name must end in .wav or .flac")
    try:
        with (
            replacing(path) as temporary,
            soundfile.SoundFile(str(temporary), "w", rate, channels, subtype) as stream,
        ):
            for block in blocks:
                stream.write(block.T)
    except soundfile.LibsndfileError as error:  # libsndfile does not say why
        raise OutputError(f"cannot write {path}: is there space left?") from error
    return path


def player_html(samples: np.ndarray, rate: int, lines: Iterable[str]) -> str:
    """Return a player that holds samples, with lines of text below it, for a notebook.

    Parameters
    ----------
    samples : numpy.ndarray
        [channels, time], full scale ±1; stored as 16-bit FLAC.
    rate : int
        In Hz.
    lines : iterable of str
        Escaped here.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> player_html(np.zeros((2, 100)), 16_000, ["a & b"])[-28:]
    '</audio><div>a &amp; b</div>'
    """
    flac = io.BytesIO()
    soundfile.write(flac, samples.T, rate, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(flac.getvalue()).decode()
    text = "<br>".join(html.escape(line) for line in lines)
    return f'<audio controls src="data:audio/flac;base64,{data}"></audio><div>{text}</div>'
