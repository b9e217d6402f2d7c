"""The scenes of the planning benchmark, and what a planner may be given of them.

Sizes, paths and cameras are drawn from distributions that planning does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.recordings import sounding_recordings
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout

__all__ = [
    "AnalyzedScene",
    "renamed",
    "without_spatial_cues",
    "label_only_cues",
    "folded_to_mono",
    "analyzed_scene",
    "ground_truth_cues",
]

_NOISE_DB = -25.0


@dataclass(frozen=True)
class AnalyzedScene:
    """A scene, its measured cues, and its true layout.

    Attributes
    ----------
    scene : Scene
        With one object that sounds.
    ground ground_truth : VideoSceneLayout
    cues : SpatialCues
        Measured; the label is given.
    unaided : SpatialCues
        The same, but the tagger says what sounds.
    folded_to_mono : SpatialCues
        Measured in one channel, the mean of left and right (of ambisonics, W); the label is given.

    See Also
    --------
    analyzed_scene : makes one

    Examples
    --------
    >>> analyzed = analyzed_scene(seed=0, number=0)  # doctest: +SKIP
    >>> analyzed.label in analyzed.ground_truth.caption  # doctest: +SKIP
    """

    scene: Scene
    ground_truth: VideoSceneLayout
    cues: SpatialCues
    unaided: SpatialCues
    folded_to_mono: SpatialCues

    @property
    def label(self) -> str:
        """What sounds."""
        return self.scene.objects[0].label

    @property
    def recordings(self) -> list[str]:
        """Files under ``data/recordings`` that sound in it."""
        return [obj.recording for obj in self.scene.objects if obj.recording]


def analyzed_scene(seed: int, number: int) -> AnalyzedScene:
    """Draw, render and analyze one scene; motions and receivers take turns.

    See Also
    --------
    ground_truth_cues, label_only_cues : other cues of the same scene

    Examples
    --------
    >>> analyzed_scene(seed=0, number=0).scene.receiver  # doctest: +SKIP
    """
    recordings = sounding_recordings()
    receivers = tuple(RECEIVERS)
    scene = sample_scene(
        int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
        motion=MOTIONS[number % len(MOTIONS)],
        labels=tuple(recordings),
        recordings=recordings,
        receiver=receivers[number // len(MOTIONS) % len(receivers)],
        noise_db=_NOISE_DB,
    )
    sound = render_sound(scene)
    label = scene.objects[0].label
    return AnalyzedScene(
        scene,
        ground_truth_layout(scene),
        extract_cues(sound, label=label),
        extract_cues(sound),
        extract_cues(folded_to_mono(sound), label=label),
    )


def ground_truth_cues(analyzed: AnalyzedScene) -> SpatialCues:
    """Return the cues of a scene with the ground truth in the place of what was measured.

    See Also
    --------
    label_only_cues : the other extreme

    Examples
    --------
    >>> ground_truth_cues(analyzed_scene(0, 0)).sources[0].motion  # doctest: +SKIP
    """
    obj = analyzed.scene.objects[0]
    x, z = obj.position(np.array(analyzed.cues.times_s)).T
    azimuth = np.degrees(np.arctan2(x, z))
    distance = np.hypot(x, z)
    return _with_sources(
        analyzed.cues.model_copy(update={"sources": analyzed.cues.sources[:1]}),
        azimuth_deg=azimuth.tolist(),
        azimuth_low_deg=azimuth.tolist(),
        azimuth_high_deg=azimuth.tolist(),
        azimuth_start_deg=float(azimuth[0]),
        azimuth_end_deg=float(azimuth[-1]),
        active=[True] * len(azimuth),
        motion=obj.motion,
        relative_range=(distance / distance.min()).tolist(),
        closest_s=float(analyzed.cues.times_s[int(distance.argmin())]),
        pass_by=None,
    )


def label_only_cues(analyzed: AnalyzedScene) -> SpatialCues:
    """Return the cues of a scene with nothing but the label.

    See Also
    --------
    without_spatial_cues : of several sources

    Examples
    --------
    >>> label_only_cues(analyzed_scene(0, 0)).sources[0].motion  # doctest: +SKIP
    """
    return without_spatial_cues(
        analyzed.cues.model_copy(update={"sources": analyzed.cues.sources[:1]})
    )


def without_spatial_cues(cues: SpatialCues) -> SpatialCues:
    """Return cues without direction and motion: of every source, only what it is.

    See Also
    --------
    label_only_cues : of one source

    Examples
    --------
    >>> import spa2v_lib as spa2v
    >>> noise = np.random.default_rng(0).standard_normal(8000)
    >>> right = Recording.from_samples(np.stack([0.2 * noise, noise]), 16_000)
    >>> cues = without_spatial_cues(spa2v.extract_cues(right, label="car"))
    >>> cues.sources[0].label, cues.sources[0].azimuth_start_deg
    ('car', None)
    """
    frames = len(cues.times_s)
    nothing = [None] * frames
    return _with_sources(
        cues,
        azimuth_deg=nothing,
        azimuth_low_deg=nothing,
        azimuth_high_deg=nothing,
        azimuth_start_deg=None,
        azimuth_end_deg=None,
        motion="stationary",
        relative_range=[1.0] * frames,
        closest_s=None,
        pass_by=None,
    )


def folded_to_mono(sound: Recording) -> Recording:
    """Return the recording in one channel: the mean of left and right; of ambisonics, W.

    See Also
    --------
    without_spatial_cues : what a recording in one channel leaves

    Examples
    --------
    >>> stereo = Recording.from_samples(np.ones((2, 4)), 16_000)
    >>> folded_to_mono(stereo).channels
    1
    """
    samples = sound.samples[:1] if sound.channels == 4 else sound.samples.mean(0, keepdims=True)
    return Recording.from_samples(samples, sound.rate, name=sound.name)


def renamed(
    layout: VideoSceneLayout, like: VideoSceneLayout, labels: Sequence[str | None]
) -> VideoSceneLayout:
    """Return a layout stretched to another's length, its objects in turn under these labels.

    Parameters
    ----------
    layout, like : VideoSceneLayout
        Of more than one key frame.
    labels : sequence of str or None
        Objects beyond them, and those whose label is None, are left out.

    Examples
    --------
    >>> truth = analyzed_scene(seed=0, number=0).ground_truth
    >>> renamed(truth, truth, ["tram"]).objects[0].caption
    'tram'
    """
    stretch = like.key_times_s[-1] / layout.key_times_s[-1]
    objects = [
        SceneObject(id=obj.id, label=label, caption=label, boxes=obj.boxes)
        for obj, label in zip(layout.objects, labels, strict=False)
        if label
    ]
    return layout.model_copy(
        update={
            "key_times_s": [stretch * time for time in layout.key_times_s],
            "duration_s": like.duration_s,
            "fps": like.fps,
            "objects": objects,
        }
    )


def _with_sources(cues: SpatialCues, **changes: object) -> SpatialCues:
    sources = [source.model_copy(update=changes) for source in cues.sources]
    return cues.model_copy(update={"sources": sources})
