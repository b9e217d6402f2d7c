"""What is drawn of capture formats is what the formulas say, and what recordings contain."""

from __future__ import annotations

import numpy as np
import pytest

from spa2v_lab.explorers.captures import (
    CaptureExplorer,
    SoundExplorer,
    describe_differences,
    describe_matches,
    plan_view_svg,
    sound_from,
)
from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, lobes
from spa2v_lab.viz.captures import (
    MOST_DB,
    NAMES,
    PAIRS,
    differences,
    differences_figure,
    head_figure,
    matching_directions,
    microphones_figure,
    plane_figure,
)
from spa2v_lib.cues.features import extract_features

SHEEP = "sheep_01.flac"


def holds(ranges: list[tuple[float, float]], azimuth: float) -> bool:
    return any(low <= azimuth <= high for low, high in ranges)


@pytest.mark.parametrize(
    ("capture", "ild_db", "itd_us"),
    [("xy", 3.9, 0), ("ms", 9.5, 0), ("ortf", 4.9, 248), ("ab", 0.0, 729), ("binaural", None, 261)],
)
def test_at_30_degrees_the_differences_are_those_of_the_textbook(
    capture: str, ild_db: float | None, itd_us: float
) -> None:
    found = differences(capture, 30.0)
    assert 1e6 * found.itd_s[0] == pytest.approx(itd_us, abs=0.5)
    if ild_db is not None:
        assert found.ild_db[0] == pytest.approx(ild_db, abs=0.05)


def test_a_panned_source_follows_the_tangent_law() -> None:
    ratio = np.tan(np.radians(20.0)) / np.tan(np.radians(45.0))
    wanted = 20 * np.log10((1 + ratio) / (1 - ratio))
    assert differences("panned", 20.0).ild_db[0] == pytest.approx(wanted)


@pytest.mark.parametrize("capture", PAIRS)
def test_differences_are_mirrored_with_the_direction_and_bounded(capture: str) -> None:
    around = np.arange(-180.0, 181.0, 7.5)
    found, mirrored = differences(capture, around), differences(capture, -around)
    np.testing.assert_allclose(found.ild_db, -mirrored.ild_db, atol=1e-9)
    np.testing.assert_allclose(found.itd_s, -mirrored.itd_s, atol=1e-15)
    assert np.abs(found.ild_db).max() <= MOST_DB


def test_only_a_heads_level_difference_grows_with_frequency() -> None:
    assert (
        differences("binaural", 60.0, 4000.0).ild_db
        > 10
        > 1
        > differences("binaural", 60.0, 200.0).ild_db
    )
    assert differences("ortf", 60.0, 4000.0).ild_db == differences("ortf", 60.0, 200.0).ild_db


@pytest.mark.parametrize("capture", PAIRS)
def test_every_direction_is_among_its_own_matches(capture: str) -> None:
    for azimuth in (-120.0, -30.0, 0.0, 45.0, 100.0):
        assert holds(matching_directions(capture, azimuth)[capture], azimuth)


@pytest.mark.parametrize("capture", ["ab", "binaural", "panned", "ms"])
def test_behind_sounds_like_in_front(capture: str) -> None:
    assert holds(matching_directions(capture, 30.0)[capture], 150.0)


def test_level_pairs_read_each_other_and_time_pairs_do_not() -> None:
    assert set(matching_directions("xy", 30.0)) == {"panned", "xy", "ms"}
    assert set(matching_directions("ab", 60.0)) == {"ab"}


@pytest.mark.parametrize("capture", PAIRS)
def test_the_drawings_plan_view_svg_are_symmetric(capture: str) -> None:
    left, right = lobes(capture)[-2:]
    mirrored = sorted(map(tuple, (right * (-1.0, 1.0)).round(9).tolist()))
    assert sorted(map(tuple, left.round(9).tolist())) == mirrored


def test_cardioids_of_an_xy_pair_point_outwards() -> None:
    left, right = lobes("xy")
    for outline, azimuth in ((left, -45.0), (right, 45.0)):
        far = outline[np.hypot(*outline.T).argmax()]
        assert np.degrees(np.arctan2(*far)) == pytest.approx(azimuth)


