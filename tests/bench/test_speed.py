"""The speed benchmark: what it measures, it measures in fresh processes."""

import sys

import numpy as np
import pytest

from spa2v_lab.bench import speed
from spa2v_lab.bench.processes import Measured
from spa2v_lib.errors import Spa2vError


def test_importing_the_library_is_quick_and_loads_nothing_heavy():
    # The best of three: other processes of this machine only ever add time.
    found = [speed.import_seconds() for _ in range(3)]
    assert all(heavy == [] for _, heavy in found)
    assert min(seconds for seconds, _ in found) <= 0.5


def test_the_peak_of_a_process_is_its_own_and_not_that_of_its_parent():
    ballast = np.ones(60_000_000)  # 480 MB in this process
    small = speed.measured_process([sys.executable, "-c", "pass"]).gigabytes
    fill = "x = bytearray(b'1' * 200_000_000)"
    large = speed.measured_process([sys.executable, "-c", fill]).gigabytes
    assert small < 0.1 < 0.2 <= large < 0.48 == pytest.approx(ballast.nbytes / 1e9)


def test_the_wall_time_of_a_process_counts_its_whole_life():
    asleep = speed.measured_process([sys.executable, "-c", "import time; time.sleep(0.3)"])
    assert asleep.seconds >= 0.3 > asleep.processor_s
    loop = "import time\nwhile time.process_time() < 0.4: pass"
    assert speed.measured_process([sys.executable, "-c", loop]).processor_s >= 0.4


def test_a_measured_process_finds_the_variables_it_is_given():
    speak = "import os, sys; sys.exit(os.environ['SPA2V_BFLOAT16'] != 'off')"
    speed.measured_process([sys.executable, "-c", speak], SPA2V_BFLOAT16="off")
    with pytest.raises(Spa2vError):
        speed.measured_process([sys.executable, "-c", speak], SPA2V_BFLOAT16="auto")


def test_a_process_that_fails_is_reported_with_its_last_words():
    with pytest.raises(Spa2vError, match="code 3: .*alas"):
        speed.measured_process(
            [sys.executable, "-c", "import sys; print('alas', file=sys.stderr); sys.exit(3)"]
        )


@pytest.fixture
def cheap(monkeypatch):
    """Every process that samples costs what its settings say, and none is started."""

    def cost(command, **environment):
        slow = 3.0 if "25" in command else 1.0
        return Measured(slow * (4.0 if environment["SPA2V_BFLOAT16"] == "off" else 1), 0.5, 1)

    monkeypatch.setattr(speed, "measured_process", cost)
    monkeypatch.setattr(speed, "_until_first_step", lambda *_: (5.0, 4.0))
    monkeypatch.setattr(speed, "import_seconds", lambda: (0.1, []))
    monkeypatch.setattr(speed, "_hearing_factors", lambda seed, repetitions: [30.0, 40.0])
    monkeypatch.setattr("spa2v_lib.sampling.loading.bfloat16_is_native", lambda: False)


HOW = {"seed": 0, "progress": lambda *_: None}


def test_every_goal_is_listed_even_where_the_run_cannot_be_made(cheap, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise Spa2vError("no weights")

    monkeypatch.setattr(speed, "_until_first_step", fail)
    results = speed.run(quick=True, out=tmp_path, **HOW)
    assert [goal.name for goal in results.goals] == list(speed.GOALS)
    assert [goal.met for goal in results.goals] == [True] * 3 + [False] * 6
    assert results.notes[-1] == "no weights"


def test_without_a_unit_for_bfloat16_that_column_stays_empty(cheap, tmp_path):
    results = speed.run(quick=False, out=tmp_path, **HOW)
    values = {goal.name: goal.value for goal in results.goals}
    assert values["generate 4 s with preset tiny, seconds, without bfloat16"] == 4.0
    assert values["generate 4 s with preset tiny, seconds, with bfloat16"] is None
    ratio = values["generate 4 s over 25 steps guided throughout, without bfloat16"]
    assert ratio == pytest.approx(1 / 3)
    assert {row.method for row in results.rows} == {"spa2v", speed.OFF}
    counts = {row.condition: row.count for row in results.rows if row.method == speed.OFF}
    assert counts[speed.VIDEO] == 3 and counts[speed.REFERENCE] == 1
    assert {f"chapter {name}, seconds" for name in speed.CHAPTERS} < set(counts)


def test_with_a_unit_both_columns_are_measured(cheap, monkeypatch, tmp_path):
    monkeypatch.setattr("spa2v_lib.sampling.loading.bfloat16_is_native", lambda: True)
    results = speed.run(quick=True, out=tmp_path, **HOW)
    seconds = {
        r.method: r.measures["value"].mean for r in results.rows if r.condition == speed.VIDEO
    }
    assert seconds == {speed.OFF: 4.0, speed.ON: 1.0}


def test_an_interrupted_measurement_goes_on(cheap, monkeypatch, tmp_path):
    def interrupt(name, method):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(speed, "_chapter", interrupt)
        speed.run(quick=False, out=tmp_path, **HOW)
    monkeypatch.setattr(speed, "_until_first_step", None)  # measured already
    results = speed.run(quick=False, out=tmp_path, **HOW)
    (first,) = (row for row in results.rows if row.condition == speed.FIRST)
    assert first.count == 3


def test_the_start_of_a_run_is_measured_until_its_first_step(tmp_path):
    audio = speed.passing_noise(0.5, 0).save(tmp_path / "passing.wav")
    seconds, processor_s = speed._until_first_step(audio, tmp_path / "out", speed.OFF)
    assert 0.5 < processor_s < 100 and 0.5 < seconds < 600
    assert not (tmp_path / "out").exists()
