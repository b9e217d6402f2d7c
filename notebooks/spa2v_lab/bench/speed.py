"""How fast and how large: import, hearing, a whole run, and every chapter of the book.

Times are wall time on this machine, with whatever else it is doing; `environment` in the results
says how many cores there are. Every process is a fresh one. What samples is measured twice, as this
processor computes ("spa2v") and with bfloat16 switched off ("bfloat16 off"), which is how
processors without that unit compute. Of chapters the processor's seconds are noted too: one core,
on which nothing else runs, takes no longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spa2v_lab.bench.frame import Goal, Results, Row, interval
from spa2v_lib.errors import Spa2vError
from spa2v_lib.runs import StageProgress

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "CHAPTERS", "GOALS", "HEAVY", "OFF", "Measured", "import_seconds", "measured_process", "run",
]  # fmt: skip

HEAVY = ("torch", "diffusers", "transformers")
"""Libraries that `import spa2v_lib` must not load."""

OFF = "bfloat16 off"
"""The method whose processes compute as on a processor without bfloat16."""

_VIDEO = "generate 4 s with preset tiny, seconds"
_MEMORY = "generate 4 s with preset tiny, GB of memory"
_REFERENCE = "the same in 25 steps, guided throughout, seconds"
_FIRST = "generate until its first step, seconds"

GOALS = {
    "import spa2v_lib, seconds": ("<=", 0.5),
    "heavy libraries loaded by import spa2v_lib": ("<=", 0),
    "cue extraction, times real time": (">=", 20),
    _VIDEO: ("<=", 10),
    f"{_VIDEO}, {OFF}": ("<=", 25),
    f"generate 4 s over 25 steps guided throughout, {OFF}": ("<=", 0.25),
    _FIRST: ("<=", 6),
    _MEMORY: ("<=", 1),
}
"""What was asked for: relation and bound, by name."""

CHAPTERS = (
    "quickstart", "two_channels", "hearing", "cues_to_layout", "planning_with_a_model", "diffusion",
    "tiny_suite", "training_free", "end_to_end", "measuring_it",
)  # fmt: skip
"""Chapters that run on any computer; what they need is no more than the library brings."""

_NOTEBOOKS = Path(__file__).resolve().parents[2]
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
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(json.dumps([done.returncode, peak, used.ru_utime + used.ru_stime, done.stderr[-2000:]]))"
)
_UNTIL_FIRST_STEP = """
import os, sys, time
from spa2v_lib.cli import app
from spa2v_lib.runs import generate_run

def stop(stage, done, *_):
    if stage == "sample" and done == 0:
        print(time.time() - float(sys.argv[3]), flush=True)
        os._exit(0)

generate_run(sys.argv[1], sys.argv[2], label="car", progress=stop)
"""


def run(*, quick: bool, seed: int, progress: StageProgress) -> Results:
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
    seconds = [took for took, _ in imports]
    values = {
        ("spa2v", "import spa2v_lib, seconds"): seconds,
        ("spa2v", "heavy libraries loaded by import spa2v_lib"): [
            float(len(heavy)) for _, heavy in imports
        ],
        ("spa2v", "cue extraction, times real time"): factors,
    }
    notes = []
    for method, switch in (("spa2v", "auto"), (OFF, "off")):
        try:
            timed = _timed_runs(seed, switch, repetitions=1 if quick else 3)
            chapters = {} if quick else _chapters(switch, progress)
        except Spa2vError as error:
            notes.append(str(error))
            continue
        values |= {(method, name): measured for name, measured in (timed | chapters).items()}
    progress("run", 3, 3)
    rows = [
        Row(method, name, len(measured), {"value": interval(measured, seed)})
        for (method, name), measured in values.items()
    ]
    return Results("speed", rows, _goals(values), notes)


def _goals(values: dict[tuple[str, str], list[float]]) -> list[Goal]:
    typical = {key: float(np.median(measured)) for key, measured in values.items() if measured}
    plain, slow = typical.get((OFF, _VIDEO)), typical.get((OFF, _REFERENCE))
    own = {name: typical.get(("spa2v", name)) for name in GOALS}
    own |= {
        f"{_VIDEO}, {OFF}": plain,
        f"generate 4 s over 25 steps guided throughout, {OFF}": plain and slow and plain / slow,
    }
    return [Goal(name, relation, bound, own[name]) for name, (relation, bound) in GOALS.items()]


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


class Measured(NamedTuple):
    """What a process cost.

    Attributes
    ----------
    seconds : float
        Wall time including start.
    gigabytes : float
        The peak of its resident memory.
    processor_s : float
        Of it and of the processes that it waited for, on all cores together.

    See Also
    --------
    measured_process : measures one

    Examples
    --------
    >>> Measured(2.0, 0.3, 1.5).processor_s
    1.5
    """

    seconds: float
    gigabytes: float
    processor_s: float


def measured_process(command: list[str], **environment: str) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    command : list of str
    **environment
        Variables that it finds beside those of this process.

    Returns
    -------
    Measured

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
    >>> measured_process([sys.executable, "-c", "pass"]).gigabytes < 1.0
    True
    """
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCH, *command],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise Spa2vError(f"no process can be measured here: {done.stderr.strip()[-300:]}")
    code, peak, processor_s, said = json.loads(done.stdout)
    if code:
        raise Spa2vError(f"{' '.join(command[1:4])} failed with code {code}: {said.strip()[-500:]}")
    unit = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, KiB elsewhere
    return Measured(seconds, peak * unit / 1e9, processor_s)


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


