"""Explorer of localization: move a source past the microphones, and compare track and truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from ipywidgets import HTML, Checkbox, Dropdown, HBox, VBox

from spa2v_lab.explorers.captures import ROOMS
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lab.viz.analysis import track_lines
from spa2v_lab.viz.captures import NAMES
from spa2v_lib.cues.extract import Analysis, analyze
from spa2v_lib.viz.analysis_page import map_svg
from spa2v_lib.viz.figures import slider
from spa2v_lib.viz.player import sound_player
from spa2v_lib.viz.style import TEXT, azimuth_ticks, interval_band, styled
from spa2v_lib.viz.words import colour_of

if TYPE_CHECKING:
    from spa2v_lib.cues.types import SourceTrack

__all__ = [
    "TRAJECTORIES",
    "Localization",
    "LocalizationExplorer",
    "localization_figure",
    "localize",
]

TRAJECTORIES = {
    "crosses to the right": {"from_deg": -40, "to_deg": 40, "from_m": 2.0},
    "crosses to the left": {"from_deg": 40, "to_deg": -40, "from_m": 2.0},
    "approaches": {"from_deg": 20, "from_m": 2.4, "to_m": 0.6},
    "stays on the left": {"from_deg": -30, "from_m": 2.0},
}
"""Trajectories past the microphones, short enough for a room, as the arguments of
`spa2v_lab.scenes.stage.Trajectory`."""

_SECONDS = 4.0
_RATE = 22_050
_LABEL = "it"


@dataclass(frozen=True)
class Localization:
    """A rendered recording, the cues measured in it, and the truth.

    Attributes
    ----------
    analysis : Analysis
    truth_deg : ndarray [frames]
        Azimuth of the source at the times of the cues.

    Examples
    --------
    >>> result = localize("sheep_01.flac", "stays on the left", "ortf", format_known=True)
    >>> result.summary.split(",")[0]
    'capture format ORTF: stationary'
    """

    analysis: Analysis
    truth_deg: np.ndarray

    @property
    def source(self) -> SourceTrack | None:
        """The loudest source; None if none was detected."""
        return self.analysis.cues.sources[0] if self.analysis.cues.sources else None

    @property
    def summary(self) -> str:
        """Capture format, motion, error of the azimuth, and width of its interval."""
        capture = NAMES.get(self.analysis.cues.capture.format, self.analysis.cues.capture.format)
        if self.source is None or None in self.source.azimuth_deg:
            return f"capture format {capture}: no azimuth can be estimated"
        azimuth, low, high = np.array(
            [self.source.azimuth_deg, self.source.azimuth_low_deg, self.source.azimuth_high_deg]
        )[:, self.source.active]
        error = np.median(np.abs(azimuth - self.truth_deg[self.source.active]))
        return (
            f"capture format {capture}: {self.source.motion.replace('_', ' ')}, median error "
            f"{error:.0f}°, median interval {np.median(high - low):.0f}° wide"
        )


def localize(
    recording: str,
    trajectory: str,
    capture: str,
    rt60_s: float = 0.0,
    *,
    format_known: bool = False,
) -> Localization:
    """Render a recording on a trajectory, and localize it.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    trajectory : str
        A key of `TRAJECTORIES`.
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`: what records it.
    rt60_s : float
        Reverberation time; 0 outdoors.
    format_known : bool
        Whether the library is given the capture format, or has to recognize it.

    Returns
    -------
    Localization

    Examples
    --------
    >>> result = localize("sheep_01.flac", "stays on the left", "ortf", format_known=True)
    >>> bool(abs(result.source.azimuth_start_deg + 30) < 5)
    True
    """
    scene = stage(
        Trajectory(recording, **TRAJECTORIES[trajectory]),
        capture=capture,
        seconds=_SECONDS,
        rt60_s=rt60_s,
        noise_db=-25,
    )
    sound = render_sound(scene, _RATE)
    analysis = analyze(sound, capture=capture if format_known else "auto", label=_LABEL)
    return Localization(analysis, scene.objects[0].azimuth_deg(np.array(analysis.cues.times_s)))


def localization_figure(results: Mapping[str, Localization]) -> go.Figure:
    """Draw each track over its truth, with a slider that needs no kernel.

    Parameters
    ----------
    results : dict of str to Localization
        By the label of the slider's position.

    Examples
    --------
    >>> result = localize("sheep_01.flac", "stays on the left", "ortf", format_known=True)
    >>> localization_figure({"ORTF": result}).layout.yaxis.title.text
    'azimuth (°)'
    """
    steps = [_traces(one) for one in results.values()]
    first = min(1, len(steps) - 1)  # with XY the truth lies beside the track
    figure = go.Figure(steps[first])
    figure.frames = [
        go.Frame(data=step, name=str(index), traces=list(range(len(step))))
        for index, step in enumerate(steps)
    ]
    figure.update_yaxes(title="azimuth (°)", **azimuth_ticks())
    figure.update_xaxes(title="time (s)", range=[0.0, _SECONDS])
    alt = "; ".join(f"{name}: {one.summary}" for name, one in results.items())
    styled(figure, height=450, alt=alt)
    control = {**slider(list(results), "capture format: ", first), "pad": {"t": 60}}
    return figure.update_layout(sliders=[control], margin_b=40)


def _traces(one: Localization) -> list[go.Scatter]:
    """Return truth, interval and track; as many of them whatever was detected."""
    times, colour = one.analysis.cues.times_s, colour_of(0)
    line = {"color": TEXT, "width": 2, "dash": "dash"}
    truth = go.Scatter(
        x=times, y=one.truth_deg.round(1), mode="lines", name="truth", line=line, hoverinfo="skip"
    )
    if one.source is None:
        return [truth, *(go.Scatter() for _ in range(4))]
    track = track_lines(one.source, times, colour)
    track[0].name = "estimate"
    return [truth, *interval_band(one.source, times, colour), *track]


class LocalizationExplorer(VBox):
    """Choose trajectory, capture format and room; listen, and compare estimate and truth.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.

    Attributes
    ----------
    trajectory, capture, room, format_known : ipywidgets.Widget
        The controls.
    shown : ipywidgets.HTML
        Map, summary and player.

    Examples
    --------
    >>> explorer = LocalizationExplorer("airplane_jet_01.flac")  # doctest: +SKIP
    >>> explorer.capture.value = "xy"  # doctest: +SKIP
    >>> explorer  # shows the controls, the map and a player  # doctest: +SKIP
    """

    def __init__(self, recording: str) -> None:
        self._recording = recording
        formats = [(name, key) for key, name in NAMES.items()]
        self.trajectory = Dropdown(options=list(TRAJECTORIES), description="trajectory")
        self.capture = Dropdown(options=formats, value="ortf", description="format")
        self.room = Dropdown(options=list(ROOMS.items()), description="room")
        self.format_known = Checkbox(description="the capture format is known", indent=False)
        self.shown = HTML()
        for control in (self.trajectory, self.capture, self.room, self.format_known):
            control.observe(self._show, "value")
        self._show()
        top = HBox([self.trajectory, self.capture, self.room])
        super().__init__([top, self.format_known, self.shown])

    def _show(self, _change: object = None) -> None:
        capture = self.capture.value
        result = localize(
            self._recording,
            self.trajectory.value,
            capture,
            self.room.value,
            format_known=self.format_known.value,
        )
        player = sound_player(result.analysis.recording, NAMES[capture]).html()
        self.shown.value = f"{map_svg(result.analysis)}<p>{escape(result.summary)}</p>{player}"
