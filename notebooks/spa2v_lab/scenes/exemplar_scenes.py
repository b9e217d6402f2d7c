"""Scenes to be shown to language models as examples: drawn, analyzed, mirrored, put in words.

A scene is kept if its cues agree with it, so that an example never teaches to distrust the cues.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from spa2v_lab.scenes.exemplar_words import reasoning
from spa2v_lab.scenes.picture import STYLES
from spa2v_lab.scenes.recordings import RecordingInfo, recording_info, recordings_table
from spa2v_lab.scenes.sampler import sample_object
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject, ground_truth_layout
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.types import SourceTrack, SpatialCues
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import position_phrase
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.planning.exemplars import Exemplar

__all__ = ["PLANS", "Made", "ScenePlan", "make_exemplar", "mirrored_scene", "placed_object"]

_SEED = 6_000_000  # no bench draws scenes from here
_TRIES = 40
_RECEIVERS = ("xy", "ortf", "panned", "binaural", "ab", "ms", "foa")
_NAMED = ("xy", "ms")  # what only the recordist can tell from panning
_DURATIONS_S = (4.0, 5.0, 3.0, 6.0)
_NOISE_DB = -30.0
_INDOOR_RT60_S = 0.3
_WITHIN_DEG = 12.0
_MIRROR = {"left_crossing": "right_crossing", "right_crossing": "left_crossing"}
_SIDES = {"left": "on the left", "centre": "in the centre", "right": "on the right"}


@dataclass(frozen=True)
class ScenePlan:
    """What a scene has to show.

    Attributes
    ----------
    motions : tuple of str
        Of every object.
    sides : tuple of (str or None)
        Where every object stands: "left", "centre", "right"; None for any place.

    See Also
    --------
    PLANS : those of the shipped exemplars

    Examples
    --------
    >>> ScenePlan(("left_crossing",), (None,)).mirrored().motions
    ('right_crossing',)
    """

    motions: tuple[str, ...]
    sides: tuple[str | None, ...]

    @property
    def attributes(self) -> list[str]:
        """The paper's words for it, each once."""
        many = "multiple" if len(self.motions) > 1 else "single"
        sides = [side for side in self.sides if side is not None]
        return list(dict.fromkeys((*self.motions, many, *sides)))

    def mirrored(self) -> ScenePlan:
        """Exchange left and right."""
        swap = {"left": "right", "right": "left"}
        return ScenePlan(
            tuple(_MIRROR.get(motion, motion) for motion in self.motions),
            tuple(swap.get(side, side) for side in self.sides),
        )


def _still(*sides: str) -> ScenePlan:
    return ScenePlan(("stationary",) * len(sides), sides)


def _moving(*motions: str) -> ScenePlan:
    return ScenePlan(motions, (None,) * len(motions))


_WANTED: tuple[tuple[ScenePlan, int, int], ...] = (  # how many drawn, and how many of them mirrored
    (_still("left"), 6, 2),
    (_moving("right_crossing"), 6, 2),
    (_moving("approaching"), 7, 2),
    (_still("left", "right"), 5, 2),
    (_moving("receding"), 7, 2),
    (_still("centre"), 6, 0),
    (_moving("left_crossing"), 6, 2),
    (_still("right"), 6, 2),
    (_still("left", "centre"), 3, 2),
    (_still("centre", "right"), 3, 1),
    (ScenePlan(("left_crossing", "stationary"), (None, None)), 3, 1),
    (_still("left", "centre", "right"), 2, 1),
)

PLANS: tuple[tuple[ScenePlan, bool], ...] = tuple(
    (plan, turn < mirrored)
    for turn in range(max(count for _, count, _ in _WANTED))
    for plan, count, mirrored in _WANTED
    if turn < count
)
"""The scenes to draw, and whether each is mirrored too. The plans take turns, so that the first
few scenes of the file already differ."""


