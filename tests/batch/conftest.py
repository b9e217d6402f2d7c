"""Recordings and a notebook that are made in no time, for tests of what happens around them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from spa2v_lib.audio.recording import Recording

PARAMETERS = 'RECORDING = ""\nLABEL = ""\nSEED = 0\nOUT = ""'
# Seeds from 990 on are for what goes wrong.
CELLS = (
    "from pathlib import Path\n"
    "from spa2v_lib.audio import read_audio\n"
    "sound = read_audio(RECORDING)",
    "import os, signal, time\n"
    "if SEED == 990: raise ValueError('no such <b>luck</b>')\n"
    "if SEED == 991: os.kill(os.getpid(), signal.SIGKILL)\n"
    "if SEED == 992: time.sleep(600)\n"
    "if SEED == 993: time.sleep(1.5)",
    "import json\n"
    "from spa2v_lib.runs.record import VERSION, file_hash\n"
    "run = Path(OUT)\n"
    "run.mkdir()\n"
    "plan = {'caption': f'a {LABEL or None} & seed {SEED}'}\n"
    "(run / 'layout.json').write_text(json.dumps(plan))\n"
    "given = {'sha256': file_hash(Path(RECORDING)), 'duration_s': sound.duration_s}\n"
    "record = {'version': VERSION, 'input': given, 'frames': {'sha256': f'{SEED:064x}'}}\n"
    "(run / 'run.json').write_text(json.dumps(record))",
)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Return a notebook that reads its recording and makes a run folder without a video."""
    told = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    path = tmp_path / "quick.ipynb"
    nbformat.write(new_notebook(cells=[told, *map(new_code_cell, CELLS)]), path)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a short recording under a name of your choice."""
    folder = tmp_path / "sounds"
    folder.mkdir()

    def make(name: str, seed: int = 0) -> Path:
        noise = 0.1 * np.random.default_rng(seed).standard_normal((2, 4000))
        return Recording.from_samples(noise, 8000).save(folder / name)

    return make


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[Iterable[dict]], Path]:
    """Return a function that writes a manifest."""

    def write(rows: Iterable[dict], name: str = "manifest.csv") -> Path:
        rows = list(rows)
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / name

    return write
