"""Cues drawn as one inline SVG: no script, no file beside it, readable in light and dark.

Text and axes take the colour of the surrounding text (``currentColor``); the colours of the
sources keep a contrast of at least 3:1 on white and on near-black.

A layout drawn as a strip of key frames: one inline SVG, readable in light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack, SpatialCues
    from spa2v_lib.layout.scene_layout import Box, VideoSceneLayout

__all__ = [
    "SOURCE_COLOURS",
    "cue_svg",
    "cues_in_words",
    "layout_html",
    "source_name",
    "spectrum_svg",
]

SOURCE_COLOURS = ("#2f7fd8", "#c8650a", "#12876a", "#b0509a")
"""One colour per source, repeated after the fourth."""

_WIDTH = 720.0
_LEFT, _RIGHT = 74.0, 18.0
_AZIMUTH_TOP, _AZIMUTH_BOTTOM = 34.0, 204.0
_LEVEL_TOP, _LEVEL_BOTTOM = 244.0, 334.0
_HEIGHT = 376.0
_LEVEL_SPAN_DB = 40.0

Point = tuple[float, float]


def cue_svg(
    cues: SpatialCues,
    ground: str = "",
    fitted: Sequence[Sequence[float] | None] = (),
) -> str:
    """Draw azimuth and level over time.

    The upper panel has each source's azimuth in degrees (right is up) with its interval as a band;
    the lower one has each source's level in dB and, thin, the level of the whole recording.

    Parameters
    ----------
    cues : SpatialCues
        What was heard.
    ground : str
        Address of a picture to lay under the azimuths: ±90°, of ambisonics ±180°, and the whole
        duration.
    fitted : sequence of (sequence of float or None)
        Levels that each source's fitted path foretells; drawn dashed.

    Returns
    -------
    str
        One ``<svg>`` element that needs nothing else.
    """
    times = cues.times_s
    x = _scale(0.0, max(cues.duration_s, 1e-6), _LEFT, _WIDTH - _RIGHT)
    level_low, level_high = _level_range([cues.level_db, *(s.level_db for s in cues.sources)])
    reach = 180.0 if cues.capture.format == "foa" else 90.0
    y_azimuth = _scale(-reach, reach, _AZIMUTH_BOTTOM, _AZIMUTH_TOP)
    y_level = _scale(level_low, level_high, _LEVEL_BOTTOM, _LEVEL_TOP)
    parts = [
        _picture(ground, (_LEFT, _AZIMUTH_TOP), (x(cues.duration_s), _AZIMUTH_BOTTOM)),
        *_azimuth_axis(y_azimuth, reach),
        *_level_axis(y_level, level_low, level_high),
        *_time_axis(x, 0.0, cues.duration_s, _LEVEL_BOTTOM),
        _line(_points(times, cues.level_db, x, y_level), "currentColor", 1.0, 0.45),
    ]
    for index, source in enumerate(cues.sources):
        colour = SOURCE_COLOURS[index % len(SOURCE_COLOURS)]
        parts += _source(source, times, colour, x, y_azimuth, y_level)
        if index < len(fitted) and fitted[index] is not None:
            path = _line(_points(times, fitted[index], x, y_level), colour, 1.6)
            parts.append(f'<g stroke-dasharray="6 5">{path}</g>')
        parts.append(_legend(source_name(source), colour, index))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" '
        f'aria-label="{escape(cues_in_words(cues))}" font-family="system-ui, sans-serif" '
        f'font-size="12" style="width:100%;max-width:{_WIDTH:g}px;height:auto">'
        + "".join(parts)
        + "</svg>"
    )


def _picture(address: str, corner: Point, opposite: Point) -> str:
    """Return a picture stretched between two corners; nothing if there is no address."""
    if not address:
        return ""
    width, height = opposite[0] - corner[0], opposite[1] - corner[1]
    return (
        f'<image x="{corner[0]:g}" y="{corner[1]:g}" width="{width:g}" height="{height:g}" '
        f'preserveAspectRatio="none" href="{address}"/>'
    )


def source_name(source: SourceTrack) -> str:
    """Return the label that a person reads, or the identifier where nothing was recognised."""
    return source.label.replace("_", " ") if source.label else source.id


def cues_in_words(cues: SpatialCues) -> str:
    """Return the picture in words, for those who cannot see it."""
    heard = []
    for source in cues.sources:
        ends = (source.azimuth_start_deg, source.azimuth_end_deg)
        path = (
            "azimuth unknown"
            if None in ends
            else f"azimuth from {ends[0]:.0f} to {ends[1]:.0f} degrees"
        )
        heard.append(f"{source_name(source)}: {source.motion.replace('_', ' ')}, {path}")
    what = "; ".join(heard) or "no source found"
    return f"Azimuth and level over {cues.duration_s:.1f} seconds. {what}."


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the linear map that takes [low, high] to [start, end], clipped at both ends."""

    def apply(value: float) -> float:
        share = (value - low) / (high - low)
        return start + min(1.0, max(0.0, share)) * (end - start)

    return apply


