"""Rendered scenes: geometry in, level, pitch and direction out."""

import numpy as np
import pytest

from spa2v_lab.scenes import sound as sound_module
from spa2v_lab.scenes.receivers import RECEIVERS, SPEED_OF_SOUND
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lab.scenes.sound import PEAK, render_sound
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.camera import Camera

RATE = 44_100
HORN = "train_diesel_01.flac"
APPLAUSE = "ambience_applause_01.flac"


def bus(
    start: tuple[float, float],
    velocity: tuple[float, float] = (0.0, 0.0),
    recording: str | None = APPLAUSE,
    **more: float,
) -> WorldObject:
    """An object on a straight path at the microphone's height."""
    look = {"label": "bus", "style": "noto", "motion": "stationary", "width_m": 1.0}
    size = {"height_m": 2.0, "base_m": 0.5} | more
    return WorldObject(path=StraightPath(start, velocity), recording=recording, **look, **size)


def scene(*objects: WorldObject, duration_s=1.5, seed=0, **options) -> Scene:
    return Scene(objects, "meadow", Camera(height_m=1.5), duration_s, seed, **options)


def rendered(*objects: WorldObject, **options) -> np.ndarray:
    return render_sound(scene(*objects, **options), RATE).samples.astype(float)


@pytest.fixture
def pure_tone(monkeypatch):
    """Every recording is a 1 kHz tone, so that pitch and level can be held to formulas."""

    def tone(file, rate, begin_s, end_s, onset_s):
        t = begin_s + np.arange(round((end_s - begin_s) * rate)) / rate
        return np.sqrt(2) * np.sin(2 * np.pi * 1000.0 * t)

    monkeypatch.setattr(sound_module, "emitted", tone)


def pitch_hz(part: np.ndarray) -> float:
    size = 1 << 20
    return np.abs(np.fft.rfft(part * np.hanning(part.size), size)).argmax() * RATE / size


@pytest.mark.parametrize("receiver", ["xy", "binaural"])
@pytest.mark.parametrize("speed", [-30.0, 15.0])
def test_pitch_follows_the_doppler_formula(pure_tone, receiver, speed):
    sound = rendered(bus((0, 60), (0, speed)), receiver=receiver)
    expected = 1000.0 / (1 + speed / SPEED_OF_SOUND)
    assert pitch_hz(sound[0, 5000:-5000]) == pytest.approx(expected, rel=2e-3)


def test_a_real_horn_that_approaches_sounds_higher_than_one_that_recedes():
    pitches = [
        pitch_hz(rendered(bus((0, 60), (0, v), recording=HORN))[0, 5000:-5000]) for v in (-25, 25)
    ]
    assert pitches[0] / pitches[1] == pytest.approx(
        (SPEED_OF_SOUND + 25) / (SPEED_OF_SOUND - 25), rel=1e-2
    )


def test_level_doubles_when_the_distance_halves(pure_tone):
    sound = rendered(bus((0, 40), (0, -20)), receiver="ab")
    t = np.array([0.3, 1.2])
    emitted = (t - 40 / SPEED_OF_SOUND) / (1 - 20 / SPEED_OF_SOUND)
    distance = 40 - 20 * emitted
    levels = [sound[0, int(x * RATE) : int(x * RATE) + 441].std() for x in t]
    change = 20 * np.log10(levels[1] / levels[0])
    air = 0.0047 * (distance[0] - distance[1])
    assert change == pytest.approx(20 * np.log10(distance[0] / distance[1]) + air, abs=0.15)


def test_gain_changes_the_level_of_one_object_among_others(pure_tone):
    both = [bus((-10, 0.001)), bus((10, 0.001), gain_db=-12.0)]
    sound = rendered(*both, receiver="panned")
    levels = 20 * np.log10(sound[:, 5000:-5000].std(axis=1))
    assert levels[0] - levels[1] == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize("receiver", [name for name, r in RECEIVERS.items() if r.channels == 2])
def test_a_mirrored_path_swaps_the_channels(receiver):
    here = rendered(bus((-6, 4), (5, 0)), receiver=receiver)
    there = rendered(bus((6, 4), (-5, 0)), receiver=receiver)
    assert np.allclose(here, there[::-1], rtol=0, atol=1e-6)
    assert np.abs(here - there).max() > 0.05


def test_ambisonics_have_four_channels_and_a_mirrored_path_turns_the_side_alone():
    here = rendered(bus((-6, 4), (5, 0)), receiver="foa")
    there = rendered(bus((6, 4), (-5, 0)), receiver="foa")
    assert here.shape[0] == 4
    assert np.allclose(here, there * np.array([1, -1, 1, 1])[:, None], rtol=0, atol=1e-6)
    assert here[1].std() > 0.01


@pytest.mark.parametrize(("receiver", "expected"), [("xy", 8.5), ("ortf", 10.8), ("ab", 0.0)])
def test_the_rendered_level_difference_is_the_receivers(receiver, expected):
    angle = np.radians(60)
    left, right = rendered(bus((8 * np.sin(angle), 8 * np.cos(angle))), receiver=receiver)
    assert 20 * np.log10(right.std() / left.std()) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("receiver", "expected"), [("ortf", 429), ("ab", 1262), ("xy", 0)])
def test_the_rendered_time_difference_is_the_receivers(receiver, expected):
    angle = np.radians(60)
    left, right = rendered(bus((8 * np.sin(angle), 8 * np.cos(angle))), receiver=receiver)
    size = 1 << 17
    cross = np.fft.irfft(np.fft.rfft(left, size) * np.fft.rfft(right, size).conj(), 4 * size)
    lag = np.argmax(np.roll(cross, 2 * size)) - 2 * size
    assert lag / (4 * RATE) * 1e6 == pytest.approx(expected, abs=8)


