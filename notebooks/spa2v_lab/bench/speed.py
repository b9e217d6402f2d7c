"""How fast and how large: import, hearing, a whole run, the demo and every chapter of the book.

Times are wall time on this machine, with whatever else it is doing; `environment` in the results
says how many cores there are. Every process is a fresh one. What samples is measured as a processor
without bfloat16 computes, and, where this one has a unit for that, with it. Of chapters, the demo
and the start the processor's seconds are noted too, on all cores together.

What is measured is kept after every process, so that an interrupted run goes on. It takes about a
quarter of an hour on two cores without bfloat16. `spa2v_lab.bench.times` reads the results for the
book and the README.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lab.bench.frame import Goal, Results, Row, interval
from spa2v_lab.bench.processes import measured_process, printed
from spa2v_lab.bench.raw import RAW, RawResults
from spa2v_lib.errors import Spa2vError
from spa2v_lib.runs import StageProgress

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "CHAPTERS", "FIRST", "GOALS", "HEAVY", "MEMORY", "OFF", "ON", "REFERENCE", "DEMO", "VIDEO",
    "import_seconds", "passing_noise", "run",
]  # fmt: skip

HEAVY = ("torch", "diffusers", "transformers")
"""Libraries that `import spa2v_lib` must not load."""

ON, OFF = "with bfloat16", "without bfloat16"
"""The methods of rows that sample – how the processor computes."""

VIDEO = "generate 4 s with preset tiny, seconds"
MEMORY = "generate 4 s with preset tiny, GB of memory"
REFERENCE = "the same in 25 steps, guided throughout, seconds"
FIRST = "generate until its first step, seconds"
_FIRST_PROCESSOR = "generate until its first step, processor seconds"
DEMO = "demo of three videos, seconds"
_DEMO_PROCESSOR = "demo of three videos, processor seconds"

GOALS = {
    "import spa2v_lib, seconds": ("<=", 0.5),
    "heavy libraries loaded by import spa2v_lib": ("<=", 0),
    "cue extraction, times real time": (">=", 20),
    f"{VIDEO}, {ON}": ("<=", 10),
    f"{VIDEO}, {OFF}": ("<=", 25),
    f"generate 4 s over 25 steps guided throughout, {OFF}": ("<=", 0.25),
    _FIRST_PROCESSOR: ("<=", 6),
    MEMORY: ("<=", 1),
    f"{DEMO}, {OFF}": ("<=", 300),
}
"""What was asked for – relation and bound, by name."""

CHAPTERS = (
    "quickstart", "two_channels", "hearing", "in_the_wild", "cues_to_layout",
    "planning_with_a_model", "diffusion", "tiny_suite", "training_free", "end_to_end",
    "measuring_it", "lab_attention", "lab_camera", "lab_delay", "lab_metric", "lab_two_sources",
)  # fmt: skip
"""Notebooks that run on any computer, with what the library brings."""

_NOTEBOOKS = Path(__file__).resolve().parents[2]
_RATE = 48_000
_IMPORT = (
    "import json, sys, time; begin = time.perf_counter(); import spa2v_lib; "
    "print(json.dumps([time.perf_counter() - begin, "
    f"[name for name in {HEAVY!r} if name in sys.modules]]))"
)
_UNTIL_FIRST_STEP = """
import os, sys, time
from spa2v_lib.cli import app
from spa2v_lib.runs import generate_run

def stop(stage, done, *_):
    if stage == "sample" and done == 0:
        used = os.times()
        own = used.user + used.system + used.children_user + used.children_system
        print(time.time() - float(sys.argv[3]), own, flush=True)
        os._exit(0)

