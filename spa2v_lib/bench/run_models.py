"""Language models in the whole-pipeline benchmark: the paper's ablations of its planner.

A model that is named is asked about the first clips in the paper's variants. None is asked unnamed;
then the rows are there, say "not run", and a note says which command runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spa2v_lib.bench.frame import Progress
from spa2v_lib.bench.kept import Kept
from spa2v_lib.bench.planning_models import PAPERS
from spa2v_lib.bench.planning_scores import scored, worded
from spa2v_lib.bench.run_layouts import heard_clip
from spa2v_lib.errors import AnswerError
from spa2v_lib.planning import make_backend, parse_planner
from spa2v_lib.planning.answers import Answers
from spa2v_lib.planning.mllm import plan_with_model
from spa2v_lib.scenes.benchmark import draw

__all__ = ["VARIANTS", "planned_by_models"]

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
            answers=Answers(),
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
