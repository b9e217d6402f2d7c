"""Explorer: let a thing go its way past a pair of microphones, and see what is heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from ipywidgets import HTML, Checkbox, Dropdown, HBox, VBox

from spa2v_lab.explorers.sound import ROOMS
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lab.viz.captures import NAMES
from spa2v_lab.viz.sheets import slider
from spa2v_lib.cues.extract import extract_cues
from spa2v_lib.viz.cue_figures import track_lines
from spa2v_lib.viz.page import map_svg
from spa2v_lib.viz.player import sound_player
from spa2v_lib.viz.style import TEXT, azimuth_ticks, colour_of, interval_band, styled

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SourceTrack, SpatialCues

__all__ = ["WAYS", "Heard", "HearingExplorer", "hear_way", "heard_figure"]

WAYS = {
    "crosses to the right": {"from_deg": -40, "to_deg": 40, "from_m": 2.0},
    "crosses to the left": {"from_deg": 40, "to_deg": -40, "from_m": 2.0},
    "comes closer": {"from_deg": 20, "from_m": 2.4, "to_m": 0.6},
    "stays on the left": {"from_deg": -30, "from_m": 2.0},
}
"""Ways past the microphones, short enough for a room, for `spa2v_lab.scenes.stage.Trajectory`."""

_SECONDS = 4.0
_RATE = 22_050
_LABEL = "it"


@dataclass(frozen=True)
class Heard:
    """What was played, and what was heard of it.

    Attributes
    ----------
    recording : Recording
    cues : SpatialCues
    truth_deg : ndarray [frames]
        Where the source was, at the times of `cues`.
    """

    recording: Recording
    cues: SpatialCues
    truth_deg: np.ndarray

    @property
    def source(self) -> SourceTrack | None:
        """The loudest source; None if nothing was heard."""
        return self.cues.sources[0] if self.cues.sources else None

    @property
    def words(self) -> str:
        """How it was read, how it moves, and how far its direction is off."""
        capture = NAMES.get(self.cues.capture.format, self.cues.capture.format)
        if self.source is None or None in self.source.azimuth_deg:
            return f"read as {capture}: no direction is claimed"
        azimuth, low, high = np.array(
            [self.source.azimuth_deg, self.source.azimuth_low_deg, self.source.azimuth_high_deg]
        )[:, self.source.active]
        off = np.median(np.abs(azimuth - self.truth_deg[self.source.active]))
        return (
            f"read as {capture}: {self.source.motion.replace('_', ' ')}, {off:.0f}° off in the "
            f"median, interval {np.median(high - low):.0f}° wide"
        )


def hear_way(
    recording: str, way: str, capture: str, rt60_s: float = 0.0, *, told: bool = False
) -> Heard:
    """Let a recording go a way, and listen.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    way : str
        A key of `WAYS`.
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`: what records it.
    rt60_s : float
        Reverberation time; 0 outdoors.
    told : bool
        Whether the library is told the capture format, or has to find it out.
    """
    scene = stage(
        Trajectory(recording, **WAYS[way]),
        capture=capture,
        seconds=_SECONDS,
        rt60_s=rt60_s,
        noise_db=-25,
    )
    sound = render_sound(scene, _RATE)
    cues = extract_cues(sound, capture=capture if told else "auto", label=_LABEL)
    return Heard(sound, cues, scene.objects[0].azimuth_deg(np.array(cues.times_s)))


def heard_figure(heard: Mapping[str, Heard]) -> go.Figure:
    """Draw the track that was heard each time, with a slider over them that needs no kernel.

    Parameters
    ----------
    heard : dict of str to Heard
        The same way, by what is to stand at the slider.
    """
    steps = [_traces(one) for one in heard.values()]
    first = min(1, len(steps) - 1)  # with XY the truth lies beside the track
    figure = go.Figure(steps[first])
    figure.frames = [
        go.Frame(data=step, name=str(index), traces=list(range(len(step))))
        for index, step in enumerate(steps)
    ]
    figure.update_yaxes(title="azimuth", **azimuth_ticks())
    figure.update_xaxes(title="time (s)", range=[0.0, _SECONDS])
    words = "; ".join(f"{name}: {one.words}" for name, one in heard.items())
    styled(figure, height=450, words=words)
    control = {**slider(list(heard), "recorded with: "), "active": first, "pad": {"t": 60}}
    return figure.update_layout(sliders=[control], margin_b=40)


def _traces(one: Heard) -> list[go.Scatter]:
    """Return truth, interval and track; as many of them whatever was heard."""
    times, colour = one.cues.times_s, colour_of(0)
    line = {"color": TEXT, "width": 2, "dash": "dash"}
    truth = go.Scatter(
        x=times, y=one.truth_deg.round(1), mode="lines", name="truth", line=line, hoverinfo="skip"
    )
    if one.source is None:
        return [truth, *(go.Scatter() for _ in range(4))]
    track = track_lines(one.source, times, colour)
    track[0].name = "heard"
    return [truth, *interval_band(one.source, times, colour), *track]


class HearingExplorer(VBox):
    """Choose way, format and room; listen, and see what the library makes of it.

    Parameters
    ----------
    recording : str
        File name under ``data/recordings``.
    """

    def __init__(self, recording: str) -> None:
        self._recording = recording
        formats = [(name, key) for key, name in NAMES.items()]
        self.way = Dropdown(options=list(WAYS), description="it")
        self.capture = Dropdown(options=formats, value="ortf", description="format")
        self.room = Dropdown(options=list(ROOMS.items()), description="room")
        self.told = Checkbox(description="the format is told", indent=False)
        self._shown = HTML()
        for control in (self.way, self.capture, self.room, self.told):
            control.observe(self._show, "value")
        self._show()
        top = HBox([self.way, self.capture, self.room])
        super().__init__([top, self.told, self._shown])

    def _show(self, _change: object = None) -> None:
        capture = self.capture.value
        heard = hear_way(
            self._recording, self.way.value, capture, self.room.value, told=self.told.value
        )
        player = sound_player(heard.recording, NAMES[capture]).html()
        self._shown.value = (
            f"{map_svg(heard.recording, heard.cues)}<p>{escape(heard.words)}</p>{player}"
        )
