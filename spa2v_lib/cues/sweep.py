"""Whether a source's azimuth sweeps from one side to the other, which is what a crossing does.

A sweep has to be steady, nearly all in one direction, and larger than what the track's own
uncertainty explains. And it has to be that of the whole sound: a struck string, whose partials lie
in different directions and fade at different rates, moves the loudest direction without moving.
So the recording's bands are asked one group after the other whether the swept path explains them
better than the best fixed direction does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lib.cues.approach import soft_step
from spa2v_lib.cues.bins import BIN_HZ, Bins
from spa2v_lib.cues.features import LAGS_S, Features
from spa2v_lib.cues.formats import GRID_DEG, get_format
from spa2v_lib.cues.steering import densities, steering

if TYPE_CHECKING:
    from spa2v_lib.cues.localization import Track
    from spa2v_lib.cues.types import CaptureGuess

__all__ = ["Sweep", "band_agreement", "loud_span", "measured_sweep"]

_LOUD_DB = 12.0  # a source this far below its loudest half second may be masked by others
_LEAST_LOUD_FRAMES = 10
_GROUPS = 6  # of bands, with equal weight each
_SHARE = 0.5  # of a bin that is taken to be direct sound
_MOST_FRAMES = 300  # that bands are compared in; of longer sweeps, evenly drawn ones
_DEEP_DB, _RISE_DB = 30.0, 20.0  # bins this far below the loud ones do not count, or half
_LAG_STEP = 4  # of the delays that fixed directions are looked for in


class Sweep(NamedTuple):
    """A change of azimuth.

    Attributes
    ----------
    degrees : float
        From the first to the last frames, positive to the right.
    confidence : float
        That the source crosses, in [0, 1].

    Examples
    --------
    >>> Sweep(degrees=-80.0, confidence=0.99).degrees
    -80.0
    """

    degrees: float
    confidence: float


def measured_sweep(
    features: Features,
    track: Track,
    active: np.ndarray,
    least_deg: float,
    capture: CaptureGuess | None = None,
) -> Sweep:
    """Measure how far an azimuth sweeps, and how certain it is that the source does.

    Parameters
    ----------
    features : Features
        Of this source; its bins are compared if there are any.
    track : Track
    active : ndarray of bool [frames]
        Frames that count; at least one.
    least_deg : float
        A smaller sweep is no crossing.
    capture : CaptureGuess, optional
        Without it, bands are not compared.

    Returns
    -------
    Sweep

    See Also
    --------
    band_agreement : Whether the bands agree with it.
    spa2v_lib.cues.passby.fit_pass_by : The path of a crossing.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise, t = 0.1 * np.random.default_rng(0).normal(size=32000), np.linspace(0.0, 1.0, 32000)
    >>> recording = Recording.from_samples(np.stack([(1.0 - t) * noise, t * noise]), 16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.localization import track_azimuth
    >>> active = np.ones(20, bool)
    >>> track = track_azimuth(features, active, "panned", format_known=True)
    >>> sweep = measured_sweep(features, track, active, 10.0)
    >>> sweep.degrees > 60.0, sweep.confidence > 0.9
    (True, True)
    """
    azimuth, time = track.azimuth[active], np.flatnonzero(active)
    edge = max(1, len(azimuth) // 10)
    degrees = float(azimuth[-edge:].mean() - azimuth[:edge].mean())
    steps = np.diff(np.convolve(azimuth, np.full(_SMOOTH, 1.0 / _SMOOTH), "valid"))
    monotony = abs(float(steps.sum())) / (float(np.abs(steps).sum()) + 1e-9)
    azimuth, time = azimuth - azimuth.mean(), time - time.mean()
    length = float(np.sqrt((azimuth @ azimuth) * (time @ time))) + 1e-9
    steadiness = abs(float(azimuth @ time)) / length
    scatter = 2.0 * float(np.median(track.error[active])) + 1e-6
    doubt = float(np.median(track.spread[active])) + 1e-6
    confidence = (
        soft_step(abs(degrees) - least_deg, 0.15 * least_deg)
        * soft_step(steadiness - 0.75, 0.05)
        * soft_step(abs(degrees) / scatter - 1.5, 0.25)
        * soft_step(abs(degrees) / doubt - _BEYOND, 0.15 * _BEYOND)
        * soft_step(monotony - _MONOTONY, 0.04)
    )
    two_channels = capture is not None and capture.format != "foa"  # whose bins hold no azimuth
    if two_channels and features.bins is not None and confidence > _WORTHWHILE:
        agreement = band_agreement(features.bins, track.azimuth, active, capture)
        confidence *= soft_step(agreement - _AGREEMENT, _AGREEMENT_WIDTH)
    return Sweep(degrees, confidence)


_BEYOND = 1.5  # times its estimated error is the least sweep
_MONOTONY = 0.5  # of all its turning that has to go one way
_SMOOTH = 5  # frames: what flickers from one to the next is noise, and no turning
_WORTHWHILE = 0.05
_AGREEMENT, _AGREEMENT_WIDTH = 0.0, 0.02


def band_agreement(
    bins: Bins, azimuth_deg: np.ndarray, active: np.ndarray, capture: CaptureGuess
) -> float:
    """Return by how much a path explains the bands better than the best fixed direction of each.

    Where a format has delays, the channels' phases are compared as well, with levels left aside:
    they hold whatever the microphones' directivity and the head's shadow are.

    Parameters
    ----------
    bins : Bins
        Of the source.
    azimuth_deg : ndarray [frames]
    active : ndarray of bool [frames]
        Frames that count.
    capture : CaptureGuess
        Of two channels: any format but "foa", whose azimuth the two channels do not hold.

    Returns
    -------
    float
        Mean over groups of bands, per weight of a bin; below 0 where fixed directions, another in
        every group, explain more.

    See Also
    --------
    measured_sweep : Asks it of a sweep.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise, t = 0.1 * np.random.default_rng(0).normal(size=32000), np.linspace(0.0, 1.0, 32000)
    >>> recording = Recording.from_samples(np.stack([(1.0 - t) * noise, t * noise]), 16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.types import CaptureGuess
    >>> capture = CaptureGuess(format="panned", confidence=1.0, note="")
    >>> path = np.linspace(-45.0, 45.0, 20)
    >>> band_agreement(features.bins, path, np.ones(20, bool), capture) > 0.3
    True
    """
    chosen = np.flatnonzero(active)
    chosen = chosen[:: -(-len(chosen) // _MOST_FRAMES)]
    names = ("left", "right", "cross", "power", "weight")
    part = replace(bins, **{name: getattr(bins, name)[chosen] for name in names})
    # of a tone most bins hold only noise, which has a direction of its own
    above = 10.0 * np.log10(part.left + part.right + 1e-14)
    above = np.clip((above - np.percentile(above, 99) + _DEEP_DB) / _RISE_DB, 0.0, 1.0)
    part = replace(part, weight=part.weight * above)
    # two channels fold what is behind to the front
    path = np.degrees(np.arcsin(np.sin(np.radians(azimuth_deg[chosen]))))
    name = capture.format
    weight = part.weight.sum(0)
    below = (np.cumsum(weight) - 0.5 * weight) / (weight.sum() + 1e-12)
    group = np.minimum((_GROUPS * below).astype(int), _GROUPS - 1)
    group = (group[:, None] == np.arange(_GROUPS)).astype(float)
    table = steering(name, capture.pair_spacing_m)
    place = np.abs(path[:, None] - table.azimuth_deg).argmin(1)
    likely = np.log(1.0 - _SHARE + _SHARE * densities(part, table, 0, len(chosen)))
    likely *= part.weight[..., None]
    along = np.take_along_axis(likely, place[:, None, None], 2)[..., 0].sum(0)
    gained = _gain(along, likely.sum(0), weight, group)
    if not table.spaced:
        return gained
    delay_s = np.interp(path, GRID_DEG, get_format(name, capture.pair_spacing_m).delay_s)
    return max(gained, _phase_gain(part, delay_s, group))


def _phase_gain(bins: Bins, delay_s: np.ndarray, group: np.ndarray) -> float:
    """Return the same of the phases alone: how much better they fit the path's delays."""
    size = np.abs(bins.cross)
    weight = bins.weight * size / (np.sqrt(bins.left * bins.right) + 1e-20)
    turned = weight * bins.cross / (size + 1e-20)
    along = (turned * np.exp(2j * np.pi * delay_s[:, None] * BIN_HZ)).real.sum(0)
    fixed = np.exp(2j * np.pi * BIN_HZ[:, None] * LAGS_S[::_LAG_STEP])
    fixed = (turned.sum(0)[:, None] * fixed).real
    return _gain(along, fixed, weight.sum(0), group)


def _gain(along: np.ndarray, fixed: np.ndarray, weight: np.ndarray, group: np.ndarray) -> float:
    """Return the mean gain of a path [bands] over fixed directions [bands, directions]."""
    gain = along @ group - (group.T @ fixed).max(1)
    return float(np.mean(gain / (weight @ group + 1e-9)))


def loud_span(level_db: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return the active frames from the first to the last loud one; all, if those are too few.

    What is left when a source has gone comes from elsewhere: from the room, or from others.

    Parameters
    ----------
    level_db : ndarray [frames]
        Of the source.
    active : ndarray of bool [frames]
        Somewhere True.

    Returns
    -------
    ndarray of bool [frames]

    Examples
    --------
    >>> import numpy as np
    >>> level = np.repeat([-20.0, -50.0], 20)
    >>> int(loud_span(level, np.ones(40, bool)).sum())
    19
    """
    known = np.flatnonzero(active)
    near = np.convolve(np.pad(level_db[known], 2, mode="edge"), np.full(5, 0.2), "valid")
    loud = known[near > near.max() - _LOUD_DB]
    span = active.copy()
    span[: loud[0]] = span[loud[-1] + 1 :] = False
    return span if span.sum() >= _LEAST_LOUD_FRAMES else active
