"""Labels from the user: what the sources are, how many there are, and which one is where.

``"guitar, violin"`` are two sources, loudest first; ``"guitar@left, violin@right"`` and
``"guitar@-30, violin@20"`` also say which is which.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lib.cues.mixture import MOST_SOURCES
from spa2v_lib.errors import CueError

__all__ = ["LONGEST_LABEL", "SourceLabel", "assign_labels", "number_of_sources", "parse_labels"]

LONGEST_LABEL = 80
"""Characters of a label, at most."""

_PLACES = {"left": -45.0, "center": 0.0, "centre": 0.0, "right": 45.0}
_SIDE_DEG, _CENTRE_DEG, _NEAR_DEG = 5.0, 30.0, 25.0  # further off contradicts the place


@dataclass(frozen=True)
class SourceLabel:
    """What one source is and, where the user says so, its place.

    Attributes
    ----------
    name : str
        In the user's words.
    place : str or None
        "left", "center", "right", or an azimuth in degrees such as "-30"; None if not given.

    See Also
    --------
    parse_labels : Reads them from text.

    Examples
    --------
    >>> SourceLabel("guitar", "left").azimuth_deg, SourceLabel("violin").azimuth_deg
    (-45.0, None)
    """

    name: str
    place: str | None = None

    @property
    def azimuth_deg(self) -> float | None:
        """The direction that the place stands for, in degrees; None without one."""
        if self.place is None:
            return None
        return _PLACES[self.place] if self.place in _PLACES else float(self.place)

    def contradicts(self, azimuth_deg: float) -> bool:
        """Return whether a measured direction contradicts the place."""
        if self.place is None:
            return False
        if self.place in ("left", "right"):
            side = np.sign(_PLACES[self.place])
            return bool(side * azimuth_deg < -_SIDE_DEG)
        allowed = _CENTRE_DEG if self.place in _PLACES else _NEAR_DEG
        return _angle(azimuth_deg, self.azimuth_deg) > allowed


def parse_labels(text: str | None) -> tuple[SourceLabel, ...]:
    """Read the labels of a recording's sources.

    Parameters
    ----------
    text : str or None
        Up to three labels of at most 80 characters, separated by commas; each may be followed by
        "@" and a place: "left", "center", "right", or an azimuth from -180 to 180 degrees. The
        same label may be given twice, for two sources of one class.

    Returns
    -------
    tuple of SourceLabel
        Empty for None.

    Raises
    ------
    CueError
        If a label is empty, too long or not plain text on one line, a place is unknown, or there
        are more labels than sources can be separated.

    See Also
    --------
    assign_labels : Gives them to the sources that were detected.

    Examples
    --------
    >>> parse_labels("guitar@left, violin")
    (SourceLabel(name='guitar', place='left'), SourceLabel(name='violin', place=None))
    >>> [label.azimuth_deg for label in parse_labels("tram@-30, tram@20")]
    [-30.0, 20.0]
    """
    if text is None:
        return ()
    labels = tuple(_parsed(part) for part in text.split(","))
    if len(labels) > MOST_SOURCES:
        raise CueError(
            f"{len(labels)} labels were given; at most {MOST_SOURCES} sources can be separated"
        )
    return labels


def _parsed(part: str) -> SourceLabel:
    name, marker, place = (piece.strip() for piece in part.partition("@"))
    if not name:
        raise CueError("the label is empty; name the source or leave the label out")
    if len(name) > LONGEST_LABEL:
        raise CueError(
            f"the label {name[:20]!r}… has {len(name)} characters; at most {LONGEST_LABEL} are "
            "allowed"
        )
    if re.search(r"[<>]", name) or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise CueError(f"the label {name!r} holds markup or line breaks; it must be plain text")
    if not marker:
        return SourceLabel(name)
    return SourceLabel(name, _place(name, place.lower().removesuffix("°").strip()))


def _place(name: str, place: str) -> str:
    if place in _PLACES:
        return "center" if place == "centre" else place
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d+)?", place) and abs(float(place)) <= 180.0:
        return f"{float(place):g}"
    raise CueError(
        f"the label {name!r} has the place {place[:20]!r}; it must be left, center, right or an "
        "azimuth from -180 to 180 degrees, such as guitar@-30"
    )


def number_of_sources(labels: Sequence[SourceLabel], num_sources: int | None) -> int | None:
    """Return how many sources to look for, or None if the recording decides.

    Parameters
    ----------
    labels : sequence of SourceLabel
        They set the number, unless `num_sources` is given.
    num_sources : int or None
        From 1 to 3.

    Returns
    -------
    int or None

    Raises
    ------
    CueError
        If the number is out of range, or smaller than the number of labels.

    See Also
    --------
    parse_labels : Reads the labels.

    Examples
    --------
    >>> number_of_sources(parse_labels("guitar, violin"), None)
    2
    >>> number_of_sources((), None) is None
    True
    """
    if num_sources is None:
        return len(labels) or None
    if not 1 <= num_sources <= MOST_SOURCES:
        raise CueError(f"{num_sources} sources were requested; 1 to {MOST_SOURCES} are possible")
    if len(labels) > num_sources:
        raise CueError(f"{len(labels)} labels were given for {num_sources} source(s)")
    return num_sources


def assign_labels(
    labels: Sequence[SourceLabel], azimuth_deg: Sequence[float | None]
) -> tuple[list[SourceLabel | None], tuple[str, ...]]:
    """Decide which source each label belongs to.

    Labels with a place go to the sources nearest to it, all together; the others to what is left,
    loudest first.

    Parameters
    ----------
    labels : sequence of SourceLabel
        What the user said, see `parse_labels`.
    azimuth_deg : sequence of float or None
        Direction of each source, loudest first; None where none is claimed.

    Returns
    -------
    assigned : list of SourceLabel or None
        One a source.
    notes : tuple of str
        Labels without a source, places that contradict the measurement, repeated labels.

    See Also
    --------
    parse_labels : Reads the labels.

    Examples
    --------
    >>> assigned, notes = assign_labels(parse_labels("guitar@left, violin@right"), [30.0, -20.0])
    >>> [label.name for label in assigned], notes
    (['violin', 'guitar'], ())
    """
    from scipy.optimize import linear_sum_assignment

    assigned: list[SourceLabel | None] = [None] * len(azimuth_deg)
    directed = [k for k, azimuth in enumerate(azimuth_deg) if azimuth is not None]
    placed = [label for label in labels if label.place is not None and directed]
    waiting = [label for label in labels if label not in placed]
    cost = np.array(
        [[_angle(azimuth_deg[k], label.azimuth_deg) for k in directed] for label in placed]
    ).reshape(len(placed), len(directed))
    rows, columns = linear_sum_assignment(cost)
    for row, column in zip(rows, columns, strict=True):
        assigned[directed[column]] = placed[row]
    unused = [placed[row] for row in range(len(placed)) if row not in rows]
    free = [k for k, label in enumerate(assigned) if label is None]
    for k, label in zip(free, waiting, strict=False):
        assigned[k] = label
    unused += waiting[len(free) :]
    notes = [f"no source was detected for the label {label.name!r}" for label in unused]
    if any(label.place for label in labels) and not directed and azimuth_deg:
        notes.append("no direction is measured: the places of the labels are ignored")
    for label, azimuth in zip(assigned, azimuth_deg, strict=True):
        if label is not None and azimuth is not None and label.contradicts(azimuth):
            notes.append(
                f"the label {label.name!r} has the place {label.place}, but its source is at "
                f"{azimuth:+.0f}°"
            )
    counts = Counter(label.name for label in labels)
    notes += [f"{n} sources have the label {name!r}" for name, n in counts.items() if n > 1]
    return assigned, tuple(notes)


def _angle(one: float, two: float) -> float:
    """Return the angle between two directions in degrees, from 0 to 180."""
    return abs((one - two + 180.0) % 360.0 - 180.0)
