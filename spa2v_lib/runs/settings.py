"""What a run can be asked for, and which requests are refused before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spa2v_lib.errors import SamplingError

if TYPE_CHECKING:
    from spa2v_lib.sampling import Captions

__all__ = ["MAX_SECONDS", "Settings", "check_settings"]

MAX_SECONDS = 30.0
"""Longest video that is made unless told otherwise: sampling takes far longer than hearing."""


@dataclass(frozen=True)
class Settings:
    """What a run was asked for; together with the recording it decides every frame.

    Attributes
    ----------
    label : str or None
        What sounds, of several sources the loudest first and with commas between; None leaves it
        to the tagger.
    capture : str
        Capture format, or "auto".
    planner, preset : str
    placement, exemplars : str
        Who places boxes when a language model plans, and which examples it is shown; see
        `spa2v_lib.planning.plan`.
    shots : int
        How many examples.
    seed : int
        From 0 to 2**63 - 1.
    fps : float or None
        Frames per second; None takes the layout's if one is given, else 8.
    steps : int or None
        Sampling steps; None takes the preset's.
    clip : int or None
        Which scene of a long recording to take, from 1; None takes the recording from its start.
    max_seconds : float
        A longer recording or clip is cut, and the notes say so.
    grounding : str
        A grounding method of the preset, "default" or "none".
    captions : {"mixed", "global", "frame"}
        Which sentences every frame is told.
    device : {"auto", "cuda", "cpu"}
        Where to sample.
    """

    label: str | None = None
    capture: str = "auto"
    planner: str = "acoustic"
    placement: str = "cues"
    exemplars: str = "knn"
    shots: int = 3
    preset: str = "tiny"
    seed: int = 0
    fps: float | None = None
    steps: int | None = None
    clip: int | None = None
    max_seconds: float = MAX_SECONDS
    grounding: str = "default"
    captions: Captions = "mixed"
    device: str = "auto"


def check_settings(wanted: Settings) -> None:
    """Refuse what can be refused without opening the recording.

    Raises
    ------
    Spa2vError
    """
    from spa2v_lib.audio.recording import check_max_seconds
    from spa2v_lib.cues import CAPTURES
    from spa2v_lib.errors import CueError
    from spa2v_lib.layout.classes import get_class
    from spa2v_lib.planning import check_planner
    from spa2v_lib.sampling import (
        check_captions,
        check_device,
        check_grounding,
        check_labels,
        check_weights,
        get_preset,
    )

    if wanted.capture not in ("auto", *CAPTURES):
        known = ", ".join(("auto", *CAPTURES))
        raise CueError(f"no capture format {wanted.capture!r}; one of: {known}")
    check_max_seconds(wanted.max_seconds)
    if wanted.clip is not None and wanted.clip < 1:
        raise CueError(f"clip is {wanted.clip}; clips are counted from 1")
    check_planner(
        wanted.planner,
        placement=wanted.placement,
        exemplars=wanted.exemplars,
        shots=wanted.shots,
    )
    check_grounding(wanted.grounding, get_preset(wanted.preset))
    check_captions(wanted.captions)
    check_device(get_preset(wanted.preset), wanted.device)
    if not 0 <= wanted.seed < 2**63:
        raise SamplingError(f"seed is {wanted.seed}; it must lie between 0 and 2**63 - 1")
    if wanted.fps is not None and not 0 < wanted.fps <= 60:
        raise SamplingError(f"fps is {wanted.fps:g}; it must be above 0 and at most 60")
    if wanted.steps is not None and wanted.steps < 1:
        raise SamplingError(f"{wanted.steps} sampling steps were asked for; at least 1 is needed")
    check_weights(get_preset(wanted.preset))
    if wanted.label is not None:
        named = [get_class(name).name for name in wanted.label.split(",")]
        check_labels(named, get_preset(wanted.preset))
