"""The planner that asks a language model: it names, describes and reasons; code checks.

After SpA2V (Pham et al., ACM MM 2025, sec. 3.1), with the measured cues as numbers beside the
sound. With ``placement="cues"`` the boxes are computed from the cues, as in the acoustic planner;
with ``placement="model"`` the model writes them, as in the paper.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.errors import AnswerError, PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.acoustic import key_times
from spa2v_lib.planning.answer import Canvas, read_layout
from spa2v_lib.planning.answer_cache import AnswerCache, content_key
from spa2v_lib.planning.backends.base import Backend, Prompt
from spa2v_lib.planning.exemplars import Exemplar, check_choice, ranked_exemplars
from spa2v_lib.planning.parsing import one_line
from spa2v_lib.planning.prompt import again, build_prompt
from spa2v_lib.planning.schema import SCHEMAS, narrowed

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["PLACEMENTS", "TRIES", "Question", "check_placement", "plan_with_model", "question"]

PLACEMENTS = tuple(SCHEMAS)
"""Who places the boxes – "cues", code from the measured cues; "model", the model."""

TRIES = 3
"""How often a model is asked before its answer is given up."""

_MOST_FRAMES = 8
_SHOWN_ANSWER = 400  # characters of a bad answer in the last error
_SHOWN_FAULT = 500


@dataclass(frozen=True)
class Question:
    """What a model is asked about a recording.

    Attributes
    ----------
    prompt : Prompt
        What it is given.
    placement : {"cues", "model"}
        Who places the boxes.
    canvas : Canvas
        What its answer is drawn on: cues, camera, key frames, exemplars.

    See Also
    --------
    question : Makes one.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> canvas = Canvas(load_exemplars()[0].cues, Camera(), 8.0, (0.0,), (0.0,))
    >>> Question(Prompt("Plan a video.", ()), "cues", canvas).prompt.text
    'Plan a video.\\n\\n'
    """

    prompt: Prompt
    placement: str
    canvas: Canvas


def question(
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
) -> Question:
    """Return what a model would be asked; nothing is sent.

    Parameters
    ----------
    recording : Recording
        Attached to the prompt if the model takes audio.
    cues : SpatialCues
        Measured in it.
    backend : Backend
        The model; see `spa2v_lib.planning.make_backend`.
    placement : {"cues", "model"}
        Who places the boxes.
    exemplars : {"knn", "fixed", "random", "none"}
        Which examples are shown; see `spa2v_lib.planning.exemplars.ranked_exemplars`.
    shots : int
        How many, at least 0.
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

    Returns
    -------
    Question

    Raises
    ------
    PlanningError
        If the placement or the choice of examples is not known.

    See Also
    --------
    plan_with_model : Asks it.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio.recording import Recording
    >>> from spa2v_lib.planning import make_backend, parse_planner
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> recording = Recording.from_samples(np.zeros((2, 8000)), 8000, "silence.wav")
    >>> backend = make_backend(parse_planner("smollm"))
    >>> asked = question(recording, load_exemplars()[0].cues, backend, exemplars="none")
    >>> asked.prompt.user_text.splitlines()[0]
    'The recording to plan a video for'
    """
    check_placement(placement)
    check_choice(exemplars, shots)
    ranked = ranked_exemplars(cues, exemplars, seed=seed, recordings=recordings, pool=pool)
    times = key_times(cues.duration_s, fps, key_rate_hz)
    asked = np.linspace(times[0], times[-1], min(len(times), _MOST_FRAMES))
    canvas = Canvas(
        cues,
        camera or Camera(aspect=aspect),
        fps,
        tuple(times.tolist()),
        tuple(asked.tolist()),
        tuple(ranked),
        shots,
    )
    prompt = build_prompt(
        canvas,
        canvas.exemplars[:shots],
        placement,
        recording=recording if backend.takes_audio else None,
        brief=backend.brief,
        spatial=spatial,
    )
    return Question(prompt, placement, canvas)


def plan_with_model(
    recording: Recording,
    cues: SpatialCues,
    backend: Backend,
    *,
    cache: AnswerCache | None = None,
    **asked: Any,
) -> VideoSceneLayout:
    """Ask a model for a plan, again with the fault while the answer cannot be used, and check it.

    Parameters
    ----------
    recording : Recording
        Attached to the prompt if the model takes audio.
    cues : SpatialCues
        Measured in it.
    backend : Backend
        The model; see `spa2v_lib.planning.make_backend`.
    cache : AnswerCache, optional
        Where answers are looked up and kept; without it, nowhere.
    **asked
        Further parameters of `question`.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    PlanningError
        If the model cannot be reached or refuses to answer.
    AnswerError
        If none of `TRIES` answers can be used; the message quotes the last one.

    See Also
    --------
    question : What the model is given.
    spa2v_lib.planning.plan : The same by the planner's name.

    Examples
    --------
    The same with an answer that a model gave before:

    >>> import tempfile
    >>> import numpy as np
    >>> from spa2v_lib.audio.recording import Recording
    >>> from spa2v_lib.planning import make_backend, parse_planner
    >>> from spa2v_lib.planning.answer_cache import AnswerCache
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> from spa2v_lib.planning.prompt import exemplar_answer
    >>> shown, backend = load_exemplars()[0], make_backend(parse_planner("google:gemini-3.8-flash"))
    >>> recording = Recording.from_samples(np.zeros((2, 8000)), 8000, "silence.wav")
    >>> asked = {"fps": 0.3, "exemplars": "none"}
    >>> posed = question(recording, shown.cues, backend, **asked)
    >>> key = content_key(backend, posed.prompt, SCHEMAS[posed.placement])
    >>> text = exemplar_answer(shown, (0.0,), posed.placement).model_dump_json()
    >>> cache = AnswerCache(tempfile.mkdtemp())
    >>> _ = cache.put(key, backend, text)
    >>> layout = plan_with_model(recording, shown.cues, backend, cache=cache, **asked)
    >>> layout.caption == shown.layout.caption
    True
    """
    posed = question(recording, cues, backend, **asked)
    prompt, placement, canvas = posed.prompt, posed.placement, posed.canvas
    schema = SCHEMAS[placement]
    key = content_key(backend, prompt, schema)
    cached = None if cache is None else cache.get(key)
    if cached is not None:
        with suppress(AnswerError):  # kept by another version, perhaps: ask again
            return read_layout(cached, placement, canvas)
    if backend.limits is not None:
        schema = narrowed(placement, cues, canvas.asked_times_s, backend.limits)
    given, answer, fault = prompt, "", ""
    for _ in range(TRIES):
        answer = backend.ask(given, schema)
        try:
            layout = read_layout(answer, placement, canvas)
        except AnswerError as error:
            fault = one_line(str(error), _SHOWN_FAULT)
            given = again(prompt, answer, fault)
            continue
        if cache is not None:
            cache.put(key, backend, answer)
        return layout
    raise AnswerError(
        f"{backend.name} gave no plan that can be used in {TRIES} tries; in the last, {fault}; "
        f"it wrote: {one_line(answer, _SHOWN_ANSWER) or 'nothing'}"
    )


def check_placement(placement: str) -> None:
    """Refuse a placement that is not known.

    Parameters
    ----------
    placement : str
        Should be one of `PLACEMENTS`.

    Raises
    ------
    PlanningError

    Examples
    --------
    >>> check_placement("cues")
    """
    if placement not in PLACEMENTS:
        raise PlanningError(f"no placement {placement!r}; one of: {', '.join(PLACEMENTS)}")
