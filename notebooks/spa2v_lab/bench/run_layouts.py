"""Language models in the whole-pipeline benchmark: the paper's ablations of its planner.

A model that is named is asked about the first clips in the paper's variants. None is asked unnamed;
then a note says which command runs them.

Stage 1 of the whole-pipeline benchmark: from a clip's sound to a layout, by every method.

Methods
-------
full
    The embedded pipeline as a user has it: the sound is analyzed without a hint (what sounds, how many
    sources, which capture format), and the acoustic planner heeds the three nearest exemplars.
full, 1 shot; full, 2 shots; full, random exemplars; without exemplars
    The same with fewer exemplars, any, or none.
without spatial reasoning; neither
    Labels alone, without direction and motion: each object stands in the centre at
    its usual size. "Neither" has no exemplars either: the class priors alone.
captions + LVD
    Deaf to space, as the paper's baseline is: what a caption of the mono fold-down would say (what
    sounds, and whether it comes closer or goes away) decides the layout. The paper lets GPT-4 write
    it; here the acoustic planner does. In stage 2 it is sampled with LVD's energy guidance.
copy nearest exemplar
    The layout of the exemplar whose cues are nearest, its objects under the labels detected here.
full, recordings left out
    The tagger learnt from none of the recordings that sound here; it knew them in all other rows.
full, true labels
    What is lost by the tagger: each detected source has its true label.
full, mirrored; another clip; ground truth
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

from spa2v_lab.bench.planning_scenes import folded_to_mono, renamed, without_spatial_cues
from spa2v_lab.bench.planning_scores import HOSTED, planned_scores
from spa2v_lab.bench.raw import RawResults
from spa2v_lab.scenes.benchmark import Clip, draw, exemplar_pool
from spa2v_lab.scenes.scene import Scene, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.training.tagger import without_recordings
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.cues.types import SourceTrack
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning import make_backend, parse_planner, plan_acoustic
from spa2v_lib.planning.exemplars import Exemplar, ranked_exemplars
from spa2v_lib.runs import StageProgress

__all__ = [
    "VARIANTS",
    "AnalyzedClip",
    "analyzed_clip",
    "layouts_of",
    "planned_by_models",
    "simulated_layouts",
    "with_true_labels",
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
    kept: RawResults, planners: Sequence[str], seed: int, quick: bool, progress: StageProgress
) -> None:
    """Ask the named models, as far as they were not asked yet, and keep their scores.

    See Also
    --------
    VARIANTS : what is asked

    Examples
    --------
    >>> planned_by_models(kept, ["smollm"], 0, True, print)  # doctest: +SKIP
    """
    variants = kept.part("models")
    for planner in planners:
        for variant in VARIANTS:
            variants.setdefault(f"{planner}, {variant}", {})
    kept.raw["notes"] = [] if planners else [_not_run(quick, seed)]
    for planner in planners:
        backend = make_backend(parse_planner(planner), seed=seed)
        for variant, how in VARIANTS.items():
            by_clip = variants[f"{planner}, {variant}"]
            count = MOST_QUICK if quick else MOST
            for number in range(count):
                if str(number) not in by_clip:
                    kept.put(by_clip, str(number), _asked(backend, seed, number, how))
                progress(f"{planner}, {variant}", number + 1, count)
    kept.save()


def _asked(backend: Any, seed: int, number: int, how: dict[str, Any]) -> dict[str, float]:
    analyzed = analyzed_clip(draw(seed, number), seed)
    return planned_scores(
        analyzed.ground_truth,
        analyzed.sound,
        analyzed.cues,
        backend,
        seed=seed + number,
        recordings=analyzed.recordings,
        pool=analyzed.pool,
        fps=analyzed.ground_truth.fps,
        aspect=analyzed.ground_truth.aspect,
        **how,
    )


def _not_run(quick: bool, seed: int) -> str:
    more = f"{' --quick' if quick else ''}{f' --seed {seed}' if seed else ''}"
    command = f"spa2v bench run --planner {HOSTED} --out FOLDER{more}"
    return f"hosted models: not run; to run one: {command}"


SHOTS = 3


@dataclass(frozen=True)
class AnalyzedClip:
    """A clip that is analyzed when its cues are first asked for.

    Attributes
    ----------
    ground ground_truth : VideoSceneLayout
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

    See Also
    --------
    analyzed_clip : of the benchmark's

    Examples
    --------
    >>> clip = analyzed_clip(draw(0, 0), seed=0)
    >>> clip.ground_truth.fps, clip.capture
    (4.0, 'auto')
    """

    ground_truth: VideoSceneLayout
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
        """Its cues, with nothing given but the capture format."""
        return extract_cues(self.sound, capture=self.capture)

    @cached_property
    def named_without_recordings(self) -> SpatialCues:
        """The cues, named by a tagger that learnt from no shipped recording."""
        return extract_cues(self.sound, capture=self.capture, tagger=without_recordings())

    @cached_property
    def folded_to_mono(self) -> SpatialCues:
        """The cues of its mono fold-down."""
        return extract_cues(folded_to_mono(self.sound))

    def planned(self, cues: SpatialCues, how: str = "knn", shots: int = SHOTS) -> VideoSceneLayout:
        """Plan acoustically; an empty layout where no source has a known label."""
        view = {"fps": self.ground_truth.fps, "aspect": self.ground_truth.aspect}
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
        return self.ground_truth.model_copy(update={"objects": [], "caption": ""})


def analyzed_clip(clip: Clip, seed: int) -> AnalyzedClip:
    """Return a clip of the benchmark, not yet analyzed.

    See Also
    --------
    layouts_of : what is planned from it

    Examples
    --------
    >>> analyzed_clip(draw(0, 3), seed=0).seed
    3
    """
    return AnalyzedClip(
        ground_truth=clip.ground_truth,
        render=partial(render_sound, clip.scene),
        recordings=tuple(clip.recordings),
        pool=tuple(exemplar_pool()),
        seed=seed + clip.number,
    )


def layouts_of(analyzed: AnalyzedClip) -> dict[str, VideoSceneLayout]:
    """Return the layout of every method that needs to know the ground truth of no scene.

    See Also
    --------
    simulated_layouts : the others

    Examples
    --------
    >>> layouts = layouts_of(analyzed_clip(draw(0, 0), seed=0))  # doctest: +SKIP
    >>> layouts["full"].caption  # doctest: +SKIP
    """
    cues, silent = analyzed.cues, without_spatial_cues(analyzed.cues)
    full = analyzed.planned(cues)
    return {
        "full": full,
        "full, 2 shots": analyzed.planned(cues, shots=2),
        "full, 1 shot": analyzed.planned(cues, shots=1),
        "full, random exemplars": analyzed.planned(cues, "random"),
        "without exemplars": analyzed.planned(cues, "none"),
        "without spatial reasoning": analyzed.planned(silent),
        "neither": analyzed.planned(silent, "none"),
        "captions + LVD": analyzed.planned(analyzed.folded_to_mono, "none"),
        "copy nearest exemplar": _copied(analyzed),
        "full, mirrored": full.mirrored(),
        "ground truth": analyzed.ground_truth,
    }


def simulated_layouts(
    analyzed: AnalyzedClip, clip: Clip, seed: int, count: int
) -> dict[str, VideoSceneLayout]:
    """Return the layouts that only a simulated clip allows.

    Parameters
    ----------
    analyzed : HeardClip
    clip : Clip
    seed, count : int
        Of the benchmark, from whose clips another one is drawn.

    See Also
    --------
    layouts_of : those of any clip

    Examples
    --------
    >>> clip = draw(0, 0)
    >>> layouts = simulated_layouts(analyzed_clip(clip, 0), clip, 0, 200)  # doctest: +SKIP
    """
    step = int(np.random.default_rng([seed, clip.number]).integers(1, max(count, 2)))
    other = draw(seed, (clip.number + step) % max(count, 2)).ground_truth
    labels = [obj.label for obj in clip.scene.objects]
    return {
        "full, recordings left out": analyzed.planned(analyzed.named_without_recordings),
        "full, true labels": analyzed.planned(with_true_labels(analyzed.cues, clip.scene)),
        "another clip": renamed(other, analyzed.ground_truth, labels),
    }


def with_true_labels(cues: SpatialCues, scene: Scene) -> SpatialCues:
    """Give every detected source the label of the object nearest in direction; each once.

    See Also
    --------
    simulated_layouts : what it is for

    Examples
    --------
    >>> clip = draw(0, 0)
    >>> cues = with_true_labels(analyzed_clip(clip, 0).cues, clip.scene)  # doctest: +SKIP
    """
    sources = list(cues.sources)
    if not sources:
        return cues
    gaps = np.array([[_gap(source, obj, cues) for obj in scene.objects] for source in sources])
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


def _gap(source: SourceTrack, obj: WorldObject, cues: SpatialCues) -> float:
    """Return the median distance of a source's direction from an object's, in degrees."""
    analyzed = np.array([0.0 if a is None else a for a in source.azimuth_deg])
    return float(np.median(np.abs(analyzed - obj.azimuth_deg(np.array(cues.times_s)))))


def _copied(analyzed: AnalyzedClip) -> VideoSceneLayout:
    nearest = analyzed.ranked(analyzed.cues)[0].layout
    return renamed(
        nearest, analyzed.ground_truth, [source.label for source in analyzed.cues.sources]
    )