def _level_range(tracks: Iterable[Sequence[float]]) -> tuple[float, float]:
    """Return the bottom and top of the level axis in dB, multiples of 10."""
    finite = [level for track in tracks for level in track if math.isfinite(level)]
    if not finite:
        return -_LEVEL_SPAN_DB, 0.0
    high = 10.0 * math.ceil(max(finite) / 10.0)
    low = 10.0 * math.floor(max(min(finite), high - _LEVEL_SPAN_DB) / 10.0)
    return min(low, high - 10.0), high


def _points(
    times: Sequence[float],
    values: Sequence[float | None],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> list[Point | None]:
    """Return one point per frame, None where nothing is known."""
    return [
        None if value is None or not math.isfinite(value) else (x(time), y(value))
        for time, value in zip(times, values, strict=True)
    ]


def _runs(points: Iterable[Point | None]) -> Iterator[list[Point]]:
    """Split at the unknown frames, so that a gap stays a gap."""
    run: list[Point] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _line(points: Iterable[Point | None], colour: str, width: float, opacity: float = 1.0) -> str:
    """Return polylines; a frame that is known alone becomes a dot."""
    drawn = [f"M{_path(run)}" if len(run) > 1 else f"M{_path(run)}h.01" for run in _runs(points)]
    return (
        f'<path d="{"".join(drawn)}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
        f'stroke-opacity="{opacity:g}" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _band(low: Iterable[Point | None], high: Iterable[Point | None], colour: str) -> str:
    """Return the filled region between two tracks."""
    pairs = [None if a is None or b is None else (a, b) for a, b in zip(low, high, strict=True)]
    shapes: list[str] = []
    run: list[tuple[Point, Point]] = []
    for pair in [*pairs, None]:
        if pair is not None:
            run.append(pair)
        elif run:
            shapes.append(f"M{_path([a for a, _ in run])}L{_path([b for _, b in reversed(run)])}Z")
            run = []
    return f'<path d="{"".join(shapes)}" fill="{colour}" fill-opacity="0.22" stroke="none"/>'


def _path(points: Iterable[Point]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _source(
    source: SourceTrack,
    times: Sequence[float],
    colour: str,
    x: Callable[[float], float],
    y_azimuth: Callable[[float], float],
    y_level: Callable[[float], float],
) -> list[str]:
    """Return one source's band, azimuth and level; dotted where the azimuth was held."""
    azimuth = _points(times, source.azimuth_deg, x, y_azimuth)
    sounding = [point if on else None for point, on in zip(azimuth, source.active, strict=True)]
    low = _points(times, source.azimuth_low_deg, x, y_azimuth)
    high = _points(times, source.azimuth_high_deg, x, y_azimuth)
    return [
        _band(low, high, colour),
        _line(sounding, colour, 2.2),
        f'<g stroke-dasharray="1 4">{_line(azimuth, colour, 1.4)}</g>',
        _line(_points(times, source.level_db, x, y_level), colour, 1.8),
    ]


def _legend(name: str, colour: str, index: int) -> str:
    left = _LEFT + 150.0 * index
    return (
        f'<rect x="{left:g}" y="8" width="14" height="4" rx="2" fill="{colour}"/>'
        f'<text x="{left + 20:g}" y="14" fill="currentColor">{escape(name)}</text>'
    )


def _gridline(y: float, label: str) -> list[str]:
    return [
        f'<line x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" '
        'stroke="currentColor" stroke-opacity="0.18"/>',
        f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end" '
        f'fill="currentColor">{label}</text>',
    ]


def _azimuth_axis(y: Callable[[float], float], reach: float) -> list[str]:
    marks = {90: "right 90°", 45: "45°", 0: "ahead 0°", -45: "−45°", -90: "left −90°"}
    if reach > 90.0:
        marks = {180: "behind", 90: marks[90], 0: marks[0], -90: marks[-90], -180: "behind"}
    return [part for value, label in marks.items() for part in _gridline(y(value), label)]


def _level_axis(y: Callable[[float], float], low: float, high: float) -> list[str]:
    step = 10.0 if high - low <= 30.0 else 20.0
    count = int((high - low) / step)
    marks = [high - step * k for k in range(count + 1)]
    return [
        part for mark in marks for part in _gridline(y(mark), f"{mark:.0f} dB".replace("-", "−"))
    ]


def _time_axis(
    x: Callable[[float], float], start_s: float, duration_s: float, bottom: float
) -> list[str]:
    """Return about eight time marks under a panel that ends at `bottom`."""
    rough = max(duration_s, 1e-6) / 8.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1.0, 2.0, 5.0, 10.0) if unit * m >= rough)
    first = math.ceil(start_s / step - 1e-9)
    marks = [step * k for k in range(first, int((start_s + duration_s) / step + 1e-9) + 1)]
    centre = (_LEFT + _WIDTH - _RIGHT) / 2.0
    return [
        *(
            f'<text x="{x(mark):.1f}" y="{bottom + 18:g}" text-anchor="middle" '
            f'fill="currentColor">{mark:g}</text>'
            for mark in marks
        ),
        f'<text x="{centre:g}" y="{bottom + 36:g}" text-anchor="middle" '
        'fill="currentColor">time in seconds</text>',
    ]


def spectrum_svg(
    name: str, colour: str, address: str, hz: tuple[float, float], start_s: float, seconds: float
) -> str:
    """Draw a spectrogram, given as a picture whose frequencies are logarithmic.

    Parameters
    ----------
    name, colour : str
        Of the source.
    address : str
        The picture's.
    hz : (float, float)
        Lowest and highest frequency of the picture.
    start_s, seconds : float
        The excerpt it shows.
    """
    top, bottom = 30.0, 150.0
    x = _scale(start_s, start_s + seconds, _LEFT, _WIDTH - _RIGHT)
    y = _scale(math.log(hz[0]), math.log(hz[1]), bottom, top)
    marks = {100: "100 Hz", 300: "300 Hz", 1000: "1 kHz", 3000: "3 kHz", 10_000: "10 kHz"}
    inside = [mark for mark in marks if hz[0] <= mark <= hz[1]]
    grid = [part for mark in inside for part in _gridline(y(math.log(mark)), marks[mark])]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {bottom + 42:g}" '
        f'role="img" aria-label="spectrogram of {escape(name)}" '
        f'font-family="system-ui, sans-serif" font-size="12" '
        f'style="width:100%;max-width:{_WIDTH:g}px;height:auto">'
        + _picture(address, (_LEFT, top), (_WIDTH - _RIGHT, bottom))
        + "".join([*grid, *_time_axis(x, start_s, seconds, bottom), _legend(name, colour, 0)])
        + "</svg>"
    )


