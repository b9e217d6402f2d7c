"""Fits the widths of azimuth intervals: ``python -m spa2v_lab.bench.hearing_calibration FILE``.

On tuning scenes of one source from every renderer, analyzed with their own format, errors are
counted in units of the error that the analysis estimates for itself. For every capture format and
amount of direct sound, the 90th percentile of that ratio is the factor by which an interval has to
be wider; every renderer counts alike. The file holds the factors that
`spa2v_lib.cues.localization` reads, and the coverage in every renderer and room: of these factors,
and of factors fitted without that renderer.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lab.bench.hearing_renderers import RENDERERS, external_scenes
from spa2v_lab.bench.hearing_scenes import CAPTURE_ORDER, ROOMS, HearingScene, tuning_scenes
from spa2v_lab.bench.hearing_scores import circular_error_deg
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.ambisonics import measure_intensity, middle_side, track_direction
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.localization import (
    DIRECTNESS_NODES,
    activity,
    half_interval,
    track_azimuth,
)
from spa2v_lib.cues.tracking import weighted_quantile
from spa2v_lib.files import replacing

__all__ = ["Errors", "coverage", "errors_of", "fitted_scales"]

_OWN, _EXTERNAL = 330, 200
_NOMINAL = 0.9
_FEWEST = 5.0  # scenes that a factor needs behind it
_LEAST, _USUAL, _MOST = 0.3, 1.65, 4.0

Scales = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Errors:
    """Errors of one scene over its sounding frames, all arrays [frames].

    Attributes
    ----------
    renderer, capture, room : str
    error_deg, spread_deg : ndarray
        Error, and the error that was estimated.
    directness : ndarray
        Share of direct sound, in [0, 1].
    azimuth_deg : ndarray
        Estimated.

    See Also
    --------
    errors_of : measures them

    Examples
    --------
    >>> one = np.ones(1)
    >>> Errors("own", "xy", "anechoic", one, one, one, one).capture
    'xy'
    """

    renderer: str
    capture: str
    room: str
    error_deg: np.ndarray
    spread_deg: np.ndarray
    directness: np.ndarray
    azimuth_deg: np.ndarray


def errors_of(item: HearingScene, recording: Recording) -> Errors:
    """Analyze a scene of one source with its own format.

    See Also
    --------
    fitted_scales : what it is for

    Examples
    --------
    >>> from spa2v_lab.bench.hearing_scenes import tuning_scenes
    >>> item = tuning_scenes(1)[0]
    >>> errors_of(item, item.rendered()).renderer  # doctest: +SKIP
    """
    if item.capture == "foa":
        features = extract_features(middle_side(recording))
        active = activity(features)
        track = track_direction(features, measure_intensity(recording), active)
    else:
        features = extract_features(recording)
        active = activity(features)
        track = track_azimuth(
            features,
            active,
            item.capture,
            format_known=True,
            spacing_m=getattr(item, "spacing_m", None),
        )
    ground_truth = item.ground_truths(features.times_s)[0]
    use = ground_truth.sounding & active
    return Errors(
        getattr(item, "renderer", "own"),
        item.capture,
        item.room,
        circular_error_deg(track.azimuth, ground_truth.azimuth_deg)[use],
        track.spread[use],
        track.directness[use],
        track.azimuth[use],
    )


def fitted_scales(measured: Sequence[Errors]) -> Scales:
    """Return the factors of every format at `DIRECTNESS_NODES`.

    Every renderer of a format counts alike, and every scene of a renderer. A factor with few
    scenes behind it is the normal distribution's.

    See Also
    --------
    errors_of : of one scene

    Examples
    --------
    >>> wide = np.full(10, 2.0)
    >>> dry = np.ones(10)
    >>> scenes = [Errors("own", "xy", "anechoic", wide, dry, dry, dry)] * 10
    >>> fitted_scales(scenes)["xy"]
    (1.65, 1.65, 1.65, 2.0)
    """
    return {
        capture: _scales([scene for scene in measured if scene.capture == capture])
        for capture in CAPTURE_ORDER
        if any(scene.capture == capture for scene in measured)
    }


def _scales(scenes: list[Errors]) -> tuple[float, ...]:
    scenes = [scene for scene in scenes if len(scene.error_deg)]
    ratio = np.concatenate([scene.error_deg / scene.spread_deg for scene in scenes])
    directness = np.concatenate([scene.directness for scene in scenes])
    of_renderer = Counter(scene.renderer for scene in scenes)
    share = np.concatenate(
        [
            np.full(n, len(scenes) / len(of_renderer) / of_renderer[scene.renderer] / n)
            for scene in scenes
            for n in [len(scene.error_deg)]
        ]
    )
    scales = []
    for node in np.eye(len(DIRECTNESS_NODES)):
        near = share * np.interp(directness, DIRECTNESS_NODES, node)
        scale = _USUAL
        if near.sum() >= _FEWEST:
            scale = weighted_quantile(ratio, near, _NOMINAL)
        scales.append(round(float(np.clip(scale, _LEAST, _MOST)), 2))
    return tuple(scales)


def coverage(measured: Iterable[Errors], scales: Scales) -> float:
    """Return the share of frames whose error lies within the interval that these factors give.

    See Also
    --------
    fitted_scales : fits them

    Examples
    --------
    >>> one = np.ones(2)
    >>> scene = Errors("own", "xy", "anechoic", np.array([0.5, 3.0]), one, one, 0.0 * one)
    >>> coverage([scene], {"xy": (2.0, 2.0, 2.0, 2.0)})
    0.5
    """
    held = [
        scene.error_deg
        <= half_interval(
            scene.capture,
            scene.spread_deg,
            scene.directness,
            scene.azimuth_deg,
            scales[scene.capture],
        )
        for scene in measured
    ]
    return float(np.mean(np.concatenate(held)))


def _coverage_table(measured: Sequence[Errors], scales: Scales) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for renderer in dict.fromkeys(scene.renderer for scene in measured):
        others = fitted_scales([scene for scene in measured if scene.renderer != renderer])
        for capture in CAPTURE_ORDER:
            for room in ROOMS:
                own = [
                    s
                    for s in measured
                    if (s.renderer, s.capture, s.room) == (renderer, capture, room)
                ]
                if not own:
                    continue
                row = {"renderer": renderer, "capture": capture, "room": room, "scenes": len(own)}
                row["coverage"] = round(coverage(own, scales), 3)
                left_out = capture in others
                row["left_out"] = round(coverage(own, others), 3) if left_out else None
                rows.append(row)
    return rows


def main() -> None:
    """Render, measure, fit and write the file that is named on the command line."""
    items: list[HearingScene] = list(tuning_scenes(_OWN))
    for renderer in RENDERERS:
        items += external_scenes(renderer, _EXTERNAL, split="tuning")
    measured = [errors_of(item, item.rendered()) for item in items if len(item.motions) == 1]
    measured = [scene for scene in measured if len(scene.error_deg)]
    scales = fitted_scales(measured)
    found = {
        "directness": DIRECTNESS_NODES,
        "scales": scales,
        "coverage": _coverage_table(measured, scales),
    }
    with replacing(sys.argv[1]) as path:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
