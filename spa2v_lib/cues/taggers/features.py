"""What the embedded tagger hears: statistics of mel bands that do not depend on gain."""

from __future__ import annotations

from functools import cache

import numpy as np

from spa2v_lib.cues.interaural import WINDOW_STEP_S
from spa2v_lib.cues.mel import MEL_BANDS

__all__ = ["features"]

_GROUPS = 10  # of four neighbouring bands each
_COEFFICIENTS = 20
_LAGS = 12
_FLOOR = 1e-6  # of the loudest window: 60 dB below it


def features(mel: np.ndarray) -> np.ndarray:
    """Describe an excerpt by the shape, spread and movement of its spectrum.

    Parameters
    ----------
    mel : ndarray [windows, 40]
        Power in mel bands, 0.025 s apart, from `spa2v_lib.cues.interaural`.

    Returns
    -------
    ndarray [features]
        Independent of gain.
    """
    level = mel.sum(1)
    floor = _FLOOR * level.max() + 1e-14
    decibel = 10.0 * np.log10(mel + floor)
    course = 10.0 * np.log10(level + floor)
    sounding = level > level.max() * 10.0**-3.5
    loud = decibel[sounding] if sounding.sum() >= 2 else decibel
    shape = loud - loud.mean(1, keepdims=True)
    return np.concatenate(
        [
            shape.mean(0),
            _cepstrum(shape),
            np.percentile(shape, 90, axis=0) - np.percentile(shape, 10, axis=0),
            _movement(shape),
            _peaks(shape),
            _onsets(course, sounding),
            _decay(decibel),
        ]
    ).astype(np.float32)


def _cepstrum(shape: np.ndarray) -> np.ndarray:
    """Spread over time of the cosine coefficients of the shape [20]."""
    return (shape @ _cosines()).std(0)


@cache
def _cosines() -> np.ndarray:
    band = (np.arange(MEL_BANDS) + 0.5) / MEL_BANDS
    return np.cos(np.pi * np.outer(band, np.arange(1, _COEFFICIENTS + 1))) / np.sqrt(MEL_BANDS)


def _movement(shape: np.ndarray) -> np.ndarray:
    """Change from window to window in groups of bands: small for tones, large for noise [20]."""
    change = np.abs(np.diff(shape, axis=0)) if len(shape) > 1 else np.zeros((1, MEL_BANDS))
    pooled = change.reshape(len(change), _GROUPS, -1).mean(2)
    return np.concatenate([pooled.mean(0), np.percentile(pooled, 90, axis=0)])


def _peaks(shape: np.ndarray) -> np.ndarray:
    """How peaked the spectrum is, how steady its peaks are, how they are spaced [17]."""
    crest = np.sort(shape, axis=1)[:, ::-1]
    mean = shape.mean(0)
    bend = mean[1:-1] - 0.5 * (mean[:-2] + mean[2:])
    fine = mean - np.convolve(np.pad(mean, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    power = (fine**2).sum() + 1e-3
    spacing = [(fine[lag:] * fine[:-lag]).sum() / power for lag in range(1, _LAGS + 1)]
    scalars = [
        crest[:, 0].mean(),
        crest[:, :4].mean(),
        crest[:, -8:].mean(),
        np.abs(bend).mean(),
        shape[:, int(mean.argmax())].std(),
    ]
    return np.array([*scalars, *(10.0 * s for s in spacing)])


def _onsets(course: np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """How the level rises and falls [7]."""
    rise = np.diff(course) if len(course) > 1 else np.zeros(1)
    return np.array(
        [
            np.std(course),
            np.mean(np.maximum(rise, 0.0)),
            np.mean(np.maximum(-rise, 0.0)),
            np.percentile(rise, 98),
            np.percentile(rise, 2),
            (rise > 6.0).mean() / WINDOW_STEP_S,  # onsets a second
            100.0 * sounding.mean(),
        ]
    )


def _decay(decibel: np.ndarray) -> np.ndarray:
    """Typical fall in dB over 0.1, 0.2 and 0.4 s after the loudest moment, in three ranges [9]."""
    thirds = np.stack([part.mean(1) for part in np.array_split(decibel, 3, axis=1)], axis=1)
    peak = int(thirds.mean(1).argmax())
    falls = [thirds[peak] - thirds[min(peak + lag, len(thirds) - 1)] for lag in (4, 8, 16)]
    return np.concatenate(falls)
