"""Rooms: image sources against pyroomacoustics and geometry, the tail against statistics."""

import numpy as np
import pyroomacoustics
import pytest

from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, get_receiver
from spa2v_lab.scenes.rooms import IMAGE_ORDER, Room, diffuse_noise, reverberant_tail
from spa2v_lib.errors import SceneError

RATE = 16_000
PLACES = np.array([[-2.0, 3.0, -0.3], [2.0, 4.0, 0.2]])


def room(rt60_s: float = 0.5) -> Room:
    return Room.around(PLACES, 1.5, rt60_s)


@pytest.mark.parametrize("place", PLACES)
def test_images_of_every_place_are_those_of_pyroomacoustics(place):
    own = room()
    shoebox = pyroomacoustics.ShoeBox(
        own.size_m, materials=pyroomacoustics.Material(own.absorption), max_order=IMAGE_ORDER
    )
    shoebox.add_source(place + own.microphone_m)
    shoebox.add_microphone(own.microphone_m)
    shoebox.image_source_model()
    source = shoebox.sources[0]
    truth = (source.images.T - own.microphone_m)[source.orders > 0]
    images = own.images()
    found = np.array([images.of(k, place[None])[0] for k in range(len(images.gains))])
    assert found == pytest.approx(truth, abs=1e-5)
    assert images.gains == pytest.approx((1 - own.absorption) ** (images.orders / 2), rel=1e-5)
    assert len(images.gains) == 24


def test_the_floor_mirrors_the_source_below_itself():
    images = room().images()
    place = np.array([[1.0, 2.0, 0.1]])
    found = [images.of(k, place)[0] for k in np.flatnonzero(images.orders == 1)]
    below = [1.0, 2.0, -2 * 1.5 - 0.1]
    assert min(np.linalg.norm(image - below) for image in found) < 1e-5


def test_the_room_holds_microphone_and_path_and_has_the_wanted_reverberation():
    own = room(0.6)
    corners = PLACES + own.microphone_m
    assert (corners > 0.4).all() and (corners < np.array(own.size_m) - 0.4).all()
    sabine = 24 * np.log(10) * own.volume_m3 / (SPEED_OF_SOUND * own.surface_m2 * own.absorption)
    assert sabine == pytest.approx(0.6, rel=1e-3)


def test_an_impossible_room_says_what_is_possible():
    far = np.array([[0.0, 40.0, 0.0]])
    with pytest.raises(SceneError, match="give at least") as caught:
        Room.around(far, 1.5, 0.1)
    least = float(str(caught.value).split("at least ")[1].split()[0])
    assert Room.around(far, 1.5, least + 0.01).absorption < 1
    with pytest.raises(SceneError, match="under the floor"):
        Room.around(np.array([[0.0, 4.0, -2.0]]), 1.5, 0.5)


def test_the_tail_decays_by_60_db_in_the_reverberation_time():
    own = room(0.5)
    tail = reverberant_tail(own, get_receiver("ab"), RATE, np.random.default_rng(0))
    remaining = 10 * np.log10(np.cumsum((tail**2).sum(axis=0)[::-1])[::-1])
    times = np.arange(tail.shape[1]) / RATE
    part = (remaining < remaining[0] - 5) & (remaining > remaining[0] - 30)
    slope = np.polyfit(times[part], remaining[part], 1)[0]
    assert -60 / slope == pytest.approx(0.5, rel=0.08)


def test_the_tail_holds_the_energy_of_the_image_sources_that_it_stands_for():
    own = room(0.5)
    images = own.images(order=25)  # later ones hold a hundredth of the energy
    trajectories = np.linalg.norm(images.signs * PLACES[1] + images.offsets, axis=1)
    late = images.orders > IMAGE_ORDER
    truth = ((images.gains / trajectories) ** 2)[late].sum()
    tail = reverberant_tail(own, get_receiver("ab"), RATE, np.random.default_rng(0))
    assert 10 * np.log10((tail**2).sum() / 2 / truth) == pytest.approx(0.0, abs=1.5)


def test_diffuse_noise_has_the_receivers_powers_and_coherence():
    # Cardioids at +-45 degrees: powers 1/3, cross power (1 + cos(90)/3) / 4.
    noise = diffuse_noise(get_receiver("xy"), 400_000, 44_100, np.random.default_rng(0))
    assert np.cov(noise) == pytest.approx(np.array([[1 / 3, 1 / 4], [1 / 4, 1 / 3]]), abs=0.01)


def test_diffuse_noise_of_spaced_microphones_is_coherent_below_and_not_above():
    # Omnidirectional pair: coherence sin(kd)/(kd), Cook et al. 1955; 1 below, about 0 above.
    from scipy.signal import csd, welch

    noise = diffuse_noise(get_receiver("ab"), 600_000, 44_100, np.random.default_rng(0))
    bins, cross = csd(noise[0], noise[1], 44_100, nperseg=4096)
    powers = [welch(channel, 44_100, nperseg=4096)[1] for channel in noise]
    found = cross.real / np.sqrt(powers[0] * powers[1])
    truth = np.sinc(2 * bins * 0.5 / SPEED_OF_SOUND)
    kept = (bins > 60) & (bins < 4000)
    assert found[kept] == pytest.approx(truth[kept], abs=0.25)
    assert np.abs(found - truth)[kept].mean() < 0.05


def test_tilted_noise_falls_by_three_decibels_an_octave():
    from scipy.signal import welch

    noise = diffuse_noise(get_receiver("ab"), 300_000, 44_100, np.random.default_rng(0), -3.0)
    bins, power = welch(noise[0], 44_100, nperseg=4096)
    octaves = [10 * np.log10(power[(bins > f) & (bins < 2 * f)].mean()) for f in (500, 1000, 2000)]
    assert np.diff(octaves) == pytest.approx(-3.0, abs=0.5)
    assert noise[0].std() == pytest.approx(1.0, rel=0.05)


def test_ambisonic_channels_are_not_coherent_in_a_diffuse_field():
    noise = diffuse_noise(get_receiver("foa"), 200_000, 44_100, np.random.default_rng(0))
    covariance = noise @ noise.T / noise.shape[1]
    # SN3D: the mean square of a direction's cosine is a third
    assert covariance == pytest.approx(np.diag([1.0, 1 / 3, 1 / 3, 1 / 3]), abs=0.03)
