"""How cues are scored against the ground truth of a scene, frame by frame.

Every measure of one scene is an array with any number of values, as frames count for some of them
and sources or scenes for others; `hearing_goals.pooled` turns many scenes into one number.

Sources are matched by the permutation of least mean azimuth error; where one source sounds, the
loudest track counts. A source that was not found counts with `MISSED_DEG` in all its frames, and
with the worst answer in the measures of motion. A closest approach, v/d or speed that was not
claimed counts as `NO_CLOSEST_MS` or as 100 % wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.hearing_goals import Scores
from spa2v_lab.bench.hearing_truth import GroundTruth, ground_truths, image_position_deg

if TYPE_CHECKING:
    from spa2v_lib.cues import SourceTrack, SpatialCues

__all__ = [
    "MISSED_DEG",
    "NO_CLOSEST_MS",
    "GroundTruth",
    "circular_error_deg",
    "matched",
    "score_azimuths",
    "score_cues",
    "score_unknown_format",
    "ground_truths",
]


MISSED_DEG = 90.0
NO_CLOSEST_MS = 1000.0

_CENTRE_DEG = 10.0
_UNCLEAR_DEG = 5.0  # ground truths this close to a border have no side
_LEAST_SWEEP_DEG = 10.0
_SURE = 0.9  # a confidence at which motion has to be right


@dataclass(frozen=True)
class _Claim:
    """One estimated track: azimuth [frames] with NaN where nothing is claimed."""

    azimuth_deg: np.ndarray
    track: SourceTrack | None = None


def circular_error_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the absolute difference of directions, in [0, 180].

    See Also
    --------
    matched : by these errors

    Examples
    --------
    >>> circular_error_deg(np.array([170.0]), np.array([-170.0])).tolist()
    [20.0]
    """
    return np.abs((np.asarray(first) - second + 180.0) % 360.0 - 180.0)


def matched(
    ground_truths: Sequence[GroundTruth], azimuths_deg: Sequence[np.ndarray]
) -> list[int | None]:
    """Return for every true source the number of its estimate, or None.

    Parameters
    ----------
    ground_truths : sequence of GroundTruth
    azimuths_deg : sequence of ndarray [frames]
        NaN where nothing is claimed.

    Returns
    -------
    list of int or None
        The assignment of least mean error over sounding, claimed frames (Kuhn, "The Hungarian
        method", 1955).

    See Also
    --------
    circular_error_deg : what is least

    Examples
    --------
    >>> times = np.array([0.1, 0.2])
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = stage(Trajectory("truck_01.flac", 30.0), seconds=1.0)
    >>> (source,) = ground_truths(scene, times)
    >>> matched([source], [np.array([-40.0, -40.0]), np.array([29.0, 31.0])])
    [1]
    """
    from scipy.optimize import linear_sum_assignment

    if not len(azimuths_deg):
        return [None] * len(ground_truths)
    cost = np.array([[_mean_error(t, azimuth) for azimuth in azimuths_deg] for t in ground_truths])
    found: list[int | None] = [None] * len(ground_truths)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        found[row] = int(column)
    return found


def score_cues(ground_truths: Sequence[GroundTruth], cues: SpatialCues) -> Scores:
    """Score everything that the cues claim about a scene.

    See Also
    --------
    score_azimuths : directions alone
    score_unknown_format : with the format not given

    Examples
    --------
    >>> import spa2v_lib as spa2v
    >>> from spa2v_lab.scenes.sound import render_sound
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = stage(Trajectory("truck_01.flac", 30.0), seconds=1.0)  # doctest: +SKIP
    >>> cues = spa2v.extract_cues(render_sound(scene), capture="xy")  # doctest: +SKIP
    >>> score_cues(ground_truths(scene, cues.times_s), cues)["count"]  # doctest: +SKIP
    """
    claims = [_claim(track) for track in cues.sources]
    if len(ground_truths) == 1:
        claims = claims[:1]
    scores = _Collector()
    scores.add("count", [len(cues.sources) == len(ground_truths)])
    scores.add("count coverage", [cues.count_low <= len(ground_truths) <= cues.count_high])
    numbers = matched(ground_truths, [claim.azimuth_deg for claim in claims])
    for ground_truth, number in zip(ground_truths, numbers, strict=True):
        claim = None if number is None else claims[number]
        _score_directions(scores, ground_truth, None if claim is None else claim.azimuth_deg)
        track = None if claim is None else claim.track
        _score_motion(scores, ground_truth, track)
        if track is not None:
            _score_intervals(scores, ground_truth, track)
    return scores.arrays()


