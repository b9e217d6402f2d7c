"""Figures for saved pages: matplotlib's, as inline SVG without scripts or files beside it.

Text and axes take the colour of the surrounding text (``currentColor``), so that a figure can be
read on a light and on a dark page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.viz.words import colour_of, cues_in_words, source_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spa2v_lib.cues.types import SpatialCues

__all__ = ["cue_svg", "figure_svg", "spectrogram_svg"]

_INK = "#010203"  # stands for the colour of the page's text until the figure is written
_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": _INK,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 12,
    "grid.alpha": 0.18,
    "grid.color": _INK,
    "image.composite_image": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "spa2v",  # equal figures, equal text
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_SIZE = (10.0, 5.4)  # inches of 72 units
_LEVEL_SPAN_DB = 40.0
_LONGEST_NAME = 24  # letters: four fit beside each other
_AROUND = {-180: "behind", -90: "left 90°", 0: "ahead 0°", 90: "right 90°", 180: "behind"}
_FRONT = {-90: "left 90°", -45: "45°", 0: "ahead 0°", 45: "45°", 90: "right 90°"}


def figure_svg(figure: Figure, alt: str) -> str:
    """Return a matplotlib figure as one ``<svg>`` element that needs nothing else.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is drawn in ``#010203`` takes the colour of the page's text.
    alt : str
        What it shows, for those who cannot see it.

    Returns
    -------
    str
        The width is that of the place it is given, at most the figure's own.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure_svg(Figure(figsize=(2, 1)), "nothing")[:61]
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 144 72" '
    """
    import matplotlib

    stream = io.StringIO()
    empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # text is drawn by the page, in fonts that have what matplotlib's own lacks
        warnings.filterwarnings("ignore", message=".*[Gg]lyph")
        figure.savefig(stream, format="svg", dpi=72, transparent=True, metadata=empty)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    inside = text[text.index(">") + 1 :].strip()
    unwanted = r'<metadata>.*?</metadata>|<!--.*?-->|<path style="[^"]*"/>'
    inside = re.sub(unwanted, "", inside, flags=re.DOTALL)
    inside = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", inside, flags=re.DOTALL)
    inside = re.sub(r"xmlns:xlink=\S+|<g>\s*</g>", "", inside).replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', inside))
    inside = re.sub(r' id="([\w.-]+)"', lambda m: m[0] if m[1] in used else "", inside)
    inside = re.sub(r"\s*\n\s*", " ", inside).replace("base64, ", "base64,")
    inside = re.sub(r"(\d\.\d\d)\d+", r"\1", inside).replace(_INK, "currentColor")
    inside = re.sub(r"font-family: [^;\"]+", "font-family: system-ui, sans-serif", inside)
    inside = re.sub(r' style="image-rendering:[^"]*"', "", inside)
    width, height = (round(72 * side) for side in figure.get_size_inches())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(alt)}" style="width:100%;max-width:{width}px;height:auto;'
        f'stroke-linejoin:round">{inside}'
    )


def cue_svg(
    cues: SpatialCues,
    evidence: np.ndarray | None = None,
    predicted_db: Sequence[Sequence[float] | None] = (),
) -> str:
    """Draw azimuth and level over time.

    The upper panel has each source's azimuth in degrees (right is up) with its 90 % interval as a
    band; the lower one has each source's level in dB and, thin, that of the whole recording.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.
    evidence : ndarray [directions, frames], optional
        In [0, 1], how much sound arrives from each direction, drawn in grey under the azimuths:
        from left to right (±90°; ±180° for ambisonics), over the whole duration.
    predicted_db : sequence of (sequence of float or None)
        For each source, the level in dB that its fitted pass-by predicts; drawn dashed.

    Returns
    -------
    str
        One ``<svg>`` element that needs nothing else.

    See Also
    --------
    spa2v_lib.viz.cue_figure : the same as a plotly figure

    Examples
    --------
    >>> from spa2v_lib import Recording, extract_cues
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    >>> recording = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000)
    >>> svg = cue_svg(extract_cues(recording, label="car", capture="panned"))
    >>> "car: stationary, azimuth from 18 to 18 degrees" in svg
    True
    """
    import matplotlib
    from matplotlib.figure import Figure

    around = cues.capture.format == "foa"
    reach, ticks = (180, _AROUND) if around else (90, _FRONT)
    times = np.array(cues.times_s)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        azimuth, level = figure.subplots(
            2, 1, sharex=True, height_ratios=(1.8, 1),
            gridspec_kw={"left": 0.13, "right": 0.97, "top": 0.93, "bottom": 0.11, "hspace": 0.12},
        )  # fmt: skip
        if evidence is not None:
            _shade(azimuth, evidence, "#7b8187", (0.0, cues.duration_s, -reach, reach))
        lines = [_track(azimuth, level, cues, index) for index in range(len(cues.sources))]
        for index, values in enumerate(predicted_db):
            if values is not None:
                level.plot(times, values, "--", color=colour_of(index), linewidth=1.6)
        thin = {"color": _INK, "linewidth": 1.0, "alpha": 0.45}
        lines += level.plot(times, cues.level_db, **thin)
        names = [*map(source_name, cues.sources), "whole recording"]
        azimuth.legend(
            lines, [_short(name) for name in names],
            loc="lower left", bbox_to_anchor=(0.0, 0.99), ncols=4, borderpad=0, handlelength=1.2,
        )  # fmt: skip
        azimuth.set(ylim=(-reach, reach), yticks=[*ticks], yticklabels=ticks.values())
        azimuth.set_ylabel("azimuth")
        tracks = [cues.level_db, *(source.level_db for source in cues.sources)]
        level.set(ylim=_level_range(tracks), ylabel="level (dB)", xlabel="time (s)")
        level.set_xlim(0.0, cues.duration_s)
    return figure_svg(figure, cues_in_words(cues))


def _short(name: str) -> str:
    """Return a name that fits a legend and that matplotlib does not hide for its underscore."""
    name = name.lstrip("_") or "source"
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _track(azimuth: Axes, level: Axes, cues: SpatialCues, index: int) -> object:
    """Draw one source; dotted where its azimuth is held. Return the line that stands for it."""
    source, times, colour = cues.sources[index], cues.times_s, colour_of(index)
    known, low, high = (
        np.array([np.nan if value is None else value for value in values])
        for values in (source.azimuth_deg, source.azimuth_low_deg, source.azimuth_high_deg)
    )
    azimuth.fill_between(times, low, high, color=colour, alpha=0.22, linewidth=0.0)
    azimuth.plot(times, known, ":", color=colour, linewidth=1.4)
    sounding = np.where(source.active, known, np.nan)
    (line,) = azimuth.plot(times, sounding, color=colour, linewidth=2.4, solid_capstyle="round")
    level.plot(times, source.level_db, color=colour, linewidth=1.8)
    return line


def _level_range(tracks: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the bottom and top of the level axis in dB, multiples of 10."""
    levels = np.array([level for track in tracks for level in track], float)
    levels = levels[np.isfinite(levels)]
    if not len(levels):
        return -_LEVEL_SPAN_DB, 0.0
    high = 10.0 * np.ceil(levels.max() / 10.0)
    low = 10.0 * np.floor(max(levels.min(), high - _LEVEL_SPAN_DB) / 10.0)
    return min(low, high - 10.0), high


