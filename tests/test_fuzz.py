"""Damaged and hostile files: an answer or one clear error; no traceback, no hang, no stray file.

Quick tests try some hundred cases and the slow ones 6,000, the same each time, so that a check
fails for a change and never by chance; ``SPA2V_FUZZ=10`` tries ten times as many, and new ones.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spa2v_lib import cli
from spa2v_lib.audio import read_audio
from spa2v_lib.batch.manifest import read_rows
from spa2v_lib.batch.tasks import Template, make_tasks
from spa2v_lib.cues import extract_cues
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.planning import plan
from spa2v_lib.runs import read_record

MORE = float(os.environ.get("SPA2V_FUZZ", "1"))
LONGEST_S = 10.0  # of processor time, for one case
HUNG_S = 60.0  # of wall time: what waits takes no processor time
SHARES = {
    "sound": 2000,
    "pretended": 260,
    "planned": 1000,
    "extreme": 300,
    "commanded": 600,
    "layout": 1000,
    "manifest": 900,
    "record": 400,
}
QUICK = 0.04
tried: Counter[str] = Counter()


def cases(kind: str, share: float) -> Callable:
    """Return the settings for a kind of file."""
    return settings(
        max_examples=max(round(SHARES[kind] * share * MORE), 10),
        deadline=None,
        database=None,
        derandomize=MORE == 1,
        suppress_health_check=list(HealthCheck),
    )


def fuzz(kind: str, share: float, *strategies: st.SearchStrategy) -> Callable:
    """Run the decorated function at once, on as many cases as the kind is to have."""

    def run(test: Callable) -> None:
        tried[kind] = 0
        chosen = cases(kind, share)
        chosen(given(*strategies)(test))()
        assert tried[kind] >= chosen.max_examples, "hypothesis gave up early"

    return run


def survives(kind: str, call: Callable[[Path], object], name: str, data: bytes) -> None:
    """Check that a file gives a result or a `Spa2vError`, soon, and makes no other file."""
    tried[kind] += 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in" / name
        path.parent.mkdir()
        path.write_bytes(data)
        begin = time.process_time()
        try:
            with not_hanging(), warnings.catch_warnings(action="error"):  # they reach the user
                call(path)
        except Spa2vError as error:
            assert str(error).strip()
        assert time.process_time() - begin < LONGEST_S
        assert set(Path(folder).rglob("*")) == {path.parent, path}
        assert path.read_bytes() == data


@contextmanager
def not_hanging() -> Iterator[None]:
    """Fail where the block takes too long, on systems that have alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"hangs: {HUNG_S:g} s"))
    signal.setitimer(signal.ITIMER_REAL, HUNG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


LABELS = st.sampled_from([None, "car", "bird, car", "unicorn", ""])
NAMES = st.sampled_from(
    [
        "sound",
        "[red]it's \"&<b>[bold {x} $y %s",
        "two\nlines",
        "🎺🏽‍🚀\u202eback\u2028",
        "..",
        "x" * 200,
    ]
)


def sound_of(values: list[float], noise: float) -> bytes:
    """Return a file of these samples, over and over, with noise beside them."""
    samples = np.resize(np.array(values, np.float32), (2000, 2))
    added = noise * np.random.default_rng(0).standard_normal((2000, 2))
    with np.errstate(all="ignore"):
        samples = (samples + added).astype(np.float32)
    stream = io.BytesIO()
    soundfile.write(stream, samples, 8000, subtype="FLOAT", format="WAV")
    return stream.getvalue()


def make_plan(path: Path, label: str | None) -> None:
    """Go on from the sound to its cues and its layout, and look at both."""
    recording = read_audio(path, max_seconds=2.0)
    cues = extract_cues(recording, label=label)
    assert all(len(source.azimuth_deg) == len(cues.times_s) for source in cues.sources)
    layout = plan(recording, cues)
    assert abs(layout.duration_s - recording.duration_s) < 0.2


def command(path: Path, name: str, *options: str) -> None:
    """Give the file to a command: JSON and code 0, or one line of error and code 2."""
    said, failed = io.StringIO(), io.StringIO()
    told = ["spa2v", name, str(path), "--json", *options]
    with (
        patch.object(sys, "argv", told),
        patch("signal.signal"),
        redirect_stdout(said),
        redirect_stderr(failed),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    if ended.value.code:
        assert ended.value.code == 2 and said.getvalue() == ""
        assert re.fullmatch(r"Error: [^\n]+\n", failed.getvalue())
    else:
        assert json.loads(said.getvalue()) and failed.getvalue() == ""


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


# --- the tests: quick, and slow with 6,000 cases in all ------------------------------------------

SHARE = pytest.mark.parametrize(
    "share", [QUICK, pytest.param(1.0, marks=pytest.mark.slow)], ids=["quick", "whole"]
)


def test_there_are_five_thousand_cases() -> None:
    assert sum(SHARES.values()) >= 5000


@SHARE
def test_sound_files_that_are_damaged(share):
    @fuzz("sound", share, st.sampled_from(sorted(KINDS)), DAMAGE)
    def _(kind, harm):
        survives("sound", listen, f"sound.{kind}", damaged(good_sound(kind), harm))


@SHARE
def test_files_that_only_look_like_sound(share):
    heads = [b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"FORM", b"\0\0\0\x20ftyp", b""]
    endings = ["wav", "flac", "ogg", "mp3", "aiff", "mp4", "mkv", "txt"]
    told = st.sampled_from(endings), st.sampled_from(heads), st.binary(max_size=400)

    @fuzz("pretended", share, *told)
    def _(ending, head, rest):
        survives("pretended", listen, f"sound.{ending}", head + rest)


@SHARE
def test_damaged_sound_goes_on_to_cues_and_a_plan(share):
    @fuzz("planned", share, st.sampled_from(sorted(KINDS)), DAMAGE, LABELS)
    def _(kind, harm, label):
        data = damaged(good_sound(kind), harm)
        survives("planned", lambda path: make_plan(path, label), f"sound.{kind}", data)


@SHARE
def test_sound_of_any_numbers_goes_on_to_cues_and_a_plan(share):
    values = st.lists(st.floats(width=32) | st.floats(-1, 1, width=32), min_size=1, max_size=40)
    noise = st.sampled_from([0.0, 1e-30, 1e-6, 0.1, 1.0, 1e5, 2e8, 1e20])

    @fuzz("extreme", share, values, noise, LABELS)
    def _(values, noise, label):
        data = sound_of(values, noise)
        survives("extreme", lambda path: make_plan(path, label), "sound.wav", data)


@SHARE
def test_damaged_sound_with_hostile_names_on_the_command_line(share):
    asked = st.sampled_from([("cues",), ("cues", "--clips"), ("plan",), ("plan", "--label", "car")])

    @fuzz("commanded", share, st.sampled_from(sorted(KINDS)), DAMAGE | st.just([]), NAMES, asked)
    def _(kind, harm, name, told):
        data = damaged(good_sound(kind), harm)
        survives("commanded", lambda path: command(path, *told), f"{name}.{kind}", data)


@SHARE
def test_layouts_with_any_value_anywhere(share):
    @fuzz("layout", share, PLACES, JSON | EXTREME, DAMAGE | st.none())
    def _(places, value, harm):
        text = json.dumps(changed(good_layout(), places, value)).encode()
        survives("layout", look_at_layout, "layout.json", damaged(text, harm or []))


@SHARE
def test_manifests_of_any_cells(share):
    columns = st.sampled_from(["recording", "label", "seed", "name", "gain", "loud", "x", ""])
    header = st.lists(columns, max_size=5).map(lambda names: ["recording", *names])
    rows = st.lists(st.lists(CELLS, max_size=6), max_size=6)

    @fuzz("manifest", share, header, rows, st.sampled_from(["", '"']), DAMAGE | st.none())
    def _(header, rows, quote, harm):
        data = manifest_text(header, rows, quote)
        survives("manifest", look_at_manifest, "list.csv", damaged(data, harm or []))


@SHARE
def test_records_of_runs_with_any_value_anywhere(share):
    @fuzz("record", share, PLACES, JSON | EXTREME)
    def _(places, value):
        text = json.dumps(changed(GOOD_RECORD, places, value)).encode()
        survives("record", lambda path: read_record(path.parent), "run.json", text)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs alarms")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: 1 / 0, "division"),
        (lambda path: (path.parent.parent / "stray").touch(), "stray"),
        (lambda path: path.write_text("other"), "other"),
        (lambda path: time.sleep(5), "hangs"),
    ],
)
def test_a_traceback_a_stray_file_and_a_hang_would_be_noticed(call, words, monkeypatch):
    monkeypatch.setitem(globals(), "HUNG_S", 0.2)
    with pytest.raises((Exception, pytest.fail.Exception), match=words):
        survives("sound", call, "a.wav", b"whole")
