"""Any file that FFmpeg decodes is read as FFmpeg decodes it, or refused with a reason.

200 random files in every test run; ``SPA2V_AUDIO_CASES=2000`` tries as many as it says.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from soundfiles import cut, encode, noise, plain

from spa2v_lib.audio import read_audio
from spa2v_lib.errors import AudioError

CASES = int(os.environ.get("SPA2V_AUDIO_CASES", "200"))
BATCHES = 20

ALL_RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000)
MPEG_RATES = (16_000, 22_050, 32_000, 44_100, 48_000)
LAYOUTS = {"mono": 1, "stereo": 2, "3.0": 3, "5.0": 5, "5.1": 6}
# Ending, codec, rates, layouts, whether sound may begin late beside pictures.
FFMPEG = (
    ("flac", "flac", ALL_RATES, tuple(LAYOUTS), False),
    ("opus", "libopus", (48_000,), tuple(LAYOUTS), False),
    ("mp3", "libmp3lame", MPEG_RATES, ("mono", "stereo"), False),
    ("aac", "aac", MPEG_RATES, tuple(LAYOUTS), False),
    ("mkv", "flac", ALL_RATES, tuple(LAYOUTS), True),
    ("mkv", "libopus", (48_000,), tuple(LAYOUTS), True),
    ("mkv", "aac", MPEG_RATES, tuple(LAYOUTS), True),
    ("mkv", "pcm_s16le", ALL_RATES, ("mono", "stereo"), True),
    ("mp4", "aac", MPEG_RATES, tuple(LAYOUTS), True),
    ("m4a", "aac", MPEG_RATES, tuple(LAYOUTS), False),
)
LIBSNDFILE = (
    ("wav", {"subtype": "PCM_16"}),
    ("wav", {"subtype": "PCM_24"}),
    ("wav", {"subtype": "FLOAT"}),
    ("wav", {"subtype": "PCM_U8"}),
    ("wav", {"format": "WAVEX"}),
    ("wav", {"format": "RF64"}),
    ("flac", {"subtype": "PCM_24"}),
    ("ogg", {"subtype": "VORBIS"}),
)


def a_file(folder: Path, rng: np.random.Generator) -> tuple[Path, dict[str, object]]:
    """Write a random file; return it and what it is."""
    seconds, seed = float(rng.uniform(0.4, 1.6)), int(rng.integers(1000))
    if rng.random() < 0.4:
        ending, form = LIBSNDFILE[rng.integers(len(LIBSNDFILE))]
        rate, channels = int(rng.choice(ALL_RATES)), int(rng.choice([1, 2, 3, 6]))
        case = {"ending": ending, **form, "rate": rate, "channels": channels, "begin_s": 0.0}
        path = plain(folder / f"a.{ending}", noise(seconds, rate, channels, seed), rate, **form)
    else:
        ending, codec, rates, layouts, timed = FFMPEG[rng.integers(len(FFMPEG))]
        rate, layout = int(rng.choice(rates)), str(rng.choice(layouts))
        begin_s = float(rng.uniform(0.2, 1.5)) if timed and rng.random() < 0.3 else 0.0
        case = {"ending": ending, "codec": codec, "rate": rate, "layout": layout}
        case["begin_s"] = begin_s
        path = encode(
            folder / f"a.{ending}",
            noise(seconds, rate, LAYOUTS[layout], seed),
            codec,
            rate=rate,
            layout=layout,
            begin_s=begin_s,
            pictures_s=3.0 if begin_s else 0.0,
        )
    if rng.random() < 0.25:
        case["kept"] = float(rng.uniform(0.3, 1.0))
        cut(path, case["kept"])
    return path, case | {"seconds": seconds}


def by_ffmpeg(path: Path) -> tuple[np.ndarray, int] | None:
    """Decode all that FFmpeg does, float32 [channels, time]; None if nothing."""
    parts, rate = [], 0
    try:
        with av.open(str(path)) as container:
            track = container.streams.audio[0]
            for packet in container.demux(track):
                try:
                    for frame in packet.decode():
                        rate = frame.sample_rate
                        floats = av.AudioResampler("fltp", frame.layout, rate).resample(frame)
                        parts += [part.to_ndarray() for part in floats]
                except av.error.InvalidDataError:
                    continue
    except (av.error.FFmpegError, IndexError):
        pass
    return (np.concatenate(parts, axis=1), rate) if parts else None


def check(path: Path, case: dict[str, object]) -> None:
    expected = by_ffmpeg(path)
    try:
        with warnings.catch_warnings(action="error"):
            recording = read_audio(path)
    except AudioError as error:
        short = expected is None or expected[0].shape[1] < 0.26 * expected[1]
        assert short, f"refused: {error}"
        assert str(error)
        return
    assert expected is not None, "FFmpeg decodes nothing"
    samples, rate = expected
    assert recording.rate == rate and recording.channels == len(samples)
    lead = round(case["begin_s"] * rate)
    got = recording.samples
    silent = got.shape[1] - samples.shape[1]
    # Where the sound begins is stated in milliseconds, or in whole packets.
    # FFmpeg leaves what a Vorbis encoder added at the end; exactly what was written is right, too.
    exact = "kept" not in case and got.shape[1] == round(case["seconds"] * rate)
    assert exact or abs(silent - lead) <= (0.06 * rate + 1024 if lead else 0.01 * rate)
    assert not lead or not got[:, :silent].any()
    got = got[:, silent:] if lead else got
    frames = min(got.shape[1], samples.shape[1])
    for first, second in zip(got[:, :frames], samples[:, :frames], strict=True):
        if np.std(second) > 1e-3:
            assert np.corrcoef(first, second)[0, 1] > 0.99


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_ffmpeg_decodes_is_what_is_read(tmp_path, batch):
    for number in range(batch, CASES, BATCHES):
        path, case = a_file(tmp_path, np.random.default_rng(number))
        try:
            check(path, case)
        except AssertionError as error:
            raise AssertionError(f"case {number}, {case}: {error}") from error
