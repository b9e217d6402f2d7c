"""What was heard, for a saved page: pictures without a script, words, and players."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.separation import separate
from spa2v_lib.viz.cue_summary import (
    SPECTRUM_DB,
    course_in_words,
    direction_evidence,
    map_in_words,
    mel_spectrum,
    pass_by_curves,
    spectra_in_words,
)
from spa2v_lib.viz.player import Player, loudest_excerpt, source_players
from spa2v_lib.viz.svg import SOURCE_COLOURS, cue_svg, source_name, spectrum_svg

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["hearing_html", "map_svg"]

_GREY = "#7b8187"
_ROWS = 128  # of a spectrogram's picture


def hearing_html(recording: Recording, cues: SpatialCues) -> str:
    """Show the azimuth map, levels with the fitted pass-by, and every source's own sound.

    Parameters
    ----------
    recording : Recording
    cues : SpatialCues
        Measured in `recording`.

    Returns
    -------
    str
        HTML that needs nothing else; all text is escaped.
    """
    own = separate(recording, cues)
    whole, *alone = source_players(recording, cues, own, with_recording=True)
    alone = alone or [whole] * len(own)
    words = f"{map_in_words(cues)} {course_in_words(cues)}" if cues.sources else map_in_words(cues)
    return _figure(map_svg(recording, cues), words, whole) + "".join(
        _source(cues, index, signal, player)
        for index, (signal, player) in enumerate(zip(own, alone, strict=True))
    )


def _figure(picture: str, words: str, player: Player) -> str:
    return f"<figure>{picture}<figcaption>{escape(words)}</figcaption>{player.html()}</figure>"


def map_svg(recording: Recording, cues: SpatialCues) -> str:
    """Draw azimuth and level over time as one SVG, over the evidence of every moment.

    Parameters
    ----------
    recording : Recording
    cues : SpatialCues
        Measured in `recording`.
    """
    ground = ""
    if cues.capture.format != "mono":
        evidence, azimuth = direction_evidence(recording, cues)
        reach = 180.0 if cues.capture.format == "foa" else 90.0
        degrees = np.arange(-reach, reach + 1.0)
        rows = [np.interp(degrees, azimuth, row, left=0.0, right=0.0) for row in evidence]
        ground = _png(np.array(rows).T[::-1], _GREY)
    times = np.array(cues.times_s)
    return cue_svg(cues, ground, [pass_by_curves(source, times)[0] for source in cues.sources])


def _source(cues: SpatialCues, index: int, signal: Recording, player: Player) -> str:
    start, seconds = loudest_excerpt(cues)
    colour = SOURCE_COLOURS[index % len(SOURCE_COLOURS)]
    levels, hz = mel_spectrum(signal.cut(start, seconds))
    shade = np.clip(1.0 + (levels - levels.max()) / SPECTRUM_DB, 0.0, 1.0)
    rows = np.geomspace(hz[-1], hz[0], _ROWS)
    nearest = np.abs(np.log(hz)[None, :] - np.log(rows)[:, None]).argmin(1)
    name = source_name(cues.sources[index])
    span = (float(hz[0]), float(hz[-1]))
    picture = spectrum_svg(name, colour, _png(shade[nearest], colour), span, start, seconds)
    words = spectra_in_words([name], start, seconds, apart=len(cues.sources) > 1)
    return _figure(picture, words, player)


def _png(shade: np.ndarray, colour: str) -> str:
    """Return a picture of one colour whose opacity is `shade` [rows, columns], in [0, 1]."""
    from PIL import Image

    pixels = np.empty((*shade.shape, 4), np.uint8)
    pixels[..., :3] = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    pixels[..., 3] = (255.0 * shade).round()
    stream = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
