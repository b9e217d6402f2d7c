"""Training data for the tiny suite: frames and clips drawn by `spa2v_lib.scenes`.

Everything follows from a seed. Frames are kept as uint8 in one ``.npz`` file per set, so that a
training that is resumed sees what it saw before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spa2v_lib.captions import frame_caption, video_caption
from spa2v_lib.sampling.presets import TINY_LABELS
from spa2v_lib.scenes.picture import background_canvas, draw_frame
from spa2v_lib.scenes.sampler import sample_scene
from spa2v_lib.scenes.scene import Scene

__all__ = ["CLIP_FRAMES", "LABELS", "MAX_OBJECTS", "SIZE", "STYLE", "DrawnSet", "clips", "frames"]

SIZE = 96  # pixels a side
CLIP_FRAMES = 16  # the motion modules' window, as AnimateDiff's
MAX_OBJECTS = 4  # grounding tokens a frame
STYLE = "fluent3d"  # the one style that the suite draws
LABELS = TINY_LABELS

_COUNTS = ((1, 2, 3, 0), (0.62, 0.28, 0.06, 0.04))  # objects in a scene, and how often
_FRAMES_A_SCENE = 4
_GLOBAL_SHARE = 0.7  # captions of the whole video; the rest describe the single frame


@dataclass
class DrawnSet:
    """Drawn frames with their truth.

    Attributes
    ----------
    frames : np.ndarray [shape=(n, size, size, 3), dtype=uint8]
        For clips, n is ``clips * CLIP_FRAMES``.
    captions : np.ndarray [shape=(n,), dtype=str]
    boxes : np.ndarray [shape=(n, MAX_OBJECTS, 4), dtype=float32]
        ``(x0, y0, x1, y1)`` in [0, 1]; zeros where there is no object.
    labels : np.ndarray [shape=(n, MAX_OBJECTS), dtype=int64]
        Index into `LABELS`; -1 where there is no object.
    """

    frames: np.ndarray
    captions: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray

    def save(self, path: Path) -> None:
        """Write the set as one ``.npz`` file."""
        partial = path.with_name(path.name + ".partial.npz")
        np.savez(partial, **vars(self))
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> DrawnSet:
        """Read a set that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in stored.files})


def _scene(rng: np.random.Generator, styles: tuple[str, ...], duration_s: float) -> Scene:
    return sample_scene(
        int(rng.integers(2**31)),
        labels=LABELS,
        styles=styles,
        object_count=int(rng.choice(_COUNTS[0], p=_COUNTS[1])),
        duration_s=duration_s,
    )


def _truth(scene: Scene, t: float) -> tuple[np.ndarray, np.ndarray, str]:
    """Return boxes [MAX_OBJECTS, 4], labels [MAX_OBJECTS] and the frame's caption at `t`."""
    boxes = np.zeros((MAX_OBJECTS, 4), np.float32)
    labels = np.full(MAX_OBJECTS, -1, np.int64)
    seen = [(o.label, o.box(scene.camera, t)) for o in scene.objects]
    seen = [(label, box) for label, box in seen if box is not None]
    for i, (label, box) in enumerate(seen):
        boxes[i], labels[i] = box.as_tuple(), LABELS.index(label)
    return boxes, labels, frame_caption([(n, b.center[0]) for n, b in seen], scene.background)


def _draw(scene: Scene, times: np.ndarray, size: int) -> Iterator[tuple]:
    canvas = background_canvas(scene, size, size)
    whole = video_caption([(o.label, o.motion) for o in scene.objects], scene.background)
    for t in times:
        boxes, labels, caption = _truth(scene, float(t))
        yield draw_frame(scene, float(t), canvas), whole, caption, boxes, labels


def frames(count: int, seed: int, styles: tuple[str, ...] = (STYLE,), size: int = SIZE) -> DrawnSet:
    """Draw single frames at random times of random scenes.

    Parameters
    ----------
    count : int
    seed : int
    styles : tuple of str
        Sprite styles; the detector is trained on several.
    size : int
        Pixels a side.
    """
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < count:
        scene = _scene(rng, styles, duration_s=4.0)
        for frame, whole, single, boxes, labels in _draw(
            scene, rng.uniform(0, 4, _FRAMES_A_SCENE), size
        ):
            caption = whole if rng.uniform() < _GLOBAL_SHARE else single
            rows.append((frame, caption, boxes, labels))
    return DrawnSet(*(np.array(column) for column in zip(*rows[:count], strict=True)))


def clips(count: int, seed: int, fps: float = 8.0, size: int = SIZE) -> DrawnSet:
    """Draw clips of `CLIP_FRAMES` frames, each cut at random from a scene of four seconds."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        scene = _scene(rng, (STYLE,), duration_s=4.0)
        start = rng.uniform(0, 4 - CLIP_FRAMES / fps)
        for frame, whole, _, boxes, labels in _draw(
            scene, start + np.arange(CLIP_FRAMES) / fps, size
        ):
            rows.append((frame, whole, boxes, labels))
    return DrawnSet(*(np.array(column) for column in zip(*rows, strict=True)))
