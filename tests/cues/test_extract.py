from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.errors import CueError

FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MIRROR = {"left_crossing": "right_crossing", "right_crossing": "left_crossing"}
REVERSE = MIRROR | {"approaching": "receding", "receding": "approaching"}


@st.composite
def moves(draw) -> tuple[str, float, float, float]:
    """A capture format and a motion that is clear in it: azimuth at start and end, range ratio."""
    capture = draw(st.sampled_from(["panned", "xy", "ortf", "ab"]))
    kind = draw(st.sampled_from(["rest", "cross", "near", "far"]))
    side = draw(st.floats(-35.0, 35.0))
    if kind == "cross":
        sign = draw(st.sampled_from([-1.0, 1.0]))
        return capture, -sign * draw(st.floats(15, 40)), sign * draw(st.floats(15, 40)), 1.0
    ratio = {"rest": 1.0, "near": 1.0 / draw(st.floats(2.5, 5.0)), "far": draw(st.floats(2.5, 5.0))}
    return capture, side, side, ratio[kind]


def moved(rendered, move: tuple[str, float, float, float]) -> Recording:
    capture, start, end, ratio = move
    return rendered(
        lambda t: start + (end - start) * t / 2.0,
        range_m=lambda t: 3.0 * (1.0 + (ratio - 1.0) * t / 2.0) / min(1.0, ratio),
        capture=capture,
        seconds=2.0,
        rate=16_000,
    )


@FEW
@given(move=moves())
def test_swapping_channels_mirrors_every_azimuth(rendered, move) -> None:
    recording = moved(rendered, move)
    swapped = Recording.from_samples(recording.samples[::-1].copy(), recording.rate)
    for capture in (move[0], "auto"):
        one = extract_cues(recording, label="bus", capture=capture).sources[0]
        two = extract_cues(swapped, label="bus", capture=capture).sources[0]
        assert np.allclose(one.azimuth_deg, -np.array(two.azimuth_deg), atol=0.5)
        assert np.allclose(one.azimuth_low_deg, -np.array(two.azimuth_high_deg), atol=0.5)
        assert two.motion == MIRROR.get(one.motion, one.motion)


@FEW
@given(move=moves(), gain=st.floats(0.02, 1.9))
def test_scaling_both_channels_changes_no_direction_and_no_motion(rendered, move, gain) -> None:
    recording = moved(rendered, move)
    scaled = Recording.from_samples((gain * recording.samples).astype(np.float32), recording.rate)
    one, two = (extract_cues(r, label="bus").sources[0] for r in (recording, scaled))
    assert np.allclose(one.azimuth_deg, two.azimuth_deg, atol=0.1)
    assert one.motion == two.motion


@FEW
@given(move=moves())
def test_reversing_time_swaps_approaching_and_receding_and_the_crossings(rendered, move) -> None:
    recording = moved(rendered, move)
    reverse = Recording.from_samples(recording.samples[:, ::-1].copy(), recording.rate)
    one, two = (
        extract_cues(r, label="bus", capture=move[0]).sources[0] for r in (recording, reverse)
    )
    backwards = REVERSE.get(one.motion, one.motion)
    if move[0] in ("panned", "xy"):
        assert two.motion == backwards
        assert np.allclose(one.azimuth_deg, two.azimuth_deg[::-1], atol=3.0)
    elif move[0] == "ab":
        # played backwards, the earlier channel becomes the later one: delays are mirrored as well
        assert two.motion == MIRROR.get(backwards, backwards)
        assert np.allclose(one.azimuth_deg, -np.array(two.azimuth_deg[::-1]), atol=3.0)


@FEW
@given(move=moves())
def test_the_motion_that_was_rendered_is_the_motion_that_is_heard(rendered, move) -> None:
    _, start, end, ratio = move
    heard = extract_cues(moved(rendered, move), label="bus", capture=move[0]).sources[0].motion
    if start != end:
        assert heard == ("right_crossing" if end > start else "left_crossing")
    else:
        assert heard == ("stationary" if ratio == 1 else "receding" if ratio > 1 else "approaching")


