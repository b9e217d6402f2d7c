"""Each source's own signal, from a recording and its cues.

The sources' directions, and the power that each had in a time–frequency bin lately, decide how the
bin is divided. The division is a Wiener filter of both channels, so that what comes from
another direction is not only turned down but cancelled: Duong, Vincent, Gribonval,
"Under-determined reverberant audio source separation using a full-rank spatial covariance model",
IEEE TASLP 18(7), 2010, with covariances from the directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.audio.pieces import skipping
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.ambisonics import middle_side
from spa2v_lib.cues.formats import GRID_DEG, get_format
from spa2v_lib.cues.steering import diffuse_coherence, plane_waves
from spa2v_lib.cues.types import HOP_S
from spa2v_lib.cues.windows import windowed

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["in_front", "separate", "separate_sources"]

_WINDOW_S = 0.064
_GROUP = 64  # windows at a time
_LOOKS, _MISFIT = 3.0, 0.01
_LATELY = 4  # windows on either side
_ROUNDS = 3
_LEAST = 0.02  # of all sources' strength, for one that is silent
_KEPT_S = 120.0  # the signals of recordings up to this long are kept once they are computed
_DIFFUSE = 0.03  # of a bin's power that comes from everywhere


def separate(recording: Recording, cues: SpatialCues) -> list[Recording]:
    """Return each source's own signal, in the order of `cues.sources`.

    Parameters
    ----------
    recording : Recording
        The one that the cues were measured in; it is streamed when a signal is read.
    cues : SpatialCues
        Of the recording.

    Returns
    -------
    list of Recording
        Two channels each; they add up to the recording (of ambisonics, to its `middle_side`). A
        single source, and one without a direction, is the whole recording.

    See Also
    --------
    spa2v_lib.cues.extract.extract_cues : Directions, motion and labels of the sources.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues import extract_cues
    >>> recording = Recording.from_samples(np.stack([noise, noise]), 16000)
    >>> len(separate(recording, extract_cues(recording, label="rain")))
    1
    """
    tracks = [np.array(source.azimuth_deg, float) for source in cues.sources]
    if len(tracks) < 2 or not all(np.isfinite(track).all() for track in tracks):
        return [recording for _ in tracks]
    capture = cues.capture.format
    if capture == "foa":
        capture, recording = "ms", middle_side(recording)
    levels = np.array([source.level_db for source in cues.sources])
    active = np.array([source.active for source in cues.sources])
    return separate_sources(
        recording,
        capture,
        in_front(np.stack(tracks)),
        np.where(active, 10.0 ** (levels / 10.0), 0.0),
        polarity=-1.0 if cues.polarity_inverted else 1.0,
        spacing_m=cues.capture.pair_spacing_m,
    )


def in_front(azimuth_deg: np.ndarray) -> np.ndarray:
    """Return directions with those behind mirrored to the front, where two channels place them.

    Parameters
    ----------
    azimuth_deg : ndarray
        In [-180, 180].

    Returns
    -------
    ndarray
        In [-90, 90].

    Examples
    --------
    >>> import numpy as np
    >>> in_front(np.array([30.0, 150.0, -120.0]))
    array([ 30.,  30., -60.])
    """
    behind = np.abs(azimuth_deg) > 90.0
    return np.where(behind, np.sign(azimuth_deg) * 180.0 - azimuth_deg, azimuth_deg)


def separate_sources(
    recording: Recording,
    capture: str,
    azimuth_deg: np.ndarray,
    power: np.ndarray,
    polarity: float = 1.0,
    spacing_m: float | None = None,
) -> list[Recording]:
    """Separate sources whose directions and powers are known.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    capture : str
        A key of `FORMATS`.
    azimuth_deg, power : ndarray [sources, frames]
        At the cue frames; power 0 where a source is silent.
    polarity : float
        -1 for a recording with an inverted right channel.
    spacing_m : float, optional
        As in `spa2v_lib.cues.formats.get_format`.

    Returns
    -------
    list of Recording

    See Also
    --------
    separate : Takes both from cues.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> recording = Recording.from_samples(np.stack([noise, 0.3 * noise]), 16000)
    >>> azimuth, power = np.array([[-30.0], [30.0]]) + np.zeros(10), np.ones((2, 10))
    >>> one, two = separate_sources(recording, "xy", azimuth, power)
    >>> bool(np.allclose(one.samples + two.samples, recording.samples, atol=1e-5))
    True
    """

    kept: list[np.ndarray] = []

    def images() -> Iterator[np.ndarray]:
        return _images(recording, capture, azimuth_deg, power, polarity, spacing_m)

    def pieces(k: int) -> Iterator[np.ndarray]:
        if recording.duration_s > _KEPT_S:
            yield from (piece[k] for piece in images())
            return
        if not kept:
            kept.append(np.concatenate(list(images()), axis=2))
        yield kept[0][k]

    def one(k: int) -> Recording:
        return Recording(
            lambda frame: skipping(pieces(k), frame),
            name=f"{recording.name}, source {k + 1}",
            rate=recording.rate,
            channels=2,
            frames=recording.frames,
        )

    return [one(k) for k in range(len(azimuth_deg))]


def _images(
    recording: Recording,
    capture: str,
    azimuth_deg: np.ndarray,
    power: np.ndarray,
    polarity: float,
    spacing_m: float | None,
) -> Iterator[np.ndarray]:
    """Yield the signals of all sources, overlapped and added [sources, 2, samples]."""
    rate = recording.rate
    hop = max(4, round(_WINDOW_S * rate / 4))
    size = 4 * hop
    early = size - hop  # so that the first sample lies in as many windows as any other
    count = -(-(recording.frames + early) // hop)
    starts = np.arange(count) * hop - early
    window = np.sqrt(np.hanning(size + 1)[:-1] / 2.0).astype(np.float32)
    waves, coherence = _tables(capture, spacing_m, size, rate)
    frame_s = (np.arange(azimuth_deg.shape[1]) + 0.5) * HOP_S
    signs = np.array([1.0, polarity], np.float32)[:, None, None]
    tail = np.zeros((len(azimuth_deg), 2, early), np.float32)
    groups = windowed(recording.stereo(), starts, size, _GROUP)
    for begin, samples in zip(range(0, count, _GROUP), groups, strict=True):
        middle_s = (starts[begin : begin + _GROUP] + size / 2) / rate
        azimuth, strength = (
            np.stack([np.interp(middle_s, frame_s, row) for row in rows])
            for rows in (azimuth_deg, power)
        )
        spectra = (signs * np.fft.rfft(samples * window)).astype(np.complex64)
        images = signs * _divided(spectra, _towards(waves, azimuth), strength, coherence)
        parts = np.fft.irfft(images, size).astype(np.float32) * window
        out = np.pad(tail, ((0, 0), (0, 0), (0, parts.shape[2] * hop)))
        for k in range(parts.shape[2]):
            out[..., k * hop : k * hop + size] += parts[:, :, k]
        tail = out[..., -early:]
        yield out[..., early if begin == 0 else 0 : -early]


@lru_cache(maxsize=2)
def _tables(
    capture: str, spacing_m: float | None, size: int, rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return plane waves [2, bins, directions] and diffuse coherence [bins]."""
    item, hz = get_format(capture, spacing_m), np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 1.0)
    coherence = diffuse_coherence(item, hz).astype(np.float32)
    return plane_waves(item, hz).astype(np.complex64), coherence


