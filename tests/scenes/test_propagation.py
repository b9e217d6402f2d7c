"""Delay, Doppler, distance, air and interpolation, each against its formula."""

import numpy as np
import pytest

from spa2v_lab.scenes.propagation import (
    OVERSAMPLING,
    Emission,
    absorbed_by_air,
    air_absorption_db_per_m,
    emission_times,
    first_emission_s,
    received,
)
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, get_receiver
from spa2v_lib.errors import SceneError

RATE = 44_100
FINE = OVERSAMPLING * RATE


def straight(start, velocity):
    """Uniform motion in three dimensions."""
    return lambda t: np.asarray(start, float) + np.outer(t, velocity)


def tone_emission(pitch_hz: float, seconds: float = 3.0, start_s: float = -1.0) -> Emission:
    t = start_s + np.arange(round(seconds * FINE)) / FINE
    return Emission.from_samples(np.sin(2 * np.pi * pitch_hz * t), FINE, start_s)


def pitch_of(sound: np.ndarray) -> float:
    """Mean pitch from the phase of the analytic signal, Hz."""
    from scipy.signal import hilbert

    inner = slice(2000, -2000)
    phase = np.unwrap(np.angle(hilbert(sound)))[inner]
    slope = np.polyfit(np.arange(phase.size), phase, 1)[0]
    return slope * RATE / (2 * np.pi)


@pytest.mark.parametrize("pitch", [500.0, 5_000.0, 10_000.0, 15_000.0])
def test_interpolation_between_samples_is_exact_to_75_db(pitch):
    times = np.sort(np.random.default_rng(0).uniform(-0.8, 1.8, 20_000))
    error = tone_emission(pitch).at(times) - np.sin(2 * np.pi * pitch * times)
    assert 20 * np.log10(np.sqrt(2) * np.std(error)) < -75


@pytest.mark.parametrize("speed", [-60.0, -20.0, -5.0, 5.0, 30.0, 60.0])
def test_a_source_on_the_line_of_sight_shifts_pitch_by_the_doppler_formula(speed):
    place = straight((0, 80.0, 0), (0, speed, 0))  # positive: receding
    sound, _ = received(tone_emission(1000.0), get_receiver("xy"), place, RATE, RATE)
    expected = 1000.0 / (1 + speed / SPEED_OF_SOUND)
    assert pitch_of(sound[0]) == pytest.approx(expected, rel=2e-5)


def test_level_falls_as_one_over_the_distance_at_retarded_time():
    place = straight((-20.0, 4.0, 0), (40.0, 0, 0))
    sound, distance = received(tone_emission(2000.0), get_receiver("ab"), place, RATE, RATE)
    level = np.sqrt(np.convolve(sound[0] ** 2, np.ones(441) / 441, "same") * 2)
    inner = slice(1000, -1000)
    assert np.abs(20 * np.log10(level * distance)[inner]).max() < 0.25
    # What arrives when it passes left 4 m / c ago: the closest point is received that much later.
    assert distance.argmin() / RATE == pytest.approx(0.5 + 4.0 / SPEED_OF_SOUND, abs=2e-3)


def test_sound_arrives_after_the_distance_over_the_speed_of_sound():
    click = np.zeros(FINE)
    click[FINE // 10] = 1.0  # at 0.1 s
    place = straight((0, 100.0, 0), (0, 0, 0))
    sound, _ = received(
        Emission.from_samples(click, FINE, 0.0), get_receiver("xy"), place, RATE, RATE
    )
    arrival = np.abs(sound[0]).argmax() / RATE
    assert arrival == pytest.approx(0.1 + 100 / SPEED_OF_SOUND, abs=1.5 / RATE)
    assert first_emission_s(place) == pytest.approx(-100 / SPEED_OF_SOUND)


def test_both_channels_get_the_receivers_time_difference():
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(3 * FINE))
    spectrum[3 * 15_000 :] = 0  # nothing above 15 kHz
    noise = np.fft.irfft(spectrum)
    emission = Emission.from_samples(noise, FINE, -1.0)
    place = straight((5.0, 5.0, 0), (0, 0, 0))  # 45 degrees right
    sound, _ = received(emission, get_receiver("ab"), place, RATE, RATE)
    size = 1 << 17
    left, right = np.fft.rfft(sound, size)
    cross = np.fft.irfft(left * right.conj(), 8 * size)  # eight times finer than the samples
    lag = cross[: len(cross) // 2].argmax() / (8 * RATE)
    assert lag == pytest.approx(0.5 * np.sin(np.pi / 4) / SPEED_OF_SOUND, abs=3e-6)


def test_retarded_time_solves_its_equation_and_refuses_the_speed_of_sound():
    times = np.linspace(0, 4, 50)

    def delay(emitted):
        return np.abs(30.0 * emitted - 50.0) / SPEED_OF_SOUND

    emitted = emission_times(times, delay)
    assert emitted + delay(emitted) == pytest.approx(times, abs=2e-9)
    with pytest.raises(SceneError, match="fast as sound"):
        emission_times(times, lambda emitted: np.abs(400.0 * emitted - 900.0) / SPEED_OF_SOUND)


def test_air_absorption_is_that_of_the_standards_table():
    # ISO 9613-2, table 2: 20 degrees, 70 % humidity, dB per kilometre in octave bands.
    bands = np.array([63, 125, 250, 500, 1000, 2000, 4000, 8000.0])
    table = [0.1, 0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6]
    found = 1000 * air_absorption_db_per_m(bands, 20.0, 70.0)
    assert found == pytest.approx(table, rel=0.03, abs=0.05)


def test_air_damps_a_tone_by_distance_times_attenuation():
    t = np.arange(RATE) / RATE
    for pitch, travelled_m in ((1000.0, 300.0), (8000.0, 50.0)):
        tone = np.tile(np.sin(2 * np.pi * pitch * t), (2, 1))
        damped = absorbed_by_air(tone, np.full(RATE, travelled_m), RATE)
        loss = 20 * np.log10(tone[0, 5000:-5000].std() / damped[0, 5000:-5000].std())
        assert loss == pytest.approx(travelled_m * air_absorption_db_per_m(pitch), rel=0.02)
        assert damped.shape == tone.shape
