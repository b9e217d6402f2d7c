"""The benchmark's clips, from a seed: the paper's types of scenes in the paper's proportions.

AVLBench (Pham et al., ACM MM 2025, sec. 4) was not released; its page gives its counts. Clips here
are drawn in the same proportions: *stationary* ones with one or several objects to the left, in the
centre and to the right, *translational* ones that cross, approach or recede. Half of the stationary
clips are instruments in a room, the others objects that stand outdoors; what moves is outdoors. The
paper's clips hold sixteen frames, and so do these.

What makes them hard is drawn too: diffuse noise, reverberation, and a capture format that the planner is
not given. Sizes, paths and cameras come from `spa2v_lab.scenes.sampler`, whose distributions planning
does not know. Recordings are split: see `test_recordings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from spa2v_lab.scenes.exemplar_scenes import ScenePlan, placed_object
from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.recordings import sounding_recordings
from spa2v_lab.scenes.scene import Scene, WorldObject, ground_truth_layout
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.exemplars import Exemplar, load_exemplars

__all__ = [
    "SCENE_TYPES",
    "STYLE",
    "Clip",
    "draw",
    "exemplar_pool",
    "shared_classes",
    "test_recordings",
    "turns",
]

SCENE_TYPES = {
    "stationary, single": 2698,
    "stationary, multiple": 2004,
    "translational, single": 2392,
    "translational, multiple": 180,
}
"""The paper's clips of each type."""

SIDES = {"left": 3083, "centre": 5616, "right": 3083}
"""The paper's stationary objects by where they are."""

MOVES = {"left_crossing": 582, "right_crossing": 582, "approaching": 800, "receding": 800}
"""The paper's translational clips by how the object moves."""

STYLE = "fluent3d"
"""Sprites of the reference videos – the style that the embedded suite draws."""

SECONDS, FPS = 4.0, 4.0

_FIRST_SEED = 7_000_000
_EXEMPLARS_RT60_S = 0.3
_RT60_S = (0.2, 0.6)
_DIFFERENT_S = 0.04  # from the exemplars' reverberation time
_MARGIN_M = (1.0, 2.5)
_NOISE_DB = (-30.0, -10.0)
_GAIN_DB = 3.0  # louder or softer than the others, where it is closest


@dataclass(frozen=True)
class Clip:
    """One clip of the benchmark.

    Attributes
    ----------
    number : int
    scene_type : str
        A key of `SCENE_TYPES`.
    plan : ScenePlan
        Motions and sides.
    scene : Scene

    See Also
    --------
    draw : makes one

    Examples
    --------
    >>> clip = draw(0, 7)
    >>> clip.scene_type, len(clip.scene.objects)
    ('translational, single', 1)
    """

    number: int
    scene_type: str
    plan: ScenePlan
    scene: Scene

    @property
    def ground_truth(self) -> VideoSceneLayout:
        """The layout of a perfect pipeline."""
        return ground_truth_layout(self.scene)

    @property
    def recordings(self) -> list[str]:
        """Files under ``data/recordings`` that sound in it."""
        return [obj.recording for obj in self.scene.objects if obj.recording]


def draw(seed: int, number: int) -> Clip:
    """Draw one clip.

    Kinds, sides, motions and receivers take turns, so that any first clips of a benchmark have
    about the right proportions.

    Parameters
    ----------
    seed : int
        Of the benchmark.
    number : int
        At least 0.

    See Also
    --------
    spa2v_lab.scenes.benchmark_card.write_benchmark : clips as files

    Examples
    --------
    >>> draw(seed=0, number=0).scene_type
    'stationary, single'
    """
    scene_type, plan, instruments = _plan(number)
    rng = np.random.default_rng([_FIRST_SEED, seed, number])
    camera = Camera(
        fov_deg=float(np.clip(rng.normal(90, 3), 80, 100)),
        height_m=float(rng.uniform(1.3, 1.8)),
        pitch_deg=float(np.clip(rng.normal(0, 2), -5, 5)),
    )
    objects = tuple(
        _world_object(rng, file, motion, side, camera)
        for file, motion, side in zip(
            _files(rng, plan, instruments), plan.motions, plan.sides, strict=True
        )
    )
    scene = Scene(
        objects=objects,
        background=CLASSES[objects[0].label].background,
        camera=camera,
        duration_s=SECONDS,
        fps=FPS,
        seed=int(rng.integers(2**31)),
        receiver=tuple(RECEIVERS)[number % len(RECEIVERS)],
        rt60_s=_reverberation(rng) if instruments else 0.0,
        room_margin_m=float(rng.uniform(*_MARGIN_M)),
        noise_db=float(rng.uniform(*_NOISE_DB)),
    )
    return Clip(number, scene_type, plan, scene)


