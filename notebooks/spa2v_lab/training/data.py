"""Training data for the tiny suite: frames and clips drawn by `spa2v_lab.scenes`.

Everything follows from a seed. Sets are drawn in parts, each with a seed of its own, so that
several processes draw the same pictures as one, and a large set is never held as pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from spa2v_lab.scenes.picture import background_canvas, draw_frame, drawn_labels
from spa2v_lab.scenes.sampler import sample_free_scene, sample_scene
from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lib.layout.captions import (
    directional_caption,
    frame_caption,
    object_caption,
    video_caption,
)
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.sampling.presets import TINY_LABELS

__all__ = [
    "CLIP_FRAMES", "LABELS", "MAX_OBJECTS", "MORE_LABELS", "PHRASES", "SIZE", "STYLE", "DrawnSet",
    "clip_parts", "clips", "frame_parts", "frames", "further_parts",
]  # fmt: skip

SIZE = 128  # pixels a side
CLIP_FRAMES = 16  # the motion modules' window, as AnimateDiff's
MAX_OBJECTS = 4  # grounding tokens a frame
STYLE = "fluent3d"  # the one style that the suite draws
LABELS = drawn_labels()
MORE_LABELS = tuple(label for label in LABELS if label not in CLASSES)  # the first suite knew none
PHRASES = tuple(
    directional_caption(object_caption(label), on) for label in LABELS for on in (False, True)
)

_COUNTS = {1: 0.62, 2: 0.28, 3: 0.06, 0: 0.04}  # objects in a scene, and how often
_FRAMES_A_SCENE = 4
_GLOBAL_SHARE = 0.7  # captions of the whole video; the rest describe the single frame
_PART = 512  # frames that are drawn with one seed
_LONGER = (  # what people write around the words that a planner uses, and how often
    ("a bright and lively picture of a scene in which {}", 0.1),
    ("{} while the wind moves slowly and the light of the evening grows warm", 0.1),
    ("this is how somebody else tells it: {}, filmed with a steady hand, in great detail", 0.1),
    ("{}", 0.7),
)


@dataclass
class DrawnSet:
    """Drawn frames with their ground truth.

    Attributes
    ----------
    frames : np.ndarray [shape=(n, size, size, 3), dtype=uint8]
        For clips, n is ``clips * CLIP_FRAMES``.
    captions : np.ndarray [shape=(n,), dtype=str]
    boxes : np.ndarray [shape=(n, MAX_OBJECTS, 4), dtype=float32]
        ``(x0, y0, x1, y1)`` in [0, 1]; zeros where there is no object.
    labels : np.ndarray [shape=(n, MAX_OBJECTS), dtype=int64]
        Index into `LABELS`; -1 where there is no object.
    phrases : np.ndarray [shape=(n, MAX_OBJECTS), dtype=int64]
        Index into `PHRASES`; -1 where there is no object.

    See Also
    --------
    frames, clips : draw one

    Examples
    --------
    >>> drawn = frames(2, seed=0, size=32)
    >>> drawn.frames.shape, drawn.boxes.shape
    ((2, 32, 32, 3), (2, 4, 4))
    """

    frames: np.ndarray
    captions: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    phrases: np.ndarray

    @classmethod
    def of_rows(cls, rows: Sequence[tuple]) -> DrawnSet:
        """Stack rows of one frame, caption, boxes, labels and phrases each."""
        return cls(*(np.array(column) for column in zip(*rows, strict=True)))

    @classmethod
    def joined(cls, parts: Sequence[DrawnSet]) -> DrawnSet:
        """Put sets one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def _scene(
    rng: np.random.Generator,
    styles: tuple[str, ...] = (STYLE,),
    labels: tuple[str, ...] = TINY_LABELS,
    counts: dict[int, float] = _COUNTS,
) -> Scene:
    return sample_scene(
        int(rng.integers(2**31)),
        labels=labels,
        styles=styles,
        object_count=int(rng.choice(list(counts), p=list(counts.values()))),
        duration_s=4.0,
    )


def _free_scene(
    rng: np.random.Generator,
    styles: tuple[str, ...],
    labels: tuple[str, ...],
    counts: dict[int, float],
) -> Scene:
    count = int(rng.choice(list(counts), p=list(counts.values())))
    return sample_free_scene(rng, labels=labels, styles=styles, object_count=count)


def _phrase_index(obj: WorldObject) -> int:
    """Return the index in `PHRASES` of an object's grounding prompt.

    Sprites face left, but for objects that go to the right, and only that is said.
    """
    return 2 * LABELS.index(obj.label) + (obj.path.velocity[0] > 0)


def _ground_truth(scene: Scene, t: float) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Return the frame's caption at `t`, and boxes, labels and phrases [MAX_OBJECTS, ...]."""
    boxes = np.zeros((MAX_OBJECTS, 4), np.float32)
    labels, phrases = np.full((2, MAX_OBJECTS), -1, np.int64)
    seen = [(obj, obj.box(scene.camera, t)) for obj in scene.objects]
    seen = [(obj, box) for obj, box in seen if box is not None]
    for i, (obj, box) in enumerate(seen):
        boxes[i], labels[i], phrases[i] = (
            box.as_tuple(),
            LABELS.index(obj.label),
            _phrase_index(obj),
        )
    named = [(obj.label, box.center[0]) for obj, box in seen]
    return frame_caption(named, scene.background), boxes, labels, phrases


def _draw(scene: Scene, times: np.ndarray, size: int) -> Iterator[tuple]:
    canvas = background_canvas(scene, size, size)
    whole = video_caption([(o.label, o.motion) for o in scene.objects], scene.background)
    for t in times:
        yield draw_frame(scene, float(t), canvas), whole, *_ground_truth(scene, float(t))