@dataclass(frozen=True)
class Made:
    """One drawn scene whose cues agree with it.

    Attributes
    ----------
    exemplars : list of Exemplar
        The scene and, where planned, its mirror.
    sound : Recording
        Of the scene as drawn.
    tries : int
        How many scenes were drawn.

    See Also
    --------
    make_exemplar : returns it

    Examples
    --------
    >>> made = make_exemplar(0)  # doctest: +SKIP
    >>> [exemplar.variant for exemplar in made.exemplars]  # doctest: +SKIP
    """

    exemplars: list[Exemplar]
    sound: Recording
    tries: int


def make_exemplar(number: int) -> Made:
    """Draw scene `number` of `PLANS` until its cues agree with it.

    Raises
    ------
    SceneError
        If no scene of many had such cues.

    See Also
    --------
    spa2v_lab.scenes.exemplars.write_exemplars : makes all of them

    Examples
    --------
    >>> make_exemplar(0).exemplars[0].id  # doctest: +SKIP
    """
    plan, with_mirror = PLANS[number]
    for attempt in range(_TRIES):
        scene = _draw(number, attempt, plan)
        sound = render_sound(scene)
        made = _exemplar(f"{number:03d}", "drawn", plan, scene, sound)
        if made is None:
            continue
        if not with_mirror:
            return Made([made], sound, attempt + 1)
        turned, mirrored = _exchanged(sound, scene.receiver), mirrored_scene(scene)
        mirror = _exemplar(f"{number:03d}", "mirrored", plan.mirrored(), mirrored, turned)
        if mirror is not None:
            return Made([made, mirror], sound, attempt + 1)
    raise SceneError(
        f"exemplar {number}: none of {_TRIES} scenes with {plan} has cues that agree with it"
    )


def _draw(number: int, attempt: int, plan: ScenePlan) -> Scene:
    rng = np.random.default_rng([_SEED, number, attempt])
    camera = Camera(height_m=float(rng.uniform(1.3, 1.8)), pitch_deg=float(rng.uniform(-4, 4)))
    duration = _DURATIONS_S[number % len(_DURATIONS_S)]
    files = _choose_files(rng, plan)
    objects = tuple(
        placed_object(rng, file, motion, side, camera, duration)
        for file, motion, side in zip(files, plan.motions, plan.sides, strict=True)
    )
    background = CLASSES[objects[0].label].background
    indoors = all(CLASSES[obj.label].place == "held" for obj in objects)
    return Scene(
        objects=objects,
        background=background,
        camera=camera,
        duration_s=duration,
        seed=int(rng.integers(2**31)),
        receiver=_RECEIVERS[(number + attempt) % len(_RECEIVERS)],
        rt60_s=_INDOOR_RT60_S if indoors else 0.0,
        noise_db=_NOISE_DB,
    )


def _choose_files(rng: np.random.Generator, plan: ScenePlan) -> list[str]:
    """Draw a class for every object, each once, and a recording of it; steady ones for motion."""
    files: list[str] = []
    for motion in plan.motions:
        usable: dict[str, list[str]] = {}
        taken = {recording_info(file).label for file in files}
        for row in recordings_table():
            fits = not row.own_motion if motion == "stationary" else _serves(row)
            if row.label in CLASSES and row.label not in taken and fits:
                usable.setdefault(row.label, []).append(row.file)
        files.append(str(rng.choice(usable[str(rng.choice(sorted(usable)))])))
    return files


def _serves(row: RecordingInfo) -> bool:
    return row.serves_motion_truth and row.label in CLASSES and CLASSES[row.label].place != "held"


