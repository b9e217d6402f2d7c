"""The table of recordings, and the sounds of any length made from them."""

import numpy as np
import pytest

from spa2v_lab.scenes.recordings import emitted, recording_info, recordings_table
from spa2v_lib.errors import SceneError
from spa2v_lib.resources import resource

RATE = 44_100
LOOPS = [info.file for info in recordings_table() if info.loop == "loop"]


def levels_db(sound: np.ndarray, seconds: float) -> np.ndarray:
    size = round(seconds * RATE)
    rows = sound[: len(sound) // size * size].reshape(-1, size)
    return 10 * np.log10((rows**2).mean(axis=1) + 1e-12)


def test_the_table_lists_every_recording_once_and_sense_is_made_of_each():
    files = [info.file for info in recordings_table()]
    folder = resource("recordings")
    assert sorted(files) == sorted(path.name for path in folder.glob("*.flac"))
    for info in recordings_table():
        assert info.loop in ("loop", "repeat", "once"), info
        assert 0 <= info.start_s < info.end_s <= info.seconds + 0.005, info
        assert info.pause_s >= 0 and len(info.note) > 5, info


def test_what_moves_by_itself_or_dies_away_never_serves_as_motion_truth():
    for info in recordings_table():
        if info.own_motion or info.loop == "once":
            assert not info.serves_motion_truth
    moving = {info.file for info in recordings_table() if info.own_motion}
    assert {"train_passby_01.flac", "airplane_jet_01.flac", "bus_01.flac"} <= moving


@pytest.mark.parametrize("file", LOOPS)
def test_loops_have_no_trend_and_no_seam(file):
    sound = emitted(file, RATE, -1.0, 9.0, 0.0)
    level = levels_db(sound, 0.25)
    assert abs(np.polyfit(np.linspace(0, 1, level.size), level, 1)[0]) < 1.5
    assert levels_db(sound, 0.05).min() > np.median(levels_db(sound, 0.05)) - 14
    # A click would be a jump between two samples beyond any within the recording.
    step = np.abs(np.diff(sound))
    first_period = np.abs(np.diff(emitted(file, RATE, 0.15, 0.9, 0.0)))
    assert step.max() < 2.5 * first_period.max()


def test_a_loop_that_starts_later_is_silent_before():
    sound = emitted("helicopter_01.flac", RATE, -1.0, 2.0, 0.5)
    start = round(1.5 * RATE)
    assert not sound[:start].any() and sound[start + 50 : start + 500].any()


def test_a_repeated_call_comes_back_after_its_length_and_pause():
    info = recording_info("bird_crow_01.flac")
    sound = emitted(info.file, RATE, -0.5, 4.0, 0.0)
    assert not sound[: RATE // 2].any()
    period = round((info.end_s - info.start_s) * RATE) + round(info.pause_s * RATE)
    later = sound[RATE // 2 :]
    assert np.array_equal(later[:period], later[period : 2 * period])
    assert not later[round(0.49 * RATE) : period].any()


def test_a_recording_played_once_ends():
    info = recording_info("train_passby_01.flac")
    sound = emitted(info.file, RATE, 0.0, 6.0, 1.0)
    end = round((1.0 + info.end_s) * RATE) + 10
    assert not sound[end:].any() and sound[RATE : end - RATE].any()


def test_every_recording_sounds_equally_loud_where_active():
    for info in recordings_table():
        sound = emitted(info.file, RATE, 0.0, info.end_s - info.start_s, 0.0)
        level = levels_db(sound, 0.05)
        active = 10 * np.log10(np.mean(10 ** (level[level > level.max() - 30] / 10)))
        assert active == pytest.approx(0.0, abs=1.5), info.file


def test_an_unknown_recording_is_named():
    with pytest.raises(SceneError, match=r"'cat\.wav' is not in"):
        recording_info("cat.wav")
