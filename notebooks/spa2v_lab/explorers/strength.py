"""Explorer: how strongly a method grounds, and what that does to the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from ipywidgets import HTML, Button, Dropdown, FloatSlider, HBox, VBox

from spa2v_lab.explorers.pictures import image_html
from spa2v_lab.viz.sheets import Sheet, shown_boxes, shown_frames, slider
from spa2v_lib.errors import Spa2vError
from spa2v_lib.sampling import generate, get_preset, new_grounding

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.grounding.base import Grounding
    from spa2v_lib.video import Video

__all__ = ["KNOBS", "StrengthExplorer", "Try", "grounding_at", "strength_figure", "try_strength"]

KNOBS = {"migc": "strength", "gligen": "strength", "attention": "strength", "lvd": "scale"}
"""The knob of each method that says how strongly it acts."""

_MOST = {"migc": 1.0, "gligen": 1.0, "attention": 2.0, "lvd": 2.0}
_FRAMES = 6


@dataclass(frozen=True)
class Try:
    """One video, and how strongly it was grounded.

    Attributes
    ----------
    method : str
    strength : float
        As a multiple of the preset's own.
    video : Video
    iou : float or None
        Mean overlap of detected and asked boxes; None where no shipped detector can judge.
    """

    method: str
    strength: float
    video: Video
    iou: float | None

    @property
    def words(self) -> str:
        """What came out, in a few words."""
        judged = "" if self.iou is None else f", overlap with the boxes {self.iou:.2f}"
        return f"{self.method}, {self.strength:g} times its usual strength{judged}"


def grounding_at(method: str, strength: float, preset: str = "tiny") -> Grounding:
    """Return a method with the preset's knobs, its strength multiplied.

    Parameters
    ----------
    method : str
        A key of `KNOBS` that the preset can use.
    strength : float
        Multiple of the preset's own; 0 is without grounding. Layers go up to 1.

    Raises
    ------
    SamplingError
        If there is no such method, or the strength is out of its range.
    """
    knobs = get_preset(preset).groundings.get(method, {})
    usual = getattr(new_grounding(method, **knobs), KNOBS[method])
    return new_grounding(method, **{**knobs, KNOBS[method]: strength * usual})


def try_strength(
    layout: VideoSceneLayout,
    method: str,
    strength: float,
    *,
    preset: str = "tiny",
    seed: int = 0,
    steps: int | None = None,
) -> Try:
    """Sample a layout with a method at some strength, and measure.

    Parameters
    ----------
    layout : VideoSceneLayout
    method, strength, preset
        As for `grounding_at`.
    seed : int
    steps : int, optional
        The preset's own number if not given.
    """
    grounding = grounding_at(method, strength, preset)
    video = generate(layout, preset, seed, steps=steps, grounding=grounding)
    overlap = None
    if get_preset(preset).labels:
        from spa2v_lab.bench.sampling import score
        from spa2v_lib.sampling.tiny_detector import detect

        overlap = score(layout, video.frames, detect(video.frames))["IoU"]
    return Try(method, strength, video, overlap)


def strength_figure(layout: VideoSceneLayout, tries: Sequence[Try]) -> go.Figure:
    """Draw some frames of every try, with a slider over them that needs no kernel.

    Parameters
    ----------
    layout : VideoSceneLayout
        Of all the tries.
    tries : sequence of Try
    """
    chosen = shown_frames(layout, _FRAMES)
    sheets = [Sheet.of([one.video.frames[chosen]], layout.aspect) for one in tries]
    figure = go.Figure([sheets[-1].trace(), *sheets[-1].outlines([shown_boxes(layout, chosen)])])
    figure.frames = [
        go.Frame(data=[sheet.trace()], traces=[0], name=str(index))
        for index, sheet in enumerate(sheets)
    ]
    titles = [f"{layout.frame_times_s[index]:.2f} s" for index in chosen]
    words = f"{layout.caption}: {'; '.join(one.words for one in tries)}"
    sheets[-1].framed(figure, [tries[0].method], titles, words)
    labels = [f"{one.strength:g}" for one in tries]
    control = {**slider(labels, "strength "), "active": len(tries) - 1}
    return figure.update_layout(sliders=[control], height=figure.layout.height + 70)


class StrengthExplorer(VBox):
    """Choose a method and a strength, and sample again.

    Parameters
    ----------
    layout : VideoSceneLayout
    preset : str
    seed : int
    steps : int, optional
        The preset's own number if not given.

    Attributes
    ----------
    tries : list of Try
        What was sampled, the latest last.
    """

    def __init__(
        self,
        layout: VideoSceneLayout,
        *,
        preset: str = "tiny",
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        self.tries: list[Try] = []
        self._layout = layout
        self._settings = {"preset": preset, "seed": seed, "steps": steps}
        methods = [name for name in get_preset(preset).groundings if name in KNOBS]
        self._method = Dropdown(options=methods, description="method")
        self._strength = FloatSlider(value=1.0, max=1.0, step=0.05, description="strength")
        self._button = Button(description="Sample", button_style="primary")
        self._shown = HTML("Press <b>Sample</b> to draw the video at this strength.")
        self._method.observe(self._reach, "value")
        self._button.on_click(self._sample)
        self._reach()
        super().__init__([HBox([self._method, self._strength, self._button]), self._shown])

    def _reach(self, _change: object = None) -> None:
        """Let the slider go as far as the method does."""
        self._strength.max = _MOST[self._method.value]

    def _sample(self, _button: object = None) -> None:
        self._button.disabled = True
        self._shown.value = "Sampling …"
        try:
            done = try_strength(
                self._layout, self._method.value, self._strength.value, **self._settings
            )
            self.tries.append(done)
            self._shown.value = _strip(self._layout, done)
        except Spa2vError as error:
            self._shown.value = escape(str(error))
        finally:
            self._button.disabled = False


def _strip(layout: VideoSceneLayout, done: Try) -> str:
    from spa2v_lib.viz.frames import contact_sheet

    return f"{image_html(contact_sheet(done.video.frames, layout), done.words)}{escape(done.words)}"
