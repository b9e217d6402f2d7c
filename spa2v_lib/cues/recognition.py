"""Which capture format a recording has: the one whose delays and levels fit it best."""

from __future__ import annotations

import numpy as np

from spa2v_lib.cues.capture import FORMATS, Format, direct_sound, level_distance
from spa2v_lib.cues.interaural import LAGS_S, Interaural
from spa2v_lib.cues.types import CaptureGuess

__all__ = ["guess_capture"]

_ITD_SIGMA_S, _ILD_SIGMA_DB, _WORST = 6e-5, 3.0, 4.0
_PER_HEIGHT = 20.0  # misfit for peaks that are lower by all of their height


def guess_capture(heard: Interaural, weight: np.ndarray) -> CaptureGuess:
    """Name the format whose delays and levels fit the recording best.

    Every frame is compared with every direction of every format; the misfit counts the delay and
    the level difference of each band. Panned, XY and M/S recordings cannot be told apart.

    Parameters
    ----------
    heard : Interaural
    weight : ndarray [frames]
        How much each frame counts; 0 for silence, not 0 everywhere.

    Returns
    -------
    CaptureGuess
    """
    chosen = np.flatnonzero(weight > 0.0)
    chosen = chosen[:: max(1, len(chosen) // 300)]
    share = weight[chosen] / weight[chosen].sum()
    delay = LAGS_S[heard.gcc[chosen].argmax(1)]
    direct = direct_sound(heard.left[chosen], heard.right[chosen], heard.aligned[chosen], 0.0)
    power = heard.left[chosen] + heard.right[chosen]
    trust = np.sqrt(power) * direct.share**2
    trust = trust / (trust.sum(1, keepdims=True) + 1e-20)
    misfit = {"panned": float(share @ _coincident_misfit(delay, direct.ild_db, trust))}
    for name in ("ortf", "ab", "binaural"):
        misfit[name] = float(share @ _misfit(FORMATS[name], delay, direct.ild_db, trust))
    for name, height in _heights(heard.gcc[chosen], tuple(misfit)).items():
        misfit[name] += _PER_HEIGHT * float(share @ height)
    evidence = min(10.0, 0.2 * len(chosen))
    likelihood = {name: np.exp(-0.5 * evidence * value) for name, value in misfit.items()}
    best = min(misfit, key=lambda name: (misfit[name], name != "panned"))
    confidence = likelihood[best] / (sum(likelihood.values()) + 1e-30)
    mean_delay = 1e6 * float(share @ np.abs(delay))
    mean_ild = float(share @ np.abs((trust * direct.ild_db).sum(1)))
    note = f"mean |ITD| {mean_delay:.0f} µs, mean |ILD| {mean_ild:.1f} dB"
    if best == "panned":
        note += "; panned, XY and M/S cannot be told apart: the azimuth is the image position"
    return CaptureGuess(format=best, confidence=float(np.clip(confidence, 0, 1)), note=note)


def _heights(gcc: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return by how much each format's steered peaks are lower than the best format's [frames]."""
    peaks = {name: FORMATS[name].steered(gcc).max(1) for name in names}
    best = np.max(list(peaks.values()), axis=0)
    return {name: best - peak for name, peak in peaks.items()}


def _coincident_misfit(delay: np.ndarray, ild_db: np.ndarray, trust: np.ndarray) -> np.ndarray:
    mean = (trust * ild_db).sum(1, keepdims=True)
    spread = (trust * (ild_db - mean) ** 2).sum(1)
    return np.minimum((delay / _ITD_SIGMA_S) ** 2 + spread / _ILD_SIGMA_DB**2, _WORST)


def _misfit(item: Format, delay: np.ndarray, ild_db: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Return each frame's misfit with its best direction [frames]."""
    late = (delay[:, None] - item.delay_s[None, :]) / _ITD_SIGMA_S
    distance = level_distance(item, ild_db, trust)
    return np.minimum((late**2 + distance / _ILD_SIGMA_DB**2).min(1), _WORST)
