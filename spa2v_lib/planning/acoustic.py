"""The planner that needs no model: geometry and everyday sizes place what the cues measured.

Azimuth comes from the cues. Range is the class's usual range times the measured relative range, as
two microphones do not tell absolute distance; where the Doppler shift of a passing source does, the
measured distance counts by the width of its interval. Size and height above the ground are the
class's, unless exemplars show how high such objects are seen (`spa2v_lib.planning.placement`). The
layout's reasoning quotes the numbers that it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.types import SourceTrack, SpatialCues
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import frame_caption, object_caption, video_caption
from spa2v_lib.layout.classes import FAMILIES, SOMETHING, SoundClass, get_class
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.pages import render
from spa2v_lib.planning.placement import pass_by_position, with_exemplar_height

if TYPE_CHECKING:
    from spa2v_lib.planning.exemplars import Exemplar

__all__ = [
    "class_of",
    "explain",
    "key_times",
    "place_boxes",
    "plan_acoustic",
]


def explain(cues: SpatialCues, placed: list[tuple[SourceTrack, SoundClass]], camera: Camera) -> str:
    """Explain the placing of every source, in sentences that quote the numbers they rest on.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.
    placed : list of (SourceTrack, SoundClass)
        The sources that are shown; the others are named as left out.
    camera : Camera
        Field of view, aspect and height; it stands at the microphone.

    Returns
    -------
    str

    See Also
    --------
    plan_acoustic : Makes the layout.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> cues = load_exemplars()[0].cues
    >>> explain(cues, [(source, class_of(source)) for source in cues.sources], Camera())
    'One source is detected in ... s; its capture format is ...'
    """
    sentences = render(
        "planning/prompts/reasoning.txt",
        cues=cues,
        placed=placed,
        camera=camera,
        get_class=get_class,
        stay=_stay,
    )
    return " ".join(sentences.splitlines())


def _stay(source: SourceTrack) -> tuple[float, float, float, float]:
    """Return how far an azimuth wanders, its median, and the medians of its interval's ends."""
    tracks = (source.azimuth_deg, source.azimuth_low_deg, source.azimuth_high_deg)
    track, low, high = (np.array(each, float)[np.array(source.active)] for each in tracks)
    return max(1.0, float(np.ptp(track))), np.median(track), np.median(low), np.median(high)


_SILENT_BACKGROUND = "meadow"
_WANDER_DEG = 10.0  # a radial source whose azimuth drifts less is kept on one line


def plan_acoustic(
    cues: SpatialCues,
    *,
    fps: float = 8.0,
    aspect: float = 1.0,
    camera: Camera | None = None,
    key_rate_hz: float = 2.0,
    exemplars: Sequence[Exemplar] = (),
    shots: int = 3,
    strict: bool = False,
) -> VideoSceneLayout:
    """Place every source of `cues` that is known.

    A source that is not known is left out beside known ones, and the reasoning says so.

    Parameters
    ----------
    cues, fps, aspect, camera, key_rate_hz
        As in `spa2v_lib.planning.plan`.
    exemplars : sequence of Exemplar
        Scenes that show how high objects are seen, in the order of choice; without any, what is
        usual for the class counts.
    shots : int
        How many of them count for each source; see
        `spa2v_lib.planning.placement.with_exemplar_height`.
    strict : bool
        Refuse where no source is recognized or named, instead of drawing the best guess, and leave
        unrecognized sources out beside others.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    PlanningError
        If a label is no word, or with `strict` if something sounds and no source is recognized.

    See Also
    --------
    spa2v_lib.planning.plan : The same by the planner's name, with the nearest exemplars.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> layout = plan_acoustic(load_exemplars()[0].cues, key_rate_hz=1.0)
    >>> len(layout.objects), layout.fps
    (1, 8.0)
    """
    view = camera or Camera(aspect=aspect)
    times = key_times(cues.duration_s, fps, key_rate_hz)
    placed = [
        (source, with_exemplar_height(sound_class, exemplars, view, shots))
        for source, sound_class in _classed(cues, strict)
    ]
    classes = [sound_class for _, sound_class in placed]
    rows = [place_boxes(cues, source, sound_class, view, times) for source, sound_class in placed]
    background = classes[0].background if classes else _SILENT_BACKGROUND
    return VideoSceneLayout(
        reasoning=explain(cues, placed, view),
        caption=video_caption(
            [(sound_class, source.motion) for source, sound_class in placed], background
        ),
        frame_captions=[
            frame_caption(_visible(classes, rows, index), background) for index in range(len(times))
        ],
        key_times_s=[float(t) for t in times],
        objects=[
            SceneObject(
                id=f"{sound_class.name.replace(' ', '_')}-{number}",
                label=sound_class.name,
                caption=object_caption(sound_class),
                boxes=row,
            )
            for number, (sound_class, row) in enumerate(zip(classes, rows, strict=True), 1)
        ],
        duration_s=cues.duration_s,
        fps=fps,
        aspect=view.aspect,
        background=background,
    )


def key_times(duration_s: float, fps: float, key_rate_hz: float) -> np.ndarray:
    """Return evenly spaced key times from the first to the last frame.

    Parameters
    ----------
    duration_s, fps, key_rate_hz : float
        Of the video; all above 0.

    Returns
    -------
    ndarray [key frames]
        In seconds, increasing; at least one.

    See Also
    --------
    place_boxes : Where an object is at them.

    Examples
    --------
    >>> key_times(2.0, 8.0, 1.0).tolist()
    [0.0, 0.9375, 1.875]
    """
    last = (max(1, round(duration_s * fps)) - 1) / fps
    if last == 0.0:
        return np.zeros(1)
    return np.linspace(0.0, last, max(2, 1 + round(last * key_rate_hz)))