def _towards(waves: np.ndarray, azimuth_deg: np.ndarray) -> np.ndarray:
    """Interpolate plane waves to directions [sources, windows]: [sources, 2, windows, bins]."""
    place = np.clip(azimuth_deg - GRID_DEG[0], 0.0, len(GRID_DEG) - 1.001)
    index = place.astype(int)
    part = (place - index).astype(np.float32)
    between = waves[..., index] * (1.0 - part) + waves[..., index + 1] * part
    return between.transpose(2, 0, 3, 1)


def _divided(
    spectra: np.ndarray, waves: np.ndarray, strength: np.ndarray, coherence: np.ndarray
) -> np.ndarray:
    """Return all sources' shares of both channels [sources, 2, windows, bins]."""
    shares = _shares(spectra, waves, strength, coherence)
    left, right = spectra
    power = (np.abs(left) ** 2 + np.abs(right) ** 2) * 0.5 + 1e-20
    own, spread = shares * power, _DIFFUSE * power
    # covariance of the mixture: every source's from its direction, and a little from everywhere
    a = (own * np.abs(waves[:, 0]) ** 2).sum(0) + spread
    d = (own * np.abs(waves[:, 1]) ** 2).sum(0) + spread
    b = (own * waves[:, 0] * waves[:, 1].conj()).sum(0) + spread * coherence
    scale = 1.0 / (a * d - np.abs(b) ** 2)
    back_left = (d * left - b * right) * scale
    back_right = (a * right - b.conj() * left) * scale
    around = (
        spread * (back_left + coherence * back_right),
        spread * (back_right + coherence * back_left),
    )
    amplitude = own * (waves[:, 0].conj() * back_left + waves[:, 1].conj() * back_right)
    return np.stack([waves[:, c] * amplitude + shares * around[c] for c in (0, 1)], axis=1)


