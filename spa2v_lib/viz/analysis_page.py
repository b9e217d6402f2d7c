"""An analysis for a saved page: figures without scripts, captions, and players."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.viz.evidence import SPECTRUM_DB, direction_evidence, mel_spectrum, pass_by_curves
from spa2v_lib.viz.player import Player, loudest_excerpt, source_players
from spa2v_lib.viz.svg import cue_svg, spectrogram_svg
from spa2v_lib.viz.words import (
    colour_of,
    map_caption,
    source_name,
    spectrogram_caption,
    tracks_caption,
)

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.extract import Analysis
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["analysis_html", "map_svg"]

_ROWS = 128  # of a spectrogram's picture


def analysis_html(analysis: Analysis) -> str:
    """Show the azimuth map, levels with the fitted pass-by, and every source's own sound.

    Parameters
    ----------
    analysis : Analysis
        Nothing is measured again.

    Returns
    -------
    str
        HTML that needs nothing else; all text is escaped.

    See Also
    --------
    map_svg : Its first figure alone.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> analysis_html(analyze(recording, label="car", capture="panned")).count("<figure>")
    2
    """
    cues = analysis.cues
    whole, *alone = source_players(analysis, with_recording=True)
    alone = alone or [whole] * len(cues.sources)
    caption = f"{map_caption(cues)} {tracks_caption(cues)}" if cues.sources else map_caption(cues)
    return _figure(map_svg(analysis), caption, whole) + "".join(
        _source(cues, index, signal, player)
        for index, (signal, player) in enumerate(zip(analysis.separated, alone, strict=True))
    )


def _figure(picture: str, caption: str, player: Player) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption>{player.html()}</figure>"


def map_svg(analysis: Analysis) -> str:
    """Draw azimuth and level over time as one SVG, over the evidence of every frame.

    Parameters
    ----------
    analysis : Analysis
        What `spa2v_lib.cues.analyze` returns: a recording, its cues and its features.

    See Also
    --------
    spa2v_lib.viz.svg.cue_svg : Without the evidence.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> map_svg(analyze(recording, label="car", capture="panned")).count("<image")
    1
    """
    cues, evidence = analysis.cues, None
    if cues.capture.format != "mono":
        rows, azimuth_deg = direction_evidence(analysis)
        reach = 180.0 if cues.capture.format == "foa" else 90.0
        degrees = np.arange(-reach, reach + 1.0)
        evidence = np.array(
            [np.interp(degrees, azimuth_deg, row, left=0.0, right=0.0) for row in rows]
        ).T
    times = np.array(cues.times_s)
    return cue_svg(cues, evidence, [pass_by_curves(source, times)[0] for source in cues.sources])


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
