"""Every fault of a recording has the outcome that the docstring of `spa2v_lib.cues` states."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile

import spa2v_lib.cues
from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.errors import AudioError, CueError

RATE = 16_000
AZIMUTH = 28.0


@pytest.fixture(scope="module")
def sound(rendered) -> Recording:
    """Bursts from one side, with pauses of digital silence."""
    recording = rendered(lambda t: AZIMUTH + 0 * t, capture="ortf", seconds=2.4, rate=RATE)
    samples = recording.samples.copy()
    samples[:, int(0.9 * RATE) : int(1.5 * RATE)] = 0.0
    return Recording.from_samples(samples, RATE)


def heard(samples: np.ndarray, rate: int = RATE, capture: str = "ortf") -> SpatialCues:
    recording = Recording.from_samples(samples.astype(np.float32), rate).check()
    return extract_cues(recording, label="car", capture=capture)


def said(cues: SpatialCues, words: str) -> bool:
    return any(words in note for note in cues.notes)


def direction(cues: SpatialCues) -> float:
    (source,) = cues.sources
    return float(np.median(np.array(source.azimuth_deg, float)))


def test_identical_channels_are_placed_in_the_centre_with_a_note(sound) -> None:
    cues = heard(np.stack([sound.samples[0]] * 2), capture="auto")
    assert direction(cues) == pytest.approx(0.0, abs=0.1)
    assert said(cues, "placed in the centre")


@pytest.mark.parametrize(("dead", "name"), [(0, "left"), (1, "right")])
def test_a_dead_channel_claims_no_direction_but_keeps_level_and_activity(sound, dead, name) -> None:
    samples = sound.samples.copy()
    samples[dead] = 0.0
    cues = heard(samples)
    (source,) = cues.sources
    assert set(source.azimuth_deg) == {None} and cues.capture.format == "mono"
    assert any(source.active) and not all(source.active)
    assert said(cues, f"the {name} channel is silent")


@pytest.mark.parametrize("flipped", [0, 1])
def test_inverted_polarity_is_put_right_with_a_note(sound, flipped) -> None:
    samples = sound.samples.copy()
    samples[flipped] *= -1.0
    cues = heard(samples)
    assert direction(cues) == pytest.approx(AZIMUTH, abs=1.5)
    assert said(cues, "inverted polarity")


def test_right_polarity_is_not_said_to_be_inverted(sound) -> None:
    assert not said(heard(sound.samples), "polarity")


def test_a_dc_offset_changes_neither_direction_nor_silence_and_is_noted(sound) -> None:
    without = heard(sound.samples)
    cues = heard(0.7 * sound.samples + np.array([[0.2], [-0.1]]))
    assert direction(cues) == pytest.approx(direction(without), abs=0.5)
    assert cues.sources[0].active == without.sources[0].active
    assert said(cues, "offset") and not said(without, "offset")


def test_clipping_is_noted_and_the_direction_still_found(sound) -> None:
    loud = sound.samples / np.percentile(np.abs(sound.samples), 97)
    cues = heard(np.clip(loud, -1.0, 1.0))
    assert direction(cues) == pytest.approx(AZIMUTH, abs=3.0)
    assert said(cues, "clipping")


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_extreme_rates_are_heard_alike(sound, rate) -> None:
    part = sound.cut(0.0, 0.8).resampled(rate)
    cues = heard(part.samples, rate)
    assert cues.rate == rate and direction(cues) == pytest.approx(AZIMUTH, abs=1.5)


def test_a_third_of_a_second_is_heard(sound) -> None:
    cues = heard(sound.cut(0.0, 0.3).samples)
    assert len(cues.times_s) == 3 and direction(cues) == pytest.approx(AZIMUTH, abs=2.5)


@pytest.mark.parametrize("begin", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("file", ["cow_01.flac", "train_whistle_01.flac", "ship_horn_01.flac"])
def test_a_swell_of_a_third_of_a_second_is_not_taken_for_approach(shipped, file, begin) -> None:
    mono = shipped(file).cut(begin, 0.3)
    cues = extract_cues(Recording.from_samples(np.stack([mono.mono()] * 2), mono.rate))
    assert [source.motion for source in cues.sources] == ["stationary"]


def test_less_than_a_quarter_of_a_second_is_refused(sound) -> None:
    with pytest.raises(AudioError, match=r"lasts 0\.200 s; at least 0\.25 s"):
        sound.cut(0.0, 0.2).check()


def test_ten_minutes_of_silence_have_no_source_and_say_so() -> None:
    cues = extract_cues(Recording.from_samples(np.zeros((2, 600 * 8_000)), 8_000))
    assert cues.sources == [] and (cues.count_low, cues.count_high) == (0, 0)
    assert said(cues, "silence: no source")
    assert set(cues.itd_s) == {None} and len(cues.times_s) == 6000


def test_of_six_channels_the_first_two_are_heard_with_a_note(sound) -> None:
    rest = np.random.default_rng(0).normal(0.0, 0.1, (4, sound.frames))
    cues = heard(np.concatenate([sound.samples, rest]))
    assert direction(cues) == pytest.approx(AZIMUTH, abs=1.5)
    assert said(cues, "6 channels: the first two")


def test_one_channel_claims_no_direction_with_a_note(sound) -> None:
    cues = heard(sound.samples[:1], capture="auto")
    (source,) = cues.sources
    assert set(source.azimuth_deg) == {None} and set(cues.ild_db) == {None}
    assert said(cues, "mono: no direction is claimed") and not said(cues, "front")


def test_four_channels_of_an_unknown_format_claim_no_direction_unless_one_is_named(sound) -> None:
    rest = np.random.default_rng(0).normal(0.0, 0.1, (2, sound.frames))
    four = np.concatenate([sound.samples, rest])
    cues = heard(four, capture="auto")
    assert cues.capture.format == "mono" and said(cues, "format of the four channels is unknown")
    assert set(cues.sources[0].azimuth_deg) == {None}
    assert direction(heard(four)) == pytest.approx(AZIMUTH, abs=1.5)


@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_a_stereo_pair_with_two_quiet_channels_is_a_stereo_pair(sound, noise: float) -> None:
    rest = noise * np.random.default_rng(0).normal(size=(2, sound.frames))
    cues = heard(np.concatenate([sound.samples, rest]), capture="auto")
    assert cues.capture.format == "ortf" and direction(cues) == pytest.approx(AZIMUTH, abs=1.5)


@pytest.mark.parametrize("late_ms", [12, 200])
def test_channels_that_are_not_aligned_claim_no_direction(sound, late_ms: int) -> None:
    late = sound.samples.copy()
    late[0] = np.roll(late[0], round(1e-3 * late_ms * sound.rate))
    cues = heard(late, capture="auto")
    assert said(cues, f"the left channel is {late_ms} ms late: no direction or motion is claimed")
    assert set(cues.sources[0].azimuth_deg) == {None}
    assert cues.sources[0].motion == "stationary" and cues.sources[0].motion_confidence == 0.5
    assert set(cues.sources[0].relative_range) == {None}


def test_two_takes_of_a_sound_claim_no_direction_and_no_motion(sound) -> None:
    takes = 0.1 * np.random.default_rng(0).normal(size=(2, sound.frames))
    cues = heard(takes, capture="auto")
    assert said(cues, "the channels share no sound")
    assert set(cues.sources[0].azimuth_deg) == {None}
    assert cues.sources[0].motion == "stationary" and cues.sources[0].motion_confidence == 0.5


def test_two_recordings_that_a_mix_places_to_the_sides_are_two_sources_if_that_is_said(
    sound,
) -> None:
    takes = 0.1 * np.random.default_rng(0).normal(size=(2, sound.frames))
    cues = extract_cues(Recording.from_samples(takes, sound.rate), label="truck@left, bell@right")
    assert not said(cues, "share no sound") and len(cues.sources) == 2


def test_of_identical_channels_the_interval_is_the_whole_picture(sound) -> None:
    (source,) = heard(sound.samples[[0, 0]], capture="auto").sources
    assert set(source.azimuth_deg) == {0.0}
    assert set(source.azimuth_low_deg) == {-90.0} and set(source.azimuth_high_deg) == {90.0}


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_ambisonics_of_another_number_of_channels_are_refused(sound, channels) -> None:
    samples = np.resize(sound.samples, (channels, sound.frames))
    with pytest.raises(CueError, match=f"4 channels.*{channels}"):
        heard(samples, capture="foa")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(sound, tmp_path, wrong) -> None:
    samples = sound.samples.copy()
    samples[1, 5_000] = wrong
    with pytest.raises(AudioError, match="NaN or infinite"):
        Recording.from_samples(samples, RATE)
    soundfile.write(tmp_path / "wrong.wav", samples.T, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"wrong\.wav.*NaN or infinite"):
        read_audio(tmp_path / "wrong.wav")


def test_the_front_is_said_to_be_assumed_wherever_a_direction_of_two_channels_is(sound) -> None:
    assert said(heard(sound.samples), "cannot tell front from back")


def test_every_outcome_is_stated_where_users_look() -> None:
    table = spa2v_lib.cues.__doc__ or ""
    for fault in (
        "identical channels",
        "one dead channel",
        "inverted polarity",
        "DC offset",
        "clipping",
        "8 kHz to 192 kHz",
        "0.3 s",
        "rates below 1 kHz",
        "samples beyond 2^31",
        "ten minutes of silence",
        "six channels",
        "one channel",
        "four channels, not ambisonic",
        "NaN or infinite samples",
    ):
        assert re.search(rf"^{re.escape(fault)} +\w", table, re.MULTILINE), fault