def score_azimuths(ground_truths: Sequence[GroundTruth], azimuths_deg: np.ndarray) -> Scores:
    """Score directions [estimates, frames] that have no identity.

    In every frame they may be matched anew, which flatters them.

    See Also
    --------
    score_cues : directions that belong to sources

    Examples
    --------
    >>> times = np.array([0.1, 0.2])
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = stage(Trajectory("truck_01.flac", 30.0), seconds=1.0)
    >>> (source,) = ground_truths(scene, times)
    >>> score_azimuths([source], np.array([[29.0, 32.0]]))["azimuth"].round().tolist()
    [1.0, 2.0]
    """
    scores = _Collector()
    best = np.full((len(ground_truths), azimuths_deg.shape[1]), np.nan)
    for frame in range(azimuths_deg.shape[1]):
        here = [_at(ground_truth, frame) for ground_truth in ground_truths]
        numbers = matched(here, list(azimuths_deg[:, frame : frame + 1]))
        for row, number in enumerate(numbers):
            if number is not None:
                best[row, frame] = azimuths_deg[number, frame]
    for ground_truth, azimuth in zip(ground_truths, best, strict=True):
        _score_directions(scores, ground_truth, azimuth, missed_frames=True)
    return scores.arrays()


def score_unknown_format(
    ground_truths: Sequence[GroundTruth], cues: SpatialCues, capture: str
) -> Scores:
    """Score cues whose capture format had to be told from the recording.

    Where level alone carries direction the formats cannot be told apart: the azimuth of one source
    is held to the image position that the levels mean between loudspeakers, too, and the interval
    to the true direction.

    See Also
    --------
    score_cues : with the format given

    Examples
    --------
    >>> score_unknown_format([source], cues, "xy")  # doctest: +SKIP
    """
    scores = score_cues(ground_truths, cues)
    if capture in ("panned", "xy", "ms") and len(ground_truths) == 1 and cues.sources:
        (ground_truth,) = ground_truths
        claim = _claim(cues.sources[0])
        use = ground_truth.sounding & ~np.isnan(claim.azimuth_deg)
        image = image_position_deg(capture, ground_truth.azimuth_deg[use])
        scores["image"] = circular_error_deg(claim.azimuth_deg[use], image)
        scores["direction coverage"] = _covered(ground_truth, claim.track)
    return scores


