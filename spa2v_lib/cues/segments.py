"""Where one scene of a long recording ends and the next begins.

A scene is a place recorded by one microphone: its background, its level and its sources. A cut
changes many of these at once and within a moment; an approaching train changes its level, but
gradually; a bird that pauses changes the level at once, but not the background *between* its calls.
So every moment is judged by quantiles, low to high, of the seconds before and after it: calls and
pauses leave both alone, and what the trend on either side predicts is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.types import HOP_S
from spa2v_lib.errors import CueError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.features import Features

__all__ = ["Segment", "clips", "one_clip", "split_scenes"]

_REACH_S = 4.0  # how far before and after a moment is compared
_QUANTILES = (15, 50, 85)  # per cent: between the calls, usual, and in them
_CHANGE_DB = 2.3  # mean change of all descriptors that makes a cut
_PLACE_S = 1.0  # how far from its judged moment a cut is looked for
_DEPTH_DB = 60.0  # lower levels are no evidence
_FLOOR_DB = -85.0
_GAP_S = 5.0  # a silence this long parts two clips
_MARGIN_S = 0.5
_COHERENT_DB = 15.0  # what full coherence counts as, against none


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording.

    Attributes
    ----------
    start_s, end_s : float

    Examples
    --------
    >>> Segment(1.0, 3.5).duration_s
    2.5
    """

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def split_scenes(
    source: Recording | Features, *, shortest_s: float = 4.0, longest_s: float = 30.0
) -> list[Segment]:
    """Split a recording where its scene changes, and so that every clip can be planned.

    Parameters
    ----------
    source : Recording or Features
        A recording is streamed.
    shortest_s : float
        Shortest scene, at least 1. What lies between two long silences may be shorter.
    longest_s : float
        A longer scene is divided where it is quietest; at least twice `shortest_s`.

    Returns
    -------
    list of Segment
        In order, without overlap. Silences of 5 s and more belong to none; a recording that is
        silent throughout has none.

    Raises
    ------
    CueError
        If the lengths are out of range.

    See Also
    --------
    spa2v_lib.cues.extract.extract_cues : Analyzes each of them.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> quiet, loud = 0.01 * np.tile(noise, 6), np.tile(noise, 6)
    >>> both = Recording.from_samples(np.concatenate([quiet, loud])[None], 16000)
    >>> [(round(scene.start_s), round(scene.end_s)) for scene in split_scenes(both)]
    [(0, 6), (6, 12)]
    """
    if not 1.0 <= shortest_s <= 0.5 * longest_s:
        raise CueError(
            f"clips from {shortest_s:g} s to {longest_s:g} s were asked for; the shortest must be "
            "at least 1 s, and the longest at least twice that"
        )
    features = _measured(source)
    least, most = round(shortest_s / HOP_S), int(longest_s / HOP_S)
    sounding = features.level_db > max(features.level_db.max() - _DEPTH_DB, _FLOOR_DB)
    scenes = []
    for start, stop in _spans(sounding):
        # silence is left out: a pause belongs to no place
        frames = start + np.flatnonzero(sounding[start:stop])
        cuts = [start, *frames[_cuts(_descriptors(features, frames), least)], stop]
        for first, last in zip(cuts[:-1], cuts[1:], strict=True):
            scenes += _divided(features.level_db, first, last, least, most)
    times = [[round(float(frame * HOP_S), 3) for frame in ends] for ends in scenes]
    return [Segment(*ends) for ends in times]


def clips(recording: Recording) -> list[Recording]:
    """Return the scenes of a recording, of 4 to 30 s; their notes hold their start and end.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.

    Returns
    -------
    list of Recording

    Raises
    ------
    CueError
        If the recording is silent throughout.

    See Also
    --------
    one_clip : One of them.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> [clip.duration_s for clip in clips(Recording.from_samples(np.tile(noise, 6)[None], 16000))]
    [6.0]
    """
    segments = split_scenes(recording)
    if not segments:
        raise CueError(f"{recording.name} is silent throughout: there is no clip to take from it")
    parts = []
    for number, segment in enumerate(segments, 1):
        part = recording.cut(segment.start_s, segment.duration_s)
        part.notes += (
            f"clip {number} of {len(segments)}: {segment.start_s:.1f} to {segment.end_s:.1f} s of "
            f"{recording.duration_s:.1f} s",
        )
        parts.append(part)
    return parts


def one_clip(recording: Recording, number: int, max_seconds: float) -> Recording:
    """Return the scene of that number, counted from 1, or its first seconds.

    Parameters
    ----------
    recording : Recording
        At any sampling rate.
    number : int
        From 1 up.
    max_seconds : float
        Above 0.

    Returns
    -------
    Recording

    Raises
    ------
    CueError
        If there is no such scene.

    See Also
    --------
    clips : All of them.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    >>> recording = Recording.from_samples(np.tile(noise, 6)[None], 16000)
    >>> one_clip(recording, 1, max_seconds=2.0).duration_s
    2.0
    """
    scenes = clips(recording)
    if not 1 <= number <= len(scenes):
        raise CueError(
            f"{recording.name} has clips 1 to {len(scenes)}; clip {number} was asked for"
        )
    clip = scenes[number - 1]
    if clip.duration_s <= max_seconds:
        return clip
    part = clip.cut(0.0, max_seconds)
    part.notes += (f"cut to the first {part.duration_s:.2f} s of {clip.duration_s:.2f} s",)
    return part


