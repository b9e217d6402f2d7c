"""Language models in the whole-pipeline benchmark: the paper's ablations of its planner.

A model that is named is asked about the first clips in the paper's variants. None is asked unnamed;
then the rows are there, say "not run", and a note says which command runs them.

Stage 1 of the whole-pipeline benchmark: from a clip's sound to a layout, by every method.

Methods
-------
full
    The embedded pipeline as a user has it: the sound is heard without a hint (what sounds, how many
    sources, which capture format), and the acoustic planner heeds the three nearest exemplars.
full, 1 shot; full, 2 shots; full, random exemplars; without exemplars
    The same with fewer exemplars, any, or none.
without spatial reasoning; neither
    What sounds is heard, where and how it moves is not heeded: each thing stands in the centre at
    its usual size. "Neither" has no exemplars either: the class priors alone.
captions + LVD
    Deaf to space, as the paper's baseline is: what a caption of the mono fold-down would say (what
    sounds, and whether it comes closer or goes away) decides the layout. The paper lets GPT-4 write
    it; here the acoustic planner does. In stage 2 it is sampled with LVD's energy guidance.
copy nearest exemplar
    The layout of the exemplar whose cues are nearest, its things called what is heard here.
full, told what sounds
    What is lost by the tagger: each source that was heard is called what is really there.
full, mirrored; another clip; truth
    Left and right exchanged; the boxes of another clip under this one's classes (chance); the best.

Exemplars come from recordings that the benchmark does not play, see
`spa2v_lab.scenes.benchmark.exemplar_pool`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from spa2v_lab.bench.frame import Kept, Progress
from spa2v_lab.bench.planning_scenes import deaf, folded
from spa2v_lab.bench.planning_scores import PAPERS, scored, worded
from spa2v_lab.scenes.benchmark import Clip, draw, exemplar_pool
from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.cues.types import SourceTrack
from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
from spa2v_lib.planning import make_backend, parse_planner, plan_acoustic
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.exemplars import Exemplar, ranked_exemplars
from spa2v_lib.planning.mllm import plan_with_model

__all__ = [
    "VARIANTS",
    "HeardClip",
    "heard_clip",
    "layouts_of",
    "planned_by_models",
    "simulated_layouts",
    "told",
]

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "the model places": {"placement": "model"},
    "the model places, without spatial reasoning": {"placement": "model", "spatial": False},
    "the model places, without exemplars": {"placement": "model", "exemplars": "none"},
    "the model places, neither": {"placement": "model", "exemplars": "none", "spatial": False},
    "the model places, random exemplars": {"placement": "model", "exemplars": "random"},
    "the model places, 1 shot": {"placement": "model", "shots": 1},
    "the model places, 2 shots": {"placement": "model", "shots": 2},
}
"""The paper's rows; in all but the first the model writes the boxes, as there."""

MOST_QUICK, MOST = 3, 100
"""Clips that a model is asked about in each variant."""


def planned_by_models(
    kept: Kept, planners: Sequence[str], seed: int, quick: bool, progress: Progress
) -> None:
    """Ask the named models, as far as they were not asked yet, and keep their scores."""
    found = kept.part("models")
    for planner in planners or (PAPERS,):
        for variant in VARIANTS:
            found.setdefault(f"{planner}, {variant}", {})
    kept.raw["notes"] = [] if planners else [_not_run(quick, seed)]
    for planner in planners:
        backend = make_backend(parse_planner(planner), seed=seed)
        for variant, how in VARIANTS.items():
            by_clip = found[f"{planner}, {variant}"]
            count = MOST_QUICK if quick else MOST
            for number in range(count):
                if str(number) not in by_clip:
                    kept.put(by_clip, str(number), _asked(backend, seed, number, how))
                progress(f"{planner}, {variant}", number + 1, count)
    kept.save()


def _asked(backend: Any, seed: int, number: int, how: dict[str, Any]) -> dict[str, float]:
    heard = heard_clip(draw(seed, number), seed)
    truth = heard.truth
    try:
        layout = plan_with_model(
            heard.sound,
            heard.cues,
            backend,
            seed=seed + number,
            recordings=heard.recordings,
            pool=heard.pool,
            fps=truth.fps,
            aspect=truth.aspect,
            cache=AnswerCache(),
            **how,
        )
        sources = {source.id for source in heard.cues.sources}
        things = [thing for thing in layout.objects if thing.id in sources]
        shown, answered = layout.model_copy(update={"objects": things}), 1.0
    except AnswerError:
        shown, answered = heard.empty, 0.0
    return scored(truth, shown) | worded(truth, shown) | {"answered": answered}


def _not_run(quick: bool, seed: int) -> str:
    more = f"{' --quick' if quick else ''}{f' --seed {seed}' if seed else ''}"
    return f"{PAPERS}: not run; to run it: spa2v bench run --planner {PAPERS} --out FOLDER{more}"


SHOTS = 3