def test_binaural_treble_is_further_to_one_side_than_bass():
    left, right = (np.abs(np.fft.rfft(c)) ** 2 for c in rendered(bus((6, 6)), receiver="binaural"))
    bins = np.fft.rfftfreq(round(1.5 * RATE), 1 / RATE)

    def difference_db(low, high):
        band = (bins > low) & (bins < high)
        return 10 * np.log10(right[band].sum() / left[band].sum())

    assert difference_db(3000, 6000) > difference_db(200, 500) + 6


def test_height_counts_in_the_distance():
    click_delays = []
    for base in (0.5, 59.5):
        sound = rendered(
            bus((0, 80), recording="bell_cowbell_01.flac", base_m=base), duration_s=0.5
        )
        click_delays.append(np.flatnonzero(np.abs(sound[0]) > 0.1)[0] / RATE)
    expected = (np.hypot(80, 59) - 80) / SPEED_OF_SOUND
    assert click_delays[1] - click_delays[0] == pytest.approx(expected, abs=1e-3)


def test_far_sources_lose_treble():
    def treble_share(trajectory):
        sound = rendered(bus((0, trajectory)))[0]
        power = np.abs(np.fft.rfft(sound)) ** 2
        bins = np.fft.rfftfreq(sound.size, 1 / RATE)
        return 10 * np.log10(power[bins > 6000].sum() / power[bins < 2000].sum())

    assert treble_share(5) - treble_share(150) > 8


def test_reverberation_lowers_the_level_difference_and_lasts_after_the_sound():
    obj = bus((3, 3), recording="drum_snare_01.flac", onset_s=0.1)
    dry = rendered(obj, duration_s=0.65)
    wet = rendered(obj, duration_s=0.65, rt60_s=0.8)

    def ild(s):
        return 20 * np.log10(s[1].std() / s[0].std())

    def ending(s):
        return 10 * np.log10((s[:, 22_000:24_500] ** 2).mean() / (s**2).mean())

    assert ild(wet) < ild(dry) - 2
    assert ending(wet) > ending(dry) + 6


def test_the_reflections_of_a_mirrored_path_swap_the_channels(monkeypatch):
    """Without the tail, which is noise; image places are single precision."""
    monkeypatch.setattr(
        sound_module, "reverberant_tail", lambda room, receiver, rate, rng: np.zeros((2, 100))
    )
    options = {"receiver": "ortf", "rt60_s": 0.6}
    here = rendered(bus((-3, 3), (4, 0)), **options)
    there = rendered(bus((3, 3), (-4, 0)), **options)
    assert np.allclose(here, there[::-1], rtol=0, atol=1e-5)
    assert np.abs(here - rendered(bus((-3, 3), (4, 0)), receiver="ortf")).max() > 0.02


def test_noise_has_the_wanted_level_and_comes_from_the_seed():
    obj = bus((2, 6))
    clean = rendered(obj)
    noisy = rendered(obj, noise_db=-10.0)
    scale = (noisy * clean).sum() / (clean**2).sum()
    noise = noisy - scale * clean
    level = 10 * np.log10((noise**2).mean() / ((scale * clean) ** 2).mean())
    assert level == pytest.approx(-10.0, abs=0.3)
    assert np.array_equal(noisy, rendered(obj, noise_db=-10.0))
    assert not np.allclose(noisy, rendered(obj, noise_db=-10.0, seed=1))


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_length_rate_channels_and_peak_are_as_promised(rate):
    recording = render_sound(scene(bus((1, 5))), rate)
    assert (recording.rate, recording.channels, recording.duration_s) == (rate, 2, 1.5)
    assert np.abs(recording.samples).max() == pytest.approx(PEAK)


def test_a_far_fast_source_sounds_from_the_first_sample():
    sound = rendered(bus((0, 250), (0, -90), recording="helicopter_01.flac"))
    assert (np.abs(sound[0].reshape(-1, RATE // 20)).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize(
    ("objects", "options", "words"),
    [
        ((), {}, "silent"),
        ((bus((0, 5), recording=None),), {}, "silent"),
        ((bus((0, 5), recording="no.flac"),), {}, r"no\.flac"),
        ((bus((0, 5)),), {"receiver": "surround"}, "surround"),
        ((bus((0, 500), (0, -400)),), {}, "fast as sound"),
        ((bus((0, 60)),), {"rt60_s": 0.1}, "cannot reverberate"),
        ((bus((0, 5), onset_s=9.0),), {}, "starts too late"),
    ],
)
def test_impossible_scenes_are_refused(objects, options, words):
    with pytest.raises(SceneError, match=words):
        render_sound(scene(*objects, **options))


def test_the_projects_own_scene_can_be_rendered():
    from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
    from spa2v_lib.layout.camera import Camera

    train = WorldObject(
        label="train",
        style="noto",
        path=StraightPath((-8.0, 12.0), (8.0, 0.0)),
        motion="right_crossing",
        width_m=10.0,
        height_m=3.5,
        base_m=0.0,
        recording=HORN,
    )
    sound = render_sound(
        Scene((train,), background="field", camera=Camera(), duration_s=2.0, seed=3)
    ).samples
    thirds = np.array_split(sound, 3, axis=1)
    balance = [20 * np.log10(part[1].std() / part[0].std()) for part in thirds]
    assert balance[0] < -1 and balance[2] > 1
