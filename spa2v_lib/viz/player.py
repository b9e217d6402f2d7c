"""Sounds to listen to inside a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.viz.words import SOURCE_COLOURS, source_name

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording
    from spa2v_lib.cues.extract import Analysis
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["Player", "loudest_excerpt", "sound_player", "source_players"]

_EXCERPT_S = 12.0
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000)
_HIGHEST_RATE = 32_000  # half the size of 48 kHz, and all that most sources hold


@dataclass(frozen=True)
class Player:
    """A sound to listen to, embedded in the page.

    Attributes
    ----------
    name : str
        What it plays.
    colour : str or None
        That of its source in the figure.
    mp3 : bytes
        The sound.

    Examples
    --------
    >>> Player("train", None, b"").html().count("<audio ")
    1
    """

    name: str
    colour: str | None
    mp3: bytes = field(repr=False)

    def html(self) -> str:
        """Return the name and an ``<audio>`` element that needs no other file."""
        data = base64.b64encode(self.mp3).decode()
        dot = f'<span aria-hidden="true" style="color:{self.colour}">● </span>'
        name = (dot if self.colour else "") + escape(self.name)
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:.3rem .8rem;align-items:center;'
            f'margin:.35rem 0"><span style="font-weight:600;min-width:9em">{name}</span>'
            f'<audio controls preload="metadata" aria-label="{escape(self.name)}" '
            f'style="height:34px;max-width:100%" src="data:audio/mpeg;base64,{data}"></audio></div>'
        )


def sound_player(
    recording: Recording,
    name: str,
    *,
    start_s: float = 0.0,
    seconds: float = 12.0,
    colour: str | None = None,
) -> Player:
    """Make a player of an excerpt, in one or two channels, as MP3.

    Parameters
    ----------
    recording : Recording
        More than two channels are folded to two.
    name : str
        What it plays.
    start_s, seconds : float
        The excerpt; it may reach beyond the end.
    colour : str, optional
        That of the source in the figure.

    See Also
    --------
    source_players : Of every source of an analysis.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> sound_player(Recording.from_samples(np.zeros((2, 8000)), 16_000), "silence").name
    'silence'
    """
    import soundfile

    part = recording.cut(start_s, seconds)
    part = part.stereo() if part.channels > 2 else part
    rate = next(rate for rate in _MP3_RATES if rate >= min(part.rate, _HIGHEST_RATE))
    samples = part.resampled(rate).samples
    # an overshoot of the resampling, or of a source's own signal, must not be clipped
    samples = samples / max(1.0, float(np.abs(samples).max()) / 0.99)
    stream = io.BytesIO()
    soundfile.write(stream, samples.T, rate, format="MP3", subtype="MPEG_LAYER_III")
    return Player(name, colour, stream.getvalue())


def loudest_excerpt(cues: SpatialCues) -> tuple[float, float]:
    """Return start and length of the loudest excerpt of at most twelve seconds, in seconds.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> loudest_excerpt(SimpleNamespace(duration_s=3.0, times_s=[0.5, 1.5, 2.5],
    ...                                 level_db=[-20.0, -10.0, -20.0]))
    (0.0, 3.0)
    """
    seconds = min(_EXCERPT_S, cues.duration_s)
    step = cues.times_s[1] - cues.times_s[0] if len(cues.times_s) > 1 else 1.0
    power = 10.0 ** (np.array(cues.level_db) / 10.0)
    total = np.concatenate([[0.0], np.cumsum(power)])
    count = min(round(seconds / step), len(power))
    start = step * float((total[count:] - total[: len(total) - count]).argmax())
    return min(start, cues.duration_s - seconds), seconds


def source_players(analysis: Analysis, *, with_recording: bool) -> tuple[Player, ...]:
    """Return players of the loudest excerpt: of every separated source, and of the recording.

    A single source's own signal is the recording, which is then played once.

    Parameters
    ----------
    analysis : Analysis
        What `spa2v_lib.cues.analyze` returns: a recording, its cues and its features.
    with_recording : bool
        Whether several sources are preceded by the recording.

    See Also
    --------
    sound_player : Of one recording.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> from spa2v_lib.cues import analyze
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> [player.name for player in source_players(analyze(recording, label="car"),
    ...                                           with_recording=True)]
    ['recording']
    """
    cues = analysis.cues
    start, seconds = loudest_excerpt(cues)
    span = "" if seconds == cues.duration_s else f", {start:.1f} to {start + seconds:.1f} s"
    excerpt = {"start_s": start, "seconds": seconds}
    whole = sound_player(analysis.pair, "recording" + span, **excerpt)
    if len(cues.sources) < 2:
        return (whole,)
    alone = [
        sound_player(signal, f"{source_name(source)} alone{span}", colour=colour, **excerpt)
        for source, signal, colour in zip(cues.sources, analysis.separated, cycle(SOURCE_COLOURS))
    ]
    return (whole, *alone) if with_recording else tuple(alone)
