"""The planner that asks a language model: it names, describes and reasons; code checks.

After SpA2V (Pham et al., ACM MM 2025, sec. 3.1), with the measured cues as numbers beside the
sound. With ``placement="cues"`` the boxes are computed from the cues, as in the acoustic planner;
with ``placement="model"`` the model writes them, as in the paper.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.errors import AnswerError, LayoutError, PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.acoustic import key_times
from spa2v_lib.planning.answer import BoxAnswer, Canvas, CueAnswer, from_boxes, from_cues, parse
from spa2v_lib.planning.answer_cache import AnswerCache, content_key
from spa2v_lib.planning.backends.base import Backend, Prompt
from spa2v_lib.planning.backends.local import LocalModel
from spa2v_lib.planning.exemplars import Exemplar, check_choice, ranked_exemplars
from spa2v_lib.planning.prompt import SCHEMAS, again, build_prompt

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["PLACEMENTS", "TRIES", "check_placement", "plan_with_model", "show_prompt"]

PLACEMENTS = tuple(SCHEMAS)
"""Who places the boxes: "cues", code from the measured cues; "model", the model."""

TRIES = 3
"""How often a model is asked before its answer is given up."""

_MOST_FRAMES = 8
_SHOWN = 400  # characters of a bad answer in the last error


@dataclass(frozen=True)
class Examples:
    """Which examples are taken: how they are chosen, how many, and from where."""

    how: str
    shots: int
    seed: int
    recordings: Collection[str]
    pool: Sequence[Exemplar] | None

    def ranked(self, cues: SpatialCues) -> tuple[Exemplar, ...]:
        """Return all that may be shown, in the order of choice."""
        check_choice(self.how, self.shots)
        return tuple(
            ranked_exemplars(
                cues, self.how, seed=self.seed, recordings=self.recordings, pool=self.pool
            )
        )


def plan_with_model(
    recording: Recording,
    cues: SpatialCues,
    backend: Backend,
    *,
    placement: str = "cues",
    exemplars: str = "knn",
    shots: int = 3,
    seed: int = 0,
    recordings: Collection[str] = (),
    pool: Sequence[Exemplar] | None = None,
    spatial: bool = True,
    fps: float = 8.0,
    aspect: float = 1.0,
    camera: Camera | None = None,
    key_rate_hz: float = 2.0,
    cache: AnswerCache | None = None,
) -> VideoSceneLayout:
    """Ask a model for a plan, again with the fault while it cannot be used, and check it.

    Parameters
    ----------
    recording : Recording
        Attached to the prompt if the model takes sound.
    cues : SpatialCues
    backend : Backend
    placement : str
        One of `PLACEMENTS`.
    exemplars : {"knn", "fixed", "random", "none"}
        Which examples are shown; see `spa2v_lib.planning.exemplars.choose_exemplars`.
    shots : int
        How many.
    seed : int
        Of the random choice of examples.
    recordings : collection of str
        Files under ``data/recordings`` that sound in it; no example that was made from them is
        shown.
    pool : sequence of Exemplar, optional
        To choose from; the shipped ones if not given.
    spatial : bool
        Explain what the numbers say about space, and ask for reasoning about it. Without, as in one
        of the paper's ablations, the model is left to itself with them.
    fps, aspect, camera, key_rate_hz
        As in `spa2v_lib.planning.plan`.
    cache : AnswerCache, optional
        Where answers are kept; without it nothing is read or kept.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    PlanningError
        If the model cannot be reached.
    AnswerError
        If none of `TRIES` answers can be used; the message shows the last one.
    """
    check_placement(placement)
    examples = Examples(exemplars, shots, seed, recordings, pool)
    canvas = _canvas(cues, examples, fps, camera or Camera(aspect=aspect), key_rate_hz)
    prompt = _prompt(recording, canvas, backend, placement, spatial)
    schema = SCHEMAS[placement]
    key = content_key(backend, prompt, schema)
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        with suppress(AnswerError):  # kept by another version, perhaps: ask again
            return _read(kept, placement, canvas)
    if isinstance(backend, LocalModel):
        backend = backend.settled(cues, canvas.asked_times_s)
    asked, answer, fault = prompt, "", ""
    for _ in range(TRIES):
        answer = backend.ask(asked, schema)
        try:
            layout = _read(answer, placement, canvas)
        except AnswerError as error:
            fault = str(error)
            asked = again(prompt, answer, fault)
            continue
        if cache is not None:
            cache.put(key, backend, answer)
        return layout
    shown = " ".join(answer.split())
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + " …"
    raise AnswerError(
        f"{backend.name} gave no plan that can be used in {TRIES} tries; in the last, {fault}; "
        f"it wrote: {shown or 'nothing'}"
    )


def show_prompt(
    recording: Recording,
    cues: SpatialCues,
    backend: Backend,
    *,
    placement: str = "cues",
    exemplars: str = "knn",
    shots: int = 3,
    seed: int = 0,
    recordings: Collection[str] = (),
    pool: Sequence[Exemplar] | None = None,
    spatial: bool = True,
    fps: float = 8.0,
    aspect: float = 1.0,
    camera: Camera | None = None,
    key_rate_hz: float = 2.0,
) -> Prompt:
    """Return what the model would be given; parameters as in `plan_with_model`. Nothing is sent."""
    check_placement(placement)
    examples = Examples(exemplars, shots, seed, recordings, pool)
    canvas = _canvas(cues, examples, fps, camera or Camera(aspect=aspect), key_rate_hz)
    return _prompt(recording, canvas, backend, placement, spatial)


def check_placement(placement: str) -> None:
    """Refuse a placement that is not known.

    Raises
    ------
    PlanningError
    """
    if placement not in PLACEMENTS:
        raise PlanningError(f"no placement {placement!r}; one of: {', '.join(PLACEMENTS)}")


def _canvas(
    cues: SpatialCues, examples: Examples, fps: float, camera: Camera, key_rate_hz: float
) -> Canvas:
    times = key_times(cues.duration_s, fps, key_rate_hz)
    count = min(len(times), _MOST_FRAMES)
    asked = np.linspace(times[0], times[-1], count)
    ranked = examples.ranked(cues)
    return Canvas(
        cues, camera, fps, tuple(times.tolist()), tuple(asked.tolist()), ranked, examples.shots
    )


def _prompt(
    recording: Recording, canvas: Canvas, backend: Backend, placement: str, spatial: bool
) -> Prompt:
    return build_prompt(
        canvas,
        canvas.exemplars[: canvas.shots],
        placement,
        recording=recording if backend.takes_audio else None,
        brief=backend.brief,
        spatial=spatial,
    )


def _read(text: str, placement: str, canvas: Canvas) -> VideoSceneLayout:
    try:
        if placement == "cues":
            return from_cues(parse(text, CueAnswer), canvas)
        return from_boxes(parse(text, BoxAnswer), canvas)
    except LayoutError as error:
        raise AnswerError(str(error)) from None
