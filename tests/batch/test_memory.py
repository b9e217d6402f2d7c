"""Two hundred recordings, one after the other in one process, without its memory growing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording

CLIPS = int(os.environ.get("SPA2V_CLIPS", "200"))
SETTLED = 20

_BATCH = """
import json, sys
import psutil
from spa2v_lib.batch import run_batch
sizes = []
look = lambda stand: sizes.append(psutil.Process().memory_info().rss)
summary = run_batch([sys.argv[1]], sys.argv[2], label="car", steps=2, progress=look)
print(json.dumps([summary.failed, sizes]))
"""


@pytest.mark.slow
def test_two_hundred_clips_in_one_process_do_not_make_it_grow(tmp_path):
    (tmp_path / "sounds").mkdir()
    for number in range(CLIPS):
        noise = 0.1 * np.random.default_rng(number).standard_normal((2, 4000))
        noise[number % 2] *= 0.4
        Recording.from_samples(noise, 16_000).save(tmp_path / "sounds" / f"{number:03d}.wav")
    command = [sys.executable, "-c", _BATCH, str(tmp_path / "sounds"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    failed, sizes = json.loads(done.stdout)
    assert failed == 0 and len(sizes) == CLIPS
    early, late = median(sizes[SETTLED - 3 : SETTLED + 2]), median(sizes[-5:])
    assert late <= 1.05 * early, f"{early / 1e6:.0f} MB grew to {late / 1e6:.0f} MB"