_HEIGHT, _GAP, _MOST = 96, 8, 12  # pixels, pixels, key frames


def layout_html(layout: VideoSceneLayout) -> str:
    """Draw up to twelve key frames with their boxes, under the caption.

    Returns
    -------
    str
        HTML that needs nothing else; all text is escaped.
    """
    count = len(layout.key_times_s)
    shown = sorted({round(i * (count - 1) / (_MOST - 1)) for i in range(_MOST)})
    width = round(_HEIGHT * layout.aspect)
    frames = [
        _key_frame(layout, index, place * (width + _GAP), width)
        for place, index in enumerate(shown)
    ]
    whole = len(shown) * (width + _GAP)
    return (
        f"<p><b>{escape(layout.caption)}</b></p>"
        f'<svg viewBox="0 0 {whole} {_HEIGHT + 18}" role="img" '
        f'aria-label="{escape(layout.caption)}: boxes in {len(shown)} key frames" '
        f'style="width:100%;max-width:{whole}px" font-family="system-ui" font-size="11">'
        f"{''.join(frames)}</svg>"
        f"<p><small>{escape(layout.reasoning)}</small></p>"
    )


def _key_frame(layout: VideoSceneLayout, index: int, left: int, width: int) -> str:
    boxes = "".join(
        _box(thing.boxes[index], left, width, SOURCE_COLOURS[i % len(SOURCE_COLOURS)])
        for i, thing in enumerate(layout.objects)
    )
    return (
        f'<rect x="{left}" y="0.5" width="{width}" height="{_HEIGHT - 1}" rx="3" fill="none" '
        f'stroke="currentColor" stroke-opacity=".4"/>{boxes}'
        f'<text x="{left}" y="{_HEIGHT + 13}" fill="currentColor">'
        f"{layout.key_times_s[index]:.1f} s</text>"
    )


def _box(box: Box | None, left: int, width: int, colour: str) -> str:
    if box is None:
        return ""
    return (
        f'<rect x="{left + box.x0 * width:.1f}" y="{box.y0 * _HEIGHT:.1f}" '
        f'width="{box.width * width:.1f}" height="{box.height * _HEIGHT:.1f}" '
        f'fill="{colour}" fill-opacity=".25" stroke="{colour}" stroke-width="2"/>'
    )
