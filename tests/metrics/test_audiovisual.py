"""AV-Align: clicks and jumps at known times, and pairs counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa2v_lab.metrics import aligned, audio_onsets, av_align, motion_peaks
from spa2v_lab.metrics import audiovisual as module
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import MetricError, VideoError

RATE, FPS, SIDE = 44_100, 8.0, 96


def clicks(*times_s, seconds=3.0):
    """Two channels with short bursts of noise."""
    rng = np.random.default_rng(0)
    samples = np.zeros((2, round(seconds * RATE)), np.float32)
    for time in times_s:
        begin = round(time * RATE)
        burst = rng.standard_normal((2, 2000)) * np.exp(-np.arange(2000) / 400)
        samples[:, begin : begin + 2000] += 0.3 * burst[:, : samples.shape[1] - begin]
    return Recording.from_samples(samples, RATE)


def jumps(*numbers, count=24, side=32, step=6, scale=1):
    """A spotted square that stands still, but for jumps to the right into the numbered frames."""
    spots = np.random.default_rng(0).integers(0, 255, (side // 4, side // 4), dtype=np.uint8)
    square = np.kron(spots, np.ones((4, 4), np.uint8))[..., None]
    frames = np.full((count, SIDE, SIDE, 3), 100, np.uint8)
    for k, frame in enumerate(frames):
        x = 8 + step * sum(number <= k for number in numbers)
        frame[40 : 40 + side, x : x + side] = square
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


# --- onsets and peaks ----------------------------------------------------------------------------


def test_onsets_are_where_clicks_are():
    assert audio_onsets(clicks(0.5, 1.25, 2.0)) == pytest.approx([0.5, 1.25, 2.0], abs=0.05)


def test_silence_has_no_onsets():
    assert len(audio_onsets(clicks())) == 0


def test_peaks_are_where_the_square_jumps():
    assert motion_peaks(jumps(4, 10, 16), FPS) == pytest.approx([4 / FPS, 10 / FPS, 16 / FPS])


def test_what_stands_still_has_no_peaks():
    assert len(motion_peaks(jumps(), FPS)) == 0


def test_the_first_two_frames_and_the_last_are_no_peaks():
    assert motion_peaks(jumps(1, 12, 23), FPS) == pytest.approx([12 / FPS])
    assert len(motion_peaks(jumps(count=1), FPS)) == len(motion_peaks(jumps(1, count=2), FPS)) == 0


def test_an_even_pace_has_no_strict_maximum(monkeypatch):
    monkeypatch.setattr(module, "motion", lambda frames: np.array([0, 0, 2, 2, 0, 1, 0.5]))
    assert motion_peaks(jumps(), FPS) == pytest.approx([5 / FPS])


def test_the_least_motion_still_counts(monkeypatch):
    monkeypatch.setattr(module, "motion", lambda frames: np.array([0, 0, 0.099, 0, 0.1, 0]))
    assert motion_peaks(jumps(), FPS) == pytest.approx([4 / FPS])


def pan(size, share):
    """A mottled picture that jumps to the right once, in frame 3, by a share of its width."""
    from scipy.ndimage import gaussian_filter, shift

    noise = np.random.default_rng(1).standard_normal((size, size))
    picture = 127 + 300 * gaussian_filter(noise, 3, mode="wrap")
    moved = shift(picture, (0, share * size), mode="grid-wrap")
    frames = np.clip(np.stack([picture] * 3 + [moved] * 3), 0, 255).round().astype(np.uint8)
    return frames[..., None].repeat(3, axis=-1)


def test_the_flow_of_a_shifted_picture_is_its_shift():
    # What enters at the edge has no match, so that the mean is a little off.
    assert module.motion(pan(96, 2 / 96))[3] == pytest.approx(2.0, rel=0.25)


def test_the_threshold_is_in_pixels_and_not_in_pictures():
    assert len(motion_peaks(pan(96, 7e-4), FPS)) == 0
    assert motion_peaks(pan(384, 7e-4), FPS) == pytest.approx([3 / FPS])


@pytest.mark.parametrize(
    ("frames", "fps"), [(np.zeros((4, 8, 8), np.uint8), 8), (jumps(), 0), (jumps() / 255.0, 8)]
)
def test_other_frames_are_refused(frames, fps):
    with pytest.raises(VideoError):
        motion_peaks(frames, fps)


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MetricError, match=r"spa2v\[bench\] @ git"):
        motion_peaks(jumps(), FPS)


# --- pairs ---------------------------------------------------------------------------------------


def test_pairs_over_all_by_hand():
    # 1.0 meets 1.1; 2.0 and 2.05 want 2.1, which only one can have; 3.0 is alone: 2 of 4 + 2 - 2.
    assert aligned([1.0, 2.0, 2.05, 3.0], [1.1, 2.1], 0.125) == pytest.approx(2 / 4)
    assert aligned([1.0], [1.0], 0.125) == 1.0
    assert aligned([2.0, 1.0], [1.0, 2.0], 0.125) == 1.0  # order does not matter


def test_a_whole_window_apart_is_too_far():
    assert aligned([1.0], [1.125], 0.125) == 0.0
    assert aligned([1.0], [1.12], 0.125) == 1.0


def test_one_peak_is_not_met_twice():
    assert aligned([1.0, 1.01, 1.02], [1.0], 0.125) == pytest.approx(1 / 3)


def test_empty_sides():
    assert math.isnan(aligned([], [], 0.125))
    assert aligned([1.0], [], 0.125) == aligned([], [1.0], 0.125) == 0.0


def test_a_window_must_have_a_length():
    with pytest.raises(MetricError, match="window is 0 s"):
        aligned([1.0], [1.0], 0)


times = st.lists(st.floats(0, 3), max_size=12)


@given(onsets=times, peaks=times)
def test_never_above_one_and_no_pairing_has_more_pairs(onsets, peaks):
    from scipy.optimize import linear_sum_assignment

    value = aligned(onsets, peaks, 0.125)
    if not onsets and not peaks:
        assert math.isnan(value)
        return
    near = np.abs(np.subtract.outer(onsets, peaks)).reshape(len(onsets), len(peaks)) < 0.125
    most = near[linear_sum_assignment(near, maximize=True)].sum()
    assert 0 <= value <= 1
    assert value == pytest.approx(most / (len(onsets) + len(peaks) - most))
    assert value == aligned(peaks, onsets, 0.125)


# --- the whole -----------------------------------------------------------------------------------


def test_clicks_with_jumps_agree_and_between_them_do_not():
    frames = jumps(4, 10, 16)
    assert av_align(frames, FPS, clicks(4 / FPS, 10 / FPS, 16 / FPS)) == 1.0
    assert av_align(frames, FPS, clicks(4 / FPS, 13 / FPS, 16 / FPS)) == pytest.approx(2 / 4)
    assert av_align(frames, FPS, clicks(7 / FPS, 13 / FPS, 19 / FPS)) == 0.0


def test_stillness_in_silence_is_not_defined():
    assert math.isnan(av_align(jumps(), FPS, clicks()))
    assert av_align(jumps(), FPS, clicks(1.0)) == av_align(jumps(8), FPS, clicks()) == 0.0
