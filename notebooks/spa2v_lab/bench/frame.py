"""The one form of every benchmark's results: environment, rows with intervals, goals.

``results.json`` holds

- ``environment``: versions, commit, system and device (`spa2v_lib.doctor.environment`);
- ``rows``: one per method and condition, each with the count of what was measured and, per
  measure, its mean and 95 % interval (percentile bootstrap over scenes; Efron, 1979);
- ``goals``: name, goal, value and whether it was met. A goal whose value was not computed is
  missed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from spa2v_lib.errors import Spa2vError
from spa2v_lib.files import write_text
from spa2v_lib.folders import check_folder, result_folder
from spa2v_lib.runs import StageProgress

__all__ = [
    "BENCHMARKS",
    "MARKER",
    "Goal",
    "Interval",
    "Results",
    "Row",
    "interval",
    "run_benchmark",
]

BENCHMARKS = ("real", "hearing", "tagging", "planning", "sampling", "run", "speed", "batch")
"""Every benchmark."""

MARKER = "results.json"
"""The file that a benchmark writes."""

VERSION = "spa2v.bench/1"

_ASKING = ("planning", "run")  # those that can ask language models
_KEEPING = ("run", "speed")  # what they measure is in the folder from the first item on
_OWN = ("real", "tagging", "run")  # those that can take recordings of one's own
_RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with its interval, of 95 % unless said; all None where nothing could be measured.

    Where the measure's name says so, `mean` is a median or another percentile.

    Attributes
    ----------
    mean, low, high : float or None
        In the measure's unit.
    count : int
        Scenes, or repetitions, with a value.

    Examples
    --------
    >>> Interval(0.5, 0.4, 0.6, 20)
    Interval(mean=0.5, low=0.4, high=0.6, count=20)
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Row:
    """One method under one condition.

    Attributes
    ----------
    method, condition : str
    count : int
        Scenes, or repetitions.
    measures : dict of str to Interval
        The unit is part of the name where there is one.

    Examples
    --------
    >>> row = Row("spa2v", "anechoic", 3, {"azimuth median °": interval([0.2, 0.4, 0.3])})
    >>> round(row.measures["azimuth median °"].mean, 1)
    0.3
    """

    method: str
    condition: str
    count: int
    measures: dict[str, Interval]

    @classmethod
    def of(
        cls,
        method: str,
        condition: str,
        scores: Sequence[Mapping[str, float | None]],
        seed: int = 0,
        level: float = 0.95,
    ) -> Row:
        """Return the row of scores, scene by scene; one that is missing or None is NaN.

        Parameters
        ----------
        method, condition : str
        scores : sequence of mapping
            From a measure's name to its value, one a scene.
        seed, level
            As `interval` takes them.
        """
        names = dict.fromkeys(name for one in scores for name in one)
        given = {name: [one.get(name) for one in scores] for name in names}
        known = {k: [math.nan if v is None else v for v in values] for k, values in given.items()}
        measures = {name: interval(values, seed, level) for name, values in known.items()}
        return cls(method, condition, len(scores), measures)


@dataclass(frozen=True)
class Goal:
    """A number that was asked for.

    Attributes
    ----------
    name : str
        What is measured, with its unit.
    relation : {"<=", ">="}
    bound : float
    value : float or None
        None if it was not computed.

    Examples
    --------
    >>> Goal("azimuth median, °", "<=", 3, 1.2).met
    True
    >>> Goal("azimuth median, °", "<=", 3, None).met
    False
    """

    name: str
    relation: str
    bound: float
    value: float | None

    @property
    def met(self) -> bool:
        """Whether the value is there and on the right side of the bound."""
        if self.value is None or math.isnan(self.value):
            return False
        return self.value <= self.bound if self.relation == "<=" else self.value >= self.bound

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Goal:
        """Return what `as_dict` wrote."""
        relation, bound = written["goal"].split()
        return cls(written["name"], relation, float(bound), written["value"])

    def as_dict(self) -> dict[str, Any]:
        """Return name, goal, value and met, as in the file."""
        return {
            "name": self.name,
            "goal": f"{self.relation} {self.bound:g}",
            "value": self.value,
            "met": self.met,
        }


@dataclass(frozen=True)
class Results:
    """What a benchmark measured.

    Attributes
    ----------
    name : str
        One of `BENCHMARKS`.
    rows : list of Row
    goals : list of Goal
    notes : list of str
        What could not be measured, and why.

    Examples
    --------
    >>> row = Row("spa2v", "all", 2, {"score": interval([0.0, 1.0])})
    >>> results = Results("speed", [row], [Goal("score", ">=", 0.9, 0.5)])
    >>> [goal.name for goal in results.goals if not goal.met]
    ['score']
    """

    name: str
    rows: list[Row]
    goals: list[Goal]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read the file that a benchmark wrote.

        Parameters
        ----------
        path : Path
            A ``results.json``.
        """
        written = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Row(**{**row, "measures": {k: Interval(**v) for k, v in row["measures"].items()}})
            for row in written["rows"]
        ]
        goals = [Goal.from_dict(goal) for goal in written["goals"]]
        return cls(written["benchmark"], rows, goals, written["notes"])

    def as_dict(self, **given: Any) -> dict[str, Any]:
        """Return the content of the file."""
        from spa2v_lib.doctor import environment

        return {
            "version": VERSION,
            "benchmark": self.name,
            "parameters": given,
            "environment": environment(),
            "rows": [asdict(row) for row in self.rows],
            "goals": [goal.as_dict() for goal in self.goals],
            "notes": self.notes,
        }


