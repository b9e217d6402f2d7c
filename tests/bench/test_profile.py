"""The profile of a run names every part, and its parts add up to the run."""

import time

import pytest

from spa2v_lab.bench import profile
from spa2v_lib.errors import Spa2vError
from spa2v_lib.resources import resource


def test_the_parts_of_a_run_are_those_between_what_it_reports():
    told = [
        ("analyze", 0, 1, 11.0),
        ("analyze", 1, 1, 13.0),
        ("load", 0, 4, 13.5),
        ("load", 3, 4, 16.5),
        ("load", 4, 4, 17.5),
        ("sample", 0, 2, 18.0),
        ("sample", 1, 2, 20.0),
        ("sample", 2, 2, 22.0),
        ("decode", 0, 8, 22.0),
        ("decode", 8, 8, 22.5),
        ("write", 0, 1, 22.5),
        ("write", 1, 1, 25.5),
    ]
    found = profile.parts_between(10.0, told)
    assert list(found) == list(profile.PARTS)
    assert list(found.values()) == [1.0, 2.0, 0.5, 3.0, 1.0, 0.5, 4.0, 0.5, 3.0]


def test_a_real_run_is_covered_by_its_parts():
    began = time.perf_counter()
    found = profile.profile_run(resource("recordings") / "car_horn_01.flac", label="car", steps=1)
    took = time.perf_counter() - began
    assert all(seconds > 0 for seconds in found.values()), found
    assert sum(found.values()) == pytest.approx(took, rel=0.2)


def test_a_run_that_fails_says_why():
    with pytest.raises(Spa2vError, match="nowhere.wav does not exist"):
        profile.profile_run("nowhere.wav")
