"""From a recording to its sources: activity, number, and each source's own features and signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.alignment import channel_alignment, unlike_channels
from spa2v_lib.cues.ambisonics import (
    Intensity,
    measure_intensity,
    middle_side,
    track_direction,
)
from spa2v_lib.cues.bins import weighted_bins
from spa2v_lib.cues.capture import ChannelAnalysis, analyze_channels
from spa2v_lib.cues.channel_order import analyzed_pair, channel_order, is_quiet_pair
from spa2v_lib.cues.features import (
    Features,
    extract_features,
)
from spa2v_lib.cues.formats import get_format
from spa2v_lib.cues.localization import Track, activity, track_azimuth
from spa2v_lib.cues.mixture import MOST_SOURCES
from spa2v_lib.cues.multisource import count_sources
from spa2v_lib.cues.separation import separate_sources
from spa2v_lib.cues.source_features import SourceShare, split_sources
from spa2v_lib.cues.steering import steering

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["DetectedSource", "DetectedSources", "detect_sources"]

_LEAST_FRAMES = 5
_PITCH_RATE = 16_000  # of the signals for pitch and Doppler shift, whose lines lie below 7 kHz

_SMOOTH_FRAMES = 7
_WIDER, _WIDER_DEG = 1.4, 2.5  # what other sources add to the error


@dataclass(frozen=True)
class DetectedSource:
    """One source of a recording.

    Attributes
    ----------
    features : Features
        Its own.
    active : ndarray of bool [frames]
        Where it is active.
    track : Track or None
        Its direction; None where none is claimed.
    signal : Recording
        Its own signal: the recording, or what was separated from it, at 16 kHz at most.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> pair = Recording.from_samples(np.stack([noise, noise]), 16000)
    >>> (source,) = detect_sources(pair).sources
    >>> int(source.active.sum())
    10
    """

    features: Features
    active: np.ndarray
    track: Track | None
    signal: Recording


@dataclass(frozen=True)
class DetectedSources:
    """The sources of a recording, before motion and tagging.

    Attributes
    ----------
    channels : ChannelAnalysis
        How directions are measured; holds the features of the whole recording.
    active : ndarray of bool [frames]
        Where any source is active.
    sources : tuple of DetectedSource
        Loudest first; none in silence.
    count_low, count_high : int
        90 % interval of their number.
    intensity : Intensity or None
        Of first-order ambisonics.
    notes : tuple of str
        What a reader has to know.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> detected = detect_sources(Recording.from_samples(np.stack([noise, noise]), 16000))
    >>> detected.count_low, len(detected.sources)
    (1, 1)
    """

    channels: ChannelAnalysis
    active: np.ndarray
    sources: tuple[DetectedSource, ...] = ()
    count_low: int = 0
    count_high: int = 0
    intensity: Intensity | None = None
    notes: tuple[str, ...] = ()


def detect_sources(
    recording: Recording,
    capture: str = "auto",
    num_sources: int | None = None,
    spacing_m: float | None = None,
) -> DetectedSources:
    """Detect the sources of a recording, their number and their directions.

    Parameters
    ----------
    recording : Recording
    capture : str
        One of `spa2v_lib.cues.types.CAPTURES`, or "auto"; "foa" needs four channels.
    num_sources : int, optional
        Their number where it is known, from 1 to 3; by default the recording decides.
    spacing_m : float, optional
        How far apart two omnidirectional microphones are, where that is known.

    Returns
    -------
    DetectedSources

    See Also
    --------
    spa2v_lib.cues.analyze : detects, then adds labels and motion.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> left = Recording.from_samples(np.stack([noise, 0.3 * noise]), 16000)
    >>> (source,) = detect_sources(left, "xy").sources
    >>> bool(source.track.azimuth.max() < -10.0)
    True
    """
    order = channel_order(recording) if capture in ("auto", "foa") else None
    notes: tuple[str, ...] = ()
    if capture == "auto" and order is not None:
        capture, notes = "foa", (_AMBISONIC.format(order=order.name),)
    elif capture == "foa" and order is None:
        notes = (_NOT_AMBISONIC,)
    pair, intensity = analyzed_pair(recording) if recording.channels > 2 else recording, None
    if capture == "foa":
        pair, intensity = middle_side(recording), measure_intensity(recording)
    features = extract_features(pair, with_bins=True)
    active = activity(features)
    reason = None
    if capture != "foa" and recording.channels > 1:
        alone = capture == "auto" and num_sources in (None, 1)
        reason = _fault(recording, pair, features, active, alone=alone, auto=capture == "auto")
    channels = analyze_channels(
        features, active, recording.channels, capture, spacing_m=spacing_m, fault=reason
    )
    notes += channels.notes
    if not active.any():
        return DetectedSources(channels, active, intensity=intensity, notes=(*notes, _SILENCE))
    located = _located(pair, channels, active, intensity, num_sources)
    return replace(located, notes=(*notes, *located.notes))


def _fault(
    recording: Recording,
    pair: Recording,
    features: Features,
    active: np.ndarray,
    *,
    auto: bool,
    alone: bool,
) -> str | None:
    """Return why the channels allow no direction, or None if they may.

    A mix may hold several sources that share no sound; `alone` is False where that is known.
    """
    unknown = recording.channels == 4 and not recording.channel_layout
    if auto and unknown and not is_quiet_pair(recording):
        return _UNKNOWN_FOUR
    if not unlike_channels(features, active):
        return None
    lag_s, related = channel_alignment(pair)
    if lag_s != 0.0:
        return f"the {'right' if lag_s > 0.0 else 'left'} channel is {1e3 * abs(lag_s):.0f} ms late"
    return _UNRELATED if alone and not related else None


_UNRELATED = "the channels share no sound, as two takes or two recordings do"
_UNKNOWN_FOUR = "the format of the four channels is unknown; name one to use the first two"
_AMBISONIC = "four channels that fit {order}: analyzed as first-order ambisonics"
_NOT_AMBISONIC = "the powers of the channels do not fit AmbiX: directions are unreliable"
_SILENCE = "silence: no source"
_INSEPARABLE = (
    "{number} sources were requested, but the recording gives no evidence for so many: their "
    "directions and separated signals are unreliable"
)
_TOO_FEW = "{number} sources were requested, but only {count} could be separated"


def _located(
    pair: Recording,
    channels: ChannelAnalysis,
    active: np.ndarray,
    intensity: Intensity | None,
    num_sources: int | None,
) -> DetectedSources:
    """Return one source, or the separated ones where there are several."""
    features, requested = channels.features, num_sources or 1
    low, high = (num_sources,) * 2 if num_sources else (1, MOST_SOURCES)
    too_few = (_TOO_FEW.format(number=requested, count=1),) if requested > 1 else ()
    if not channels.directional:
        source = DetectedSource(features, active, None, pair)
        return DetectedSources(channels, active, (source,), low, high, notes=too_few)
    separable = channels.channels_differ and active.sum() >= _LEAST_FRAMES
    if separable and num_sources != 1:
        capture = "ms" if intensity is not None else channels.capture.format
        spacing_m = channels.capture.pair_spacing_m
        item, table = get_format(capture, spacing_m), steering(capture, spacing_m)
        bins = weighted_bins(features.bins, active)
        count = count_sources(bins, table, num_sources)
        low, high = count.low, count.high
        if len(count.mixture.paths) > 1:
            parts = split_sources(features, active, bins, table, item, count.mixture)
            if len(parts) > 1:
                sources = _separated(pair, channels, capture, parts)
                if intensity is not None:
                    sources = [_front_or_back(source, intensity) for source in sources]
                notes: tuple[str, ...] = ()
                if len(sources) < requested:
                    notes = (_TOO_FEW.format(number=requested, count=len(sources)),)
                elif not count.separable:
                    notes = (_INSEPARABLE.format(number=requested),)
                return DetectedSources(
                    channels, active, tuple(sources), low, high, intensity, notes
                )
    track = (
        track_direction(features, intensity, active)
        if intensity is not None
        else _track_azimuth(features, active, channels, channels.capture.format)
    )
    if not channels.channels_differ:
        # nothing is known of the direction of what both channels hold alike
        everywhere = np.full(len(active), 90.0)
        track = replace(track, low=-everywhere, high=everywhere)
    source = DetectedSource(features, active, track, pair)
    return DetectedSources(channels, active, (source,), low, high, intensity, too_few)


def _separated(
    recording: Recording, channels: ChannelAnalysis, capture: str, parts: list[SourceShare]
) -> list[DetectedSource]:
    tracks = [_track(part, capture, channels) for part in parts]
    power = [np.where(part.active, 10.0 ** (part.features.level_db / 10.0), 0.0) for part in parts]
    azimuth = np.stack([track.azimuth for track in tracks])
    narrow = recording.resampled(min(recording.rate, _PITCH_RATE))
    signals = separate_sources(
        narrow,
        capture,
        azimuth,
        np.stack(power),
        channels.polarity,
        channels.capture.pair_spacing_m,
    )
    return [
        DetectedSource(part.features, part.active, track, signal)
        for part, track, signal in zip(parts, tracks, signals, strict=True)
    ]


def _front_or_back(source: DetectedSource, intensity: Intensity) -> DetectedSource:
    """Mirror a source to the back if the energy in its bands flows from there."""
    power = source.features.left + source.features.right
    ahead = (power * intensity.ahead / (intensity.energy + 1e-20)).sum()
    if ahead >= 0.0 or source.track is None:
        return source
    track = source.track
    back = np.where(track.azimuth >= 0.0, 180.0, -180.0)
    turned = replace(
        track,
        azimuth=back - track.azimuth,
        low=back - track.high,
        high=back - track.low,
        raw=back - track.raw,
    )
    return replace(source, track=turned)


def _track_azimuth(
    features: Features, active: np.ndarray, channels: ChannelAnalysis, capture: str
) -> Track:
    return track_azimuth(
        features,
        active,
        capture,
        format_known=channels.format_known,
        spacing_m=channels.capture.pair_spacing_m,
        readings=channels.readings,
    )


def _track(part: SourceShare, capture: str, channels: ChannelAnalysis) -> Track:
    """Return the path through the mixture with the interval of the source's own bins.

    Where the two disagree, the interval widens.
    """
    track = _track_azimuth(part.features, part.active, channels, capture)
    taps = np.hanning(_SMOOTH_FRAMES + 2)[1:-1]
    padded = np.pad(part.azimuth_deg, _SMOOTH_FRAMES // 2, mode="edge")
    azimuth = np.convolve(padded, taps / taps.sum(), "valid")
    off = _WIDER_DEG + np.abs(track.azimuth - azimuth)
    low = azimuth - np.hypot(_WIDER * (track.azimuth - track.low), off)
    high = azimuth + np.hypot(_WIDER * (track.high - track.azimuth), off)
    return replace(
        track, azimuth=azimuth, low=np.clip(low, -90.0, 90.0), high=np.clip(high, -90.0, 90.0)
    )
