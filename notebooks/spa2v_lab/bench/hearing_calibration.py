"""Fits the widths of azimuth intervals: ``python -m spa2v_lab.bench.hearing_calibration``.

On tuning scenes of one source, analyzed with their own format, errors are counted in units of the
error that hearing reckons for itself. For every capture format and amount of direct sound, the
90th percentile of that ratio is the factor by which an interval has to be wider. The printed
table is what `spa2v_lib.cues.localization` holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import numpy as np

from spa2v_lab.bench.hearing_scenes import CAPTURE_ORDER, HearingScene, tuning_scenes
from spa2v_lab.bench.hearing_scores import circular_error_deg
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.ambisonics import measure_intensity, middle_side, track_direction
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.localization import DIRECTNESS_NODES, activity, track_azimuth
from spa2v_lib.cues.tracking import weighted_quantile

__all__ = ["fitted_scales", "ratios"]

_SCENES = 700
_NOMINAL = 0.9
_FEWEST = 3.0  # scenes that a factor needs behind it
_LEAST, _USUAL, _MOST = 0.3, 1.65, 4.0


def ratios(item: HearingScene, recording: Recording) -> np.ndarray:
    """Return error over predicted error, and directness, of a scene's sounding frames [2, n].

    See Also
    --------
    fitted_scales : what they are for

    Examples
    --------
    >>> from spa2v_lab.bench.hearing_scenes import tuning_scenes
    >>> item = tuning_scenes(1)[0]
    >>> ratios(item, item.rendered()).shape[0]  # doctest: +SKIP
    """
    if item.capture == "foa":
        features = extract_features(middle_side(recording))
        active = activity(features)
        track = track_direction(features, measure_intensity(recording), active)
    else:
        features = extract_features(recording)
        active = activity(features)
        track = track_azimuth(features, active, item.capture, format_known=True)
    ground_truth = item.ground_truths(features.times_s)[0]
    use = ground_truth.sounding & active
    error = circular_error_deg(track.azimuth, ground_truth.azimuth_deg)
    return np.stack([error / track.spread, track.directness])[:, use]


def fitted_scales(
    items: Iterable[HearingScene], render: Callable[[HearingScene], Recording]
) -> dict[str, tuple[float, ...]]:
    """Return the factors of every format at `DIRECTNESS_NODES`.

    Every scene counts alike. A factor with few scenes behind it is the normal distribution's.

    See Also
    --------
    ratios : of one scene

    Examples
    --------
    >>> fitted_scales(tuning_scenes(70), HearingScene.rendered)  # doctest: +SKIP
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in CAPTURE_ORDER}
    for item in items:
        if len(item.motions) == 1:
            found[item.capture].append(ratios(item, render(item)))
    return {name: _scales(scenes) for name, scenes in found.items() if scenes}


def _scales(scenes: list[np.ndarray]) -> tuple[float, ...]:
    ratio, directness = np.concatenate(scenes, axis=1)
    share = np.concatenate([np.full(part.shape[1], 1.0 / part.shape[1]) for part in scenes])
    scales = []
    for k in range(len(DIRECTNESS_NODES)):
        node = np.eye(len(DIRECTNESS_NODES))[k]
        near = share * np.interp(directness, DIRECTNESS_NODES, node)
        scale = _USUAL
        if near.sum() >= _FEWEST:
            scale = weighted_quantile(ratio, near, _NOMINAL)
        scales.append(round(float(np.clip(scale, _LEAST, _MOST)), 2))
    return tuple(scales)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _SCENES
    scales = fitted_scales(tuning_scenes(count), HearingScene.rendered)
    for name, row in scales.items():
        print(f"    {name!r}: {row},")  # noqa: T201 - this is what the command is for


if __name__ == "__main__":
    main()