@pytest.mark.parametrize("capture", ["panned", "xy", "ortf", "ab"])
@pytest.mark.parametrize("azimuth", [-38.0, -10.0, 0.0, 22.0, 42.0])
def test_a_named_format_gives_the_azimuth_to_a_degree(rendered, capture, azimuth) -> None:
    recording = rendered(lambda t: azimuth + 0 * t, capture=capture, seconds=2.0, noise_db=-25.0)
    source = extract_cues(recording, label="bus", capture=capture).sources[0]
    assert np.median(np.abs(np.array(source.azimuth_deg) - azimuth)) < 1.0
    inside = np.array(source.azimuth_low_deg) <= azimuth
    inside &= np.array(source.azimuth_high_deg) >= azimuth
    assert inside.mean() > 0.8


def stereo(left: np.ndarray, right: np.ndarray, rate: int = 16_000) -> Recording:
    recording = Recording.from_samples(np.stack([left, right]).astype(np.float32), rate)
    return recording.check()


NOISE = np.random.default_rng(5).normal(0.0, 0.1, 32_000)


def test_mono_claims_no_direction_but_hears_level_and_approach() -> None:
    t = np.linspace(0.0, 1.0, len(NOISE))
    recording = Recording.from_samples((NOISE[None] / (5 - 4 * t)).astype(np.float32), 16_000)
    cues = extract_cues(recording, label="car")
    source = cues.sources[0]
    assert cues.capture.format == "mono" and "mono: no direction is claimed" in cues.notes
    assert set(source.azimuth_deg) == {None} and set(cues.ild_db) == {None}
    assert source.motion == "approaching"
    assert not any("front" in note for note in cues.notes)


def test_identical_channels_are_in_the_centre_and_the_notes_say_so() -> None:
    cues = extract_cues(stereo(NOISE, NOISE), label="car")
    assert np.allclose(cues.sources[0].azimuth_deg, 0.0)
    assert any("placed in the centre" in note for note in cues.notes)


def test_a_dead_channel_claims_no_direction() -> None:
    cues = extract_cues(stereo(0 * NOISE, NOISE), label="car")
    assert set(cues.sources[0].azimuth_deg) == {None}
    assert "the left channel is silent: no direction is claimed" in cues.notes


@pytest.mark.parametrize("capture", ["xy", "ortf", "ab"])
def test_inverted_polarity_is_noted_and_put_right(rendered, capture: str) -> None:
    recording = rendered(lambda t: 30 + 0 * t, capture=capture, seconds=2.0)
    samples = recording.samples * np.array([[1.0], [-1.0]], np.float32)
    cues = extract_cues(
        Recording.from_samples(samples, recording.rate), label="car", capture=capture
    )
    assert any("polarity" in note for note in cues.notes)
    assert np.median(cues.sources[0].azimuth_deg) == pytest.approx(30.0, abs=1.5)


def test_a_dc_offset_changes_no_direction(rendered) -> None:
    recording = rendered(lambda t: 30 + 0 * t, capture="ortf", seconds=2.0)
    shifted = Recording.from_samples(recording.samples + np.float32(0.2), recording.rate)
    source = extract_cues(shifted, label="car", capture="ortf").sources[0]
    assert np.median(source.azimuth_deg) == pytest.approx(30.0, abs=1.5)


def test_silence_has_no_source_and_says_so() -> None:
    cues = extract_cues(stereo(0 * NOISE, 0 * NOISE))
    assert cues.sources == [] and "silence: no source" in cues.notes
    assert set(cues.itd_s) == {None}


