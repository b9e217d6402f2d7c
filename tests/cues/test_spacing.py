"""The spacing of a pair of omnidirectional microphones: given, estimated, or left open."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.localization import activity
from spa2v_lib.cues.spacing import pair_spacing
from spa2v_lib.errors import CueError


def passing(rendered, capture: str, **how):
    """A source that passes three metres ahead, from 68° left to 68° right."""

    def along(t: np.ndarray) -> np.ndarray:
        return 1.25 * (t - 2.0)

    return rendered(
        lambda t: np.degrees(np.arctan(along(t))),
        capture=capture,
        range_m=lambda t: 3.0 * np.sqrt(1.0 + along(t) ** 2),
        **how,
    )


@pytest.mark.parametrize(("capture", "spacing_m"), [("ab", 0.5), ("narrow ab", 0.17)])
def test_a_source_that_passes_shows_how_far_apart_the_microphones_are(
    rendered, capture, spacing_m
) -> None:
    features = extract_features(passing(rendered, capture))
    found = pair_spacing(features, activity(features))
    assert found.value == pytest.approx(spacing_m, rel=0.08)
    assert found.low < spacing_m < found.high < 1.4 * spacing_m


def test_directions_of_a_narrow_pair_are_those_of_the_source_once_it_has_passed(rendered) -> None:
    cues = extract_cues(passing(rendered, "narrow ab"), label="truck")
    assert cues.capture.format == "ab" and cues.capture.spacing_m.high < 0.25
    (source,) = cues.sources
    assert source.motion == "right_crossing"
    truth = np.degrees(np.arctan(1.25 * (np.array(cues.times_s) - 2.0)))
    assert np.median(np.abs(np.array(source.azimuth_deg) - truth)) < 5.0
    again = SpatialCues.model_validate_json(cues.model_dump_json())
    assert again.capture.spacing_m == cues.capture.spacing_m


def test_a_standing_source_on_a_narrow_pair_has_the_truth_in_its_interval(rendered) -> None:
    cues = extract_cues(rendered(lambda t: 40.0 + 0.0 * t, capture="narrow ab"), label="truck")
    assert cues.capture.format == "ab"
    (source,) = cues.sources
    low, high = np.array(source.azimuth_low_deg), np.array(source.azimuth_high_deg)
    assert np.mean((low <= 40.0) & (high >= 40.0)) > 0.9
    assert np.median(low) > 5.0  # the side is known


def test_a_spacing_that_is_given_is_taken(rendered) -> None:
    recording = rendered(lambda t: 40.0 + 0.0 * t, capture="narrow ab")
    for capture in ("ab", "auto"):
        cues = extract_cues(recording, label="truck", capture=capture, spacing=0.17)
        (source,) = cues.sources
        assert np.median(source.azimuth_deg) == pytest.approx(40.0, abs=2.0)
        assert cues.capture.format == "ab" and cues.capture.pair_spacing_m == 0.17
        assert np.median(np.subtract(source.azimuth_high_deg, source.azimuth_low_deg)) < 12.0


def test_delays_that_a_spacing_cannot_have_are_noted(rendered) -> None:
    recording = rendered(lambda t: 60.0 + 0.0 * t, capture="ab")
    cues = extract_cues(recording, label="truck", spacing=0.17)
    assert any("17 cm apart, but" in note for note in cues.notes)


@pytest.mark.parametrize(
    ("capture", "spacing", "part"),
    [("xy", 0.17, "format ab, not of xy"), ("ab", 17.0, "17 m apart"), ("auto", 0.0, "0 m apart")],
)
def test_a_spacing_that_no_pair_has_is_refused(rendered, capture, spacing, part) -> None:
    recording = rendered(lambda t: 0.0 * t, seconds=0.5)
    with pytest.raises(CueError, match=part):
        extract_cues(recording, capture=capture, spacing=spacing)