def _timed_runs(seed: int, switch: str, repetitions: int) -> dict[str, list[float]]:
    """Measure ``spa2v generate`` on four seconds, with bfloat16 "auto" or "off"."""
    found: dict[str, list[float]] = {name: [] for name in (_FIRST, _VIDEO, _MEMORY, _REFERENCE)}
    slow = ["--steps", "25", "--guidance-start", "0", "--guidance-stop", "1"]
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            audio = _passing_noise(4.0, seed).save(Path(folder) / "passing.wav")
            command = [sys.executable, "-m", "spa2v_lib.cli", "generate", str(audio)]
            options = ["--label", "car", "--seed", str(seed), "--overwrite"]
            options += ["--out", str(Path(folder) / "run")]
            found[_FIRST].append(_until_first_step(audio, Path(folder) / "first", switch))
            usual = measured_process([*command, *options], SPA2V_BFLOAT16=switch)
            found[_VIDEO].append(usual.seconds)
            found[_MEMORY].append(usual.gigabytes)
            reference = measured_process([*command, *options, *slow], SPA2V_BFLOAT16=switch)
            found[_REFERENCE].append(reference.seconds)
    return found


def _until_first_step(audio: Path, out: Path, switch: str) -> float:
    """Return the seconds from the start of a process to its first sampling step."""
    done = subprocess.run(
        [sys.executable, "-c", _UNTIL_FIRST_STEP, str(audio), str(out), str(time.time())],
        capture_output=True,
        text=True,
        env={**os.environ, "SPA2V_BFLOAT16": switch},
    )
    if done.returncode:
        raise Spa2vError(f"no video was begun: {done.stderr.strip()[-300:]}")
    return float(done.stdout.split()[-1])


def _chapters(switch: str, progress: StageProgress) -> dict[str, list[float]]:
    """Execute every chapter, and return its seconds of wall time and of the processor."""
    found: dict[str, list[float]] = {}
    for number, name in enumerate(CHAPTERS):
        progress(f"chapters, bfloat16 {switch}", number, len(CHAPTERS))
        with tempfile.TemporaryDirectory() as folder:
            papermill = [sys.executable, "-m", "papermill", "--no-progress-bar"]
            papermill += ["--cwd", str(_NOTEBOOKS), "--kernel", "python3"]
            files = [str(_NOTEBOOKS / f"{name}.ipynb"), str(Path(folder) / "out.ipynb")]
            cost = measured_process([*papermill, *files], SPA2V_BFLOAT16=switch)
        found[f"chapter {name}, seconds"] = [cost.seconds]
        found[f"chapter {name}, processor seconds"] = [cost.processor_s]
    progress(f"chapters, bfloat16 {switch}", len(CHAPTERS), len(CHAPTERS))
    return found


def _passing_noise(seconds: float, seed: int) -> Recording:
    """Return noise that is panned from left to right."""
    from spa2v_lib.audio.recording import Recording

    rng = np.random.default_rng(seed)
    count = round(seconds * _RATE)
    noise = 0.1 * rng.standard_normal(count)
    angle = np.linspace(0.1, np.pi / 2 - 0.1, count)
    return Recording.from_samples(np.stack([noise * np.cos(angle), noise * np.sin(angle)]), _RATE)
