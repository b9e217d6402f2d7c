"""The speed benchmark: what it measures, it measures in fresh processes."""

import sys

import numpy as np
import pytest

from spa2v_lab.bench import speed
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


def test_every_goal_is_listed_even_where_the_run_cannot_be_made(monkeypatch):
    def fail(*_, **__):
        raise Spa2vError("no weights")

    monkeypatch.setattr(speed, "_until_first_step", fail)
    monkeypatch.setattr(speed, "import_seconds", lambda: (0.1, []))
    monkeypatch.setattr(speed, "_hearing_factors", lambda seed, repetitions: [30.0, 40.0])
    results = speed.run(quick=True, seed=0, progress=lambda *_: None)
    assert [goal.name for goal in results.goals] == list(speed.GOALS)
    assert [goal.met for goal in results.goals] == [True] * 3 + [False] * 5
    assert results.notes == ["no weights"] * 2


def test_what_samples_is_measured_with_and_without_bfloat16(monkeypatch):
    def cost(command, **environment):
        slow = 3.0 if "25" in command else 1.0
        return speed.Measured(slow * (4.0 if environment["SPA2V_BFLOAT16"] == "off" else 1), 0.5, 1)

    monkeypatch.setattr(speed, "measured_process", cost)
    monkeypatch.setattr(speed, "_until_first_step", lambda *_: 5.0)
    monkeypatch.setattr(speed, "import_seconds", lambda: (0.1, []))
    monkeypatch.setattr(speed, "_hearing_factors", lambda seed, repetitions: [30.0])
    results = speed.run(quick=True, seed=0, progress=lambda *_: None)
    values = {goal.name: goal.value for goal in results.goals}
    assert values["generate 4 s with preset tiny, seconds"] == 1.0
    assert values["generate 4 s with preset tiny, seconds, bfloat16 off"] == 4.0
    ratio = values["generate 4 s over 25 steps guided throughout, bfloat16 off"]
    assert ratio == pytest.approx(1 / 3)
    assert {row.method for row in results.rows} == {"spa2v", speed.OFF}