generate_run(sys.argv[1], sys.argv[2], label="car", progress=stop)
"""

Values = dict[tuple[str, str], list[float]]  # by method and name


def run(
    *, quick: bool, seed: int, progress: StageProgress, out: Path, overwrite: bool = False
) -> Results:
    """Measure what is not measured yet.

    Parameters
    ----------
    quick : bool
        Repeat less often, and leave out the demo and the chapters.
    seed : int
        Of the generated sound and of the video.
    progress : callable
        Called with what is measured, the steps done and the steps in all.
    out : Path
        Folder that keeps what is measured.
    overwrite : bool
        Begin anew where it was measured with other code, weights or settings.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print, out=Path("out")).goals  # doctest: +SKIP
    """
    from spa2v_lib.runs.record import code_hash, weights_of
    from spa2v_lib.runs.settings import Settings
    from spa2v_lib.sampling.loading import bfloat16_is_native

    asked = {"quick": quick, "seed": seed, "code": code_hash(), "weights": weights_of(Settings())}
    kept = RawResults(out / RAW, asked, overwrite=overwrite)
    methods = (OFF, ON) if bfloat16_is_native() else (OFF,)
    tasks = _tasks(methods, quick=quick, seed=seed)
    notes = [] if ON in methods else ["this processor has no unit for bfloat16, or it is off"]
    for done, (name, measure) in enumerate(tasks.items()):
        progress(name, done, len(tasks))
        part = kept.part("measured")
        if name not in part:
            try:
                kept.put(part, name, [[*key, values] for key, values in measure().items()])
            except Spa2vError as error:
                notes.append(str(error))
    progress("all", len(tasks), len(tasks))
    values: Values = {}
    for items in kept.part("measured").values():
        for method, name, found in items:
            values.setdefault((method, name), []).extend(found)
    rows = [
        Row(method, name, len(found), {"value": interval(found, seed)})
        for (method, name), found in values.items()
    ]
    return Results("speed", rows, _goals(values), notes)


def _tasks(methods: tuple[str, ...], *, quick: bool, seed: int) -> dict[str, Callable[[], Values]]:
    """Return what is to be measured, each as one item that is kept."""
    tasks: dict[str, Callable[[], Values]] = {
        "import": lambda: _imports(3 if quick else 7),
        "hearing": lambda: {
            ("spa2v", "cue extraction, times real time"): _hearing_factors(seed, 3 if quick else 10)
        },
    }
    for method in methods:
        for repetition in range(1 if quick else 3):
            name = f"run {repetition + 1}, {method}"
            tasks[name] = partial(_timed_run, seed, method, reference=repetition == 0)
        if quick:
            continue
        tasks[f"demo, {method}"] = partial(_demo, method)
        for chapter in CHAPTERS:
            tasks[f"chapter {chapter}, {method}"] = partial(_chapter, chapter, method)
    return tasks


def _goals(values: Values) -> list[Goal]:
    typical = {key: float(np.median(measured)) for key, measured in values.items() if measured}
    plain, slow = typical.get((OFF, VIDEO)), typical.get((OFF, REFERENCE))
    own = {name: typical.get(("spa2v", name)) for name in GOALS}
    own |= {name: typical.get((OFF, name)) for name in (_FIRST_PROCESSOR, MEMORY)}
    own |= {
        f"{VIDEO}, {ON}": typical.get((ON, VIDEO)),
        f"{VIDEO}, {OFF}": plain,
        f"generate 4 s over 25 steps guided throughout, {OFF}": plain and slow and plain / slow,
        f"{DEMO}, {OFF}": typical.get((OFF, DEMO)),
    }
    return [Goal(name, relation, bound, own[name]) for name, (relation, bound) in GOALS.items()]


def _imports(repetitions: int) -> Values:
    found = [import_seconds() for _ in range(repetitions)]
    return {
        ("spa2v", "import spa2v_lib, seconds"): [seconds for seconds, _ in found],
        ("spa2v", "heavy libraries loaded by import spa2v_lib"): [
            float(len(heavy)) for _, heavy in found
        ],
    }


def import_seconds() -> tuple[float, list[str]]:
    """Return how long a fresh interpreter takes to import the library, and what heavy it loads.

    See Also
    --------
    measured_process : of any command

    Examples
    --------
    >>> seconds, heavy = import_seconds()  # doctest: +SKIP
    """
    seconds, heavy = json.loads(printed(_IMPORT, failure="spa2v_lib cannot be imported"))
    return seconds, heavy


def _hearing_factors(seed: int, repetitions: int) -> list[float]:
    """Return seconds of sound per second of work, for ten seconds of stereo at 48 kHz."""
    from spa2v_lib.cues import extract_cues

    recording = passing_noise(10.0, seed)
    extract_cues(recording, label="car")  # libraries load on the first call
    factors = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        extract_cues(recording)
        factors.append(recording.duration_s / (time.perf_counter() - begin))
    return factors


def _switch(method: str) -> dict[str, str]:
    return {"SPA2V_BFLOAT16": "auto" if method == ON else "off"}


def _timed_run(seed: int, method: str, *, reference: bool) -> Values:
    """Measure ``spa2v generate`` on four seconds once, and, if asked, the reference's steps."""
    with tempfile.TemporaryDirectory() as folder:
        audio = passing_noise(4.0, seed).save(Path(folder) / "passing.wav")
        command = [sys.executable, "-m", "spa2v_lib.cli", "generate", str(audio)]
        command += ["--label", "car", "--seed", str(seed), "--overwrite"]
        command += ["--out", str(Path(folder) / "run")]
        first, processor_s = _until_first_step(audio, Path(folder) / "first", method)
        usual = measured_process(command, **_switch(method))
        found = {
            (method, FIRST): [first],
            (method, _FIRST_PROCESSOR): [processor_s],
            (method, VIDEO): [usual.seconds],
            (method, MEMORY): [usual.gigabytes],
        }
        if reference:
            slow = ["--steps", "25", "--guidance-start", "0", "--guidance-stop", "1"]
            cost = measured_process([*command, *slow], **_switch(method))
            found[method, REFERENCE] = [cost.seconds]
    return found


