"""Sounds for the tagger: what is chosen from packages, and phrases of instruments."""

from __future__ import annotations

import csv
import struct
from importlib.resources import files

import numpy as np
import pytest

from spa2v_lab.training import collection, instruments
from spa2v_lab.training.instruments import PROGRAMS, midi_file, phrase
from spa2v_lib.errors import DataError
from spa2v_lib.layout.classes import FAMILIES, family_of

RULES = list(
    csv.DictReader((files("spa2v_lab.training") / "collection.csv").read_text().splitlines())
)


def test_every_label_of_the_collection_has_a_family() -> None:
    labels = {row["label"] for row in RULES} | {program.label for program in PROGRAMS}
    assert {family_of(label) for label in labels - {"unknown"}} <= set(FAMILIES)


def test_every_package_states_its_licence_and_authors() -> None:
    known = collection.packages()
    assert {row["package"] for row in RULES} | set(instruments.FONTS) == set(known)
    assert all(row["license"] and row["authors"] for row in known.values())


def test_a_rule_takes_so_many_of_a_folder_and_each_series_of_the_unknown() -> None:
    import re

    names = ["a/cow_1.wav", "a/cow_2.wav", "a/cow_3.wav", "a/rain_1.wav", "a/sea_1.wav"]
    members = [(name, bytes) for name in names]
    rules = [(re.compile("cow"), "cow", 2), (re.compile("rain|sea"), "unknown", 1)]
    chosen = [(name, label) for name, label, _ in collection.chosen_members(members, rules)]
    assert chosen == [
        ("a/cow_1.wav", "cow"),
        ("a/cow_2.wav", "cow"),
        ("a/rain_1.wav", "unknown"),
        ("a/sea_1.wav", "unknown"),
    ]
    with pytest.raises(DataError, match="goat"):
        list(collection.chosen_members(members, [(re.compile("goat"), "goat", 1)]))


def test_one_speaker_and_one_series_are_never_parted() -> None:
    group = collection.group_of
    one, two = (group("ktuberling-data", f"sounds/{x}/hat.ogg", "person") for x in ("de", "fr"))
    assert one != two == group("ktuberling-data", "sounds/fr/nose.ogg", "person")
    rain = [group("megaglest-data", f"x/rain{k}.wav", "unknown") for k in (1, 2)]
    assert rain[0] == rain[1] != group("megaglest-data", "x/wind1.wav", "unknown")


def test_resource_archives_of_qt_are_read() -> None:
    names = b"".join(
        struct.pack(">HI", len(text), 0) + text.encode("utf-16-be") for text in ("farm", "cow.ogg")
    )
    nodes = struct.pack(">IHII", 0, 2, 1, 1)  # the root has one child, node 1
    nodes += struct.pack(">IHII", 0, 2, 1, 2)  # farm/ has one child, node 2
    nodes += struct.pack(">IHHHI", 6 + 8, 0, 0, 0, 0)  # cow.ogg, its content at 0
    content = struct.pack(">I", 3) + b"moo"
    begin = 20
    header = struct.pack(
        ">4s4I", b"qres", 1, begin, begin + len(nodes), begin + len(nodes) + len(content)
    )
    found = list(collection.resource_members(header + nodes + content + names))
    assert found == [("/farm/cow.ogg", b"moo")]
    with pytest.raises(DataError):
        list(collection.resource_members(b"nothing" * 10))


def test_sound_sets_of_openttd_are_read() -> None:
    tables = struct.pack("<II", 8, 3)
    found = list(collection.sound_set_members(tables + bytes([4]) + b"moo\0" + b"wav"))
    assert found == [("osfx_00.wav", b"wav")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: f"{p.label} {p.number}")
def test_a_phrase_lies_where_the_instrument_can_play_it(program) -> None:
    notes = phrase(program, np.random.default_rng(0))
    pitches = {pitch for _, _, pitch, _ in notes}
    if program.keys:
        assert pitches <= set(program.keys)
    else:
        assert min(pitches) >= program.low and max(pitches) <= program.high + 16
    assert max(start for start, *_ in notes) < 4.5


def test_a_midi_file_holds_every_note_once_on_and_once_off() -> None:
    notes = [(0.0, 0.5, 60, 90), (0.25, 0.5, 64, 80)]
    data = midi_file(PROGRAMS[0], notes)
    assert data[:4] == b"MThd" and data[14:18] == b"MTrk"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    assert data.count(bytes([0x90, 60, 90])) == data.count(bytes([0x80, 60, 0])) == 1
    # 0.25 s are 240 ticks at 120 quarters a minute: two groups of seven bits
    assert bytes([0x81, 0x70, 0x90, 64, 80]) in data