def turns(weights: Mapping[str, int]) -> Iterator[str]:
    """Yield names for ever, at any moment as often as their weights ask for, to within one.

    See Also
    --------
    draw : what takes turns in it

    Examples
    --------
    >>> "".join(islice(turns({"a": 2, "b": 1}), 6))
    'abaaba'
    """
    total, given = sum(weights.values()), dict.fromkeys(weights, 0)
    while True:
        done = sum(given.values()) + 1
        name = max(weights, key=lambda n: weights[n] / total * done - given[n])
        given[name] += 1
        yield name


def _plan(number: int) -> tuple[str, ScenePlan, bool]:
    """Return type and plan of clip `number`, and whether it is one of instruments in a room."""
    sides, moves = turns(SIDES), turns(MOVES)
    indoors, trios = turns({"yes": 1, "no": 1}), turns({"no": 2, "yes": 1})
    for scene_type in islice(turns(SCENE_TYPES), number + 1):
        if scene_type == "stationary, single":
            inside = next(indoors) == "yes"
            plan = ScenePlan(("stationary",), (next(sides),))
        elif scene_type == "stationary, multiple":
            inside = next(indoors) == "yes"
            places = tuple(SIDES) if next(trios) == "yes" else _two(sides)
            plan = ScenePlan(("stationary",) * len(places), places)
        else:
            inside = False
            count = 1 if scene_type.endswith("single") else 2
            plan = ScenePlan(tuple(islice(moves, count)), (None,) * count)
    return scene_type, plan, inside


def _two(sides: Iterator[str]) -> tuple[str, str]:
    """Take two different sides."""
    first = next(sides)
    return first, next(side for side in sides if side != first)


def _files(rng: np.random.Generator, plan: ScenePlan, instruments: bool) -> list[str]:
    """Draw a class for every object, each once, and one of its recordings."""
    files: list[str] = []
    taken: set[str] = set()
    for _ in plan.motions:
        usable = {
            label: rows
            for label, rows in test_recordings().items()
            if label not in taken and (CLASSES[label].place == "held") == instruments
        }
        label = str(rng.choice(sorted(usable)))
        taken.add(label)
        files.append(str(rng.choice(usable[label])))
    return files


def _world_object(
    rng: np.random.Generator, file: str, motion: str, side: str | None, camera: Camera
) -> WorldObject:
    """Draw an object that arrives about as loud as the others: what is filmed from far is loud."""
    obj = placed_object(rng, file, motion, side, camera, SECONDS, styles=(STYLE,))
    nearest = float(np.hypot(*obj.position(np.linspace(0.0, SECONDS, 9)).T).min())
    gain = 20.0 * np.log10(nearest) + rng.uniform(-_GAIN_DB, _GAIN_DB)
    return replace(obj, gain_db=float(gain))


def _reverberation(rng: np.random.Generator) -> float:
    """Draw a reverberation time that no exemplar has."""
    while True:
        rt60 = float(rng.uniform(*_RT60_S))
        if abs(rt60 - _EXEMPLARS_RT60_S) >= _DIFFERENT_S:
            return rt60


def test_recordings() -> dict[str, Sequence[str]]:
    """Return by class the recordings that sound in the benchmark.

    Those that no shipped exemplar was made from; where exemplars were made from all of a class's
    recordings, every second of them, and exemplars with these are left out (`exemplar_pool`). A
    class that has one recording only has it on both sides (`shared_classes`), but never in the
    exemplars that are shown for the same recording. Recordings whose level changes by itself, as
    of something that passes or dies away, are left out: nobody could say what stands still.

    See Also
    --------
    exemplar_pool : what planners may be shown

    Examples
    --------
    >>> sorted(test_recordings())[:3]
    ['airplane', 'bell', 'bird']
    """
    return {label: _tested(files) for label, files in sounding_recordings().items()}


def exemplar_pool() -> list[Exemplar]:
    """Return the shipped exemplars in which no recording of the benchmark sounds, but for those of
    classes that have one recording only.

    See Also
    --------
    test_recordings : what they must not hold

    Examples
    --------
    >>> len(exemplar_pool()) > 10
    True
    """
    shared = shared_classes()
    held_out = {
        file for label, files in test_recordings().items() if label not in shared for file in files
    }
    return [e for e in load_exemplars() if not held_out & set(e.recordings)]


def shared_classes() -> list[str]:
    """Return the classes whose one recording serves exemplars and benchmark alike.

    See Also
    --------
    test_recordings : of all classes

    Examples
    --------
    >>> set(shared_classes()) <= set(test_recordings())
    True
    """
    return sorted(
        label
        for label, files in sounding_recordings().items()
        if len(files) == 1 and files[0] in _in_exemplars()
    )


def _tested(files: Sequence[str]) -> Sequence[str]:
    fresh = [file for file in files if file not in _in_exemplars()]
    return fresh or files[1::2] or files


def _in_exemplars() -> set[str]:
    return {file for exemplar in load_exemplars() for file in exemplar.recordings}
