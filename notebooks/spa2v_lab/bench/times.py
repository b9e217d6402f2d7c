"""What takes how long, read from the results of ``spa2v bench speed``, with two columns.

A processor with a unit for bfloat16 samples several times as fast as one without. Results of both
may lie in ``data/results/speed*.json``; what neither holds is "not measured".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from spa2v_lab.bench.frame import Results
from spa2v_lab.bench.speed import CHAPTERS, DEMO, FIRST, MEMORY, OFF, ON, REFERENCE, VIDEO
from spa2v_lib.resources import resource

__all__ = ["COLUMNS", "Times", "duration", "read_times"]

COLUMNS = (ON, OFF)
NOT_MEASURED = "not measured"

_ROWS = {
    FIRST: "`spa2v generate`, until its first step",
    VIDEO: "`spa2v generate`, four seconds of sound",
    REFERENCE: "the same in 25 steps, guided throughout",
    MEMORY: "memory of `spa2v generate`",
    DEMO: "the three videos of `make demo`",
}
_NUMBERS = {1: "one", 2: "two", 4: "four", 8: "eight", 16: "sixteen"}


@dataclass(frozen=True)
class Times:
    """Times of one kind of computer in each column.

    Attributes
    ----------
    values : dict
        By column and name, mean values in seconds or, of memory, in GB.
    cores : dict of str to int
        By column, the processor cores of the machine that was measured.

    Examples
    --------
    >>> times = Times({(OFF, VIDEO): 24.6, (OFF, "chapter quickstart, seconds"): 41.0}, {OFF: 2})
    >>> times.cell(VIDEO, OFF), times.cell(VIDEO, ON)
    ('25 s', 'not measured')
    >>> times.to_run("quickstart")
    '; to run, 40 s on two processor cores without bfloat16'
    """

    values: dict[tuple[str, str], float]
    cores: dict[str, int]

    def cell(self, name: str, column: str) -> str:
        """Return what a table shows."""
        value = self.values.get((column, name))
        if value is None:
            return NOT_MEASURED
        return f"{value:.2f} GB" if name == MEMORY else duration(value)

    def to_run(self, chapter: str) -> str:
        """Return the end of a chapter's sentence "It takes …"; empty where nothing is measured."""
        name = f"chapter {chapter}, seconds"
        known = {c: duration(self.values[c, name]) for c in COLUMNS if (c, name) in self.values}
        if not known:
            return ""
        column, words = next(iter(known.items()))
        cores = self.cores[column]
        where = f"on {_NUMBERS.get(cores, cores)} processor core{'s' * (cores > 1)}"
        if len(known) == 2 and len(set(known.values())) == 1:
            return f"; to run, {words} {where}"
        other = f", {known[OFF]} without" if len(known) == 2 else ""
        return f"; to run, {words} {where} {column}{other}"

    def table(self) -> str:
        """Return all of it as a table in Markdown."""
        lines = ["| | " + " | ".join(COLUMNS) + " |", "|---|---|---|"]
        chapters = {f"chapter {n}, seconds": f"{{doc}}`/notebooks/{n}`" for n in CHAPTERS}
        for name, title in (_ROWS | chapters).items():
            lines.append(f"| {title} | {self.cell(name, ON)} | {self.cell(name, OFF)} |")
        return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Say how long something takes, no finer than times repeat.

    Parameters
    ----------
    seconds : float
        Not negative.

    Examples
    --------
    >>> [duration(s) for s in (3.2, 7.4, 24.6, 51.0, 98.0, 150.0)]
    ['a few seconds', '7 s', '25 s', '50 s', '1.5 minutes', '2.5 minutes']
    """
    if seconds < 5:
        return "a few seconds"
    if seconds < 10:
        return f"{seconds:.0f} s"
    if seconds < 57.5:
        return f"{5 * round(seconds / 5)} s"
    halves = max(2, round(seconds / 30))
    return "a minute" if halves == 2 else f"{halves / 2:g} minutes"


def read_times(folder: Path | None = None) -> Times:
    """Read the results that there are.

    Parameters
    ----------
    folder : Path, optional
        Where ``speed*.json`` lie; those that come with the library if not given.

    Returns
    -------
    Times

    Examples
    --------
    >>> read_times().cell("generate nothing", ON)
    'not measured'
    """
    values: dict[tuple[str, str], float] = {}
    cores: dict[str, int] = {}
    for path in sorted((folder or resource("results")).glob("speed*.json")):
        environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
        for row in Results.read(path).rows:
            mean = row.measures["value"].mean
            if row.method in COLUMNS and mean is not None:
                values[row.method, row.condition] = mean
                cores[row.method] = environment["cpu_count"]
    return Times(values, cores)