def test_each_step_of_the_slider_moves_the_dots_to_that_direction() -> None:
    azimuths = (-60.0, 0.0, 60.0)
    figure = differences_figure(azimuths)
    for azimuth, frame in zip(azimuths, figure.frames, strict=True):
        level, time = frame.data
        assert set(level.x) == set(time.x) == {azimuth}
        for k, capture in enumerate(PAIRS):
            found = differences(capture, azimuth)
            assert level.y[k] == pytest.approx(found.ild_db[0], abs=0.01)
            assert time.y[k] == pytest.approx(1000 * found.itd_s[0], abs=1e-4)
    active = figure.layout.sliders[0].active
    assert list(figure.data[-1].y) == list(figure.frames[active].data[1].y)
    assert figure.data[-1].xaxis == "x2"


def test_the_slider_over_formats_shows_every_format_with_its_curves() -> None:
    figure = microphones_figure()
    assert [step.label for step in figure.layout.sliders[0].steps] == list(NAMES.values())
    for frame, capture in zip(figure.frames, PAIRS, strict=True):
        assert len(frame.data) == len(figure.data)
        level, time = frame.data[-2:]
        found = differences(capture, level.x)
        np.testing.assert_allclose(level.y, found.ild_db, atol=0.01)
        np.testing.assert_allclose(time.y, 1000 * found.itd_s, atol=1e-4)


def test_the_plane_and_the_head_say_in_words_what_they_show() -> None:
    assert "plane" in plane_figure().layout.meta["alt"]
    curves = head_figure().data
    assert [trace.name for trace in curves][:3] == ["250 Hz", "500 Hz", "1 kHz"]
    assert np.all(np.diff([max(trace.y) for trace in curves]) > 0)


def test_the_sound_of_a_direction_has_the_differences_that_are_said() -> None:
    pair = sound_from(SHEEP, 40.0, "ortf", seconds=1.0)
    heard, said = extract_features(pair), differences("ortf", 40.0)
    ild = 10 * np.log10(heard.right.sum() / heard.left.sum())
    assert ild == pytest.approx(said.ild_db[0], abs=0.3)
    assert (
        describe_differences(40.0, "ortf")
        == f"40° to the right, ORTF: ILD +{said.ild_db[0]:.1f} dB, ITD +319 µs"
    )
    assert 1e6 * 0.17 * np.sin(np.radians(40)) / SPEED_OF_SOUND == pytest.approx(319, abs=0.5)


def test_straight_ahead_has_no_sign() -> None:
    assert describe_differences(0.0, "xy") == "ahead, XY: ILD +0.0 dB, ITD +0 µs"


def test_moving_the_source_makes_another_sound() -> None:
    explorer = SoundExplorer(SHEEP, 30)
    before = explorer.children[1].value
    assert "30° to the right, ORTF" in before
    assert "<audio" in before
    explorer.azimuth.value = -30
    after = explorer.children[1].value
    assert "30° to the left, ORTF" in after
    assert after[after.index("<audio") :] != before[before.index("<audio") :]


def test_choosing_a_format_lists_what_else_would_sound_the_same() -> None:
    assert describe_matches("binaural", 30.0) == ["binaural: +30°, +150°"]
    assert describe_matches("ms", 90.0)[0] == "panned: +44° to +136°"
    explorer = CaptureExplorer("xy", 30)
    assert "ILD +3.9 dB, ITD +0 µs" in explorer.children[1].value
    explorer.capture.value = "ab"
    assert "ILD +0.0 dB, ITD +729 µs" in explorer.children[1].value
    assert explorer.children[1].value.count("<circle") == 3


def test_the_drawing_says_in_words_what_it_shows() -> None:
    drawing = plan_view_svg("ab", -30.0, (-150.0,))
    assert 'role="img" aria-label="AB from above, the source at -30°"' in drawing
    assert drawing.count("<polygon") == 2
