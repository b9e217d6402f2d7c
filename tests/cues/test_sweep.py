from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.bench.hearing_scenes import test_scenes as hearing_scenes
from spa2v_lab.bench.real import known_recordings, loudest
from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.detection import detect_sources
from spa2v_lib.cues.sweep import band_agreement

RATE = 44_100
STANDING = [known for known in known_recordings() if known.motion == "stationary"]


def struck(sign: int, seconds: float = 3.0) -> Recording:
    """Return a string whose partials lie from one side to the other and fade the sooner, too.

    So the loudest direction moves, and nothing else does.
    """
    t = np.arange(int(seconds * RATE)) / RATE
    rng = np.random.default_rng(3)
    one, other = 1e-5 * rng.normal(size=(2, len(t)))
    for number in range(1, 41):
        side = number / 41.0
        partial = 0.1 / number * np.sin(2 * np.pi * (110.0 * number * t + rng.uniform()))
        partial *= np.exp(-(6.0 * (1.0 - side) + 0.2) * t)
        one += np.cos(0.5 * np.pi * side) * partial
        other += np.sin(0.5 * np.pi * side) * partial
    return Recording.from_samples(np.stack([one, other])[::sign], RATE)


@pytest.mark.parametrize("sign", [1, -1])
def test_partials_that_fade_at_different_sides_are_no_crossing(sign) -> None:
    source = extract_cues(struck(sign), label="piano", num_sources=1).sources[0]
    assert sign * (source.azimuth_end_deg - source.azimuth_start_deg) > 45.0
    assert not source.motion.endswith("_crossing")


@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
def test_bands_agree_on_what_crosses_and_not_on_the_same_path_of_what_stands(rendered, capture):
    def agreement(course) -> float:
        recording = rendered(course, capture=capture)
        detected = detect_sources(recording, capture, 1)
        times = detected.channels.features.times_s
        path = np.interp(times, times[[0, -1]], [-40.0, 40.0])
        return band_agreement(
            detected.channels.features.bins, path, detected.active, detected.channels.capture
        )

    assert agreement(lambda t: -40.0 + 80.0 * t / t[-1]) > 0.1
    assert agreement(lambda t: 10.0 + 0.0 * t) < -0.1


@pytest.mark.parametrize("known", STANDING, ids=lambda known: known.path.stem)
def test_a_recorded_instrument_that_stands_is_not_said_to_cross(known) -> None:
    source = loudest(extract_cues(read_audio(known.path), label=known.label or None))
    assert not source.motion.endswith("_crossing")


@pytest.mark.parametrize("number", [34, 62])
def test_a_crossing_in_a_room_is_one_although_an_ambisonic_azimuth_flickers(number) -> None:
    scene = hearing_scenes(number + 1)[number]
    assert scene.capture == "foa" and scene.room.startswith("RT60")
    source = loudest(extract_cues(scene.rendered(), capture="foa"))
    assert (source.motion,) == scene.motions
