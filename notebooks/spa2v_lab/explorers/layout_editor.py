"""Explorer: drag and resize the boxes of a layout, key frame by key frame, and sample again.

The drawing is in ``layout_editor.js``. With a kernel it is a widget (`LayoutEditor`), whose `value`
is a layout; without one, in a static page, the same drawing works alone (`editor_html`), but cannot
sample.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from spa2v_lib.errors import LayoutError, PlanningError, Spa2vError
from spa2v_lib.layout.captions import frame_caption
from spa2v_lib.layout.scene_layout import Box, VideoSceneLayout
from spa2v_lib.viz.frames import data_url
from spa2v_lib.viz.style import script_json
from spa2v_lib.viz.words import colour_of, shown_label

if TYPE_CHECKING:
    from spa2v_lib.video import Video

__all__ = ["LayoutEditor", "editor_html", "editor_state", "edited"]

Corners = list[float] | None

_SCRIPT = Path(__file__).with_suffix(".js")
_EXPORT = "export default { render, moved, resized };"
_HELP = (
    "Drag a box to move it, a corner to resize it; or press Tab, then the arrows (with Shift to "
    "resize)."
)
_LONGEST_SIDE = 400


def editor_state(layout: VideoSceneLayout, video: Video | None = None) -> dict[str, Any]:
    """Return what the editor draws, as plain JSON.

    Parameters
    ----------
    layout : VideoSceneLayout
    video : Video, optional
        Its frames are shown behind the boxes.

    Returns
    -------
    dict
        ``scene`` (times of the key frames, aspect, names and colours), ``boxes`` [object][key
        frame] as four corners or None, and ``pictures`` [key frame] as data URLs, empty without a
        video.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> editor_state(layout)["boxes"]
    [[[0.0, 0.0, 0.5, 1.0]]]
    """
    return {
        "scene": {
            "times": layout.key_times_s,
            "aspect": layout.aspect,
            "objects": [
                {
                    "name": shown_label(item.label),
                    "colour": colour_of(index),
                }
                for index, item in enumerate(layout.objects)
            ],
        },
        "boxes": [
            [box and [round(corner, 4) for corner in box.as_tuple()] for box in item.boxes]
            for item in layout.objects
        ],
        "pictures": [] if video is None else _pictures(layout, video),
    }


def edited(layout: VideoSceneLayout, boxes: Sequence[Sequence[Corners]]) -> VideoSceneLayout:
    """Return the layout with other boxes.

    A frame's caption that says what the grammar of `spa2v_lib.layout.captions` says about the old
    boxes is written anew about the new ones; any other caption stays.

    Parameters
    ----------
    layout : VideoSceneLayout
    boxes : [object][key frame] of four corners or None

    Raises
    ------
    LayoutError
        If there are not as many as the layout has, or a box is not one.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> edited(layout, [[[0.5, 0.0, 1.0, 1.0]]]).objects[0].boxes[0].x0
    0.5
    """
    if len(boxes) != len(layout.objects):
        raise LayoutError(f"boxes of {len(boxes)} objects; the layout has {len(layout.objects)}")
    new = [[_box(corners) for corners in track] for track in boxes]
    captions = [
        _caption(layout, new, index) if caption == _caption(layout, None, index) else caption
        for index, caption in enumerate(layout.frame_captions)
    ]
    objects = [
        {**dict(item), "boxes": track} for item, track in zip(layout.objects, new, strict=True)
    ]
    return VideoSceneLayout(**{**dict(layout), "frame_captions": captions, "objects": objects})


def editor_html(layout: VideoSceneLayout, video: Video | None = None) -> str:
    """Return the editor as HTML that needs no kernel and no other file; it cannot sample.

    Parameters
    ----------
    layout, video
        As in `editor_state`.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> editor_html(layout).count("<script>")
    1
    """
    state = {
        **editor_state(layout, video),
        "film": "",
        "note": _HELP,
        "busy": False,
        "live": False,
    }
    text = script_json(state)
    name = f"editor-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    script = _SCRIPT.read_text(encoding="utf-8").replace(_EXPORT, "")
    alt = escape(f"Editor of the layout: {layout.caption}")
    return (
        f'<div id="{name}" role="group" aria-label="{alt}"></div>\n<script>(function(state){{'
        f"{script}\n"
        "const model={get:(key)=>state[key],set:(key,value)=>{state[key]=value},"
        "save_changes(){},on(){},send(){}};"
        f'const el=document.getElementById("{name}");el.textContent="";render({{model,el}})'
        f"}})({text})</script>"
    )


class LayoutEditor(anywidget.AnyWidget):
    """The editor as a widget; `value` is the layout as it stands.

    Parameters
    ----------
    layout : VideoSceneLayout
    video : Video, optional
        Shown behind the boxes until another is sampled.
    preset : str
        What "Sample again" samples with.
    seed : int
    steps : int, optional
        The preset's own if not given.

    Attributes
    ----------
    value : VideoSceneLayout
        Changes with every edit, and may be set; observe it as any widget's value.
    video : Video or None
        The last one that was sampled.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import SceneObject
    >>> half = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> bus = SceneObject(id="a", label="bus", caption="a bus", boxes=[half])
    >>> layout = VideoSceneLayout(caption="a bus", frame_captions=["a bus"], key_times_s=[0.0],
    ...                           objects=[bus], duration_s=0.25, fps=8.0)
    >>> editor = LayoutEditor(layout)
    >>> editor.boxes = [[[0.5, 0.0, 1.0, 1.0]]]
    >>> editor.value.objects[0].boxes[0].x0
    0.5
    """

    _esm = _SCRIPT
    value = traitlets.Instance(VideoSceneLayout)
    scene = traitlets.Dict().tag(sync=True)
    boxes = traitlets.List().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)
    film = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode(_HELP).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    asked = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        layout: VideoSceneLayout,
        video: Video | None = None,
        *,
        preset: str = "tiny",
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        self.video = video
        self._options = {"preset": preset, "seed": seed, "steps": steps}
        self._static = editor_html(layout, video)
        super().__init__(value=layout, **editor_state(layout, video))
        self.on_msg(self._greet)

    def _greet(self, widget: LayoutEditor, message: object, buffers: object) -> None:
        """Offer to sample: what is drawn in a front end has reached this kernel."""
        self.live = True

    @traitlets.observe("boxes")
    def _take_boxes(self, change: dict[str, Any]) -> None:
        try:
            self.value = edited(self.value, change["new"])
        except LayoutError as error:  # from a front end that is not ours: keep what was valid
            self.note = str(error)

    @traitlets.observe("value")
    def _show_value(self, change: dict[str, Any]) -> None:
        if change["old"] is traitlets.Undefined or not isinstance(change["old"], VideoSceneLayout):
            return
        state = editor_state(self.value)
        same = state["scene"] == self.scene
        self.scene = state["scene"]
        if self.boxes != state["boxes"]:
            self.boxes = state["boxes"]
        if not same:
            self.pictures = []

    @traitlets.observe("asked")
    def _sample(self, change: dict[str, Any]) -> None:
        """Sample the layout as it stands; what is wrong is said below the boxes."""
        from spa2v_lib import sampling

        if change["new"] == 0 or self.busy:
            return
        self.busy, self.note = True, "Sampling …"
        try:
            self.video = sampling.generate(self.value, **self._options)
            self.pictures = _pictures(self.value, self.video)
            self.film = _film(self.video)
            self.note = _HELP
        except Spa2vError as error:
            self.note = str(error)
        finally:
            self.busy = False

    def __repr__(self) -> str:
        return f"<LayoutEditor of {self.value!r}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget, and beside it the drawing that works without a kernel."""
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": self._static}, metadata


