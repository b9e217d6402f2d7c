"""Each source's own features: what it contributes to a recording of several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from spa2v_lib.cues.bins import BIN_HZ, Bins
from spa2v_lib.cues.features import (
    BAND_CENTRES_HZ,
    LAGS_S,
    MEL_EDGES_HZ,
    Features,
    mel_triangles,
)
from spa2v_lib.cues.formats import GRID_DEG, CaptureFormat
from spa2v_lib.cues.mixture import Mixture, ownership
from spa2v_lib.cues.steering import Steering

__all__ = ["SourceShare", "split_sources"]

_NEAR_FRAMES = 4  # on either side, within which diffuse bins follow the sources around them
_QUIET_DB = 30.0  # a source is inactive in frames this far below its loud ones
_LEAST_SHARE = 0.03  # of all sources' power; less is what masks leak


@dataclass(frozen=True)
class SourceShare:
    """What one source contributes to a recording.

    Attributes
    ----------
    features : Features
        From the source's own bins, which are kept; level and mel bands include its share of the
        diffuse ones.
    active : ndarray of bool [frames]
        Where it is active.
    azimuth_deg : ndarray [frames]
        Its path through the mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> from spa2v_lib.cues.features import extract_features
    >>> features = extract_features(Recording.from_samples(noise, 16000))
    >>> len(SourceShare(features, np.ones(10, bool), np.zeros(10)).azimuth_deg)
    10
    """

    features: Features
    active: np.ndarray
    azimuth_deg: np.ndarray


def split_sources(
    features: Features,
    active: np.ndarray,
    bins: Bins,
    table: Steering,
    item: CaptureFormat,
    mixture: Mixture,
) -> list[SourceShare]:
    """Divide a recording among its sources, loudest first.

    Parameters
    ----------
    features : Features
        Of the whole recording.
    active : ndarray of bool [frames]
        Where any source is active.
    bins : Bins
        From `weighted_bins`.
    table : Steering
        Of the capture format.
    item : CaptureFormat
        The capture format.
    mixture : Mixture
        Paths of the sources, and their shares of the bins.

    Returns
    -------
    list of SourceShare
        Without sources that are nowhere active.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> from spa2v_lib.cues.bins import weighted_bins
    >>> active = np.ones(10, bool)
    >>> bins = weighted_bins(features.bins, active)
    >>> from spa2v_lib.cues.steering import steering
    >>> table = steering("xy")
    >>> from spa2v_lib.cues.formats import FORMATS
    >>> from spa2v_lib.cues.multisource import count_sources
    >>> mixture = count_sources(bins, table).mixture
    >>> len(split_sources(features, active, bins, table, FORMATS["xy"], mixture))
    1
    """
    owned = ownership(bins, table, mixture)
    masks = _masks(owned, bins)
    power = np.einsum("kfb,fb->kf", owned[1:], bins.power)
    parts = [
        SourceShare(
            _own_features(features, bins, item, own, mask, table.azimuth_deg[path]),
            active & _is_active(power[k], power.sum(0)),
            table.azimuth_deg[path],
        )
        for k, (own, mask, path) in enumerate(zip(owned[1:], masks, mixture.paths, strict=True))
    ]
    order = np.argsort(-power.sum(1), kind="stable")
    return [parts[k] for k in order if parts[k].active.any()]


def _masks(owned: np.ndarray, bins: Bins) -> np.ndarray:
    """Return each source's share of every bin, diffuse bins included; shares add up to 1."""
    strength = owned[1:] * (np.sqrt(bins.power) * bins.weight + 1e-12)
    padded = np.pad(strength, ((0, 0), (_NEAR_FRAMES + 1, _NEAR_FRAMES), (0, 0)))
    total = np.cumsum(padded, axis=1, dtype=np.float64)
    width = 2 * _NEAR_FRAMES + 1
    near = total[:, width:] - total[:, :-width] + 1e-12
    return owned[1:] + owned[:1] * (near / near.sum(0)).astype(np.float32)


def _is_active(own: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    loud = np.percentile(own, 95)
    return (own > loud * 10.0 ** (-_QUIET_DB / 10.0)) & (own > _LEAST_SHARE * everyone)


def _own_features(
    features: Features,
    bins: Bins,
    item: CaptureFormat,
    own: np.ndarray,
    mask: np.ndarray,
    azimuth_deg: np.ndarray,
) -> Features:
    bands = _nearest(BAND_CENTRES_HZ)
    delay = np.interp(azimuth_deg, GRID_DEG, item.delay_s)
    turn = np.exp(2j * np.pi * delay[:, None] * BIN_HZ)
    own_weight = own * np.maximum(bins.weight, 0.02)
    cross = own_weight * bins.cross
    share = (mask * bins.power).sum(1) / (bins.power.sum(1) + 1e-20)
    level = features.level_db + 10.0 * np.log10(share + 1e-12)
    return Features(
        times_s=features.times_s,
        level_db=np.maximum(level, -120.0),
        left=(own_weight * bins.left) @ bands,
        right=(own_weight * bins.right) @ bands,
        cross=cross.real @ bands,
        aligned=(cross * turn).real @ bands,
        gcc=_gcc(bins, own_weight),
        mel=_masked_mel(features.mel, bins.power, mask),
        bins=replace(bins, weight=own * bins.weight),
    )


@cache
def _lags() -> np.ndarray:
    return np.exp(2j * np.pi * BIN_HZ[:, None] * LAGS_S).astype(np.complex64)


def _gcc(bins: Bins, own_weight: np.ndarray) -> np.ndarray:
    """Return the cross-correlation of a source's bins, whitened as in `extract_features`."""
    geometric = np.sqrt(bins.left * bins.right) + 1e-20
    size = np.abs(bins.cross)
    weight = own_weight * geometric ** (1.0 / 3.0) * (size / geometric)
    white = bins.cross / (size + 1e-20) * weight
    white /= weight.sum(1, keepdims=True) + 1e-20
    return (white.astype(np.complex64) @ _lags()).real


def _nearest(centres_hz: np.ndarray) -> np.ndarray:
    """Return which of the wider bands each bin is in [bands, wider bands]."""
    borders = np.sqrt(centres_hz[1:] * centres_hz[:-1])
    inside = np.searchsorted(borders, BIN_HZ)
    return (inside[:, None] == np.arange(len(centres_hz))).astype(np.float32)


@cache
def _mel_weights() -> np.ndarray:
    """Return the bins' weight in each mel band [bands, 40]: triangles, or the nearest bin."""
    peaks = MEL_EDGES_HZ[1:-1]
    nearest = np.abs(BIN_HZ[:, None] - peaks).argmin(0) == np.arange(len(BIN_HZ))[:, None]
    return mel_triangles(BIN_HZ) + 1e-3 * nearest.astype(np.float32)


def _masked_mel(mel: np.ndarray, power: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weights = _mel_weights()
    share = ((mask * power) @ weights + 1e-20) / (power @ weights + 1e-20)
    return mel * np.repeat(np.minimum(share, 1.0), len(mel) // len(share), axis=0)
