"""Scores of planned layouts, the rows they make, and the goals they are held against.

Language models in the planning benchmark: asked where they were named, or are here.

A named model is asked with either placement and with exemplars chosen by nearness, at random, or
none. SmolLM2 is small enough to be asked unnamed, on few scenes, unless the benchmark is quick. A
hosted model that nobody named has no row; a note says which command runs one.

They are given the tagger's labels, not the true ones, and choose their own words: "class right" is
the share of scenes whose object they name rightly, "caption" the ROUGE-L of the video's caption
with the true one. Silent objects that they add are no fault, and are not scored. A scene for which
none of their answers could be used scores as an empty layout; "answered" is the share of the
others. Answers are cached (`spa2v_lib.planning.answer_cache`): measuring again asks nothing again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lab.bench.frame import Goal, Row
from spa2v_lab.bench.planning_scenes import AnalyzedScene
from spa2v_lab.metrics import (
    caption_overlap,
    class_recall,
    docsim,
    docsim_of_itself,
    ltsim,
    max_iou,
    max_iou_coverage,
    mirror_gap,
    motion_direction,
    size_trend,
    tube_iou,
    x_center_error,
)
from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.sampler import MOTIONS
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning import check_planner, make_backend, parse_planner
from spa2v_lib.planning.answer_cache import AnswerCache
from spa2v_lib.planning.backends.base import Backend
from spa2v_lib.planning.cost import estimate, total
from spa2v_lib.planning.mllm import plan_with_model, question
from spa2v_lib.runs import StageProgress

__all__ = [
    "ModelTrials",
    "check_planners",
    "goals",
    "off_centre",
    "planned_scores",
    "rows",
    "scored",
    "worded",
]

_OFF_CENTRE = 0.12  # least mean distance of the true centre from the middle, in picture widths

Scores = dict[str, float]


def scored(ground_truth: VideoSceneLayout, layout: VideoSceneLayout) -> Scores:
    """Compare a layout with the true one.

    Returns
    -------
    dict of str to float
        By measure. The mirror gap is that of MaxIoU; it and the size trend are NaN where a scene
        cannot show them: near the middle, or where nothing changes its size.

    See Also
    --------
    worded : of the words

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> from spa2v_lab.scenes.scene import ground_truth_layout
    >>> layout = ground_truth_layout(sample_scene(3, motion="left_crossing", labels=("bus",)))
    >>> scores = scored(layout, layout.mirrored())
    >>> round(scored(layout, layout)["MaxIoU"], 2), scores["motion direction"]
    (1.0, 0.0)
    """
    gap = mirror_gap(ground_truth, layout, max_iou) if off_centre(ground_truth) else np.nan
    return {
        "MaxIoU": max_iou(ground_truth, layout),
        "coverage": max_iou_coverage(ground_truth, layout),
        "tube IoU": tube_iou(ground_truth, layout),
        "LTSim": ltsim(ground_truth, layout),
        "DocSim": docsim(ground_truth, layout),
        "DocSim, of best": docsim(ground_truth, layout) / docsim_of_itself(ground_truth),
        "x-centre error": x_center_error(ground_truth, layout),
        "motion direction": motion_direction(ground_truth, layout),
        "size trend": size_trend(ground_truth, layout),
        "mirror gap": gap,
    }


def worded(ground_truth: VideoSceneLayout, layout: VideoSceneLayout) -> Scores:
    """Compare its words: whether what sounds is named rightly, and the caption (ROUGE-L).

    See Also
    --------
    scored : of the boxes

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> from spa2v_lab.scenes.scene import ground_truth_layout
    >>> layout = ground_truth_layout(sample_scene(3, motion="left_crossing", labels=("bus",)))
    >>> worded(layout, layout)
    {'class right': 1.0, 'caption': 1.0}
    """
    return {
        "class right": class_recall(ground_truth, layout),
        "caption": caption_overlap(ground_truth, layout),
    }


def planned_scores(
    ground_truth: VideoSceneLayout,
    sound: Recording,
    cues: SpatialCues,
    backend: Backend,
    **how: object,
) -> Scores:
    """Score what a model plans, without the silent objects that it added; answers are cached.

    Parameters
    ----------
    ground_truth : VideoSceneLayout
        An answer that cannot be used counts as its picture without an object.
    sound : Recording
    cues : SpatialCues
        Of `sound`.
    backend : Backend
        The model.
    **how
        As `spa2v_lib.planning.mllm.plan_with_model` takes it.

    Returns
    -------
    dict of str to float
        `scored` and `worded`, and whether it "answered".

    See Also
    --------
    ModelTrials : asks a model of many scenes

    Examples
    --------
    >>> from spa2v_lib.planning import make_backend, parse_planner
    >>> backend = make_backend(parse_planner("smollm"))
    >>> planned_scores(truth, sound, cues, backend)["answered"]  # doctest: +SKIP
    1.0
    """
    try:
        layout = plan_with_model(sound, cues, backend, cache=AnswerCache(), **how)
        sources = {source.id for source in cues.sources}
        kept = [obj for obj in layout.objects if obj.id in sources]
        shown, answered = layout.model_copy(update={"objects": kept}), 1.0
    except AnswerError:
        shown = ground_truth.model_copy(update={"objects": [], "caption": ""})
        answered = 0.0
    return scored(ground_truth, shown) | worded(ground_truth, shown) | {"answered": answered}


def off_centre(ground_truth: VideoSceneLayout) -> bool:
    """Whether the true objects are, on average, off the middle of the picture.

    See Also
    --------
    scored : where the mirror gap needs it

    Examples
    --------
    >>> from spa2v_lab.scenes.sampler import sample_scene
    >>> from spa2v_lab.scenes.scene import ground_truth_layout
    >>> layout = ground_truth_layout(sample_scene(3, motion="left_crossing", labels=("bus",)))
    >>> off_centre(layout)
    True
    """
    away = [abs(b.center[0] - 0.5) for boxes in ground_truth.frame_boxes() for b in boxes if b]
    return bool(away) and float(np.mean(away)) >= _OFF_CENTRE


def rows(
    method: str,
    scores: Sequence[Scores],
    scenes: Sequence[AnalyzedScene],
    seed: int,
    *,
    short: bool = False,
) -> list[Row]:
    """Return the rows of a method: all scenes, those off the centre, each motion, each receiver.

    What no scene meets has no row.

    Parameters
    ----------
    method : str
    scores : sequence of dict
        One a scene.
    scenes : sequence of HeardScene
    seed : int
        Of the intervals.
    short : bool
        Leave motions and receivers out.

    See Also
    --------
    row : one of them

    Examples
    --------
    >>> rows("acoustic", scores, scenes, seed=0)  # doctest: +SKIP
    """
    conditions: list[tuple[str, Callable[[AnalyzedScene], bool]]] = [
        ("all", lambda analyzed: True),
        ("off-centre", lambda analyzed: off_centre(analyzed.ground_truth)),
    ]
    if not short:
        conditions += [
            (name.replace("_", " "), lambda analyzed, m=name: analyzed.scene.objects[0].motion == m)
            for name in MOTIONS
        ]
        conditions += [
            (f"receiver {name}", lambda analyzed, r=name: analyzed.scene.receiver == r)
            for name in RECEIVERS
        ]
    pairs = list(zip(scores, scenes, strict=True))
    met = [(name, [s for s, h in pairs if holds(h)]) for name, holds in conditions]
    return [Row.of(method, name, found, seed) for name, found in met if found]


def goals(rows: Sequence[Row], method: str) -> list[Goal]:
    """Return what was asked of the acoustic planner.

    See Also
    --------
    row : what they look at

    Examples
    --------
    >>> scores = [{"MaxIoU": 0.5, "motion direction": 1.0, "x-centre error": 0.02}]
    >>> [goal.met for goal in goals([Row.of("acoustic", "all", scores)], "acoustic")]
    [True, True, True]
    """
    (measures,) = [r.measures for r in rows if (r.method, r.condition) == (method, "all")]
    motion = measures["motion direction"].mean
    return [
        Goal("acoustic planner, MaxIoU", ">=", 0.45, measures["MaxIoU"].mean),
        Goal(
            "acoustic planner, motion direction, %",
            ">=",
            99.0,
            None if motion is None else 100.0 * motion,
        ),
        Goal(
            "acoustic planner, x-centre error, picture widths",
            "<=",
            0.04,
            measures["x-centre error"].mean,
        ),
    ]


TRIALS = tuple((p, e) for p in ("cues", "model") for e in ("knn", "random", "none"))
"""Every placement with every choice of exemplars."""

HOSTED = "google:gemini-3.8-flash"
"""A model that is served today, of the family that SpA2V planned with: in the command of a note."""

MOST_QUICK, MOST = 5, 105
"""Scenes that a named model is asked about, each once a trial."""

MOST_SMOLLM = 20
"""Scenes that SmolLM2 is asked about – it writes some twelve tokens a second."""

_SHOTS, _SHOTS_SMOLLM = 3, 1
_COMMAND = "spa2v bench planning --planner {planner} --out FOLDER"


def check_planners(planners: Sequence[str]) -> None:
    """Refuse what is not known, asks no model, or lacks its packages or key.

    Raises
    ------
    PlanningError

    See Also
    --------
    spa2v_lib.planning.check_planner : one of any type

    Examples
    --------
    >>> check_planners(["acoustic"])  # doctest: +SKIP
    """
    for name in planners:
        if parse_planner(name).provider == "acoustic":
            raise PlanningError("the acoustic planner is always measured; name a language model")
        check_planner(name)


@dataclass(frozen=True)
class ModelTrials:
    """Language models on the first of the benchmark's scenes.

    See Also
    --------
    spa2v_lab.bench.recorded_answers : the shipped answers

    Examples
    --------
    >>> rows, notes = ModelTrials(scenes, 0, True, print).measure(["smollm"])  # doctest: +SKIP
    """

    scenes: Sequence[AnalyzedScene]
    seed: int
    quick: bool
    progress: StageProgress

    def measure(self, planners: Sequence[str]) -> tuple[list[Row], list[str]]:
        """Return the rows of the named models and of SmolLM2, and notes on what was not run."""
        measured: list[Row] = []
        notes: list[str] = []
        for planner in planners:
            backend = make_backend(parse_planner(planner), seed=self.seed)
            self._announce(planner, backend)
            for placement, exemplars in TRIALS:
                measured += self.trial(backend, placement, exemplars)
        if "smollm" not in planners:
            more, note = self._smollm()
            measured, notes = measured + more, notes + note
        if not any(parse_planner(name).hosted for name in planners):
            notes.append(f"hosted models: not run; to run one: {_COMMAND.format(planner=HOSTED)}")
        return measured, notes

    def _smollm(self) -> tuple[list[Row], list[str]]:
        if self.quick:
            note = "smollm: not run, as it is slow; to run it: spa2v bench planning --out FOLDER"
            return [], [note]
        try:
            check_planner("smollm")
        except PlanningError as error:
            return [], [f"smollm: not run: {error}"]
        backend = make_backend(parse_planner("smollm"), seed=self.seed)
        return self.trial(backend, "cues", "knn"), []

    def _chosen(self, backend: Backend) -> Sequence[AnalyzedScene]:
        if backend.name == "smollm":
            return self.scenes[:MOST_SMOLLM]
        return self.scenes[: MOST_QUICK if self.quick else MOST]

    def _asked(self, analyzed: AnalyzedScene, number: int, name: str) -> dict[str, object]:
        return {
            "shots": _SHOTS_SMOLLM if name == "smollm" else _SHOTS,
            "seed": self.seed + number,
            "recordings": analyzed.recordings,
            "fps": analyzed.scene.fps,
            "aspect": analyzed.ground_truth.aspect,
        }

    def _announce(self, planner: str, backend: Backend) -> None:
        """Say what asking will take, before a server is asked."""
        spec = parse_planner(planner)
        if not spec.hosted:
            return
        estimates = []
        for number, analyzed in enumerate(self._chosen(backend)):
            sound = render_sound(analyzed.scene)
            asked = self._asked(analyzed, number, backend.name)
            for placement, exemplars in TRIALS:
                chosen = {"placement": placement, "exemplars": exemplars}
                prompt = question(sound, analyzed.unaided, backend, **chosen, **asked).prompt
                estimates.append(estimate(prompt, spec))
        print(f"{planner}: {total(estimates)}", file=sys.stderr, flush=True)

    def trial(self, backend: Backend, placement: str, exemplars: str) -> list[Row]:
        """Return the rows of one model that is asked in one way; answers are cached."""
        method = f"{backend.name}, placement {placement}, exemplars {exemplars}"
        scenes, scores = self._chosen(backend), []
        for number, analyzed in enumerate(scenes):
            how = {"placement": placement, "exemplars": exemplars}
            how |= self._asked(analyzed, number, backend.name)
            sound = render_sound(analyzed.scene)
            scores.append(
                planned_scores(analyzed.ground_truth, sound, analyzed.unaided, backend, **how)
            )
            self.progress(method, number + 1, len(scenes))
        return rows(method, scores, scenes, self.seed, short=True)
