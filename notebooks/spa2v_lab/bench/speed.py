"""How fast and how large: import, hearing, and a whole run.

Times are wall time on this machine, with whatever else it is doing; `environment` in the results
says how many cores there are. Every process is a fresh one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.frame import Goal, Progress, Results, Row, interval
from spa2v_lib.errors import Spa2vError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["HEAVY", "GOALS", "import_seconds", "measured_process", "run"]

HEAVY = ("torch", "diffusers", "transformers")
"""Libraries that `import spa2v_lib` must not load."""

GOALS = {
    "import spa2v_lib, seconds": ("<=", 0.5),
    "heavy libraries loaded by import spa2v_lib": ("<=", 0),
    "cue extraction, times real time": (">=", 20),
    "generate 4 s with preset tiny, seconds": ("<=", 90),
    "generate 4 s with preset tiny, GB of memory": ("<=", 3),
}
"""What was asked for: relation and bound, by name."""

_RATE = 48_000
_IMPORT = (
    "import json, sys, time; begin = time.perf_counter(); import spa2v_lib; "
    "print(json.dumps([time.perf_counter() - begin, "
    f"[name for name in {HEAVY!r} if name in sys.modules]]))"
)
# A small process of its own starts and waits for the measured one: the peak that the system
# reports for children also counts what a forking parent held at that moment.
_LAUNCH = (
    "import json, resource, subprocess, sys; "
    "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
    "print(json.dumps([done.returncode, peak, done.stderr[-2000:]]))"
)


def run(*, quick: bool, seed: int, progress: Progress) -> Results:
    """Measure import, hearing and a run of four seconds.

    Parameters
    ----------
    quick : bool
        Repeat less often.
    seed : int
        Of the generated sound and of the video.
    progress : callable
        Called with what is measured, the steps done and the steps in all.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print).goals  # doctest: +SKIP
    """
    progress("import", 0, 3)
    imports = [import_seconds() for _ in range(3 if quick else 7)]
    progress("hearing", 1, 3)
    factors = _hearing_factors(seed, repetitions=3 if quick else 10)
    progress("run", 2, 3)
    runs, notes = _timed_runs(seed, repetitions=1 if quick else 3)
    progress("run", 3, 3)
    seconds = [took for took, _ in imports]
    values = {
        "import spa2v_lib, seconds": seconds,
        "heavy libraries loaded by import spa2v_lib": [float(len(heavy)) for _, heavy in imports],
        "cue extraction, times real time": factors,
        "generate 4 s with preset tiny, seconds": [took for took, _ in runs],
        "generate 4 s with preset tiny, GB of memory": [peak for _, peak in runs],
    }
    rows = [
        Row("spa2v", name, len(measured), {"value": interval(measured, seed)})
        for name, measured in values.items()
    ]
    goals = [
        Goal(name, relation, bound, _typical(values[name]))
        for name, (relation, bound) in GOALS.items()
    ]
    return Results("speed", rows, goals, notes)


def import_seconds() -> tuple[float, list[str]]:
    """Return how long a fresh interpreter takes to import the library, and what heavy it loads.

    See Also
    --------
    measured_process : of any command

    Examples
    --------
    >>> seconds, heavy = import_seconds()  # doctest: +SKIP
    """
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True)
    if done.returncode:
        raise Spa2vError(f"spa2v_lib cannot be imported: {done.stderr.strip()[-300:]}")
    seconds, heavy = json.loads(done.stdout)
    return seconds, heavy


def measured_process(command: list[str]) -> tuple[float, float]:
    """Run a command to its end.

    Returns
    -------
    seconds, gigabytes : float
        Wall time including start, and the peak of its resident memory.

    Raises
    ------
    Spa2vError
        If it fails; the message ends with what it said.

    See Also
    --------
    import_seconds : of the library

    Examples
    --------
    >>> import sys
    >>> seconds, gigabytes = measured_process([sys.executable, "-c", "pass"])
    >>> gigabytes < 1.0
    True
    """
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _LAUNCH, *command], capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise Spa2vError(f"no process can be measured here: {done.stderr.strip()[-300:]}")
    code, peak, said = json.loads(done.stdout)
    if code:
        raise Spa2vError(f"{' '.join(command[1:4])} failed with code {code}: {said.strip()[-500:]}")
    unit = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, KiB elsewhere
    return seconds, peak * unit / 1e9


def _typical(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _hearing_factors(seed: int, repetitions: int) -> list[float]:
    """Return seconds of sound per second of work, for ten seconds of stereo at 48 kHz."""
    from spa2v_lib.cues import extract_cues

    recording = _passing_noise(10.0, seed)
    extract_cues(recording, label="car")  # libraries load on the first call
    factors = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        extract_cues(recording)
        factors.append(recording.duration_s / (time.perf_counter() - begin))
    return factors


def _timed_runs(seed: int, repetitions: int) -> tuple[list[tuple[float, float]], list[str]]:
    """Return seconds and gigabytes of ``spa2v generate`` on four seconds, or why it failed."""
    runs = []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            audio = _passing_noise(4.0, seed).save(Path(folder) / "passing.wav")
            command = [sys.executable, "-m", "spa2v_lib.cli", "generate", str(audio)]
            options = ["--out", str(Path(folder) / "run"), "--label", "car", "--seed", str(seed)]
            try:
                runs.append(measured_process([*command, *options]))
            except Spa2vError as error:
                return [], [str(error)]
    return runs, []


def _passing_noise(seconds: float, seed: int) -> Recording:
    """Return noise that is panned from left to right."""
    from spa2v_lib.audio.recording import Recording

    rng = np.random.default_rng(seed)
    count = round(seconds * _RATE)
    noise = 0.1 * rng.standard_normal(count)
    angle = np.linspace(0.1, np.pi / 2 - 0.1, count)
    return Recording.from_samples(np.stack([noise * np.cos(angle), noise * np.sin(angle)]), _RATE)