def _until_first_step(audio: Path, out: Path, method: str) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first sampling step, and its cost."""
    given = (str(audio), str(out), str(time.time()))
    found = printed(_UNTIL_FIRST_STEP, *given, failure="no video was begun", **_switch(method))
    seconds, processor_s = map(float, found.split()[-2:])
    return seconds, processor_s


def _demo(method: str) -> Values:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "spa2v_lab.demo", "--out", str(Path(folder) / "demo")]
        cost = measured_process(command, **_switch(method))
    return {(method, DEMO): [cost.seconds], (method, _DEMO_PROCESSOR): [cost.processor_s]}


def _chapter(name: str, method: str) -> Values:
    """Execute a chapter as it is committed."""
    with tempfile.TemporaryDirectory() as folder:
        papermill = [sys.executable, "-m", "papermill", "--no-progress-bar"]
        papermill += ["--cwd", str(_NOTEBOOKS), "--kernel", "python3"]
        files = [str(_NOTEBOOKS / f"{name}.ipynb"), str(Path(folder) / "out.ipynb")]
        cost = measured_process([*papermill, *files], **_switch(method))
    return {
        (method, f"chapter {name}, seconds"): [cost.seconds],
        (method, f"chapter {name}, processor seconds"): [cost.processor_s],
    }


def passing_noise(seconds: float, seed: int | Sequence[int]) -> Recording:
    """Return noise that is panned from left to right.

    Parameters
    ----------
    seconds : float
    seed : int or sequence of int

    Examples
    --------
    >>> passing_noise(0.5, seed=0)
    <Recording 'recording': 0.50 s, 2 channels, 48000 Hz>
    """
    from spa2v_lib.audio.recording import Recording

    rng = np.random.default_rng(seed)
    count = round(seconds * _RATE)
    noise = 0.1 * rng.standard_normal(count)
    angle = np.linspace(0.1, np.pi / 2 - 0.1, count)
    return Recording.from_samples(np.stack([noise * np.cos(angle), noise * np.sin(angle)]), _RATE)