def _frames_part(job: tuple[Sequence[int], int], size: int, free: float = 0.0, **what) -> DrawnSet:
    """Draw one part of a set of frames: a seed, and how many."""
    rng, count = np.random.default_rng(job[0]), job[1]
    rows = []
    while len(rows) < count:
        any_box = free > 0 and bool(rng.uniform() < free)
        scene = _free_scene(rng, **what) if any_box else _scene(rng, **what)
        for frame, whole, single, *targets in _draw(
            scene, rng.uniform(0, 4, _FRAMES_A_SCENE), size
        ):
            caption = whole if rng.uniform() < _GLOBAL_SHARE else single
            rows.append((frame, _longer(rng, caption) if any_box else caption, *targets))
    return DrawnSet.of_rows(rows[:count])


def _longer(rng: np.random.Generator, caption: str) -> str:
    """Return a caption, some of them in a longer sentence."""
    forms, shares = zip(*_LONGER, strict=True)
    return str(rng.choice(forms, p=shares)).format(caption)


def _clips_part(job: tuple[Sequence[int], int], fps: float, size: int) -> DrawnSet:
    """Draw one part of a set of clips: a seed, and how many frames."""
    rng, count = np.random.default_rng(job[0]), job[1]
    rows = []
    while len(rows) < count:
        scene = _scene(rng)
        times = rng.uniform(0, 4 - CLIP_FRAMES / fps) + np.arange(CLIP_FRAMES) / fps
        rows += [
            (frame, whole, *targets) for frame, whole, _, *targets in _draw(scene, times, size)
        ]
    return DrawnSet.of_rows(rows)


def _parts(
    draw: Callable[[tuple[Sequence[int], int]], DrawnSet], count: int, seed: int, workers: int
) -> Iterator[DrawnSet]:
    sizes = [min(_PART, count - start) for start in range(0, count, _PART)]
    jobs = [((seed, number), size) for number, size in enumerate(sizes)]
    if workers == 1:
        yield from map(draw, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(draw, jobs)


def frame_parts(
    count: int,
    seed: int,
    styles: tuple[str, ...] = (STYLE,),
    size: int = SIZE,
    workers: int = 1,
    labels: tuple[str, ...] = TINY_LABELS,
    counts: dict[int, float] = _COUNTS,
    free: float = 0.0,
) -> Iterator[DrawnSet]:
    """Draw single frames at random times of random scenes, part by part.

    Parameters
    ----------
    count : int
    seed : int
    styles : tuple of str
        Sprite styles; the detector is trained on several.
    size : int
        Pixels a side.
    workers : int
        Processes that draw.
    labels : tuple of str
        What is drawn.
    counts : dict of int to float
        How often scenes hold so many objects; up to `MAX_OBJECTS`.
    free : float
        Share of the scenes with boxes as anybody might draw them, in [0, 1]; see
        `spa2v_lab.scenes.sampler.sample_free_scene`.

    See Also
    --------
    frames : as one set

    Examples
    --------
    >>> [len(part.frames) for part in frame_parts(3, seed=0, size=32)]
    [3]
    """
    what = {"styles": styles, "labels": labels, "counts": counts}
    yield from _parts(partial(_frames_part, size=size, free=free, **what), count, seed, workers)


def further_parts(count: int, seed: int, **how) -> Iterator[DrawnSet]:
    """Draw frames for a suite that learns `MORE_LABELS`, and shall forget nothing.

    Half of the frames show the new classes, mostly two at once; a quarter shows the old classes and
    a quarter all. A quarter of the scenes has boxes as anybody might draw them.

    Parameters
    ----------
    count, seed : int
    **how
        ``size`` and ``workers``, as in `frame_parts`.

    See Also
    --------
    frame_parts : frames of chosen classes

    Examples
    --------
    >>> sum(len(part.frames) for part in further_parts(4, seed=0, size=32))
    4
    """
    crowded = {1: 0.4, 2: 0.45, 3: 0.1, 4: 0.05}
    old, mixed = dict(_COUNTS), {1: 0.2, 2: 0.6, 3: 0.1, 4: 0.1}
    shares = ((MORE_LABELS, crowded, 0.5), (TINY_LABELS, old, 0.25), (LABELS, mixed, 0.25))
    for number, (labels, counts, share) in enumerate(shares):
        what = {"labels": labels, "counts": counts, "free": 0.25, **how}
        yield from frame_parts(round(share * count), seed + number, **what)


def clip_parts(
    count: int, seed: int, fps: float = 8.0, size: int = SIZE, workers: int = 1
) -> Iterator[DrawnSet]:
    """Draw clips of `CLIP_FRAMES` frames, each cut at random from a scene of four seconds.

    See Also
    --------
    clips : as one set

    Examples
    --------
    >>> [len(part.frames) for part in clip_parts(1, seed=0, size=32)]
    [16]
    """
    draw = partial(_clips_part, fps=fps, size=size)
    yield from _parts(draw, count * CLIP_FRAMES, seed, workers)


def frames(count: int, seed: int, **how) -> DrawnSet:
    """Draw single frames as one set; see `frame_parts`.

    See Also
    --------
    frame_parts : part by part

    Examples
    --------
    >>> str(frames(1, seed=0, size=32).captions[0])
    'a monkey walks from left to right in a sandy desert'
    """
    return DrawnSet.joined(list(frame_parts(count, seed, **how)))


def clips(count: int, seed: int, **how) -> DrawnSet:
    """Draw clips as one set; see `clip_parts`.

    See Also
    --------
    clip_parts : part by part

    Examples
    --------
    >>> len(clips(1, seed=0, size=32).frames) == CLIP_FRAMES
    True
    """
    return DrawnSet.joined(list(clip_parts(count, seed, **how)))