def placed_object(
    rng: np.random.Generator,
    file: str,
    motion: str,
    side: str | None,
    camera: Camera,
    duration_s: float,
    styles: tuple[str, ...] = STYLES,
) -> WorldObject:
    """Draw an object until it stands where it should, in view.

    Parameters
    ----------
    rng : numpy.random.Generator
    file : str
        Its recording, which also says what it is.
    motion : str
    side : str or None
        "left", "centre", "right", or None for any place.
    camera : Camera
    duration_s : float
    styles : tuple of str
        Sprite styles to draw from.

    See Also
    --------
    spa2v_lab.scenes.sampler.sample_object : anywhere

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> car = placed_object(rng, "truck_01.flac", "stationary", "left", Camera(), 2.0)
    >>> bool(car.azimuth_deg(np.zeros(1))[0] < 0)
    True
    """
    while True:
        obj = sample_object(rng, recording_info(file).label, motion, camera, duration_s, styles)
        box = obj.box(camera, 0.0) or obj.box(camera, duration_s)
        if box and (side is None or position_phrase(box.center[0]) == _SIDES[side]):
            return replace(obj, recording=file)


def mirrored_scene(scene: Scene) -> Scene:
    """Return the scene with left and right exchanged.

    See Also
    --------
    ScenePlan.mirrored : the same of a plan

    Examples
    --------
    >>> from spa2v_lab.scenes.stage import Trajectory, stage
    >>> scene = mirrored_scene(stage(Trajectory("truck_01.flac", -30.0)))
    >>> round(float(scene.objects[0].azimuth_deg(np.zeros(1))[0]))
    30
    """
    objects = tuple(
        replace(
            obj,
            motion=_MIRROR.get(obj.motion, obj.motion),
            path=StraightPath(
                (-obj.path.start[0], obj.path.start[1]),
                (-obj.path.velocity[0], obj.path.velocity[1]),
            ),
        )
        for obj in scene.objects
    )
    return replace(scene, objects=objects)


def _exchanged(sound: Recording, receiver: str) -> Recording:
    """Exchange left and right of what was recorded; in ambisonics, turn its Y around."""
    samples = sound.samples
    turned = samples * np.array([[1], [-1], [1], [1]]) if receiver == "foa" else samples[::-1]
    return Recording.from_samples(turned, sound.rate, name=sound.name)


def _exemplar(
    family: str, variant: str, plan: ScenePlan, scene: Scene, sound: Recording
) -> Exemplar | None:
    named = scene.receiver if scene.receiver in _NAMED else "auto"
    cues = extract_cues(sound, capture=named)
    order = _recovered(scene, cues)
    if order is None:
        return None
    labels = [scene.objects[index].label for index in order]
    if [source.label for source in cues.sources] != labels:
        cues = extract_cues(sound, capture=named, label=",".join(labels))
    layout = ground_truth_layout(scene)
    words = np.random.default_rng([scene.seed, variant == "mirrored"])
    layout = layout.model_copy(update={"reasoning": reasoning(scene, layout, words)})
    return Exemplar(
        id=f"{family}-{variant}",
        family=family,
        variant=variant,
        recordings=sorted({obj.recording for obj in scene.objects}),
        attributes=plan.attributes,
        cues=cues.model_copy(update={"recording": f"exemplar {family}"}),
        objects={
            source.id: layout.objects[index].id
            for source, index in zip(cues.sources, order, strict=True)
        },
        layout=layout,
    )


def _recovered(scene: Scene, cues: SpatialCues) -> tuple[int, ...] | None:
    """Return which object each source is; None unless number, directions and motions fit."""
    if len(cues.sources) != len(scene.objects):
        return None
    for order in permutations(range(len(scene.objects))):
        pairs = zip(cues.sources, (scene.objects[i] for i in order), strict=True)
        if all(_is(source, obj, cues.times_s) for source, obj in pairs):
            return order
    return None


def _is(source: SourceTrack, obj: WorldObject, times_s: list[float]) -> bool:
    if source.motion != obj.motion or None in source.azimuth_deg:
        return False
    sounding = np.array(source.active)
    true = obj.azimuth_deg(np.array(times_s)[sounding])
    error = np.abs(np.array(source.azimuth_deg)[sounding] - true)
    return bool(np.median(error) <= _WITHIN_DEG)
