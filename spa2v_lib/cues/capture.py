"""Which capture format a recording has, and whether its channels allow directions at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spa2v_lib.cues.features import LAGS_S, Features, inverted
from spa2v_lib.cues.formats import FORMATS, CaptureFormat, direct_sound, level_distance
from spa2v_lib.cues.localization import Reading
from spa2v_lib.cues.spacing import NARROWEST_M, pair_spacing
from spa2v_lib.cues.types import CaptureGuess, Range

__all__ = ["ChannelAnalysis", "analyze_channels", "guess_capture"]

_ITD_SIGMA_S, _ILD_SIGMA_DB, _WORST = 6e-5, 3.0, 4.0
_TOO_LONG = 1.2  # the delays may ask for so much more than the spacing that is given
_POSSIBLE = 0.1  # of the best format's likelihood: such formats widen the intervals
_PER_HEIGHT = 20.0  # misfit for peaks that are lower by all of their height


def guess_capture(features: Features, weight: np.ndarray) -> tuple[CaptureGuess, list[str]]:
    """Name the format whose delays and levels fit the recording best.

    Every frame is compared with every direction of every format; the misfit counts the delay and
    the level difference of each band. Panned, XY and M/S recordings cannot be
    distinguished.

    Parameters
    ----------
    features : Features
        Of the whole recording, see `spa2v_lib.cues.features.extract_features`.
    weight : ndarray [frames]
        How much each frame counts; 0 for silence, not 0 everywhere.

    Returns
    -------
    guess : CaptureGuess
    others : list of str
        Formats that are possible, too.

    See Also
    --------
    analyze_channels : decides what follows from it.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> guess_capture(features, np.ones(10))[0].format
    'panned'
    """
    chosen = np.flatnonzero(weight > 0.0)
    chosen = chosen[:: max(1, len(chosen) // 300)]
    share = weight[chosen] / weight[chosen].sum()
    delay = LAGS_S[features.gcc[chosen].argmax(1)]
    direct = direct_sound(
        features.left[chosen], features.right[chosen], features.aligned[chosen], 0.0
    )
    power = features.left[chosen] + features.right[chosen]
    band_weight = np.sqrt(power) * direct.share**2
    band_weight = band_weight / (band_weight.sum(1, keepdims=True) + 1e-20)
    misfit = {"panned": float(share @ _coincident_misfit(delay, direct.ild_db, band_weight))}
    for name in ("ortf", "ab", "binaural"):
        misfit[name] = float(share @ _misfit(FORMATS[name], delay, direct.ild_db, band_weight))
    for name, height in _heights(features.gcc[chosen], tuple(misfit)).items():
        misfit[name] += _PER_HEIGHT * float(share @ height)
    evidence = min(10.0, 0.2 * len(chosen))
    likelihood = {name: np.exp(-0.5 * evidence * value) for name, value in misfit.items()}
    best = min(misfit, key=lambda name: (misfit[name], name != "panned"))
    confidence = likelihood[best] / (sum(likelihood.values()) + 1e-30)
    mean_delay = 1e6 * float(share @ np.abs(delay))
    mean_ild = float(share @ np.abs((band_weight * direct.ild_db).sum(1)))
    note = f"mean |ITD| {mean_delay:.0f} µs, mean |ILD| {mean_ild:.1f} dB"
    if best == "panned":
        note += "; panned, XY and M/S cannot be distinguished: the azimuth is the image position"
    guess = CaptureGuess(format=best, confidence=float(np.clip(confidence, 0, 1)), note=note)
    least = _POSSIBLE * likelihood[best]
    return guess, [name for name, value in likelihood.items() if value > least and name != best]


def _heights(gcc: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return by how much each format's steered peaks are lower than the best format's [frames]."""
    peaks = {name: FORMATS[name].steered(gcc).max(1) for name in names}
    best = np.max(list(peaks.values()), axis=0)
    return {name: best - peak for name, peak in peaks.items()}


def _coincident_misfit(
    delay: np.ndarray, ild_db: np.ndarray, band_weight: np.ndarray
) -> np.ndarray:
    mean = (band_weight * ild_db).sum(1, keepdims=True)
    spread = (band_weight * (ild_db - mean) ** 2).sum(1)
    return np.minimum((delay / _ITD_SIGMA_S) ** 2 + spread / _ILD_SIGMA_DB**2, _WORST)


def _misfit(
    item: CaptureFormat, delay: np.ndarray, ild_db: np.ndarray, band_weight: np.ndarray
) -> np.ndarray:
    """Return each frame's misfit with its best direction [frames]."""
    late = (delay[:, None] - item.delay_s[None, :]) / _ITD_SIGMA_S
    distance = level_distance(item, ild_db, band_weight)
    return np.minimum((late**2 + distance / _ILD_SIGMA_DB**2).min(1), _WORST)


_MONO = "mono: no direction is claimed"
_SAME = "both channels are identical: no direction is measured, the source is placed in the centre"
_INVERTED = "one channel has inverted polarity; it is corrected before directions are measured"
_SPACING = (
    "the microphones are said to be {given:.0f} cm apart, but the delays between them ask for "
    "{least:.0f} cm or more"
)
_FRONT = (
    "front assumed: two channels cannot tell front from back, so every azimuth may also be its "
    "mirror image behind the microphone"
)


