"""Explorer: choose a capture format, and see which directions and formats make the same sound."""

from __future__ import annotations

from html import escape

from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox

from spa2v_lab.explorers.above import from_above
from spa2v_lab.viz.captures import NAMES, differences, readings

__all__ = ["CaptureExplorer", "readings_in_words"]

_NARROW_DEG = 15.0  # up to here a range of directions is told by its middle


def readings_in_words(capture: str, azimuth_deg: float) -> list[str]:
    """Say, a line for each format, which directions would make the same two differences.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : float
        In (-180, 180].
    """
    return [
        f"{NAMES[name]}: {', '.join(_range_in_words(*ends) for ends in found)}"
        for name, found in readings(capture, azimuth_deg).items()
    ]


def _range_in_words(low: float, high: float) -> str:
    if high - low > _NARROW_DEG:
        return f"{low:+.0f}° to {high:+.0f}°"
    return f"{(low + high) / 2:+.0f}°"


class CaptureExplorer(VBox):
    """Choose format and direction; read what else would sound the same.

    Parameters
    ----------
    capture : str
        A key of `spa2v_lab.viz.captures.NAMES`.
    azimuth_deg : int
        Where the source begins.
    """

    def __init__(self, capture: str = "xy", azimuth_deg: int = 30) -> None:
        formats = [(name, key) for key, name in NAMES.items()]
        self.capture = Dropdown(options=formats, value=capture, description="format")
        self.azimuth = IntSlider(
            value=azimuth_deg, min=-175, max=180, step=5, description="azimuth"
        )
        self._shown = HTML()
        for control in (self.capture, self.azimuth):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([self.capture, self.azimuth]), self._shown])

    def _show(self, _change: object = None) -> None:
        capture, azimuth = self.capture.value, self.azimuth.value
        same = readings(capture, azimuth).get(capture, [])
        middles = tuple((low + high) / 2 for low, high in same)
        found = differences(capture, azimuth)
        ild, itd_us = found.ild_db[0] + 0.0, 1e6 * found.itd_s[0] + 0.0
        lines = "".join(f"<li>{escape(line)}</li>" for line in readings_in_words(capture, azimuth))
        self._shown.value = (
            f"{from_above(capture, azimuth, middles)}<p>{ild:+.1f} dB, {itd_us:+.0f} µs. The same "
            f"differences come from:</p><ul>{lines}</ul>"
        )
