"""An analysis for a saved page: figures without scripts, captions, and players."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.separation import separate
from spa2v_lib.viz.evidence import SPECTRUM_DB, direction_evidence, mel_spectrum, pass_by_curves
from spa2v_lib.viz.player import Player, loudest_excerpt, source_players
from spa2v_lib.viz.saved import cue_svg, spectrogram_svg
from spa2v_lib.viz.words import (
    colour_of,
    map_caption,
    source_name,
    spectrogram_caption,
    tracks_caption,
)

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["analysis_html", "map_svg"]

_ROWS = 128  # of a spectrogram's picture


def analysis_html(recording: Recording, cues: SpatialCues) -> str:
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
    caption = f"{map_caption(cues)} {tracks_caption(cues)}" if cues.sources else map_caption(cues)
    return _figure(map_svg(recording, cues), caption, whole) + "".join(
        _source(cues, index, signal, player)
        for index, (signal, player) in enumerate(zip(own, alone, strict=True))
    )


def _figure(picture: str, caption: str, player: Player) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption>{player.html()}</figure>"


def map_svg(recording: Recording, cues: SpatialCues) -> str:
    """Draw azimuth and level over time as one SVG, over the evidence of every moment.

    Parameters
    ----------
    recording : Recording
    cues : SpatialCues
        Measured in `recording`.
    """
    ground = None
    if cues.capture.format != "mono":
        evidence, azimuth = direction_evidence(recording, cues)
        reach = 180.0 if cues.capture.format == "foa" else 90.0
        degrees = np.arange(-reach, reach + 1.0)
        rows = [np.interp(degrees, azimuth, row, left=0.0, right=0.0) for row in evidence]
        ground = np.array(rows).T
    times = np.array(cues.times_s)
    return cue_svg(cues, ground, [pass_by_curves(source, times)[0] for source in cues.sources])


def _source(cues: SpatialCues, index: int, signal: Recording, player: Player) -> str:
    start, seconds = loudest_excerpt(cues)
    levels, hz = mel_spectrum(signal.cut(start, seconds))
    shade = np.clip(1.0 + (levels - levels.max()) / SPECTRUM_DB, 0.0, 1.0)
    rows = np.geomspace(hz[0], hz[-1], _ROWS)
    nearest = np.abs(np.log(hz)[None, :] - np.log(rows)[:, None]).argmin(1)
    name = source_name(cues.sources[index])
    picture = spectrogram_svg(
        name, colour_of(index), shade[nearest], (hz[0], hz[-1]), (start, start + seconds)
    )
    caption = spectrogram_caption([name], start, seconds, separated=len(cues.sources) > 1)
    return _figure(picture, caption, player)