def _measured(source: Recording | Features) -> Features:
    from spa2v_lib.cues.features import Features, extract_features

    return source if isinstance(source, Features) else extract_features(source)


def _spans(sounding: np.ndarray) -> list[tuple[int, int]]:
    """Return the spans of frames between long silences, a little of which they keep."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sounding.astype(np.int8), [0]])))
    runs: list[list[int]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if runs and start - runs[-1][1] < _GAP_S / HOP_S:
            runs[-1][1] = stop
        else:
            runs.append([start, stop])
    return _with_margins(runs, len(sounding))


def _with_margins(runs: list[list[int]], frames: int) -> list[tuple[int, int]]:
    """Widen the runs a little; a short silence at the ends is kept whole."""
    margin, gap = round(_MARGIN_S / HOP_S), round(_GAP_S / HOP_S)
    return [
        (
            0 if start < gap else start - margin,
            frames if frames - stop < gap else stop + margin,
        )
        for start, stop in runs
    ]


def _descriptors(features: Features, frames: np.ndarray) -> np.ndarray:
    """Describe frames by levels, level differences and coherences of bands, in dB [frames, 20]."""
    mel = features.mel.reshape(len(features.level_db), -1, features.mel.shape[1])[frames].mean(1)
    bands = _pooled(mel, 4)
    left, right, cross = (
        _pooled(power[frames], 2) for power in (features.left, features.right, features.cross)
    )
    # what lies far below the loudest is the same everywhere: it belongs to no place
    floor, pair_floor = (
        power.sum(1).max() * 10.0 ** (-0.1 * _DEPTH_DB) + 1e-12 for power in (bands, left + right)
    )
    left, right = left + pair_floor, right + pair_floor
    return np.column_stack(
        [
            10.0 * np.log10(bands + floor),
            np.clip(10.0 * np.log10(right / left), -15.0, 15.0),
            _COHERENT_DB * cross / np.sqrt(left * right),
        ]
    )


def _pooled(power: np.ndarray, count: int) -> np.ndarray:
    """Sum `count` neighbouring bands [frames, bands // count]."""
    return power.reshape(len(power), -1, count).sum(2)


def _cuts(descriptors: np.ndarray, least: int) -> np.ndarray:
    """Return the frames at which the scene changes, at least `least` apart."""
    novelty = _novelty(descriptors, min(least, round(_REACH_S / HOP_S)))
    cuts: list[int] = []
    while novelty.max(initial=0.0) > _CHANGE_DB:
        at = _place(descriptors, int(novelty.argmax()))
        novelty[max(0, novelty.argmax() - least) : novelty.argmax() + least] = 0.0
        distance = min((abs(at - other) for other in cuts), default=least)
        if distance >= least and least <= at <= len(descriptors) - least:
            cuts.append(at)
    return np.sort(np.array(cuts, int))


def _novelty(descriptors: np.ndarray, reach: int) -> np.ndarray:
    """Return, for every frame, the change in dB that no trend on either side predicts [frames]."""
    from scipy.ndimage import percentile_filter

    frames, half = len(descriptors), reach // 2
    novelty = np.zeros(frames)
    at = np.arange(reach, frames - reach)
    for percent in _QUANTILES if len(at) else ():
        whole = percentile_filter(descriptors, percent, size=(reach, 1))
        part = percentile_filter(descriptors, percent, size=(half, 1))
        # the filter's value at frame k is that of the frames from k - size // 2 on
        change = whole[at + reach // 2] - whole[at - reach + reach // 2]
        before = part[at - half + half // 2] - part[at - 2 * half + half // 2]
        after = part[at + half + half // 2] - part[at + half // 2]
        sudden = np.maximum(np.abs(change) - np.abs(before) - np.abs(after), 0.0)
        novelty[at] += sudden.mean(1) / len(_QUANTILES)
    return novelty


def _place(descriptors: np.ndarray, near: int) -> int:
    """Return the frame where two levels, one before and one after, explain the descriptors best."""
    reach = round(_PLACE_S / HOP_S)
    start, stop = max(0, near - 2 * reach), min(len(descriptors), near + 2 * reach)
    part = descriptors[start:stop]
    count = np.arange(1, len(part))[:, None]
    total, square = np.cumsum(part, 0), np.cumsum(part**2, 0)
    before = square[:-1] - total[:-1] ** 2 / count
    rest = total[-1] - total[:-1]
    after = square[-1] - square[:-1] - rest**2 / (len(part) - count)
    misfit = (before + after).sum(1)
    low, high = max(0, near - reach - start), near + reach - start
    return start + 1 + low + int(misfit[low:high].argmin())


def _divided(
    level_db: np.ndarray, first: int, last: int, least: int, most: int
) -> list[tuple[int, int]]:
    """Divide a scene that is too long, each time at the quietest moment of the later half."""
    parts = []
    while last - first > most:
        low, high = first + most // 2, min(first + most, last - least)
        quiet = np.convolve(level_db[low - 2 : high + 2], np.ones(5) / 5, "valid")
        cut = low + int(quiet.argmin())
        parts.append((first, cut))
        first = cut
    return [*parts, (first, last)]