@dataclass(frozen=True)
class ChannelAnalysis:
    """What the channels of a recording allow.

    Attributes
    ----------
    features : Features
        With an inverted channel corrected.
    capture : CaptureGuess
    format_known : bool
        Whether the user named the format.
    directional : bool
        Whether directions can be claimed.
    related : bool
        Whether the channels belong together; where they do not, no motion can be claimed, either.
    channels_differ : bool
        Whether the channels differ, so that sources can be separated.
    polarity : float
        -1 where the right channel had to be inverted, else 1.
    readings : tuple of (str, float or None)
        Other formats and spacings that the recording may have.
    notes : tuple of str
        Faults of the channels, and assumptions.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> from spa2v_lib.cues.features import extract_features
    >>> recording = Recording.from_samples(np.stack([0.3 * noise, noise]), 16000)
    >>> features = extract_features(recording, with_bins=True)
    >>> analyze_channels(features, np.ones(10, bool), channels=2).directional
    True
    """

    features: Features
    capture: CaptureGuess
    format_known: bool
    directional: bool
    channels_differ: bool
    polarity: float = 1.0
    readings: tuple[Reading, ...] = ()
    related: bool = True
    notes: tuple[str, ...] = ()


def analyze_channels(
    features: Features,
    active: np.ndarray,
    channels: int,
    capture: str = "auto",
    *,
    spacing_m: float | None = None,
    fault: str | None = None,
) -> ChannelAnalysis:
    """Decide how directions are measured, and what is wrong with the channels.

    Parameters
    ----------
    features : Features
        Of the whole recording, see `spa2v_lib.cues.features.extract_features`.
    active : ndarray of bool [frames]
        Where any source is active.
    channels : int
        Of the recording; at least 1.
    capture : str
        One of `spa2v_lib.cues.types.CAPTURES`, or "auto".
    spacing_m : float, optional
        Of the pair, where it is known; with "auto" it says that the pair is omnidirectional.
    fault : str, optional
        Why the channels allow no direction, where that is known already.

    Returns
    -------
    ChannelAnalysis

    See Also
    --------
    guess_capture : Names the format, where nobody does.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues.features import extract_features
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(1, 16000))
    >>> features = extract_features(Recording.from_samples(noise, 16000))
    >>> analyze_channels(features, np.ones(10, bool), channels=1).notes
    ('mono: no direction is claimed',)
    """
    if channels == 1 or capture == "mono":
        return _mono(features, "one channel", _MONO)
    if capture == "foa":
        guess = CaptureGuess(format="foa", confidence=1.0, note="four channels")
        return ChannelAnalysis(features, guess, True, bool(active.any()), True)
    if not active.any():
        name = "panned" if capture == "auto" else capture
        guess = CaptureGuess(format=name, confidence=0.0, note="silence")
        return ChannelAnalysis(features, guess, False, False, False)
    if fault is not None:
        unrelated = _mono(features, fault, f"{fault}: no direction or motion is claimed")
        return replace(unrelated, related=False)
    left, right = features.left.sum(), features.right.sum()
    if min(left, right) < 1e-6 * max(left, right):
        silent = f"the {'left' if left < right else 'right'} channel is silent"
        return _mono(features, silent, f"{silent}: no direction is claimed")
    notes: tuple[str, ...] = ()
    polarity = -1.0 if _is_inverted(features, active) else 1.0
    if polarity < 0.0:
        notes += (_INVERTED,)
        features = inverted(features)
    side = (features.left + features.right - 2.0 * features.cross).sum()
    channels_differ = bool(side >= 1e-5 * (left + right))
    if not channels_differ:
        notes += (_SAME,)
    readings: tuple[Reading, ...] = ()
    known = capture != "auto" or spacing_m is not None
    if known:
        guess = _named(capture, spacing_m)
        if spacing_m is not None:
            least_m = pair_spacing(features, active).low
            if least_m > max(_TOO_LONG * spacing_m, NARROWEST_M):
                notes += (_SPACING.format(given=100.0 * spacing_m, least=100.0 * least_m),)
    else:
        weight = np.where(active, features.coherence**2, 0.0)
        guess, others = guess_capture(features, weight)
        spacing = pair_spacing(features, active) if "ab" in (guess.format, *others) else None
        readings = tuple(
            reading for name in (guess.format, *others) for reading in _readings(name, spacing)
        )
        if guess.format == "ab":
            guess = guess.model_copy(update={"spacing_m": spacing})
    return ChannelAnalysis(
        features,
        guess,
        known,
        True,
        channels_differ,
        polarity,
        readings,
        notes=(*notes, _FRONT),
    )


def _named(capture: str, spacing_m: float | None) -> CaptureGuess:
    spacing = None
    if spacing_m is not None:
        spacing = Range(value=spacing_m, low=spacing_m, high=spacing_m)
    name = "ab" if capture == "auto" else capture
    return CaptureGuess(format=name, confidence=1.0, note="named by the user", spacing_m=spacing)


def _readings(name: str, spacing: Range | None) -> list[Reading]:
    if name != "ab" or spacing is None:
        return [(name, None)]
    return [("ab", spacing.low), ("ab", spacing.high)]


def _mono(features: Features, reason: str, note: str) -> ChannelAnalysis:
    guess = CaptureGuess(format="mono", confidence=1.0, note=reason)
    return ChannelAnalysis(features, guess, True, False, False, notes=(note,))


def _is_inverted(features: Features, active: np.ndarray) -> bool:
    gcc = features.gcc[active]
    return bool(-gcc.min(1).mean() > max(0.35, 1.4 * gcc.max(1).mean()))
