"""Sounds that were taken apart from others, as the tagger meets them in a recording of several.

A mask that gives every cell to the source in its direction leaves marks: holes where another
source was louder, and remains of it where directions were unclear. Recordings are therefore played
in simulated scenes, two or three at once, and heard as any recording is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.cues.detection import DetectedSource, detect_sources
from spa2v_lib.cues.tagging.embedded import features, loud_chunks
from spa2v_lib.layout.camera import Camera

__all__ = ["separated_excerpts"]

_SECONDS = 4.0
_WIDEST_DEG, _LEAST_APART_DEG = 40.0, 20.0
_NEAREST_OFF_DEG = 10.0  # a source that is found farther from where a thing is, is not that thing
_ROOMS_SHARE, _TRIOS_SHARE, _MOVING_SHARE = 0.4, 0.3, 0.3
_HEIGHT_M = 1.5


def separated_excerpts(
    files: Sequence[str], rounds: int, seed: Sequence[int]
) -> dict[str, np.ndarray]:
    """Play recordings together, and describe what separation makes of each.

    Parameters
    ----------
    files : sequence of str
        Under ``data/recordings``.
    rounds : int
        How often every recording is played.
    seed : sequence of int

    Returns
    -------
    dict of str to ndarray [excerpts, features]
        By file; those that were found nowhere have none.
    """
    rng = np.random.default_rng(seed)
    found = defaultdict(list)
    for _ in range(rounds):
        for together in _groups(rng, files):
            scene = _scene(rng, together)
            for file, source in _recognised(scene):
                found[file] += [features(chunk) for chunk in loud_chunks(source.features.mel)[1]]
    return {file: np.stack(vectors) for file, vectors in found.items() if vectors}


def _groups(rng: np.random.Generator, files: Sequence[str]) -> list[list[str]]:
    """Divide the files at random into twos and threes; one that is left over is left out."""
    order, groups = list(rng.permutation(list(files))), []
    while len(order) > 1:
        size = 3 if len(order) > 2 and rng.uniform() < _TRIOS_SHARE else 2
        groups.append([str(order.pop()) for _ in range(size)])
    return groups


def _scene(rng: np.random.Generator, files: Sequence[str]) -> Scene:
    indoors = rng.uniform() < _ROOMS_SHARE
    return Scene(
        objects=tuple(
            _thing(rng, file, azimuth, indoors)
            for file, azimuth in zip(files, _directions(rng, len(files)), strict=True)
        ),
        background="meadow",
        camera=Camera(height_m=_HEIGHT_M),
        duration_s=_SECONDS,
        seed=int(rng.integers(2**31)),
        receiver=str(rng.choice(list(RECEIVERS))),
        rt60_s=float(rng.uniform(0.2, 0.6)) if indoors else 0.0,
        noise_db=float(rng.uniform(-35.0, -10.0)),
    )


def _directions(rng: np.random.Generator, count: int) -> list[float]:
    while True:
        drawn = rng.uniform(-_WIDEST_DEG, _WIDEST_DEG, count)
        if all(right - left >= _LEAST_APART_DEG for left, right in pairwise(sorted(drawn))):
            return drawn.tolist()


def _thing(rng: np.random.Generator, file: str, azimuth_deg: float, indoors: bool) -> WorldObject:
    """Let a recording arrive about as loud as the others; outdoors some of the things move."""
    distance = float(rng.uniform(1.0, 2.5) if indoors else rng.uniform(2.0, 15.0))
    angle = np.radians(azimuth_deg)
    place = distance * np.array([np.sin(angle), np.cos(angle)])
    moves = not indoors and rng.uniform() < _MOVING_SHARE
    sideways = float(rng.uniform(-0.1, 0.1)) * distance * moves
    return WorldObject(
        label="",
        style="",
        path=StraightPath(tuple(place.tolist()), (sideways, 0.0)),
        motion="stationary",
        width_m=0.5,
        height_m=0.5,
        base_m=_HEIGHT_M - 0.25,
        recording=file,
        gain_db=20.0 * np.log10(distance) + float(rng.uniform(-4.0, 4.0)),
    )


def _recognised(scene: Scene) -> list[tuple[str, DetectedSource]]:
    """Return the sources that were told apart, each with the recording in its direction."""
    detected = detect_sources(render_sound(scene))
    sources = [source for source in detected.sources if source.track is not None]
    if len(sources) < 2:
        return []
    times = detected.channels.features.times_s
    gaps = np.array([[_gap_deg(s, thing, times) for thing in scene.objects] for s in sources])
    return [
        (scene.objects[column].recording, sources[row])
        for row, column in zip(*linear_sum_assignment(gaps), strict=True)
        if gaps[row, column] < _NEAREST_OFF_DEG
    ]


def _gap_deg(source: DetectedSource, thing: WorldObject, times_s: np.ndarray) -> float:
    return float(np.median(np.abs(source.track.azimuth - thing.azimuth_deg(times_s))))
