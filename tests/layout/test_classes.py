"""Any word is an object: the table, head nouns, and words that are refused."""

from __future__ import annotations

import pytest

from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.captions import object_caption, video_caption
from spa2v_lib.layout.classes import (
    BACKGROUNDS,
    CLASSES,
    FAMILIES,
    SOMETHING,
    family_of,
    get_class,
    known_words,
)


def test_the_table_has_plausible_sizes_and_places_for_150_objects_and_more() -> None:
    entries = {entry.name: entry for entry in known_words().values()}
    assert len(entries) > 150
    for entry in entries.values():
        assert 0.01 <= entry.width_m <= 60 and 0.01 <= entry.height_m <= 60, entry.name
        assert entry.place in ("ground", "air", "water", "held"), entry.name
        assert entry.base_m >= 0 and entry.background in BACKGROUNDS, entry.name
        assert entry.drawn_as in CLASSES, entry.name
        assert entry.family in FAMILIES or not entry.family, entry.name
        if entry.place == "air":
            assert entry.base_m > 0, entry.name
        if entry.place == "held":  # what stands on the ground would be lifted to a chest
            assert entry.base_m >= 0.5, entry.name


def test_a_class_that_can_be_drawn_is_the_same_by_its_key_and_its_noun() -> None:
    for name, entry in CLASSES.items():
        assert get_class(name) is entry is get_class(entry.noun.upper())
        assert entry.drawn_as == name and entry.family in FAMILIES


@pytest.mark.parametrize(
    ("word", "entry", "drawn"),
    [
        ("piano", "piano", "guitar"),
        ("cajon", "cajon", "drum"),
        ("congas", "hand drum", "drum"),
        ("tram", "tram", "train"),
        ("my neighbour's lawn mower", "lawn mower", "truck"),
        ("two barking dogs", "dog", "dog"),
        ("a flock of birds", "bird", "bird"),
        ("wolves", "wolf", "dog"),
        ("street musician with a guitar", "person", "monkey"),
        ("FIDDLE", "violin", "guitar"),
        ("steam-locomotive", "locomotive", "train"),
    ],
)
def test_words_take_the_entry_of_their_head_noun(word: str, entry: str, drawn: str) -> None:
    found, usual = get_class(word), known_words()[entry]
    assert (found.width_m, found.height_m, found.base_m) == (
        usual.width_m,
        usual.height_m,
        usual.base_m,
    )
    assert found.drawn_as == drawn and found.family == usual.family


def test_the_users_word_is_kept_and_an_unknown_one_has_a_neutral_size() -> None:
    found = get_class(" An old Flurble ")
    assert (found.name, found.with_article) == ("old Flurble", "an old Flurble")
    assert (found.width_m, found.height_m, found.place, found.family) == (1.0, 1.0, "ground", "")


@pytest.mark.parametrize(
    ("word", "caption"),
    [
        ("tram", "a tram"),
        ("my tram", "my tram"),
        ("wolves", "wolves"),
        ("bus", "a bus"),
        ("two buses", "two buses"),
        ("umbrella", "an umbrella"),
        (SOMETHING, SOMETHING),
    ],
)
def test_captions_have_the_article_that_the_words_need(word: str, caption: str) -> None:
    assert object_caption(word) == caption
    assert video_caption([(word, "stationary")], "street").startswith(caption)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_a_word_of_its_own(family: str) -> None:
    assert family_of(FAMILIES[family]) == family


@pytest.mark.parametrize(
    "word", ["", "  ", "123", "x" * 500, "<b>dog</b>", "dog\ncat", "dog\x00", "{dog}", "\u202edog"]
)
def test_what_is_no_word_is_refused(word: str) -> None:
    with pytest.raises(PlanningError, match="the label"):
        get_class(word)