_FAMILY_IS_CERTAIN = 0.5


def class_of(source: SourceTrack) -> SoundClass:
    """Return what a source is shown as, in words as certain as what is known of it.

    Parameters
    ----------
    source : SourceTrack
        Its label counts where the user or a tagger gave it. Otherwise it is shown as the best
        candidate, but called by its family ("a vehicle") where that is more probable than not, and
        "something that makes a sound" where it is not.

    See Also
    --------
    plan_acoustic : Shows it.

    Examples
    --------
    >>> source = SourceTrack.model_construct(
    ...     label="truck", label_source="guess", families=[("vehicle", 0.8)], label_alternatives=[]
    ... )
    >>> class_of(source).name, class_of(source).with_article
    ('truck', 'a vehicle')
    """
    if source.label is not None and source.label_source in ("user", "tagger"):
        return get_class(source.label)
    candidates = [name for name, _ in source.label_alternatives if name != UNKNOWN]
    shown = get_class(source.label or next(iter(candidates), "object"))
    family, probability = next(iter(source.families), ("", 0.0))
    certain = family == shown.family and probability >= _FAMILY_IS_CERTAIN
    return replace(shown, noun=FAMILIES[family] if certain else SOMETHING)


def _classed(cues: SpatialCues, strict: bool) -> list[tuple[SourceTrack, SoundClass]]:
    """Return the sources that are shown, with what is usual for their class."""
    placed = [
        (source, class_of(source))
        for source in cues.sources
        if not strict or source.label_source in ("user", "tagger")
    ]
    if cues.sources and not placed:
        close = ", ".join(f"{name} {p:.2f}" for name, p in cues.sources[0].label_alternatives)
        raise PlanningError(
            f"{cues.recording}: what sounds is not recognized (most probable: {close}); "
            "name it with --label, or leave out --strict to have it guessed"
        )
    return placed


def place_boxes(
    cues: SpatialCues,
    source: SourceTrack,
    sound_class: SoundClass,
    camera: Camera,
    times: np.ndarray,
) -> list[Box | None]:
    """Project a source at every key time.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.
    source : SourceTrack
        One of `cues`.
    sound_class : SoundClass
        What it is shown as, which decides its size, height and usual range.
    camera : Camera
        Field of view, aspect and height; it stands at the microphone.
    times : ndarray [key frames]
        In seconds.

    Returns
    -------
    list of (Box or None)
        None where it is out of view.

    See Also
    --------
    plan_acoustic : Makes a layout of the boxes.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> cues = load_exemplars()[0].cues
    >>> source = cues.sources[0]
    >>> len(place_boxes(cues, source, class_of(source), Camera(), np.array([0.0, 0.5])))
    2
    """
    azimuth = np.interp(times, cues.times_s, _azimuths(source))
    if source.pass_by is None:
        relative = [1.0 if r is None else r for r in source.relative_range]
        ranges = sound_class.range_m * np.interp(times, cues.times_s, relative)
    else:
        offset, ranges = pass_by_position(source.pass_by, sound_class, times)
        azimuth = azimuth + offset
    azimuth = _at_ground(azimuth, ranges, sound_class, camera, cues.capture.format)
    return [
        camera.visible_box(
            camera.project(
                float(a), float(r), sound_class.width_m, sound_class.height_m, sound_class.base_m
            )
        )
        for a, r in zip(azimuth, ranges, strict=True)
    ]


def _azimuths(source: SourceTrack) -> np.ndarray:
    """Return one direction per cue frame: the track, or its middle where it only wanders."""
    if None in source.azimuth_deg:
        return np.zeros(len(source.azimuth_deg))
    track = np.array(source.azimuth_deg, float)
    sounding = track[np.array(source.active)]
    sweep = abs(source.azimuth_end_deg - source.azimuth_start_deg)
    if source.motion == "stationary" or ("crossing" not in source.motion and sweep < _WANDER_DEG):
        return np.full(len(track), float(np.median(sounding)))
    return track


def _at_ground(
    azimuth_deg: np.ndarray,
    ranges_m: np.ndarray,
    sound_class: SoundClass,
    camera: Camera,
    capture: str,
) -> np.ndarray:
    """Undo what elevation does to delays.

    Two spaced points measure the angle from their axis, ``sin a = sin azimuth · cos elevation``:
    what is high up sounds nearer to the middle than it is. Levels of coincident pairs keep the
    ratio of left to ahead, or nearly so.
    """
    if capture not in ("ab", "ortf", "binaural"):
        return azimuth_deg
    up = sound_class.base_m + 0.5 * sound_class.height_m - camera.height_m
    level = ranges_m / np.hypot(ranges_m, up)
    sine = np.clip(np.sin(np.radians(azimuth_deg)) / level, -1.0, 1.0)
    return np.degrees(np.arcsin(sine))


def _visible(
    classes: list[SoundClass], rows: list[list[Box | None]], index: int
) -> list[tuple[SoundClass, float]]:
    return [
        (sound_class, row[index].center[0])
        for sound_class, row in zip(classes, rows, strict=True)
        if row[index] is not None
    ]
