"""Simulated scenes as files: sound, true layout, drawn reference and contact sheet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.recordings import sounding_recordings
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lib.errors import SceneError
from spa2v_lib.folders import result_folder

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from spa2v_lab.scenes.scene import Scene
    from spa2v_lib.layout.box import Box
    from spa2v_lib.layout.captions import Motion
    from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = [
    "MARKER",
    "contact_sheet",
    "frames_image",
    "write_list",
    "write_scene",
    "write_scenes",
]

MARKER = "scenes.json"
"""The file that lists the scenes of a folder."""

_SHEET_SIDE = 128
_SHEET_FRAMES = 8
_GAP, _LINE = 4, 3  # pixels


def contact_sheet(frames: np.ndarray, layout: VideoSceneLayout, width: int = 128) -> Image:
    """Draw up to eight frames of a video in a row, with the layout's boxes.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        One per frame of `layout`.
    layout : VideoSceneLayout
        Its boxes.
    width : int
        Of a frame as drawn, in pixels.

    Returns
    -------
    PIL.Image.Image
        The frames side by side.

    See Also
    --------
    write_scene : writes one beside a scene

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib import VideoSceneLayout
    >>> layout = VideoSceneLayout(caption="a street", frame_captions=["a street"],
    ...                           key_times_s=[0.0], objects=[], duration_s=1.0)
    >>> contact_sheet(np.zeros((8, 32, 32, 3), np.uint8), layout, width=32).size
    (284, 32)
    """
    from spa2v_lib.viz.frames import spread

    chosen = spread(len(frames), _SHEET_FRAMES)
    boxes = [layout.boxes_at(index / layout.fps) for index in chosen]
    return frames_image(frames[chosen], boxes, width=width)


def frames_image(
    frames: np.ndarray, boxes: Sequence[Sequence[Box | None]], *, width: int = 128
) -> Image:
    """Draw frames in a row, with outlines around what their boxes hold.

    Parameters
    ----------
    frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        Pictures, at least one.
    boxes : sequence of sequence of (Box or None)
        For each frame, a box for each object; None where it is out of view.
    width : int
        Of a frame as drawn, in pixels.

    Returns
    -------
    PIL.Image.Image

    See Also
    --------
    spa2v_lib.viz.frames.frames_html : the same in a saved page
    spa2v_lib.viz.figures.frames_figure : the same as a plotly figure

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.layout.box import Box
    >>> frames = np.zeros((2, 8, 16, 3), np.uint8)
    >>> frames_image(frames, [[Box(x0=0.2, y0=0.2, x1=0.6, y1=0.8)], [None]], width=64).size
    (132, 32)
    """
    import numpy as np
    from PIL import Image, ImageDraw

    from spa2v_lib.viz.words import colour_of

    height = round(width * frames.shape[1] / frames.shape[2])
    row = Image.new("RGB", (len(frames) * (width + _GAP) - _GAP, height), "white")
    for column, (frame, objects) in enumerate(zip(frames, boxes, strict=True)):
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)
        pen = ImageDraw.Draw(picture)
        for index, box in enumerate(objects):
            if box is not None:
                corners = np.reshape(box.as_tuple(), (2, 2)) * (width - 1, height - 1)
                corners += [[1 - _LINE], [_LINE - 1]]  # around the object, not over it
                pen.rectangle(corners.ravel().tolist(), outline=colour_of(index), width=_LINE)
        row.paste(picture, (column * (width + _GAP), 0))
    return row


def write_scenes(
    out: str | os.PathLike[str],
    *,
    count: int = 5,
    seed: int = 0,
    motion: Motion | None = None,
    receiver: str = "xy",
    duration_s: float = 4.0,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Render random scenes with one sounding object each.

    For every scene there are ``NNN.wav`` (sound), ``NNN.json`` (true layout), ``NNN.mp4`` (drawn
    reference with sound) and ``NNN.png`` (some frames with the true boxes); ``scenes.json`` lists
    them.

    Parameters
    ----------
    out : path
        The folder to make.
    count : int
        How many scenes.
    seed : int
        Scene number k is drawn from `seed` + k.
    motion : Motion, optional
        Of every object; every motion in turn if not given.
    receiver : str
        A key of `spa2v_lab.scenes.receivers.RECEIVERS`.
    duration_s : float
        Seconds per scene.
    overwrite : bool
        Replace the scenes of an earlier call.
    progress : callable, optional
        Called with "scenes", the scenes done and the scenes in all.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    SceneError, OutputError
        Before anything is rendered, if that is known then.

    See Also
    --------
    spa2v_lab.scenes.benchmark_card.write_benchmark : the benchmark's clips

    Examples
    --------
    >>> write_scenes("scenes", count=2, duration_s=2.0)  # doctest: +SKIP
    """
    if receiver not in RECEIVERS:
        raise SceneError(f"no receiver {receiver!r}; one of: {', '.join(RECEIVERS)}")
    if motion is not None and motion not in MOTIONS:
        raise SceneError(f"no motion {motion!r}; one of: {', '.join(MOTIONS)}")
    recordings = sounding_recordings()
    rows = []
    with result_folder(out, MARKER, overwrite=overwrite) as folder:
        for number in range(count):
            scene = sample_scene(
                seed + number,
                motion=motion or MOTIONS[number % len(MOTIONS)],
                labels=tuple(recordings),
                duration_s=duration_s,
                recordings=recordings,
                receiver=receiver,
            )
            rows.append({"seed": seed + number, **write_scene(scene, folder, f"{number:03d}")})
            if progress is not None:
                progress("scenes", number + 1, count)
        write_list(folder, {"scenes": rows})
    return Path(out).resolve()


def write_list(folder: Path, content: dict[str, Any]) -> None:
    """Write `MARKER`, which lists the folder's files.

    See Also
    --------
    write_scenes : writes one

    Examples
    --------
    >>> Path("000.wav").write_bytes(b"RIFF")
    4
    >>> write_list(Path("."), {"seed": 0})
    >>> json.loads(Path(MARKER).read_text())["files"]
    {'000.wav': {'bytes': 4}}
    """
    files = {path.name: {"bytes": path.stat().st_size} for path in sorted(folder.iterdir())}
    text = json.dumps({**content, "files": files}, indent=1) + "\n"
    (folder / MARKER).write_text(text, encoding="utf-8")


def write_scene(scene: Scene, folder: Path, stem: str) -> dict[str, Any]:
    """Write a scene's four files, named after `stem`; return what the list says of it.

    See Also
    --------
    write_scenes : many, drawn at random

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> write_scene(sample_scene(3), Path("."), "000")["name"]  # doctest: +SKIP
    """
    from spa2v_lab.scenes.picture import draw_scene
    from spa2v_lab.scenes.scene import ground_truth_layout
    from spa2v_lab.scenes.sound import render_sound
    from spa2v_lib.video import Video

    layout, sound = ground_truth_layout(scene), render_sound(scene)
    video = Video(draw_scene(scene, width=_SHEET_SIDE), scene.fps, layout)
    layout.save(folder / f"{stem}.json")
    sound.save(folder / f"{stem}.wav")
    video.save(folder / f"{stem}.mp4", sound)
    contact_sheet(video.frames, layout).save(folder / f"{stem}.png")
    obj = scene.objects[0]
    return {
        "name": stem,
        "caption": layout.caption,
        "label": obj.label,
        "motion": obj.motion,
        "recording": obj.recording,
        "receiver": scene.receiver,
    }
