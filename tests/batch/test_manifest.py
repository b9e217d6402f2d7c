"""Manifests, folders and patterns: read as written, and refused with their lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.errors import BatchError

COLUMNS = {"label": "", "seed": 0, "gain": 1.0, "loud": False}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_cells_become_values_of_the_parameters_types(tmp_path, sound):
    sound("a.wav"), sound("b, c.wav")
    text = (
        "\ufeffRecording,label,seed,gain,loud,name\n"
        "sounds/a.wav,car,7,0.5,true,first one\n"
        "\n"
        '"sounds/b, c.wav",,,,,\n'
    )
    first, second = read_rows([write(tmp_path, text)], COLUMNS)
    assert first.parameters == {"label": "car", "seed": 7, "gain": 0.5, "loud": True}
    assert (first.name, first.line) == ("first one", 2)
    assert first.path == (tmp_path / "sounds/a.wav").resolve()
    assert (second.name, second.parameters, second.line) == ("b, c.wav", {}, 4)


def test_folders_patterns_and_files_give_their_recordings_in_order(tmp_path, sound):
    b, a = sound("b.wav"), sound("a.FLAC".lower())
    (tmp_path / "sounds" / "notes.txt").write_text("no sound")
    (tmp_path / "sounds" / "deep").mkdir()
    rows = read_rows([tmp_path / "sounds", str(tmp_path / "sounds" / "b*"), a], COLUMNS)
    assert [row.path for row in rows] == [a, b, b, a]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'recording'"),
        ("file\nx.wav\n", "no column 'recording'"),
        ("recording,colour\n", "no parameter 'colour'.*label"),
        ("recording,label,label\n", "a column twice"),
        ("recording\nmissing.wav\n", "line 2: missing.wav: no such file"),
        ("recording\nsounds\n", "line 2: sounds: not a file"),
        ("recording,seed\nsounds/a.wav,seven\n", "line 2: seed is 'seven'.*whole number"),
        ("recording,gain\nsounds/a.wav,x\n", "gain is 'x'.*number"),
        ("recording,loud\nsounds/a.wav,perhaps\n", "loud is 'perhaps'.*true or false"),
        ("recording,label\n,car\n", "line 2: no recording"),
        ("recording\nsounds/a.wav,car\n", "line 2: 2 cells under 1 named columns"),
        ("recording\n" + "x.wav\n" * 9, "line 6: .*; and 4 more"),
        (b"recording\n\xff\xfe.wav\n", "cannot be read: .utf-8. codec"),
        ('recording\n"open', "not a table"),
        (b"recording\na\0b.wav\n", "NUL"),
        ("recording\n", "no recording in"),
        ("recording\n" + "x" * 200_000 + "\n", "field larger"),
        ("recording\n" + "x" * 100_000 + "\n", "line 2"),
    ],
)
def test_a_manifest_that_cannot_work_is_refused_with_its_lines(tmp_path, sound, text, words):
    sound("a.wav")
    with pytest.raises(BatchError, match=words):
        read_rows([write(tmp_path, text)], COLUMNS)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and devices")
def test_pipes_and_devices_are_refused_instead_of_being_read_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for source in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(BatchError, match="not a file"):
            read_rows([source], COLUMNS)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(BatchError, match="is a pipe"):
        read_rows([tmp_path / "pipe.csv"], COLUMNS)


@pytest.mark.parametrize("source", ["nowhere", "nowhere/*.wav", "a\0b.wav", "x" * 5000])
def test_a_source_without_recordings_is_refused(source):
    with pytest.raises(BatchError):
        read_rows([source], COLUMNS)


@pytest.mark.skipif(os.name != "posix", reason="needs names of bytes")
def test_a_name_that_is_not_text_is_one_row_that_can_be_printed(tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav"))
    for path in (odd, tmp_path / "a.wav"):
        path.write_bytes(b"")
    first, second = read_rows([tmp_path], COLUMNS)
    assert (first.name, second.name, second.path) == ("a.wav", "\\xff.wav", odd)
    assert second.recording == f"{tmp_path}/\\xff.wav"


ROWS = [("a.wav", {"label": "bus", "gain": 0.5}), ("b.wav", {})]


@pytest.mark.parametrize(
    "data",
    [
        b"recording,label,gain\na.wav,bus,0.5\nb.wav,,\n",
        b"recording,label,gain,,\r\na.wav,bus,0.5,,\r\nb.wav,,,,\r\n",
        b"\xef\xbb\xbfrecording;label;gain\r\na.wav;bus;0,5\r\nb.wav;;\r\n",
        b"sep=;\r\nrecording;label;gain\r\na.wav;bus;0.5\r\nb.wav\r\n",
        b'"sep=,"\nrecording,label,gain\na.wav,bus,0.5\nb.wav,,\n',
        b"recording\tlabel\tgain\na.wav\tbus\t0.5\nb.wav\t\t\n",
        b"recording,label,gain\ra.wav,bus,0.5\rb.wav,,\r",
        b"\n,,\n recording , label , gain \na.wav, bus , 0.5\nb.wav ,,\n\n",
        b"recording,,label,gain\na.wav,,bus,0.5\nb.wav,,,\n,,,\n",
        b'"recording";"label";"gain";\n"a.wav";"bus";"0,5";\n"b.wav";"";;\n',
        "recording,label,gain\na.wav,bus,0.5\nb.wav,,\n".encode("utf-16"),
    ],
)
def test_a_table_is_read_however_a_spreadsheet_writes_it(tmp_path, data):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    rows = read_rows([write(tmp_path, data)], COLUMNS)
    assert [(row.name, row.parameters) for row in rows] == ROWS


def test_a_value_under_no_column_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(BatchError, match="line 3: 4 cells under 2 named columns"):
        read_rows([write(tmp_path, "recording,label,,\na.wav,bus,,\na.wav,bus,,x\n")], COLUMNS)


def test_the_lines_of_a_table_with_a_separator_line_are_counted_from_its_top(tmp_path):
    with pytest.raises(BatchError, match="line 3: gone.wav: no such file"):
        read_rows([write(tmp_path, "sep=;\nrecording;label\ngone.wav;bus\n")], COLUMNS)


def test_a_comma_in_a_label_is_no_decimal_point(tmp_path):
    (tmp_path / "1,5").touch()
    (row,) = read_rows([write(tmp_path, 'recording,label\n"1,5","bird, car"\n')], COLUMNS)
    assert (row.name, row.parameters["label"]) == ("1,5", "bird, car")


def test_other_systems_debris_in_a_folder_is_left_out(tmp_path, sound):
    sound("a.wav")
    folder = tmp_path / "sounds"
    (folder / "._a.wav").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + b"\0" * 99)
    (folder / ".b.wav.partial.wav").write_bytes(b"RIFF")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "a.wav.asd", "a.reapeaks"):
        (folder / name).write_bytes(b"x")
    (folder / "__MACOSX").mkdir()
    assert [row.name for row in read_rows([folder], COLUMNS)] == ["a.wav"]
    assert [row.name for row in read_rows([f"{folder}/**/*.wav"], COLUMNS)] == ["a.wav"]


def test_names_with_colons_and_other_marks_are_names(tmp_path, sound):
    names = ["take-12:30:05.wav", "http:a?x.wav", "100% [new].wav", " a .wav"]
    for name in names:
        sound(name)
    assert [row.name for row in read_rows([tmp_path / "sounds"], COLUMNS)] == sorted(names)
    assert read_rows([tmp_path / "sounds" / "100% [new].wav"], COLUMNS)[0].name == "100% [new].wav"
