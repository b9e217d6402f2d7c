"""Fits the widths of azimuth intervals: ``python -m spa2v_lab.bench.hearing_calibration FILE``.

On tuning scenes of one source from every renderer, analyzed with their own format, errors are
counted in units of the error that the analysis estimates for itself. For every capture format and
amount of direct sound, the 90th percentile of that ratio is the factor by which an interval has to
be wider; every renderer counts alike. A recording comes from none of these renderers, so no
factor stays below 1, and all are multiplied by `between_renderers`: what it takes for factors
fitted on some renderers to hold on another. The file holds the factors that
`spa2v_lib.cues.localization` reads, and the coverage in every renderer and room: of these factors,
and of factors fitted without that renderer.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lab.bench.hearing_renderers import RENDERERS, external_scenes
from spa2v_lab.bench.hearing_scenes import CAPTURE_ORDER, ROOMS, HearingScene, tuning_scenes
from spa2v_lab.bench.hearing_scores import circular_error_deg
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.ambisonics import measure_intensity, middle_side, track_direction
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.intervals import DIRECTNESS_NODES, half_interval
from spa2v_lib.cues.localization import activity, track_azimuth
from spa2v_lib.cues.tracking import weighted_quantile
from spa2v_lib.files import replacing

__all__ = ["Errors", "between_renderers", "coverage", "errors_of", "fitted_scales", "widened"]

_OWN, _EXTERNAL = 190, 110
_NOMINAL = 0.9
_FEWEST = 5.0  # scenes that a factor needs behind it
_LEAST, _USUAL, _MOST = 0.3, 1.65, 4.0
_LEAST_KEPT = 1.0  # smaller errors than estimated are a renderer's own
_LEFT_OUT_LEAST = 0.85  # of the directions of every renderer, if it is left out
_WIDENINGS = np.arange(1.0, 4.01, 0.05)
_LEVELS, _DELAYS = ("panned", "xy", "ms", "foa"), ("ortf", "ab", "binaural")

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


def between_renderers(measured: Sequence[Errors]) -> dict[str, float]:
    """Return by how much factors have to grow to hold on a renderer that they were not fitted on.

    Each renderer is left out in turn. The number is the smallest with which, on average over
    the pairs of a format and a renderer left out, nine true directions in ten lie within their
    intervals, and in none of them fewer than 85 %. Formats that measure levels share one
    number, and those that measure delays another, as single formats have too few renderers.

    Parameters
    ----------
    measured : sequence of Errors

    Returns
    -------
    dict of str to float
        By format, at least 1; without a format of its kind that two renderers have, that of the
        other kind, or 1.

    See Also
    --------
    widened : applies them

    Examples
    --------
    >>> one, narrow, wide = np.ones(10), np.full(10, 1.0), np.full(10, 2.0)
    >>> scenes = [Errors("own", "xy", "anechoic", narrow, one, one, one)] * 10
    >>> scenes += [Errors("other", "xy", "anechoic", wide, one, one, one)] * 10
    >>> between_renderers(scenes)["xy"]
    2.0
    """
    found: dict[tuple[str, ...], float] = {}
    for kind in (_LEVELS, _DELAYS):
        cells = [
            (own, scales)
            for renderer in dict.fromkeys(scene.renderer for scene in measured)
            for scales in [fitted_scales([s for s in measured if s.renderer != renderer])]
            for capture in kind
            for own in [[s for s in measured if (s.renderer, s.capture) == (renderer, capture)]]
            if own and capture in scales
        ]
        if cells:
            found[kind] = _widening(cells)
    usual = next(iter(found.values()), 1.0)
    return {name: found.get(kind, usual) for kind in (_LEVELS, _DELAYS) for name in kind}


def _widening(cells: list[tuple[list[Errors], Scales]]) -> float:
    for factor in _WIDENINGS:
        held = [
            coverage(own, widened(scales, dict.fromkeys(scales, factor))) for own, scales in cells
        ]
        if np.mean(held) >= _NOMINAL and min(held) >= _LEFT_OUT_LEAST:
            return round(float(factor), 2)
    return round(float(_WIDENINGS[-1]), 2)


def widened(scales: Scales, factors: Mapping[str, float]) -> Scales:
    """Return the factors of every format times those of `between_renderers`, at least 1.

    Errors smaller than estimated are found where a renderer is tidier than the world.

    See Also
    --------
    between_renderers : returns them

    Examples
    --------
    >>> widened({"xy": (1.0, 2.0)}, {"xy": 1.5})
    {'xy': (1.5, 3.0)}
    """
    return {
        name: tuple(round(max(scale * factors[name], _LEAST_KEPT), 2) for scale in row)
        for name, row in scales.items()
    }


def _coverage_table(
    measured: Sequence[Errors], scales: Scales, between: Mapping[str, float]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for renderer in dict.fromkeys(scene.renderer for scene in measured):
        without = [scene for scene in measured if scene.renderer != renderer]
        by_format = Counter(capture for capture, _ in {(s.capture, s.renderer) for s in without})
        paired = any(count > 1 for count in by_format.values())
        others = widened(fitted_scales(without), between_renderers(without) if paired else between)
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


def _fitted(measured: Sequence[Errors]) -> dict[str, object]:
    """Return what the file holds."""
    between = between_renderers(measured)
    scales = widened(fitted_scales(measured), between)
    return {
        "directness": DIRECTNESS_NODES,
        "between_renderers": between,
        "scales": scales,
        "coverage": _coverage_table(measured, scales, between),
    }


def main() -> None:
    """Render, measure, fit and write the file that is named on the command line."""
    items: list[HearingScene] = list(tuning_scenes(_OWN))
    for renderer in RENDERERS:
        items += external_scenes(renderer, _EXTERNAL, split="tuning")
    measured = [errors_of(item, item.rendered()) for item in items if len(item.motions) == 1]
    measured = [scene for scene in measured if len(scene.error_deg)]
    found = _fitted(measured)
    with replacing(sys.argv[1]) as path:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