def test_silence_inside_a_recording_holds_the_azimuth(rendered) -> None:
    recording = rendered(lambda t: -30 + 0 * t, seconds=3.0)
    samples = recording.samples.copy()
    samples[:, recording.rate : 2 * recording.rate] = 0.0
    source = extract_cues(
        Recording.from_samples(samples, recording.rate), label="cow", capture="xy"
    )
    source = source.sources[0]
    assert not any(source.active[12:18])
    assert np.allclose(source.azimuth_deg[12:18], -30.0, atol=2.0)
    assert source.motion == "stationary"


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_extreme_rates_give_the_same_direction(rendered, rate: int) -> None:
    recording = rendered(lambda t: 25 + 0 * t, capture="ortf", rate=48_000, seconds=1.0)
    source = extract_cues(recording.resampled(rate), label="car", capture="ortf").sources[0]
    assert np.median(source.azimuth_deg) == pytest.approx(25.0, abs=1.5)


def test_a_third_of_a_second_is_enough(rendered) -> None:
    recording = rendered(lambda t: -25 + 0 * t, seconds=0.3)
    cues = extract_cues(recording, label="drum", capture="xy")
    assert len(cues.times_s) == 3
    assert np.median(cues.sources[0].azimuth_deg) == pytest.approx(-25.0, abs=2.0)


def test_of_six_channels_the_first_two_are_heard(rendered) -> None:
    pair = rendered(lambda t: 20 + 0 * t, seconds=1.0).samples
    six = np.concatenate([pair, np.random.default_rng(0).normal(0, 0.1, (4, pair.shape[1]))])
    recording = Recording.from_samples(six.astype(np.float32), 44_100).check()
    cues = extract_cues(recording, label="car", capture="xy")
    assert np.median(cues.sources[0].azimuth_deg) == pytest.approx(20.0, abs=1.5)
    assert any("first two" in note for note in cues.notes)


def test_that_the_front_is_assumed_is_said_once(rendered) -> None:
    cues = extract_cues(rendered(lambda t: 20 + 0 * t, seconds=1.0), label="car")
    assert sum("front assumed" in note for note in cues.notes) == 1


def test_any_label_of_the_user_overrides_the_tagger(rendered) -> None:
    cues = extract_cues(rendered(lambda t: 20 + 0 * t, seconds=1.0), label="steam organ")
    assert (cues.sources[0].label, cues.sources[0].label_confidence) == ("steam organ", 1.0)


@pytest.mark.parametrize(
    ("wrong", "why"), [({"capture": "blumlein"}, "xy"), ({"label": " "}, "label")]
)
def test_wrong_wishes_are_refused_with_what_would_be_right(rendered, wrong, why) -> None:
    with pytest.raises(CueError, match=why):
        extract_cues(rendered(lambda t: 0 * t, seconds=0.5), **wrong)


def film(samples: np.ndarray) -> Recording:
    """5.1 at 16 kHz, from samples [6, time]."""
    return Recording(
        lambda frame: iter([samples[:, frame:].astype(np.float32)]),
        name="film",
        rate=16_000,
        channels=6,
        frames=samples.shape[1],
        channel_layout=("FL", "FR", "FC", "LFE", "BL", "BR"),
    )


def test_a_source_in_the_centre_channel_alone_is_found_in_the_middle() -> None:
    samples = np.zeros((6, 32_000))
    samples[2] = 0.1 * np.random.default_rng(0).normal(size=32_000)
    cues = extract_cues(film(samples), label="truck", capture="panned")
    (source,) = cues.sources
    assert np.abs(source.azimuth_deg).max() < 1.0
    assert any("identical" in note for note in cues.notes)


def test_a_quieter_centre_does_not_pull_the_front_pair_to_the_middle() -> None:
    source, centre = 0.1 * np.random.default_rng(0).normal(size=(2, 32_000))
    samples = np.zeros((6, 32_000))
    samples[:3] = 0.5 * source, source, 0.6 * centre
    (found,) = extract_cues(film(samples), label="truck", capture="panned").sources
    assert np.median(found.azimuth_deg) == pytest.approx(18.4, abs=0.5)


def test_a_source_in_one_surround_channel_is_on_its_side() -> None:
    samples = 1e-3 * np.random.default_rng(0).normal(size=(6, 32_000))
    samples[5] += 0.1 * np.random.default_rng(1).normal(size=32_000)
    (source,) = extract_cues(film(samples), label="truck", capture="panned").sources
    assert np.median(source.azimuth_deg) > 35.0