def _shares(
    spectra: np.ndarray, waves: np.ndarray, strength: np.ndarray, coherence: np.ndarray
) -> np.ndarray:
    """Return how each bin is divided [sources, windows, bins]; the shares add up to 1."""
    left, right = spectra
    powers = [_around(np.abs(left) ** 2), _around(np.abs(right) ** 2)]
    cross = _around(left * right.conj())
    whole = (powers[0] + powers[1] - 2.0 * coherence * cross.real) / (1.0 - coherence**2)
    scale = 1.0 / (1.0 - coherence**2)
    likely = []
    for wave in waves:
        white = (
            (wave[0] - coherence * wave[1]) * scale,
            (wave[1] - coherence * wave[0]) * scale,
        )
        along = np.abs(white[0]) ** 2 * powers[0] + np.abs(white[1]) ** 2 * powers[1]
        along += 2.0 * (white[0].conj() * white[1] * cross).real
        norm = (wave[0].conj() * white[0] + wave[1].conj() * white[1]).real
        share = np.clip(along / (norm * whole + 1e-20), 0.5, 1.0 - _MISFIT)
        likely.append((4.0 * share * (1.0 - share)) ** -_LOOKS)
    likely = np.stack(likely)
    usual = strength / (strength.sum(0) + 1e-20) + _LEAST
    prior = np.broadcast_to((usual / usual.sum(0))[..., None], likely.shape)
    power = powers[0] + powers[1] + 1e-20
    for step in range(_ROUNDS):
        shares = prior * likely
        shares /= shares.sum(0)
        if step + 1 < _ROUNDS:
            lately = np.stack([_lately(share * power) for share in shares])
            prior = lately / lately.sum(0) * (1.0 - _LEAST) + _LEAST / len(lately)
    return shares


def _around(values: np.ndarray) -> np.ndarray:
    """Average every bin with its neighbours in time and frequency [windows, bins]."""
    padded = np.pad(values, ((1, 1), (1, 1)), mode="edge")
    time = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return 0.25 * time[:, :-2] + 0.5 * time[:, 1:-1] + 0.25 * time[:, 2:]


def _lately(values: np.ndarray) -> np.ndarray:
    """Average over the windows around each [windows, bins]."""
    width = 2 * _LATELY + 1
    padded = np.pad(values, ((_LATELY + 1, _LATELY), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=0)
    return np.maximum(total[width:] - total[:-width], 1e-20) / width