def _box(corners: Corners) -> Box | None:
    if corners is None:
        return None
    if len(corners) != 4:
        raise LayoutError(f"a box has {len(corners)} corners; four are needed: x0, y0, x1, y1")
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True)))


def _caption(
    layout: VideoSceneLayout, boxes: list[list[Box | None]] | None, index: int
) -> str | None:
    """Say what is visible at a key frame; None where the grammar cannot describe it."""
    tracks = boxes or [item.boxes for item in layout.objects]
    visible = [
        (item.label, track[index].center[0])
        for item, track in zip(layout.objects, tracks, strict=True)
        if track[index] is not None
    ]
    try:
        return frame_caption(visible, layout.background)
    except (PlanningError, KeyError):
        return None


def _pictures(layout: VideoSceneLayout, video: Video) -> list[str]:
    """Return the frame at each key time as a data URL."""
    last = len(video.frames) - 1
    chosen = [min(last, round(time * video.fps)) for time in layout.key_times_s]
    return [_picture(video.frames[index]) for index in chosen]


def _picture(pixels: np.ndarray) -> str:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return data_url(image, "WEBP", quality=90)


def _film(video: Video) -> str:
    """Return the video as a data URL."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        data = video.save(Path(folder) / "video.mp4").read_bytes()
    return f"data:video/mp4;base64,{base64.b64encode(data).decode()}"
