"""Planning: from spatial cues to a Video Scene Layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.acoustic import plan_acoustic
from spa2v_lib.planning.backends import check_available, make_backend
from spa2v_lib.planning.backends.base import PLANNERS, parse_planner
from spa2v_lib.planning.exemplars import check_choice, ranked_exemplars

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues
    from spa2v_lib.layout.camera import Camera
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.planning.answer_cache import AnswerCache
    from spa2v_lib.planning.backends.base import Prompt

__all__ = [
    "PLANNERS",
    "check_planner",
    "make_backend",
    "parse_planner",
    "plan",
    "plan_acoustic",
    "prompt_for",
]

_SAME_LENGTH_S = 0.2


def check_planner(
    planner: str, *, placement: str = "cues", exemplars: str = "knn", shots: int = 3
) -> None:
    """Refuse what cannot be planned with here, before anything is analyzed, loaded or sent.

    Parameters as for `plan`.

    Raises
    ------
    PlanningError
        If the planner, the placement or the choice of examples is not known, the number of
        examples is negative, a package is missing, or no key is set where one is needed.

    See Also
    --------
    plan : Calls this first.

    Examples
    --------
    >>> check_planner("acoustic")
    >>> check_planner("magic")
    Traceback (most recent call last):
    ...
    spa2v_lib.errors.PlanningError: no planner 'magic'; one of: acoustic, ...
    """
    from spa2v_lib.planning.mllm import check_placement

    spec = parse_planner(planner)
    check_placement(placement)
    check_choice(exemplars, shots)
    check_available(spec)


def plan(
    recording: Recording | None,
    cues: SpatialCues,
    planner: str = "acoustic",
    *,
    fps: float = 8.0,
    aspect: float = 1.0,
    camera: Camera | None = None,
    key_rate_hz: float = 2.0,
    placement: str = "cues",
    exemplars: str = "knn",
    shots: int = 3,
    seed: int = 0,
    cache: AnswerCache | None = None,
    strict: bool = False,
) -> VideoSceneLayout:
    """Plan what the video shows, where and when.

    Parameters
    ----------
    recording : Recording or None
        What the cues were measured in. The acoustic planner needs nothing but the cues.
    cues : SpatialCues
        What `spa2v_lib.extract_cues` measured.
    planner : str
        "acoustic", or a language model in one of the other forms of `PLANNERS`. Nothing leaves the
        machine unless a model is named that is somewhere else.
    fps : float
        Frames per second of the video, above 0.
    aspect : float
        Width over height of the picture.
    camera : Camera, optional
        At the microphone; by default 90° wide, level, 1.5 m above the ground. Its own aspect
        counts if it is given.
    key_rate_hz : float
        Key frames per second, above 0; the first and the last frame are always key frames.
    placement : {"cues", "model"}
        Who places the boxes when a language model plans: code, from the cues, or the model.
    exemplars : {"knn", "fixed", "random", "none"}
        Which examples are taken: a language model is shown them, and code takes from them how high
        objects are seen (`spa2v_lib.planning.placement`).
    shots : int
        How many, at least 0.
    seed : int
        Of the random choice of examples, and of the model's answer where it takes one.
    cache : AnswerCache, optional
        Where answers of language models are looked up and kept;
        `spa2v_lib.planning.answer_cache.default_folder` if not given.
    strict : bool
        Refuse a recording of which no source is recognized or named. Otherwise the acoustic planner
        shows the best guess, and says so.

    Returns
    -------
    VideoSceneLayout

    Raises
    ------
    PlanningError
        If the planner is not known, a number is out of range, the cues belong to another
        recording, nothing is recognized although `strict` asks for it, or a language model cannot
        be asked or gives no plan that can be used.

    See Also
    --------
    prompt_for : What a language model would be given.
    spa2v_lib.planning.cost.estimate_plan : What asking it would cost.

    Examples
    --------
    >>> import numpy as np
    >>> import spa2v_lib as spa2v
    >>> noise = np.random.default_rng(0).normal(0.0, 0.1, 16000)
    >>> recording = spa2v.Recording.from_samples(np.stack([0.7 * noise, noise]), 16000, "right.wav")
    >>> cues = spa2v.extract_cues(recording, label="car", capture="xy")
    >>> plan(recording, cues).objects[0].boxes[0].center[0] > 0.5
    True
    """
    spec = parse_planner(planner)
    _check(recording, cues, fps=fps, aspect=aspect, key_rate_hz=key_rate_hz)
    view = {"fps": fps, "aspect": aspect, "camera": camera, "key_rate_hz": key_rate_hz}
    check_choice(exemplars, shots)
    if spec.provider == "acoustic":
        ranked = ranked_exemplars(cues, exemplars, seed=seed)
        return plan_acoustic(cues, exemplars=ranked, shots=shots, strict=strict, **view)
    if recording is None:
        raise PlanningError(f"the planner {planner!r} needs the recording beside its cues")
    from spa2v_lib.planning.answer_cache import AnswerCache
    from spa2v_lib.planning.mllm import plan_with_model

    return plan_with_model(
        recording,
        cues,
        make_backend(spec, seed=seed),
        placement=placement,
        exemplars=exemplars,
        shots=shots,
        seed=seed,
        cache=AnswerCache() if cache is None else cache,
        **view,
    )


def prompt_for(
    recording: Recording,
    cues: SpatialCues,
    planner: str,
    *,
    fps: float = 8.0,
    aspect: float = 1.0,
    **asked: Any,
) -> Prompt:
    """Return what a language model would be given; nothing is sent.

    Parameters as for `plan`.

    Returns
    -------
    Prompt
        Its ``text`` can be read: each clip of sound is one line that names it.

    Raises
    ------
    PlanningError
        If the planner is not known or asks no model, or as `plan`.

    See Also
    --------
    plan : Asks the model.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio.recording import Recording
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> cues = load_exemplars()[0].cues
    >>> silence = np.zeros((2, round(8000 * cues.duration_s)))
    >>> prompt = prompt_for(Recording.from_samples(silence, 8000), cues, "smollm", shots=1)
    >>> prompt.text[:27]
    'You are a video director. Y'
    """
    from spa2v_lib.planning.mllm import question

    spec = parse_planner(planner)
    if spec.provider == "acoustic":
        raise PlanningError("the acoustic planner asks no model: it has no prompt")
    _check(recording, cues, fps=fps, aspect=aspect)
    backend = make_backend(spec, seed=asked.get("seed", 0))
    return question(recording, cues, backend, fps=fps, aspect=aspect, **asked).prompt


def _check(recording: Recording | None, cues: SpatialCues, **above_zero: float) -> None:
    for name, value in above_zero.items():
        if not value > 0:
            raise PlanningError(f"{name} is {value:g}; it must be above 0")
    if recording and abs(recording.duration_s - cues.duration_s) > _SAME_LENGTH_S:
        raise PlanningError(
            f"{recording.name} lasts {recording.duration_s:.2f} s, but the cues were measured in "
            f"{cues.recording}, {cues.duration_s:.2f} s; extract the cues of this recording"
        )
