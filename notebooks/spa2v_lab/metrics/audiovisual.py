"""AV-Align: whether what is seen moves when something begins to sound.

- Yariv et al., "Diverse and Aligned Audio-to-Video Generation via Text-to-Video Model Adaptation"
  (TempoTokens), AAAI 2024: onsets of the sound against peaks of the motion.
- Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003: the optical
  flow, as OpenCV computes it (extra ``bench``).

Conventions
-----------
*Units.* Times are in seconds from the start of the clip; frames are uint8 [time, height, width, 3].
Scores lie in [0, 1], higher is better.

*Nothing to compare*, neither an onset nor a peak, is NaN and not 0: means over clips leave such
clips out and say how many they were. Onsets without a peak, or peaks without an onset, disagree: 0.

*Chance.* In a clip that is full of onsets and peaks many of them meet by accident. A value of
AV-Align says something only beside that of sounds and videos from different clips, as ``spa2v bench
run`` states it.

*Pixels.* Flow is not divided by anything: the published threshold, as the window that the flow is
sought in, is in pixels and not in shares of the picture. The same pan has more peaks in a larger
picture. Compare at one size and one frame rate only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.errors import MetricError
from spa2v_lib.resources import install_command
from spa2v_lib.video import Video

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "aligned",
    "audio_onsets",
    "av_align",
    "motion_peaks",
]

LEAST_MOTION = 0.1
"""Mean flow in pixels a frame below which a peak of the motion does not count."""

_RATE = 22_050  # librosa's own, to which its defaults belong
_FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)  # scale, levels, window, iterations, n, sigma, flags


def audio_onsets(recording: Recording) -> np.ndarray:
    """Return when sounds begin, as librosa's onset detection finds it at its defaults.

    The channels' mean at 22.05 kHz, in hops of 512 samples (23 ms).

    Returns
    -------
    ndarray [shape=(onsets,)]
        Seconds, rising; empty for silence.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> audio_onsets(Recording.from_samples(np.zeros((2, 22_050)), 22_050))
    array([], dtype=float64)
    """
    import librosa

    return librosa.onset.onset_detect(y=recording.resampled(_RATE).mono(), sr=_RATE, units="time")


def motion_peaks(frames: np.ndarray, fps: float) -> np.ndarray:
    """Return when the motion in a video is greatest.

    The motion of a frame is the mean length of its optical flow from the frame before. A peak is
    more than its two neighbours and at least `LEAST_MOTION`. The first frame has the second one's
    motion, so that neither of the two can be a peak, nor can the last.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
    fps : float
        Frames per second.

    Returns
    -------
    ndarray [shape=(peaks,)]
        Seconds, rising.

    Raises
    ------
    VideoError
        If the frames are of another kind, or `fps` is not above 0.
    MetricError
        If OpenCV is not installed.

    Examples
    --------
    >>> motion_peaks(np.zeros((4, 32, 32, 3), np.uint8), 8.0)
    array([], dtype=float64)
    """
    pixels = motion(Video(frames, fps).frames)
    inner = pixels[1:-1]
    peaks = (inner > pixels[:-2]) & (inner > pixels[2:]) & (inner >= LEAST_MOTION)
    return (np.flatnonzero(peaks) + 1) / fps


def motion(frames: np.ndarray) -> np.ndarray:
    """Return the mean length of the optical flow (Farnebäck, 2003) into every frame, in pixels.

    Parameters
    ----------
    frames : ndarray of uint8 [time, height, width, 3]
        RGB.

    Returns
    -------
    ndarray [time]
        The first frame, into which nothing flows, has the value of the second.

    Raises
    ------
    MetricError
        If OpenCV is not installed.

    Examples
    --------
    >>> motion(np.zeros((3, 32, 32, 3), np.uint8))
    array([0., 0., 0.])
    """
    if find_spec("cv2") is None:
        raise MetricError(
            f"optical flow needs OpenCV, which is not installed: {install_command('bench')}"
        )
    import cv2

    grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    lengths = []
    for before, after in zip(grey, grey[1:], strict=False):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, *_FARNEBACK)
        lengths.append(float(np.linalg.norm(flow, axis=-1).mean()))
    return np.array(lengths[:1] + lengths)


def aligned(onsets: Sequence[float], peaks: Sequence[float], window_s: float) -> float:
    """Return the share of onsets and peaks that meet: intersection over union of the two.

    An onset and a peak meet if less than `window_s` lies between them. Each meets one at most; in
    order of time the earliest are paired first, which for one window gives the most pairs there
    are. (A published script lets an onset meet a peak that is taken already, and so passes 1.)

    Parameters
    ----------
    onsets, peaks : sequence of float
        Seconds.
    window_s : float
        The duration of a video frame in AV-Align.

    Returns
    -------
    float
        In [0, 1]; NaN if there is neither an onset nor a peak, 0 if there is only one kind.

    Raises
    ------
    MetricError
        If the window is not above 0.

    Examples
    --------
    >>> aligned([0.1, 0.9], [0.15], 0.125)
    0.5
    """
    if not window_s > 0:
        raise MetricError(f"the window is {window_s} s; it must be above 0 s")
    if len(onsets) + len(peaks) == 0:
        return math.nan
    pairs = _pairs(sorted(onsets), sorted(peaks), window_s)
    return pairs / (len(onsets) + len(peaks) - pairs)


def _pairs(onsets: list[float], peaks: list[float], window_s: float) -> int:
    pairs = onset = peak = 0
    while onset < len(onsets) and peak < len(peaks):
        late = onsets[onset] - peaks[peak]
        met = abs(late) < window_s
        pairs += met
        onset += met or late < 0
        peak += met or late > 0
    return pairs


def av_align(frames: np.ndarray, fps: float, recording: Recording) -> float:
    """Return AV-Align of one clip.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
    fps : float
        Frames per second; onsets and peaks meet within one frame.
    recording : Recording
        See `Recording.from_samples` for bare samples.

    Returns
    -------
    float
        As `aligned`: NaN where nothing sounds and nothing moves.

    Raises
    ------
    VideoError, MetricError
        As `motion_peaks`.

    Examples
    --------
    >>> from spa2v_lib import Recording
    >>> silence = Recording.from_samples(np.zeros((2, 22_050)), 22_050)
    >>> av_align(np.zeros((8, 32, 32, 3), np.uint8), 8.0, silence)
    nan
    """
    return aligned(audio_onsets(recording), motion_peaks(frames, fps), 1 / fps)
