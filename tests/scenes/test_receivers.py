"""Receivers against independent figures for level and time differences."""

import numpy as np
import pytest

from spa2v_lab.scenes.receivers import RECEIVERS, CardioidPair, SphericalHead, get_receiver
from spa2v_lib.errors import SceneError

ANGLES = np.array([30.0, 60.0, 90.0])
LEVEL = np.zeros(3)


def ild_db(name: str, azimuth: np.ndarray) -> np.ndarray:
    left, right = get_receiver(name).gains(azimuth, np.zeros_like(azimuth))
    return 20 * np.log10(right / left)


def itd_us(name: str, azimuth: np.ndarray) -> np.ndarray:
    left, right = get_receiver(name).delays_s(azimuth, np.zeros_like(azimuth))
    return (left - right) * 1e6


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("xy", [3.9, 8.5, 15.3]),
        ("ms", [9.5, 22.9, np.inf]),
        ("ortf", [4.9, 10.8, 20.1]),
        ("ab", [0, 0, 0]),
    ],
)
def test_level_differences_are_those_of_the_literature(name, levels):
    with np.errstate(divide="ignore"):
        assert ild_db(name, ANGLES) == pytest.approx(levels, abs=0.06)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("panned", [0, 0, 0]),
        ("xy", [0, 0, 0]),
        ("ortf", [248, 429, 496]),
        ("ab", [729, 1262, 1458]),
        ("binaural", [261, 488, 656]),
    ],
)
def test_time_differences_are_those_of_the_literature(name, times):
    assert itd_us(name, ANGLES) == pytest.approx(times, abs=1.0)


def test_the_panned_image_keeps_the_tangent_law_and_constant_power():
    azimuth = np.array([-44.0, -20.0, 0.0, 10.0, 30.0])
    left, right = get_receiver("panned").gains(azimuth, np.zeros(5))
    balance = (right - left) / (right + left)
    assert np.degrees(np.arctan(balance * np.tan(np.radians(45)))) == pytest.approx(azimuth)
    assert left**2 + right**2 == pytest.approx(1.0)
    assert get_receiver("panned").gains(np.array([70.0]), np.zeros(1))[0] == pytest.approx(0.0)


def test_the_heads_level_difference_rises_with_frequency_and_angle():
    head = SphericalHead()
    left, right = head.shadow(ANGLES, LEVEL)

    def difference_db(frequency_hz: float) -> np.ndarray:
        corner = 1j * 2 * np.pi * frequency_hz / (2 * head.shadow_rad_s)
        return 20 * np.log10(np.abs((1 + corner * right) / (1 + corner * left)))

    low, middle, high = (difference_db(f) for f in (200.0, 1000.0, 6000.0))
    assert (low < 1).all() and (low < middle).all() and (middle < high).all()
    assert (np.diff(high) > 0)[:1].all() and high[1] > 10
    assert head.shadow(np.array([0.0]), np.zeros(1))[0] == pytest.approx(
        head.shadow(np.array([0.0]), np.zeros(1))[1]
    )


def test_the_shadow_is_deepest_150_degrees_from_the_ear():
    # The left ear's axis is at -90 degrees: 150 from it is +60 (and +120).
    azimuth = np.arange(-180.0, 180.0, 5.0)
    left = SphericalHead().shadow(azimuth, np.zeros_like(azimuth))[0]
    assert azimuth[np.argmin(left)] in (60.0, 120.0) and left.min() == pytest.approx(0.1)
    assert azimuth[np.argmax(left)] == -90.0 and left.max() == pytest.approx(2.0)


PAIRS = [name for name, receiver in RECEIVERS.items() if receiver.channels == 2]


@pytest.mark.parametrize("name", PAIRS)
def test_mirrored_directions_swap_the_channels(name):
    receiver = get_receiver(name)
    azimuth, elevation = np.meshgrid(np.linspace(-175, 175, 41), [-40.0, 0.0, 25.0])
    for quantity in (receiver.gains, receiver.delays_s, receiver.shadow):
        here, there = quantity(azimuth, elevation), quantity(-azimuth, elevation)
        if here is not None:
            assert here[::-1] == pytest.approx(there)


@pytest.mark.parametrize("name", PAIRS)
def test_straight_above_both_channels_are_alike(name):
    receiver = get_receiver(name)
    for azimuth in (-70.0, 10.0, 120.0):
        left, right = receiver.delays_s(np.array([azimuth]), np.array([90.0]))
        assert left == pytest.approx(right, abs=1e-9)
        left, right = receiver.gains(np.array([azimuth]), np.array([90.0]))
        if name != "panned":  # a desk has no above
            assert left == pytest.approx(right)


def test_a_cardioid_records_nothing_from_behind():
    back = CardioidPair(half_angle_deg=0.0).gains(np.array([180.0]), np.zeros(1))
    assert back == pytest.approx(0.0)


def test_ambisonics_are_ambix_whose_azimuth_counts_to_the_left():
    # W, Y, Z, X of 30 degrees to the left, 20 up, by the format's own definition
    turn, up = np.radians(30.0), np.radians(20.0)
    expected = [1.0, np.sin(turn) * np.cos(up), np.sin(up), np.cos(turn) * np.cos(up)]
    gains = get_receiver("foa").gains(np.array([-30.0]), np.array([20.0]))
    assert gains[:, 0] == pytest.approx(expected)
    assert (get_receiver("foa").delays_s(np.array([-30.0]), np.array([20.0])) == 0).all()


def test_an_unknown_receiver_is_named_with_the_known_ones():
    with pytest.raises(SceneError, match="'ambisonic' is unknown; choose one of panned, xy"):
        get_receiver("ambisonic")