def run_benchmark(
    name: str,
    out: str | os.PathLike[str],
    *,
    quick: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    progress: StageProgress | None = None,
    planners: Sequence[str] = (),
    clips: str | os.PathLike[str] | None = None,
    layouts: str | os.PathLike[str] | None = None,
    curve: bool = False,
) -> Results:
    """Run a benchmark and write its results.

    Parameters
    ----------
    name : str
        One of `BENCHMARKS`.
    out : path
        Folder for ``results.json``.
    quick : bool
        The same on fewer scenes.
    seed : int
        Decides the scenes and the resampling.
    overwrite : bool
        Replace earlier results.
    progress : callable, optional
        Called with what is measured, the steps done and the steps in all.
    planners : sequence of str
        Language models that "planning" and "run" ask as well; see `spa2v_lib.planning.PLANNERS`.
    clips : path, optional
        With "run": a manifest of one's own clips, see `spa2v_lab.bench.run_clips`; with "real":
        a table of one's own recordings, see `spa2v_lab.bench.real`; with "tagging":
        one of sounds, with ``file`` and ``label``.
    layouts : path, optional
        With "sampling": a folder of layouts to score, see `spa2v_lab.bench.given_layouts`.
    curve : bool
        With "sampling": other steps and guidance, see `spa2v_lab.bench.sampling_curve`.

    Returns
    -------
    Results

    Raises
    ------
    Spa2vError
        If there is no such benchmark, or `out` cannot be used.

    Examples
    --------
    >>> results = run_benchmark("speed", "out", quick=True)  # doctest: +SKIP
    >>> [goal.name for goal in results.goals if not goal.met]  # doctest: +SKIP
    """
    if name not in BENCHMARKS:
        raise Spa2vError(f"no benchmark {name!r}; one of: {', '.join(BENCHMARKS)}")
    if planners and name not in _ASKING:
        raise Spa2vError(f"benchmark {name!r} asks no planners; {' and '.join(_ASKING)} do")
    if clips is not None and name not in _OWN:
        raise Spa2vError(f"benchmark {name!r} takes no clips of one's own; {', '.join(_OWN)} do")
    if layouts is not None and name != "sampling":
        raise Spa2vError(f"benchmark {name!r} takes no layouts; sampling does")
    if curve and (name != "sampling" or layouts is not None):
        raise Spa2vError("only the benchmark of sampling has a curve, and of its own layouts")
    named: dict[str, Any] = {"planners": list(planners)} if planners else {}
    asked = {"quick": quick, "seed": seed, "progress": progress or (lambda *_: None), **named}
    given = {"quick": quick, "seed": seed, **named}
    module = import_module(f"spa2v_lab.bench.{name}")
    if name in _KEEPING or curve:
        target = Path(out).resolve()
        if name == "run":
            asked["clips"], given["clips"] = clips, clips and Path(clips).name
        if curve:
            asked["curve"] = given["curve"] = True
        results = module.run(**asked, out=target, overwrite=overwrite)
        _write(target, results, given)
        return results
    if clips is not None:
        asked["clips"], given["clips"] = Path(clips), Path(clips).name
    if layouts is not None:
        asked["layouts"], given["layouts"] = Path(layouts), Path(layouts).name
    check_folder(out, MARKER, overwrite=overwrite)
    results = module.run(**asked)
    with result_folder(out, MARKER, overwrite=overwrite) as folder:
        _write(folder, results, given)
    return results


def _write(folder: Path, results: Results, given: dict[str, Any]) -> None:
    text = json.dumps(results.as_dict(**given), indent=1, allow_nan=False)
    write_text(folder / MARKER, text + "\n")


def interval(values: Sequence[float], seed: int = 0, level: float = 0.95) -> Interval:
    """Return the mean of the values that are not NaN, with its bootstrap interval.

    Parameters
    ----------
    values : sequence of float
        One per scene; NaN where the scene has none.
    seed : int
        Of the resampling.
    level : float
        Confidence, in (0, 1).

    Returns
    -------
    Interval
        A single value is its own interval.

    See Also
    --------
    scipy.stats.bootstrap : what makes it, by percentiles of the resampled means
    spa2v_lab.bench.hearing_goals.pooled : medians and percentiles of values grouped by scene

    Examples
    --------
    >>> found = interval([0.0, 1.0, float("nan"), 1.0, 1.0])
    >>> found.mean, found.count
    (0.75, 4)
    >>> found.low <= found.mean <= found.high
    True
    """
    from scipy.stats import bootstrap

    known = np.array([value for value in values if not math.isnan(value)], float)
    if not len(known):
        return Interval(None, None, None, 0)
    mean = float(known.mean())
    if len(known) == 1:
        return Interval(mean, mean, mean, 1)
    rng = np.random.default_rng(seed)
    resampled = bootstrap(
        (known,),
        np.mean,
        confidence_level=level,
        n_resamples=_RESAMPLES,
        method="percentile",
        random_state=rng,
    )
    low, high = resampled.confidence_interval
    return Interval(mean, float(low), float(high), len(known))