@dataclass(frozen=True)
class HeardClip:
    """A clip that is heard when it is first asked for.

    Attributes
    ----------
    truth : VideoSceneLayout
        What it shows; its frame rate and aspect are those that are planned for.
    render : callable
        Gives its sound.
    recordings : tuple of str
        Names of the files that sound in it, as far as they are known.
    pool : tuple of Exemplar
        To choose from.
    seed : int
        Of random choices.
    capture : str
        Its format, if that is known; else "auto".
    """

    truth: VideoSceneLayout
    render: Callable[[], Recording]
    recordings: tuple[str, ...]
    pool: tuple[Exemplar, ...]
    seed: int
    capture: str = "auto"

    @cached_property
    def sound(self) -> Recording:
        """Its sound."""
        return self.render()

    @cached_property
    def cues(self) -> SpatialCues:
        """What is heard, with nothing told."""
        return extract_cues(self.sound, capture=self.capture)

    @cached_property
    def folded(self) -> SpatialCues:
        """What is heard in the mono fold-down."""
        return extract_cues(folded(self.sound))

    def planned(self, cues: SpatialCues, how: str = "knn", shots: int = SHOTS) -> VideoSceneLayout:
        """Plan acoustically; an empty layout where nothing that is heard is known."""
        view = {"fps": self.truth.fps, "aspect": self.truth.aspect}
        try:
            return plan_acoustic(cues, exemplars=self.ranked(cues, how), shots=shots, **view)
        except PlanningError:
            return self.empty

    def ranked(self, cues: SpatialCues, how: str = "knn") -> list[Exemplar]:
        """Return the exemplars that may be shown, in the order of choice."""
        return ranked_exemplars(
            cues, how, seed=self.seed, recordings=self.recordings, pool=self.pool
        )

    @property
    def empty(self) -> VideoSceneLayout:
        """A layout that shows nothing."""
        return self.truth.model_copy(update={"objects": [], "caption": ""})


def heard_clip(clip: Clip, seed: int) -> HeardClip:
    """Return a clip of the benchmark that is still to be heard."""
    return HeardClip(
        truth=clip.truth,
        render=partial(render_sound, clip.scene),
        recordings=tuple(clip.recordings),
        pool=tuple(exemplar_pool()),
        seed=seed + clip.number,
    )


def layouts_of(heard: HeardClip) -> dict[str, VideoSceneLayout]:
    """Return the layout of every method that needs to know the truth of no scene."""
    cues, silent = heard.cues, deaf(heard.cues)
    full = heard.planned(cues)
    return {
        "full": full,
        "full, 2 shots": heard.planned(cues, shots=2),
        "full, 1 shot": heard.planned(cues, shots=1),
        "full, random exemplars": heard.planned(cues, "random"),
        "without exemplars": heard.planned(cues, "none"),
        "without spatial reasoning": heard.planned(silent),
        "neither": heard.planned(silent, "none"),
        "captions + LVD": heard.planned(heard.folded, "none"),
        "copy nearest exemplar": _copied(heard),
        "full, mirrored": full.mirrored(),
        "truth": heard.truth,
    }


def simulated_layouts(
    heard: HeardClip, clip: Clip, seed: int, count: int
) -> dict[str, VideoSceneLayout]:
    """Return the layouts that only a simulated clip allows.

    Parameters
    ----------
    heard : HeardClip
    clip : Clip
    seed, count : int
        Of the benchmark, from whose clips another one is drawn.
    """
    step = int(np.random.default_rng([seed, clip.number]).integers(1, max(count, 2)))
    other = draw(seed, (clip.number + step) % max(count, 2)).truth
    labels = [thing.label for thing in clip.scene.objects]
    return {
        "full, told what sounds": heard.planned(told(heard.cues, clip.scene)),
        "another clip": _renamed(other, heard.truth, labels),
    }


def told(cues: SpatialCues, scene: Scene) -> SpatialCues:
    """Call every source that was heard what is nearest to it in direction; each thing once."""
    sources = list(cues.sources)
    if not sources:
        return cues
    gaps = np.array([[_gap(source, thing, cues) for thing in scene.objects] for source in sources])
    rows, columns = linear_sum_assignment(gaps)
    names = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    named = [
        source.model_copy(
            update={
                "label": scene.objects[names[i]].label,
                "label_source": "user",
                "label_confidence": 1.0,
                "tags": [],
            }
        )
        for i, source in enumerate(sources)
        if i in names
    ]
    return cues.model_copy(update={"sources": named})


def _gap(source: SourceTrack, thing: WorldObject, cues: SpatialCues) -> float:
    """Return the median distance of a source's direction from a thing's, in degrees."""
    heard = np.array([0.0 if a is None else a for a in source.azimuth_deg])
    return float(np.median(np.abs(heard - thing.azimuth_deg(np.array(cues.times_s)))))


def _copied(heard: HeardClip) -> VideoSceneLayout:
    nearest = heard.ranked(heard.cues)[0].layout
    return _renamed(nearest, heard.truth, [source.label for source in heard.cues.sources])


def _renamed(
    layout: VideoSceneLayout, like: VideoSceneLayout, labels: Sequence[str | None]
) -> VideoSceneLayout:
    """Return a layout stretched to another's length, its things in turn under these labels."""
    stretch = like.key_times_s[-1] / layout.key_times_s[-1]
    objects = [
        SceneObject(id=thing.id, label=label, caption=label, boxes=thing.boxes)
        for thing, label in zip(layout.objects, labels, strict=False)
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
