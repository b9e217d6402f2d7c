"""What was asked of hearing, looked up in the rows of its benchmark."""

from __future__ import annotations

from spa2v_lib.bench.frame import Goal, Row
from spa2v_lib.bench.hearing_cost import FACTOR, PEAK

__all__ = ["goals"]

_KNOWN = "spa2v, format known"
_UNKNOWN = "spa2v, format unknown"
_ONE = "1 source, 20 dB"
_TWO = "2 sources, 20 dB"
_ALL = "any number, 20 dB"

_GOALS: tuple[tuple[str, str, float, str, str, str], ...] = (
    # name, relation, bound, method, condition, measure
    ("azimuth median, anechoic, °", "<=", 1, _KNOWN, f"{_ONE}, anechoic", "azimuth median °"),
    ("azimuth median, RT60 0.3 s, °", "<=", 3, _KNOWN, f"{_ONE}, RT60 0.3 s", "azimuth median °"),
    ("azimuth median, RT60 0.6 s, °", "<=", 3, _KNOWN, f"{_ONE}, RT60 0.6 s", "azimuth median °"),
    ("azimuth 95th percentile, °", "<=", 10, _KNOWN, _ONE, "azimuth p95 °"),
    *(
        (
            f"azimuth median, format unknown, {capture}, °",
            "<=",
            5,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "azimuth median °",
        )
        for capture in ("ortf", "ab", "binaural")
    ),
    *(
        (
            f"image position median, format unknown, {capture}, °",
            "<=",
            5,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "image median °",
        )
        for capture in ("panned", "xy", "ms")
    ),
    *(
        (
            f"interval holds the direction, format unknown, {capture}, %",
            ">=",
            85,
            _UNKNOWN,
            f"{_ONE}, {capture}",
            "reading held %",
        )
        for capture in ("panned", "xy", "ms")
    ),
    ("left, centre or right, %", ">=", 98, _KNOWN, _ONE, "side right %"),
    ("two sources, azimuth median, °", "<=", 5, _KNOWN, _TWO, "azimuth median °"),
    ("two sources, count right, %", ">=", 95, _KNOWN, _TWO, "count right %"),
    ("motion direction, %", ">=", 99, _KNOWN, _ONE, "crossing right %"),
    ("false motion on stationary, %", "<=", 2, _KNOWN, _ONE, "false motion %"),
    ("approaching or receding, %", ">=", 98, _KNOWN, _ONE, "radial right %"),
    ("closest approach median, ms", "<=", 50, _KNOWN, _ONE, "closest median ms"),
    ("v/d median error, %", "<=", 5, _KNOWN, _ONE, "v/d median %"),
    ("speed median error, tonal Doppler, %", "<=", 5, _KNOWN, _ONE, "speed median %"),
    *(
        (f"90 % interval of {what} holds the truth, %", relation, bound, _KNOWN, _ALL, measure)
        for what, measure in (
            ("azimuth", "azimuth held %"),
            ("range", "range held %"),
            ("count", "count held %"),
        )
        for relation, bound in ((">=", 85), ("<=", 95))
    ),
    ("1 source, times real time", ">=", 50, "spa2v", "1 source, 48 kHz, one core", FACTOR),
    ("3 sources, times real time", ">=", 10, "spa2v", "3 sources, 48 kHz, one core", FACTOR),
    ("one hour, peak memory, MB", "<=", 600, "spa2v", "60 minutes", PEAK),
)


def goals(rows: list[Row]) -> list[Goal]:
    """Return every goal at 20 dB with its value; None where no row has it."""
    found = {(row.method, row.condition): row.measures for row in rows}
    result = []
    for name, relation, bound, method, condition, measure in _GOALS:
        value = found.get((method, condition), {}).get(measure)
        result.append(Goal(name, relation, bound, None if value is None else value.mean))
    return result
