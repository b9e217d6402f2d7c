"""Damaged and hostile files: an answer or one clear error; no traceback, no hang, no stray file.

Quick tests try some hundred cases and the slow ones 5,000; ``SPA2V_FUZZ=10`` tries ten times as
many.
"""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spa2v_lib.audio import read_audio
from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.batch.tasks import make_tasks
from spa2v_lib.batch.template import Template
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.runs import read_record

MORE = float(os.environ.get("SPA2V_FUZZ", "1"))
LONGEST_S = 10.0  # of processor time, for one case
SHARES = {"sound": 2600, "layout": 1100, "manifest": 1000, "record": 400}
QUICK = 0.04


def cases(kind: str, share: float) -> Callable:
    """Return the settings for a kind of file."""
    return settings(
        max_examples=max(round(SHARES[kind] * share * MORE), 10),
        deadline=None,
        database=None,
        derandomize=share < 1,
        suppress_health_check=list(HealthCheck),
    )


def survives(call: Callable[[Path], object], name: str, data: bytes) -> None:
    """Check that a file gives a result or a `Spa2vError`, soon, and makes no other file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        begin = time.process_time()
        try:
            call(path)
        except Spa2vError as error:
            assert str(error).strip()
        assert time.process_time() - begin < LONGEST_S
        assert list(Path(folder).iterdir()) == [path]


# --- damage --------------------------------------------------------------------------------------

DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "drop", "repeat"]),
        st.one_of(st.integers(0, 64), st.integers(0, 6000)),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"../"]),
        ),
    ),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, damage: list[tuple[str, int, bytes]]) -> bytes:
    """Return the bytes with each damage done, one after the other."""
    for kind, where, what in damage:
        at = where % max(len(data), 1)
        after = {
            "set": what + data[at + len(what) :],
            "cut": b"",
            "insert": what + data[at:],
            "drop": data[at + len(what) :],
            "repeat": data[at : at + 40] * 3 + data[at:],
        }
        data = data[:at] + after[kind]
    return data


# --- sound ---------------------------------------------------------------------------------------

KINDS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "ext.wav": ("WAVEX", "PCM_24"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}


@cache
def good_sound(kind: str) -> bytes:
    samples = 0.1 * np.random.default_rng(0).standard_normal((2000, 2))
    stream = io.BytesIO()
    container, coding = KINDS[kind]
    soundfile.write(stream, samples, 8000, subtype=coding, format=container)
    return stream.getvalue()


def listen(path: Path) -> None:
    recording = read_audio(path, max_seconds=2.0)
    assert recording.rate > 0 and recording.channels > 0 and recording.duration_s < 10
    for block in recording.blocks(0.5):
        assert np.isfinite(block).all()


def hear_damaged(kind: str, damage: list[tuple[str, int, bytes]]) -> None:
    survives(listen, f"sound.{kind}", damaged(good_sound(kind), damage))


def hear_anything(ending: str, data: bytes) -> None:
    survives(listen, f"sound.{ending}", data)


# --- layouts, manifests, records -----------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
EXTREME = st.sampled_from([-1, 0, 1e308, 1e12, -1e-308, float("nan"), float("inf"), 2**80, "", []])


def good_layout() -> dict:
    box = Box(x0=0.25, y0=0.5, x1=0.75, y1=0.75)
    return VideoSceneLayout(
        reasoning="why",
        caption="a car",
        frame_captions=["a car", "a car"],
        key_times_s=[0.0, 0.875],
        objects=[SceneObject(id="car", label="car", caption="a car", boxes=[box, None])],
        duration_s=1.0,
    ).model_dump(mode="json")


GOOD_RECORD = {
    "version": "spa2v.run/1",
    "input": {"name": "a.wav", "sha256": "0"},
    "parameters": {"seed": 1, "preset": "tiny"},
    "seed": 1,
    "frames": {"sha256": "0"},
    "weights": {},
    "environment": {"packages": {}},
    "files": {"../../x": {"bytes": 1}},
}


def changed(content: object, choices: list[int], value: object) -> object:
    """Return JSON with one value, found by following `choices` down, replaced."""
    if not choices or not isinstance(content, (dict, list)) or not content:
        return value
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = keys[choices[0] % len(keys)]
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[key] = changed(content[key], choices[1:], value)
    return copy


PLACES = st.lists(st.integers(0, 12), min_size=1, max_size=4)


def look_at_layout(path: Path) -> None:
    layout = VideoSceneLayout.load(path)
    layout.boxes_at(0.0)
    layout.to_json()


TEMPLATE = Template("quick", "", {"RECORDING": "", "LABEL": "", "SEED": 0, "OUT": ""})


def look_at_manifest(path: Path) -> None:
    columns = {**TEMPLATE.columns, "gain": 1.0, "loud": False}
    rows = read_rows([path], columns)
    for task in make_tasks(path.parent / "out", rows, TEMPLATE, {}):
        assert re.fullmatch(r"[a-z0-9-]{10,51}", task.name)


CELLS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["list.csv", "../list.csv", "/etc/passwd", "/dev/zero", "\0", '"', "7", "=1+1"]
    ),
)


def manifest_text(header: list[str], rows: list[list[str]], quote: str) -> bytes:
    lines = [",".join(header), *(",".join(f"{quote}{cell}{quote}" for cell in r) for r in rows)]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


# --- the tests: quick, and slow with 5,000 cases in all ------------------------------------------

SHARE = pytest.mark.parametrize(
    "share", [QUICK, pytest.param(1.0, marks=pytest.mark.slow)], ids=["quick", "whole"]
)


@SHARE
def test_sound_files_that_are_damaged(share):
    @cases("sound", share)
    @given(st.sampled_from(sorted(KINDS)), DAMAGE)
    def damage(kind, harm):
        hear_damaged(kind, harm)

    damage()


@SHARE
def test_files_that_only_look_like_sound(share):
    heads = [b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"FORM", b"\0\0\0\x20ftyp", b""]
    endings = ["wav", "flac", "ogg", "mp3", "aiff", "mp4", "mkv", "txt"]

    @cases("sound", share / 10)
    @given(st.sampled_from(endings), st.sampled_from(heads), st.binary(max_size=400))
    def pretend(ending, head, rest):
        hear_anything(ending, head + rest)

    pretend()


@SHARE
def test_layouts_with_any_value_anywhere(share):
    @cases("layout", share)
    @given(PLACES, JSON | EXTREME, DAMAGE | st.none())
    def change(places, value, harm):
        text = json.dumps(changed(good_layout(), places, value)).encode()
        survives(look_at_layout, "layout.json", damaged(text, harm) if harm else text)

    change()


@SHARE
def test_manifests_of_any_cells(share):
    columns = st.sampled_from(["recording", "label", "seed", "name", "gain", "loud", "x", ""])

    @cases("manifest", share)
    @given(
        st.lists(columns, max_size=5).map(lambda names: ["recording", *names]),
        st.lists(st.lists(CELLS, max_size=6), max_size=6),
        st.sampled_from(["", '"']),
        DAMAGE | st.none(),
    )
    def write(header, rows, quote, harm):
        data = manifest_text(header, rows, quote)
        survives(look_at_manifest, "list.csv", damaged(data, harm) if harm else data)

    write()


@SHARE
def test_records_of_runs_with_any_value_anywhere(share):
    @cases("record", share)
    @given(PLACES, JSON | EXTREME)
    def change(places, value):
        text = json.dumps(changed(GOOD_RECORD, places, value)).encode()
        survives(lambda path: read_record(path.parent), "run.json", text)

    change()
