"""The script that makes ``data/answers``: ``python -m spa2v_lab.bench.recorded_answers``.

It asks SmolLM2 about three simulated scenes, which cross to the left, cross to the right and
approach: code places or the model does, with an example or with none. What it wrote is kept letter
by letter, with what it was given, so that anybody who installs the model can ask again and compare.
Only what was not asked before, or is asked differently now, is asked.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import BaseModel

from spa2v_lab.bench.replay import RecordedAnswer, Replay, recorded_answers
from spa2v_lab.metrics.layout import evaluate
from spa2v_lab.scenes.recordings import sounding_recordings
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.errors import PlanningError
from spa2v_lib.files import replacing
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.backends.base import Prompt
from spa2v_lib.planning.backends.local import LocalModel
from spa2v_lib.planning.backends.smollm import smollm
from spa2v_lib.planning.mllm import plan_with_model, question
from spa2v_lib.resources import data_dir

__all__ = [
    "ASKED",
    "SCENES",
    "SHOTS",
    "mean_scores",
    "prompt_of_today",
    "record_answers",
    "recorded_scene",
    "replayed",
]

ASKED = (("cues", "knn"), ("model", "knn"), ("model", "none"), ("cues", "none"))
"""Each placement, with the nearest example and with none."""

SCENES = 3
"""How many scenes are asked about."""

SHOTS = 1
"""Examples that the model is shown, where it is shown any – it is small, and reads slowly."""

_SECONDS = 2.5
_FIRST_SEED = 100


@cache
def recorded_scene(number: int) -> tuple[Scene, Recording, SpatialCues]:
    """Draw, render and analyze one of the scenes; motions take turns.

    Parameters
    ----------
    number : int
        At least 0; the shipped answers are about the first `SCENES`.

    Returns
    -------
    scene : Scene
    recording : Recording
    cues : SpatialCues
        Measured; only the label is given.

    See Also
    --------
    record_answers : asks about them

    Examples
    --------
    >>> scene, recording, cues = recorded_scene(0)  # doctest: +SKIP
    """
    recordings = sounding_recordings()
    scene = sample_scene(
        _FIRST_SEED + number,
        motion=MOTIONS[number % len(MOTIONS)],
        labels=tuple(recordings),
        recordings=recordings,
        duration_s=_SECONDS,
        receiver="ortf",
        noise_db=-40.0,
    )
    recording = render_sound(scene)
    return scene, recording, extract_cues(recording, label=scene.objects[0].label, capture="ortf")


def replayed(record: RecordedAnswer) -> VideoSceneLayout:
    """Return the layout of a recorded answer: the scene is analyzed again, no model is asked.

    Raises
    ------
    PlanningError
        If no answer could be used; the message shows the last one.

    See Also
    --------
    prompt_of_today : what it would be given now

    Examples
    --------
    >>> replayed(recorded_answers()[0]).caption  # doctest: +SKIP
    """
    _, recording, cues = recorded_scene(record.scene)
    return plan_with_model(
        recording,
        cues,
        Replay(record),
        **_options(record.scene, record.placement, record.exemplars),
    )


def prompt_of_today(record: RecordedAnswer) -> str:
    """Return what the model would be given now, where it was given `record`'s prompt.

    See Also
    --------
    replayed : what became of the answer

    Examples
    --------
    >>> record = recorded_answers()[0]  # doctest: +SKIP
    >>> prompt_of_today(record) == record.prompt  # doctest: +SKIP
    """
    _, recording, cues = recorded_scene(record.scene)
    asked = _options(record.scene, record.placement, record.exemplars)
    return question(recording, cues, Replay(record), **asked).prompt.text


def mean_scores(layouts: Mapping[int, VideoSceneLayout]) -> tuple[float, float, float]:
    """Return mean scores of layouts, by the number of their scene.

    Returns
    -------
    tuple of float
        IoU; x-centre error in picture widths, over the layouts that have a box to measure, NaN if
        none has; share of objects that move the right way.

    See Also
    --------
    replayed : makes the layouts

    Examples
    --------
    >>> mean_scores({0: replayed(recorded_answers()[0])})  # doctest: +SKIP
    """
    scores = [
        evaluate(ground_truth_layout(recorded_scene(n)[0]), plan) for n, plan in layouts.items()
    ]
    errors = [s["x_center_error"] for s in scores if not math.isnan(s["x_center_error"])]
    overlap, right = (mean(score[name] for score in scores) for name in ("iou", "motion_direction"))
    return overlap, mean(errors) if errors else math.nan, right


def record_answers(
    path: Path, count: int = SCENES, trials: Sequence[tuple[str, str]] = ASKED
) -> None:
    """Ask about the first `count` scenes; the file is written after each answer.

    Parameters
    ----------
    path : Path
        Answers that it holds already are kept, as far as the same is asked.
    count : int
    trials : sequence of (str, str)
        Placement and choice of examples.

    Raises
    ------
    PlanningError
        If the model's packages are not installed.

    See Also
    --------
    spa2v_lab.bench.replay.recorded_answers : reads them

    Examples
    --------
    >>> record_answers(Path("answers.jsonl"), count=1)  # doctest: +SKIP
    """
    known = recorded_answers(path) if path.exists() else ()
    records: list[RecordedAnswer] = []
    for placement, exemplars in trials:
        for number in range(count):
            records.append(_asked(number, placement, exemplars, known))
            with replacing(path) as partial:
                lines = [record.model_dump_json() + "\n" for record in records]
                partial.write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True)
class _Recorder(LocalModel):
    """A model in this process that remembers what it wrote."""

    written: list[str] = field(default_factory=list)

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        self.written.append(super().ask(prompt, schema))
        return self.written[-1]


def _asked(
    number: int, placement: str, exemplars: str, known: Sequence[RecordedAnswer]
) -> RecordedAnswer:
    _, recording, cues = recorded_scene(number)
    model = _Recorder(**vars(smollm()))
    asked = _options(number, placement, exemplars)
    prompt = question(recording, cues, model, **asked).prompt
    for record in known:
        if record.prompt == prompt.text and record.model == model.name:
            return record
    began = time.perf_counter()
    try:
        plan_with_model(recording, cues, model, **asked)
    except PlanningError as error:  # kept as well: that no answer could be used is an answer
        print(error, flush=True)
    seconds = round(time.perf_counter() - began, 1)
    print(f"scene {number}, {placement}, {exemplars}: {seconds:.0f} s", flush=True)
    return RecordedAnswer(
        scene=number,
        model=model.name,
        parameters=model.parameters,
        placement=placement,
        exemplars=exemplars,
        shots=SHOTS,
        prompt=prompt.text,
        answers=model.written,
        seconds=seconds,
    )


def _options(number: int, placement: str, exemplars: str) -> dict[str, Any]:
    scene, _, _ = recorded_scene(number)
    sounding = [obj.recording for obj in scene.objects if obj.recording]
    return {
        "placement": placement,
        "exemplars": exemplars,
        "shots": SHOTS,
        "recordings": sounding,  # no example that was made from them
    }


def main() -> None:
    """Record the answers and write them where they are shipped, or to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=data_dir() / "answers" / "smollm.jsonl")
    parser.add_argument("--scenes", type=int, default=SCENES)
    given = parser.parse_args()
    record_answers(given.out, given.scenes)


if __name__ == "__main__":
    main()
