"""Real recordings: what is known of each, and what the library hears.

A table with commas, in UTF-8, with a header, says what is known; empty cells say that it is not::

    file,label,count,motion,side,how_known
    pass.flac,car,1,left_crossing,,filmed
    piano_c1.ogg,piano,1,stationary,left,the bass strings lie on the left

``file``
    Of one, two or four channels; its path is relative to the table's folder.
``label``
    What sounds.
``count``
    How many sources there are.
``motion``
    Of the loudest source, one of `spa2v_lib.layout.captions.MOTIONS`.
``side``
    Where it stands: left or right.
``how_known``
    For the reader.

The shipped table is ``data/in_the_wild/in_the_wild.csv``.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from spa2v_lab.bench.frame import Results, Row, interval
from spa2v_lib.audio import read_audio
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.types import SourceTrack, SpatialCues
from spa2v_lib.errors import DataError
from spa2v_lib.files import read_text
from spa2v_lib.layout.captions import Motion
from spa2v_lib.resources import resource
from spa2v_lib.runs import StageProgress

__all__ = ["KnownRecording", "judged", "known_recordings", "level_alone", "loudest", "run"]

_COLUMNS = ("file", "label", "count", "motion", "side", "how_known")
_CHOICES = {"motion": get_args(Motion), "side": ("left", "right")}
_QUICK = 5

CONDITIONS: dict[str, Callable[[KnownRecording], bool]] = {
    "it passes": lambda known: known.motion.endswith("_crossing"),
    "it stands still": lambda known: known.motion == "stationary",
    "its side is known": lambda known: bool(known.side),
    "its class is known": lambda known: bool(known.label),
    "the number of sources is known": lambda known: known.count is not None,
}
"""What a row of the results is about, and which recordings that takes."""

_MEASURES = {
    "it passes": ("motion right",),
    "it stands still": ("motion right", "crossing claimed"),
    "its side is known": ("on the right side",),
    "its class is known": ("class right", "class among three"),
    "the number of sources is known": ("number right", "number in its interval"),
}


@dataclass(frozen=True)
class KnownRecording:
    """A recording and what is known of it; empty where nothing is.

    Attributes
    ----------
    path : Path
    label : str
        What sounds.
    count : int or None
        Sources.
    motion : str
        Of the loudest source.
    side : str
        Left or right.
    how_known : str

    See Also
    --------
    known_recordings : all of a table

    Examples
    --------
    >>> known = known_recordings()[0]
    >>> known.path.name, known.label, known.side
    ('piano_c1.ogg', 'piano', 'left')
    """

    path: Path
    label: str
    count: int | None
    motion: str
    side: str
    how_known: str


def known_recordings(table: str | os.PathLike[str] | None = None) -> list[KnownRecording]:
    """Return what a table knows of its recordings.

    Parameters
    ----------
    table : path, optional
        By default the shipped one.

    Raises
    ------
    DataError
        If it cannot be read, or a line names a missing file, an unknown motion or side, or a
        count that is no number.

    See Also
    --------
    judged : compares with what is heard

    Examples
    --------
    >>> sorted({known.motion for known in known_recordings()})
    ['', 'stationary']
    """
    path = Path(table) if table else resource("in_the_wild", "in_the_wild.csv")
    reader = csv.DictReader(io.StringIO(read_text(path, DataError)))
    if "file" not in (reader.fieldnames or ()):
        raise DataError(f"{path}: no column 'file'; the columns are {', '.join(_COLUMNS)}")
    found = [_known(path, line, fields) for line, fields in enumerate(reader, 2)]
    if not found:
        raise DataError(f"{path}: no recordings; each line names one")
    return found


def _known(table: Path, line: int, fields: dict[str, str]) -> KnownRecording:
    given = {name: (fields.get(name) or "").strip() for name in _COLUMNS}
    where = f"{table}, line {line}"
    audio = table.parent / given["file"]
    if not given["file"] or not audio.is_file():
        raise DataError(f"{where}: no file {given['file']!r} beside the table")
    for name, choices in _CHOICES.items():
        if given[name] and given[name] not in choices:
            raise DataError(
                f"{where}: {name} {given[name]!r} is none of {', '.join(choices)}, and not empty"
            )
    if given["count"] and not given["count"].isdecimal():
        raise DataError(f"{where}: count {given['count']!r} is no number of sources")
    count = int(given["count"]) if given["count"] else None
    return KnownRecording(
        audio, given["label"], count, given["motion"], given["side"], given["how_known"]
    )


def loudest(cues: SpatialCues) -> SourceTrack | None:
    """Return the source that reaches the highest level, or None of silence.

    See Also
    --------
    judged : is about this source

    Examples
    --------
    >>> cues = extract_cues(read_audio(known_recordings()[0].path))
    >>> loudest(cues).motion
    'stationary'
    """
    return max(cues.sources, key=lambda source: max(source.level_db), default=None)


def judged(known: KnownRecording, cues: SpatialCues) -> dict[str, float]:
    """Compare what is known of a recording with what the library hears.

    Parameters
    ----------
    known : KnownRecording
    cues : SpatialCues
        Measured without a label.

    Returns
    -------
    dict of str to float
        1 where a statement is true, 0 where not, NaN where nothing is known.

    See Also
    --------
    level_alone : the same from the level difference alone

    Examples
    --------
    >>> known = known_recordings()[0]
    >>> measures = judged(known, extract_cues(read_audio(known.path)))
    >>> measures["on the right side"], measures["motion right"]
    (1.0, 1.0)
    """
    source = loudest(cues)
    motion = source.motion if source else ""
    azimuth = _median(source.azimuth_deg, source.active) if source else math.nan
    labels = [source.label, *(name for name, _ in source.label_alternatives)] if source else []
    return {
        **_compared(known, motion, azimuth),
        "class right": _share(bool(known.label), known.label in labels[:1]),
        "class among three": _share(bool(known.label), known.label in labels[:3]),
        "number right": _share(known.count is not None, len(cues.sources) == known.count),
        "number in its interval": _share(
            known.count is not None, cues.count_low <= (known.count or 0) <= cues.count_high
        ),
    }


def level_alone(known: KnownRecording, cues: SpatialCues) -> dict[str, float]:
    """Compare what is known with the simplest reading: the sign of the level difference.

    The side is that of the mean level difference. Something passes if its sign differs between
    the frames before the loudest and those after.

    Parameters
    ----------
    known : KnownRecording
    cues : SpatialCues

    Returns
    -------
    dict of str to float
        As of `judged`, without class and number.

    See Also
    --------
    judged : with all cues

    Examples
    --------
    >>> known = known_recordings()[0]
    >>> level_alone(known, extract_cues(read_audio(known.path)))["on the right side"]
    1.0
    """
    ild = np.array([math.nan if value is None else value for value in cues.ild_db])
    peak = int(np.argmax(cues.level_db))
    before, after, mean = (_mean(part) for part in (ild[:peak], ild[peak:], ild))
    crosses = before * after < 0
    motion = ("right_crossing" if after > 0 else "left_crossing") if crosses else "stationary"
    return _compared(known, motion, mean)


def _compared(known: KnownRecording, motion: str, azimuth: float) -> dict[str, float]:
    standing = known.motion == "stationary"
    return {
        "motion right": _share(bool(known.motion), motion == known.motion),
        "crossing claimed": _share(standing, motion.endswith("_crossing")),
        "on the right side": _share(bool(known.side), (azimuth < 0) == (known.side == "left")),
    }


def _share(known: bool, right: bool) -> float:
    return float(right) if known else math.nan


def _mean(values: np.ndarray) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else math.nan


def _median(azimuths: Sequence[float | None], active: Sequence[bool]) -> float:
    kept = [a for a, sounds in zip(azimuths, active, strict=True) if sounds and a is not None]
    return float(np.median(kept)) if kept else math.nan


def run(
    *,
    quick: bool,
    seed: int,
    progress: StageProgress,
    clips: str | os.PathLike[str] | None = None,
) -> Results:
    """Hear every recording of a table, and compare.

    Parameters
    ----------
    quick : bool
        The table's first five.
    seed : int
        Of the intervals.
    progress : callable
        Called with "recordings", those done and all.
    clips : path, optional
        A table of one's own recordings instead of the shipped one.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> results = run(quick=True, seed=0, progress=lambda *_: None)
    >>> [row.condition for row in results.rows if row.method == "level difference"]
    ['it stands still', 'its side is known']
    """
    recordings = known_recordings(clips)[: _QUICK if quick else None]
    measured: dict[str, list[dict[str, float]]] = {"spa2v": [], "level difference": []}
    for done, known in enumerate(recordings):
        progress("recordings", done, len(recordings))
        cues = extract_cues(read_audio(known.path))
        measured["spa2v"].append(judged(known, cues))
        measured["level difference"].append(level_alone(known, cues))
    progress("recordings", len(recordings), len(recordings))
    rows = [
        _row(
            method, condition, [m for k, m in zip(recordings, each, strict=True) if takes(k)], seed
        )
        for method, each in measured.items()
        for condition, takes in CONDITIONS.items()
    ]
    return Results("real", [row for row in rows if row.measures], [])


def _row(method: str, condition: str, measured: list[dict[str, float]], seed: int) -> Row:
    """Return a row of the measures that have a value under this condition."""
    names = [name for name in (measured[0] if measured else {}) if name in _MEASURES[condition]]
    shares = {name: interval([one[name] for one in measured], seed) for name in names}
    return Row(method, condition, len(measured), shares)
