"""Explorers of sampling: scrub through a video's frames, and sample at another strength."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from ipywidgets import (
    HTML,
    Button,
    Checkbox,
    Dropdown,
    FloatSlider,
    HBox,
    IntSlider,
    Play,
    VBox,
    jslink,
)

from spa2v_lab.explorers.widgets import image_html
from spa2v_lab.scenes.export import contact_sheet, frames_image
from spa2v_lib.errors import Spa2vError
from spa2v_lib.sampling import generate, get_preset, new_grounding

if TYPE_CHECKING:
    from spa2v_lab.viz.attention_maps import StepRecord
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.grounding.base import Grounding
    from spa2v_lib.video import Video

__all__ = [
    "STRENGTHS",
    "FrameExplorer",
    "StrengthExplorer",
    "Trial",
    "frame_caption",
    "grounding_at",
    "sample_at_strength",
]

STRENGTHS = {"migc": "strength", "gligen": "strength", "attention": "strength", "lvd": "scale"}
"""The parameter of each grounding method that says how strongly it acts."""

_MOST = {"migc": 1.0, "gligen": 1.0, "attention": 2.0, "lvd": 2.0}
_WIDTH = 320  # of an enlarged frame, in pixels


def frame_caption(layout: VideoSceneLayout, index: int) -> str:
    """Return the number, the time and the caption of a frame.

    Parameters
    ----------
    layout : VideoSceneLayout
    index : int
        From 0.

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> frame_caption(layout, 1)
    'frame 2 of 8, 0.12 s: a street'
    """
    time = layout.frame_times_s[index]
    return f"frame {index + 1} of {layout.frame_count}, {time:.2f} s: {layout.caption_at(time)}"


class FrameExplorer(VBox):
    """A slider, or the play button, goes through the frames.

    Parameters
    ----------
    layout : VideoSceneLayout
    video : Video
        Of the layout's length.

    Raises
    ------
    ValueError
        If it is not.

    Attributes
    ----------
    frame, boxes : ipywidgets.Widget
        Which frame is shown, and whether with its boxes.
    shown : ipywidgets.HTML
        The frame and its caption.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib import Video, VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0, fps=8.0)
    >>> FrameExplorer(layout, Video(np.zeros((8, 32, 32, 3), np.uint8), 8.0)).frame.max
    7
    """

    def __init__(self, layout: VideoSceneLayout, video: Video) -> None:
        if len(video.frames) != layout.frame_count:
            raise ValueError(
                f"the video has {len(video.frames)} frames and the layout {layout.frame_count}"
            )
        self._layout, self._video = layout, video
        last = layout.frame_count - 1
        play = Play(max=last, interval=round(1000 / video.fps))
        self.frame = IntSlider(max=last, description="frame")
        self.boxes = Checkbox(value=True, description="boxes")
        self.shown = HTML()
        jslink((play, "value"), (self.frame, "value"))
        for control in (self.frame, self.boxes):
            control.observe(self._show, "value")
        self._show()
        super().__init__([HBox([play, self.frame, self.boxes]), self.shown])

    def _show(self, _change: object = None) -> None:
        index, caption = self.frame.value, frame_caption(self._layout, self.frame.value)
        row = self._layout.frame_boxes()[index] if self.boxes.value else []
        image = frames_image(self._video.frames[index : index + 1], [row], width=_WIDTH)
        self.shown.value = f"{image_html(image, caption)}<p>{escape(caption)}</p>"


@dataclass(frozen=True)
class Trial:
    """One video, and how strongly it was grounded.

    Attributes
    ----------
    method : str
    strength : float
        As a multiple of the preset's own.
    video : Video
    iou : float or None
        Mean IoU of detected and planned boxes; None where no shipped detector can judge.
    steps : list of StepRecord
        What was seen at each step.

    Examples
    --------
    >>> Trial("gligen", 0.5, None, 0.25).summary
    'gligen, 0.5 × its default strength, IoU with the boxes 0.25'
    """

    method: str
    strength: float
    video: Video
    iou: float | None
    steps: list[StepRecord] = field(default_factory=list, repr=False)

    @property
    def summary(self) -> str:
        """Method, strength and measured overlap."""
        judged = "" if self.iou is None else f", IoU with the boxes {self.iou:.2f}"
        return f"{self.method}, {self.strength:g} × its default strength{judged}"


def grounding_at(method: str, strength: float, preset: str = "tiny") -> Grounding:
    """Return a grounding method with the preset's settings, its strength multiplied.

    Parameters
    ----------
    method : str
        A key of `STRENGTHS` that the preset can use.
    strength : float
        Multiple of the preset's own; 0 is without grounding. Layers go up to 1.

    Raises
    ------
    SamplingError
        If there is no such method, or the strength is out of its range.

    Examples
    --------
    >>> grounding_at("gligen", 0.5).strength
    0.5
    """
    settings = get_preset(preset).groundings.get(method, {})
    default = getattr(new_grounding(method, **settings), STRENGTHS[method])
    return new_grounding(method, **{**settings, STRENGTHS[method]: strength * default})


def sample_at_strength(
    layout: VideoSceneLayout,
    method: str,
    strength: float,
    *,
    preset: str = "tiny",
    seed: int = 0,
    steps: int | None = None,
) -> Trial:
    """Sample a layout with a method at some strength, record its steps, and measure.

    Parameters
    ----------
    layout : VideoSceneLayout
    method, strength, preset
        As for `grounding_at`.
    seed : int
    steps : int, optional
        The preset's own number if not given.

    Examples
    --------
    >>> trial = sample_at_strength(layout, "gligen", 0.5)  # takes a minute  # doctest: +SKIP
    """
    from spa2v_lab.viz.attention_maps import Recorder

    grounding = grounding_at(method, strength, preset)
    seen = Recorder()
    video = generate(layout, preset, seed, steps=steps, grounding=grounding, recorder=seen)
    overlap = None
    if get_preset(preset).labels:
        from spa2v_lab.bench.sampling import score
        from spa2v_lib.sampling.tiny_detector import detect

        overlap = score(layout, video.frames, detect(video.frames))["IoU"]
    return Trial(method, strength, video, overlap, seen.steps)


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
    trials : list of Trial
        What was sampled, the latest last.
    method, strength, sample_button : ipywidgets.Widget
        What is sampled with, and what begins it.
    shown : ipywidgets.HTML
        The latest video, or why there is none.

    Examples
    --------
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=0.25, fps=8.0)
    >>> StrengthExplorer(layout).trials
    []
    """

    def __init__(
        self,
        layout: VideoSceneLayout,
        *,
        preset: str = "tiny",
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        self.trials: list[Trial] = []
        self._layout = layout
        self._settings = {"preset": preset, "seed": seed, "steps": steps}
        methods = [name for name in get_preset(preset).groundings if name in STRENGTHS]
        self.method = Dropdown(options=methods, description="method")
        self.strength = FloatSlider(value=1.0, max=1.0, step=0.05, description="strength")
        self.sample_button = Button(description="Sample", button_style="primary")
        self.shown = HTML("Press <b>Sample</b> to draw the video at this strength.")
        self.method.observe(self._reach, "value")
        self.sample_button.on_click(self._sample)
        self._reach()
        super().__init__([HBox([self.method, self.strength, self.sample_button]), self.shown])

    def _reach(self, _change: object = None) -> None:
        """Let the slider go as far as the method does."""
        self.strength.max = _MOST[self.method.value]

    def _sample(self, _button: object = None) -> None:
        self.sample_button.disabled = True
        self.shown.value = "Sampling …"
        try:
            done = sample_at_strength(
                self._layout, self.method.value, self.strength.value, **self._settings
            )
            self.trials.append(done)
            self.shown.value = _strip(self._layout, done)
        except Spa2vError as error:
            self.shown.value = escape(str(error))
        finally:
            self.sample_button.disabled = False


def _strip(layout: VideoSceneLayout, trial: Trial) -> str:
    image = contact_sheet(trial.video.frames, layout)
    return f"{image_html(image, trial.summary)}{escape(trial.summary)}"