class _Collector:
    """Values by name, gathered source after source."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}

    def add(self, name: str, values: Sequence[float] | np.ndarray) -> None:
        self._parts.setdefault(name, []).append(np.asarray(values, float))

    def arrays(self) -> Scores:
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}


def _claim(track: SourceTrack) -> _Claim:
    azimuth = np.array([np.nan if a is None else a for a in track.azimuth_deg], float)
    return _Claim(np.where(track.active, azimuth, np.nan), track)


def _at(ground_truth: GroundTruth, frame: int) -> GroundTruth:
    from dataclasses import replace

    one = slice(frame, frame + 1)
    return replace(
        ground_truth, azimuth_deg=ground_truth.azimuth_deg[one], sounding=np.ones(1, bool)
    )


def _mean_error(ground_truth: GroundTruth, azimuth_deg: np.ndarray) -> float:
    use = ground_truth.sounding & ~np.isnan(azimuth_deg)
    if not use.any():
        return MISSED_DEG
    return float(circular_error_deg(ground_truth.azimuth_deg[use], azimuth_deg[use]).mean())


def _score_directions(
    scores: _Collector,
    ground_truth: GroundTruth,
    azimuth_deg: np.ndarray | None,
    missed_frames: bool = False,
) -> None:
    """Add error and side; a source that was never detected is wrong in all its frames."""
    sounding = ground_truth.sounding
    claimed = np.zeros(len(sounding), bool) if azimuth_deg is None else ~np.isnan(azimuth_deg)
    scores.add("claimed", claimed[sounding])
    use = sounding & claimed
    side = _side(ground_truth.azimuth_deg)
    if missed_frames or not use.any():
        error = np.full(len(sounding), MISSED_DEG)
        right = np.zeros(len(sounding))
        counted = sounding
    else:
        error, right, counted = np.empty(len(sounding)), np.empty(len(sounding)), use
    if use.any():
        error[use] = circular_error_deg(azimuth_deg[use], ground_truth.azimuth_deg[use])
        right[use] = _side(azimuth_deg[use], unclear_deg=0.0) == side[use]
    scores.add("azimuth", error[counted])
    scores.add("side", right[counted & ~np.isnan(side)])


def _side(azimuth_deg: np.ndarray, unclear_deg: float = _UNCLEAR_DEG) -> np.ndarray:
    """Return -1 left, 0 centre, 1 right; NaN within `unclear_deg` of a border."""
    lateral = np.degrees(np.arcsin(np.sin(np.radians(azimuth_deg))))
    side = np.sign(lateral) * (np.abs(lateral) > _CENTRE_DEG)
    return np.where(np.abs(np.abs(lateral) - _CENTRE_DEG) < unclear_deg, np.nan, side)


def _score_motion(scores: _Collector, ground_truth: GroundTruth, track: SourceTrack | None) -> None:
    said = None if track is None else track.motion
    if said in ("approaching", "receding"):
        scores.add("radial claimed", [said == ground_truth.motion])
    if track is not None and said != "stationary" and track.motion_confidence >= _SURE:
        scores.add("sure motion", [said == ground_truth.motion])
    if ground_truth.motion == "stationary":
        if track is not None:
            scores.add("false motion", [said != "stationary"])
            scores.add("standing", [said == "stationary"])
        return
    if ground_truth.motion in ("approaching", "receding"):
        scores.add("radial", [said == ground_truth.motion])
        return
    if abs(ground_truth.sweep_deg) >= _LEAST_SWEEP_DEG:
        scores.add("crossing", [said == ground_truth.motion])
    passing = None if track is None else track.pass_by
    closest = passing.closest_s.value if passing else track.closest_s if track else None
    late_ms = NO_CLOSEST_MS if closest is None else 1e3 * abs(closest - ground_truth.closest_s)
    scores.add("closest", [min(late_ms, NO_CLOSEST_MS)])
    rate = passing.speed_over_distance.value if passing else 0.0
    scores.add("v/d", [_percent_off(rate, ground_truth.speed_over_distance)])
    if ground_truth.has_doppler:
        speed = passing.speed_m_s.value if passing and passing.speed_m_s else 0.0
        scores.add("speed", [_percent_off(speed, ground_truth.speed_m_s)])


def _percent_off(found: float, true: float) -> float:
    return min(100.0 * abs(found / true - 1.0), 100.0)


def _score_intervals(scores: _Collector, ground_truth: GroundTruth, track: SourceTrack) -> None:
    scores.add("azimuth coverage", _covered(ground_truth, track))
    known = [value is not None for value in track.relative_range_low]
    use = ground_truth.sounding & np.array(known) & track.active
    if use.any():
        range_ = ground_truth.range_m / ground_truth.range_m[np.array(known)].min()
        low = np.array(track.relative_range_low, float)[use]
        high = np.array(track.relative_range_high, float)[use]
        scores.add("range coverage", (low <= range_[use]) & (range_[use] <= high))


def _covered(ground_truth: GroundTruth, track: SourceTrack) -> np.ndarray:
    """Return for every claimed frame whether the interval holds the true direction."""
    low = np.array(track.azimuth_low_deg, float)
    high = np.array(track.azimuth_high_deg, float)
    use = ground_truth.sounding & ~np.isnan(low) & track.active
    # the interval may be given beyond the half circle: compare from its own lower end
    turn = (ground_truth.azimuth_deg[use] - low[use]) % 360.0
    return turn <= (high - low)[use]
