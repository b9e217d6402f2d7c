"""Long recordings are streamed: memory does not grow with their samples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 48_000
_HEAR = """
import resource, sys
from spa2v_lib.audio import read_audio
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.segments import split_scenes
recording = read_audio(sys.argv[1])
assert split_scenes(recording)
assert extract_cues(recording, label="car", capture="xy").sources
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def long_file(path: Path, minutes: int) -> Path:
    """Write noise that wanders between the channels, in bursts."""
    rng = np.random.default_rng(0)
    time = np.arange(60 * RATE) / RATE
    swell = 0.05 * (1.1 + np.sin(2.0 * np.pi * time / 3.0))
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as stream:
        for minute in range(minutes):
            angle = np.radians(45.0 + 20.0 * np.sin(2.0 * np.pi * (time / 60.0 + minute) / 5.0))
            mono = swell * rng.normal(size=len(time))
            stream.write(np.column_stack([np.cos(angle) * mono, np.sin(angle) * mono]))
    return path


def peak_mb(path: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _HEAR, str(path)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory has other units elsewhere")
def test_ten_minutes_take_little_more_memory_than_one(tmp_path: Path) -> None:
    short, long = (peak_mb(long_file(tmp_path / f"{k}.wav", k)) for k in (1, 10))
    held = 9 * 60 * RATE * 2 * 4 / 2**20  # what the further samples would take
    assert long - short < 0.3 * held
