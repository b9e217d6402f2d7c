"""The cost of analysis: how fast it is on one core, and the memory that an hour of sound takes."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spa2v_lab.bench.frame import Row, interval
from spa2v_lab.bench.processes import measured_process, printed
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.runs import StageProgress

__all__ = [
    "FACTOR",
    "PEAK",
    "cost_rows",
    "real_time_factors",
    "scene_of",
    "write_long_sound",
]

FACTOR = "times real time"
PEAK = "peak MB"
_RATE = 48_000
_SECONDS = 10.0
_SOURCES = (  # recording and azimuth
    ("helicopter_01.flac", -45.0),
    ("train_diesel_01.flac", 0.0),
    ("ambience_applause_01.flac", 45.0),
)
_ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
}
_HEAR_FILE = (
    "import sys; from spa2v_lib.audio import read_audio; from spa2v_lib.cues import extract_cues; "
    "extract_cues(read_audio(sys.argv[1]), capture='xy')"
)


def cost_rows(*, quick: bool, seed: int, progress: StageProgress) -> tuple[list[Row], list[str]]:
    """Return a row for the speed with one and with three sources, and one for the memory.

    Parameters
    ----------
    quick : bool
        Ten minutes of sound in place of an hour, and fewer repetitions.
    seed : int
        Of the scenes' noise.
    progress : callable
        Called with "cost", the steps done and the steps in all.

    Returns
    -------
    rows : list of Row
    notes : list of str
        Why something could not be measured.

    See Also
    --------
    real_time_factors : of one number of sources

    Examples
    --------
    >>> rows, notes = cost_rows(quick=True, seed=0, progress=print)  # doctest: +SKIP
    """
    rows, notes = [], []
    minutes = 10 if quick else 60
    for step, count in enumerate((1, 3)):
        progress("cost", step, 3)
        name = f"{count} source{'s'[: count > 1]}, 48 kHz, one core"
        try:
            factors, scores = real_time_factors(count, 3 if quick else 7, seed)
        except Spa2vError as error:
            factors, scores, notes = [], 0, [*notes, f"{name}: {error}"]
        if factors and scores != count:
            notes.append(f"{name}: {scores} found, so that the time is that of {scores}")
        rows.append(Row("spa2v", name, len(factors), {FACTOR: interval(factors, seed)}))
    progress("cost", 2, 3)
    peaks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_long_sound(Path(folder) / "long.flac", 60.0 * minutes, seed)
        try:
            gigabytes = measured_process([sys.executable, "-c", _HEAR_FILE, str(path)]).gigabytes
            peaks = [1e3 * gigabytes]
        except Spa2vError as error:
            notes.append(f"{minutes} minutes: {error}")
    rows.append(Row("spa2v", f"{minutes} minutes", len(peaks), {PEAK: interval(peaks, seed)}))
    progress("cost", 3, 3)
    return rows, notes


def real_time_factors(sources: int, repetitions: int, seed: int) -> tuple[list[float], int]:
    """Measure in a fresh process that is held to one thread.

    Returns
    -------
    factors : list of float
        Seconds of sound per second of the processor's time, once a repetition, after a first call
        that loads libraries.
    scores : int
        Sources that were found.

    Raises
    ------
    Spa2vError
        If the process fails; the message ends with what it said.

    See Also
    --------
    cost_rows : with intervals

    Examples
    --------
    >>> factors, detected = real_time_factors(1, repetitions=3, seed=0)  # doctest: +SKIP
    """
    code = (
        "from spa2v_lab.bench.hearing_cost import _print_factors; "
        f"_print_factors({sources}, {repetitions}, {seed})"
    )
    found = printed(code, failure="hearing cannot be timed", **_ONE_THREAD)
    factors, scores = json.loads(found)
    return factors, scores


def _print_factors(sources: int, repetitions: int, seed: int) -> None:
    from spa2v_lab.scenes.sound import render_sound
    from spa2v_lib.cues import extract_cues

    recording = render_sound(scene_of(sources, seed), _RATE)
    factors = []
    for _ in range(repetitions + 1):
        begin = time.process_time()
        cues = extract_cues(recording, capture="xy")
        factors.append(recording.duration_s / (time.process_time() - begin))
    print(json.dumps([factors[1:], len(cues.sources)]))


def scene_of(sources: int, seed: int) -> Scene:
    """Return ten seconds outdoors with one, two or three sources on an XY pair.

    See Also
    --------
    write_long_sound : an hour of such scenes

    Examples
    --------
    >>> [obj.label for obj in scene_of(2, seed=0).objects]
    ['helicopter', 'train']
    """
    objects = tuple(
        WorldObject(
            label=file.split("_")[0],
            style="noto",
            path=StraightPath((4.0 * float(np.tan(np.radians(azimuth))), 4.0)),
            motion="stationary",
            width_m=1.0,
            height_m=1.0,
            base_m=1.0,
            recording=file,
        )
        for file, azimuth in _SOURCES[:sources]
    )
    camera = Camera(fov_deg=90.0, aspect=1.0, height_m=1.5, pitch_deg=0.0)
    return Scene(objects, "meadow", camera, _SECONDS, seed, noise_db=-20.0)


def write_long_sound(path: Path, seconds: float, seed: int) -> Path:
    """Write one-source sound of that length, block by block, and return the path.

    Scenes take turns with their mirror images and with fresh noise, so that no two blocks are
    alike.

    See Also
    --------
    scene_of : what it is made of

    Examples
    --------
    >>> write_long_sound(Path("long.flac"), 20.0, seed=0).name  # doctest: +SKIP
    """
    import soundfile

    from spa2v_lab.scenes.sound import render_sound

    block = 0.5 * render_sound(scene_of(1, seed), _RATE).samples.T
    rng = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", _RATE, 2, subtype="PCM_16") as file:
        for number in range(round(seconds / _SECONDS)):
            turned = block[:, ::-1] if number % 2 else block
            file.write(turned + 0.003 * rng.standard_normal(block.shape, dtype=np.float32))
    return path
