"""Arrays of any library, type and orientation; the examples are in the docstrings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from soundfiles import RATE, noise

from spa2v_lib.audio import Recording
from spa2v_lib.errors import AudioError

SAMPLES = noise(0.5)


@pytest.mark.parametrize(
    ("dtype", "scale", "middle"),
    [
        (np.int8, 2**7, 0),
        (np.uint8, 2**7, 2**7),
        (np.int16, 2**15, 0),
        (np.uint16, 2**15, 2**15),
        (np.int32, 2**31, 0),
        (np.int64, 2**63, 0),
    ],
)
def test_integers_are_scaled_by_the_range_of_their_type(dtype, scale, middle):
    integers = (SAMPLES.astype(float) * 0.99 * scale + middle).astype(dtype)
    recording = Recording.from_samples(integers, RATE)
    assert np.abs(recording.samples - 0.99 * SAMPLES).max() <= 1.01 / min(scale, 2**23)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_taken_as_they_are(dtype):
    recording = Recording.from_samples(SAMPLES.astype(dtype), RATE)
    assert recording.samples.dtype == np.float32
    assert np.abs(recording.samples - SAMPLES).max() < 1e-3


@pytest.mark.parametrize("shape", [(22_050, 2), (22_050, 1), (65, 6), (22_050, 64)])
def test_time_in_rows_is_recognised_where_it_is_certain(shape):
    samples = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.float32(10**7)
    recording = Recording.from_samples(samples, RATE)
    assert (recording.frames, recording.channels) == shape
    assert np.array_equal(recording.samples, samples.T)


@pytest.mark.parametrize("shape", [(30, 6), (64, 2), (100, 100), (500, 80), (80, 500)])
def test_where_it_is_not_certain_the_right_call_is_given(shape):
    with pytest.raises(AudioError, match=r"\[time, channels\], call Recording.*samples\.T"):
        Recording.from_samples(np.zeros(shape), RATE)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.from_numpy(SAMPLES),
        torch.from_numpy(SAMPLES.T.copy()),
        torch.from_numpy(SAMPLES).requires_grad_(),
        (torch.from_numpy(SAMPLES) * 32767).to(torch.int16),
        torch.from_numpy(SAMPLES).to(torch.bfloat16),
    ],
    ids=["plain", "time first", "gradient", "int16", "bfloat16"],
)
def test_torch_tensors_are_arrays(tensor):
    recording = Recording.from_samples(tensor, RATE)
    assert np.abs(recording.samples - SAMPLES).max() < 2e-3


@pytest.mark.parametrize("pair", [(SAMPLES, RATE), (RATE, SAMPLES.T), (SAMPLES, np.int64(RATE))])
def test_pairs_of_samples_and_rate_are_taken_in_either_order(pair):
    recording = Recording.from_samples(pair)
    assert (recording.rate, recording.frames, recording.channels) == (RATE, len(SAMPLES[0]), 2)
    with pytest.raises(AudioError, match="give one"):
        Recording.from_samples(pair, 48_000)


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (np.zeros((2, 500), complex), "complex128"),
        (np.zeros((2, 500), bool), "bool"),
        (np.zeros((2, 500), object), "object"),
        (np.full((2, 500), "a"), "<U1"),
        (np.float32(0.5), r"shape \(\)"),
        (np.zeros(0), "shape"),
        (np.zeros((1, 2, 500)), "shape"),
        ([[0.0, 1.0], [0.0]], "no array of numbers"),
        (np.full((2, 500), np.nan), "NaN"),
        (np.full((2, 500), 1e300), "NaN or infinite"),
        (np.ma.masked_greater(SAMPLES, 0.1), "masked"),
        (np.full((2, 500), 20_000, np.int64), "full scale is unknown"),
        ("a.wav", "shape"),
        (None, "shape"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value))[:20],
)
def test_what_holds_no_samples_is_refused_and_told_why(samples, word):
    with pytest.raises(AudioError, match=word):
        Recording.from_samples(samples, RATE)


@pytest.mark.parametrize(
    "rate", [None, "44100", 44_100.5, float("nan"), True, [44_100], 0, -44_100]
)
def test_a_rate_is_a_whole_number_of_hertz(rate):
    with pytest.raises(AudioError, match="sampling rate"):
        Recording.from_samples(SAMPLES, rate)


@given(st.integers(1, 64), st.integers(65, 300), st.booleans())
def test_an_array_and_its_transpose_are_the_same_recording(channels, frames, turned):
    samples = np.random.default_rng(frames).uniform(-1, 1, (channels, frames)).astype(np.float32)
    recording = Recording.from_samples(samples.T if turned else samples, RATE)
    assert np.array_equal(recording.samples, samples)