def spectrogram_svg(
    name: str,
    colour: str,
    shade: np.ndarray,
    hz: tuple[float, float],
    span_s: tuple[float, float],
) -> str:
    """Draw a spectrogram in one colour.

    Parameters
    ----------
    name, colour : str
        Of the source.
    shade : ndarray [frequencies, times]
        In [0, 1]; rows rise in equal steps of log frequency.
    hz : (float, float)
        Frequencies of the first and the last row.
    span_s : (float, float)
        Begin and end of the excerpt.

    Returns
    -------
    str
        One ``<svg>`` element that needs nothing else.

    See Also
    --------
    cue_svg : Azimuth and level over time.

    Examples
    --------
    >>> svg = spectrogram_svg("car", "#2f7fd8", np.ones((4, 8)), (50.0, 8000.0), (0.0, 2.0))
    >>> svg.count("<image"), "frequency (Hz)" in svg
    (1, True)
    """
    import matplotlib
    from matplotlib.figure import Figure

    marks = [mark for mark in (100, 300, 1000, 3000, 10_000) if hz[0] <= mark <= hz[1]]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], 2.8))
        axes = figure.add_axes((0.13, 0.21, 0.84, 0.66))
        _shade(axes, shade, colour, (*span_s, *np.log(hz)))
        axes.set_title(name, loc="left", fontsize=12, fontweight="bold")
        axes.set(xlim=span_s, ylim=np.log(hz), xlabel="time (s)", ylabel="frequency (Hz)")
        axes.set_yticks(np.log(marks), [f"{mark:,}".replace(",", " ") for mark in marks])
    return figure_svg(figure, f"spectrogram of {name}")


def _shade(axes: Axes, values: np.ndarray, colour: str, extent: tuple[float, ...]) -> None:
    """Draw values in [0, 1] as the opacity of one colour."""
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    pixels[..., 3] = (255.0 * np.clip(values, 0.0, 1.0)).round()
    axes.imshow(pixels, extent=extent, aspect="auto", origin="lower", interpolation="none")
