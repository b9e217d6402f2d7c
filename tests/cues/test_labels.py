from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.labels import SourceLabel, assign_labels, number_of_sources, parse_labels
from spa2v_lib.errors import CueError

RATE = 16_000


@pytest.fixture
def two(rendered) -> Recording:
    """A louder source at -30° and a softer one at 25°."""
    t = np.arange(3 * RATE) / RATE
    parts = []
    for seed, (azimuth, pitch, gain) in enumerate([(-30.0, 310.0, 1.0), (25.0, 830.0, 0.5)]):
        harmonics = sum(np.sin(2 * np.pi * k * pitch * t + k) / k for k in range(1, 9))
        struck = harmonics * np.exp(-3.0 * (t % 0.37) / 0.37)
        sound = rendered(
            lambda s, azimuth=azimuth: azimuth + 0.0 * s,
            capture="ortf",
            source=struck,
            seconds=3.0,
            rate=RATE,
            seed=seed,
        )
        parts.append(gain * sound.samples)
    return Recording.from_samples(0.5 * sum(parts), RATE)


def places(cues) -> dict[str, float]:
    return {s.label: float(np.median(s.azimuth_deg)) for s in cues.sources}


def test_labels_without_places_go_to_the_loudest_first(two) -> None:
    found = places(extract_cues(two, label="guitar, my neighbour's lawn mower", capture="ortf"))
    assert found["guitar"] == pytest.approx(-30.0, abs=5.0)
    assert found["my neighbour's lawn mower"] == pytest.approx(25.0, abs=5.0)


@pytest.mark.parametrize("text", ["guitar@right, violin@left", "guitar@25°, violin@-30"])
def test_places_decide_which_is_which(two, text: str) -> None:
    cues = extract_cues(two, label=text, capture="ortf")
    found = places(cues)
    assert found["guitar"] > 15.0 and found["violin"] < -20.0
    assert not any("place" in note for note in cues.notes)
    assert {s.label_source for s in cues.sources} == {"user"}


def test_one_label_means_one_source(two) -> None:
    cues = extract_cues(two, label="orchestra", capture="ortf")
    assert [s.label for s in cues.sources] == ["orchestra"]
    assert (cues.count_low, cues.count_high) == (1, 1)


def test_the_number_can_be_given_without_names(two) -> None:
    assert len(extract_cues(two, num_sources=1, capture="ortf").sources) == 1
    cues = extract_cues(two, num_sources=2, label="guitar@right", capture="ortf")
    assert places(cues)["guitar"] > 15.0 and len(cues.sources) == 2


def test_more_sources_than_there_are_is_said(rendered) -> None:
    one = rendered(lambda t: 20.0 + 0.0 * t, capture="xy", seconds=2.0)
    cues = extract_cues(one, label="guitar, violin", capture="xy")
    assert any("2 sources were requested" in note for note in cues.notes)


def test_a_contradictory_place_is_said(rendered) -> None:
    one = rendered(lambda t: 30.0 + 0.0 * t, capture="xy", seconds=2.0)
    cues = extract_cues(one, label="guitar@left", capture="xy")
    assert cues.sources[0].label == "guitar"
    assert any("has the place left, but its source is at +" in note for note in cues.notes)


def test_places_without_directions_are_said_to_be_ignored() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(1, 2 * RATE))
    cues = extract_cues(Recording.from_samples(noise, RATE), label="guitar@left, violin@right")
    assert [s.label for s in cues.sources] == ["guitar"]
    noted = " ".join(cues.notes)
    assert "places of the labels are ignored" in noted and "only 1 could be separated" in noted
    assert "no source was detected for the label 'violin'" in noted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("guitar,", "empty"),
        ("guitar, @left", "empty"),
        ("x" * 500, "500 characters"),
        ("<b>guitar</b>", "markup"),
        ("guitar\nviolin", "line breaks"),
        ("guitar\u202e", "plain text"),
        ("a, b, c, d", "4 labels were given"),
        ("guitar@behind", "'behind'"),
        ("guitar@270", "-180 to 180"),
        ("guitar@", "left, center, right"),
        ("guitar@nan", "'nan'"),
    ],
)
def test_bad_labels_are_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(CueError, match=why):
        parse_labels(text)


@pytest.mark.parametrize("number", [0, 4, -1])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(CueError, match="1 to 3"):
        number_of_sources((), number)


def test_more_labels_than_sources_are_refused() -> None:
    with pytest.raises(CueError, match="2 labels were given for 1 source"):
        number_of_sources(parse_labels("guitar, violin"), 1)


def test_one_label_twice_is_two_sources_and_said() -> None:
    assigned, notes = assign_labels(parse_labels("tram@left, tram@right"), [20.0, -40.0])
    assert [label.place for label in assigned] == ["right", "left"]
    assert notes == ("2 sources have the label 'tram'",)


def test_both_on_one_side_keep_their_order() -> None:
    assigned, _ = assign_labels(parse_labels("guitar@left, violin@right"), [40.0, 10.0])
    assert [label.name for label in assigned] == ["violin", "guitar"]


@given(
    names=st.lists(st.text("abc é'", min_size=1, max_size=9), min_size=1, max_size=3),
    azimuths=st.lists(st.none() | st.floats(-180.0, 180.0), max_size=3),
    place=st.sampled_from([None, "left", "right", "center", "-170"]),
)
def test_every_label_is_assigned_once_or_named_as_left_over(names, azimuths, place) -> None:
    labels = [SourceLabel(name, place if k == 0 else None) for k, name in enumerate(names)]
    assigned, notes = assign_labels(labels, azimuths)
    used = [label for label in assigned if label is not None]
    assert len(assigned) == len(azimuths) and len(used) == min(len(labels), len(azimuths))
    assert sum("no source was detected" in note for note in notes) == len(labels) - len(used)
