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
    _, small = speed.measured_process([sys.executable, "-c", "pass"])
    _, large = speed.measured_process([sys.executable, "-c", "x = bytearray(b'1' * 200_000_000)"])
    assert small < 0.1 < 0.2 <= large < 0.48 == pytest.approx(ballast.nbytes / 1e9)


def test_the_wall_time_of_a_process_counts_its_whole_life():
    seconds, _ = speed.measured_process([sys.executable, "-c", "import time; time.sleep(0.3)"])
    assert seconds >= 0.3


def test_a_process_that_fails_is_reported_with_its_last_words():
    with pytest.raises(Spa2vError, match="code 3: .*alas"):
        speed.measured_process(
            [sys.executable, "-c", "import sys; print('alas', file=sys.stderr); sys.exit(3)"]
        )


def test_every_goal_is_listed_even_where_the_run_cannot_be_made(monkeypatch):
    def fail(command):
        raise Spa2vError("no weights")

    monkeypatch.setattr(speed, "measured_process", fail)
    monkeypatch.setattr(speed, "import_seconds", lambda: (0.1, []))
    monkeypatch.setattr(speed, "_hearing_factors", lambda seed, repetitions: [30.0, 40.0])
    results = speed.run(quick=True, seed=0, progress=lambda *_: None)
    assert [goal.name for goal in results.goals] == list(speed.GOALS)
    assert [goal.met for goal in results.goals] == [True, True, True, False, False]
    assert results.notes == ["no weights"]
