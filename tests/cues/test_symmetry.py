"""What must hold for any scene: mirrored channels, other levels, time run backwards."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SourceTrack, extract_cues

FEW = settings(max_examples=10, deadline=None, derandomize=True)
RATE = 16_000
STEADY = {"helicopter": ("helicopter_01.flac",), "car": ("car_horn_01.flac",)}
MIRROR = {"left_crossing": "right_crossing", "right_crossing": "left_crossing"}
REVERSE = MIRROR | {"approaching": "receding", "receding": "approaching"}

motions = st.sampled_from(MOTIONS)
captures = st.sampled_from(["panned", "xy", "ortf", "ab", "binaural"])
seeds = st.integers(0, 40)


@cache
def scene(seed: int, motion: str, capture: str) -> Recording:
    world = sample_scene(
        seed,
        motion=motion,
        labels=("helicopter", "car"),
        recordings=STEADY,
        duration_s=2.5,
        receiver=capture,
        noise_db=-30.0,
    )
    return render_sound(world, RATE)


def first_source(samples: np.ndarray, capture: str) -> SourceTrack:
    recording = Recording.from_samples(np.ascontiguousarray(samples), RATE)
    return extract_cues(recording, label="car", capture=capture).sources[0]


def turned(source: SourceTrack) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, middle, high = (
        np.array(values, float)
        for values in (source.azimuth_low_deg, source.azimuth_deg, source.azimuth_high_deg)
    )
    return low, middle, high


@FEW
@given(seed=seeds, motion=motions, capture=captures, named=st.booleans())
def test_swapping_the_channels_mirrors_every_azimuth_and_swaps_the_crossings(
    seed: int, motion: str, capture: str, named: bool
) -> None:
    samples, how = scene(seed, motion, capture).samples, capture if named else "auto"
    one, two = first_source(samples, how), first_source(samples[::-1], how)
    low, middle, high = turned(one)
    other_low, other_middle, other_high = turned(two)
    assert np.allclose(middle, -other_middle, atol=0.5)
    assert np.allclose(low, -other_high, atol=0.5) and np.allclose(high, -other_low, atol=0.5)
    assert two.motion == MIRROR.get(one.motion, one.motion)


@FEW
@given(seed=seeds, motion=motions, capture=captures, gain=st.floats(0.05, 1.4))
def test_scaling_both_channels_changes_no_direction(
    seed: int, motion: str, capture: str, gain: float
) -> None:
    samples = scene(seed, motion, capture).samples
    one, two = first_source(samples, capture), first_source(gain * samples, capture)
    for before, after in zip(turned(one), turned(two), strict=True):
        assert np.allclose(before, after, atol=0.1)
    assert one.motion == two.motion


@FEW
@given(seed=seeds, motion=motions, capture=st.sampled_from(["panned", "xy"]))
def test_time_run_backwards_swaps_approach_and_recession_and_the_crossings(
    seed: int, motion: str, capture: str
) -> None:
    samples = scene(seed, motion, capture).samples
    one, two = first_source(samples, capture), first_source(samples[:, ::-1], capture)
    assert np.allclose(turned(one)[1], turned(two)[1][::-1], atol=3.0)
    assert two.motion == REVERSE.get(one.motion, one.motion)


@FEW
@given(seed=seeds, motion=motions)
def test_time_run_backwards_mirrors_what_is_read_from_delays(seed: int, motion: str) -> None:
    # the channel that was earlier becomes the later one: crossings keep their way
    samples = scene(seed, motion, "ab").samples
    one, two = first_source(samples, "ab"), first_source(samples[:, ::-1], "ab")
    assert np.allclose(turned(one)[1], -turned(two)[1][::-1], atol=3.0)
    backwards = REVERSE.get(one.motion, one.motion)
    assert two.motion == MIRROR.get(backwards, backwards)


@cache
def two_things(seed: int, capture: str) -> Recording:
    world = sample_scene(
        seed,
        labels=("helicopter", "car"),
        recordings=STEADY,
        object_count=2,
        duration_s=3.0,
        receiver=capture,
        noise_db=-30.0,
    )
    return render_sound(world, RATE)


def middles(samples: np.ndarray, capture: str) -> list[float]:
    """Return the median direction of every source that is found, from left to right."""
    recording = Recording.from_samples(np.ascontiguousarray(samples), RATE)
    found = extract_cues(recording, label="car", capture=capture).sources
    return sorted(float(np.median(turned(source)[1])) for source in found)


@settings(FEW, max_examples=4)
@given(seed=seeds, capture=st.sampled_from(["xy", "ortf"]), gain=st.floats(0.1, 1.4))
def test_two_things_are_mirrored_and_keep_their_directions_at_any_level(
    seed: int, capture: str, gain: float
) -> None:
    samples = two_things(seed, capture).samples
    found = middles(samples, capture)
    mirrored = middles(samples[::-1], capture)
    assert np.allclose(found, [-azimuth for azimuth in reversed(mirrored)], atol=1.0)
    assert np.allclose(found, middles(gain * samples, capture), atol=0.5)
