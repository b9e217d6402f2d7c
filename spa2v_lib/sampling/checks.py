"""What cannot be sampled is refused before anything is loaded, with what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.classes import get_class
from spa2v_lib.sampling.fit import check_fit
from spa2v_lib.sampling.grounding import check_grounding, chosen_grounding
from spa2v_lib.sampling.preset import Preset
from spa2v_lib.sampling.presets import get_preset

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.control_video import BoxOutlines
    from spa2v_lib.sampling.grounding.base import Grounding

__all__ = [
    "MAX_STEPS",
    "Captions",
    "check",
    "check_guidance",
    "check_labels",
    "choose_device",
]

MAX_STEPS = 1000
"""As many noise levels as the weights were trained with; more steps cannot be distinguished."""

_MAX_OBJECTS = 28  # as many as MIGC has places for

Captions = Literal["mixed", "global", "frame"]
"""Which captions condition a frame – the video's and its own, or either alone."""


def check(
    layout: VideoSceneLayout | None,
    preset: str | Preset = "tiny",
    *,
    steps: int | None = None,
    guidance_scale: float | None = None,
    grounding: str | Grounding = "default",
    captions: Captions = "mixed",
    device: str = "auto",
) -> Preset:
    """Refuse what cannot be sampled, before anything is loaded.

    Parameters
    ----------
    layout : VideoSceneLayout or None
        Captions, and boxes per key frame; without one, what no layout can be sampled with is
        refused.
    preset, steps, guidance_scale, grounding, captions, device
        See `generate`.

    Returns
    -------
    Preset

    Raises
    ------
    SamplingError
        If the preset does not exist, cannot draw an object of the layout or use the grounding, the
        number of steps is out of range, or the device does not suffice.
    DataError
        If the preset's weights are missing, or those that a user named do not fit.

    See Also
    --------
    spa2v_lib.sampling.generate : Calls this first.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> check(known_layout(1.0), "tiny").name
    'tiny'
    >>> check(known_layout(1.0), "tiny", steps=0)
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: 0 sampling steps; the number must lie between 1 and 1000
    """
    chosen = get_preset(preset)
    _check_steps(chosen, steps, guidance_scale)
    if captions not in get_args(Captions):
        raise SamplingError(f"no captions {captions!r}; one of: {', '.join(get_args(Captions))}")
    if chosen.control_video and captions == "frame":
        raise SamplingError(
            f"preset {chosen.name!r} takes one text for the whole video; captions frame cannot be "
            "used, take global or mixed"
        )
    if isinstance(grounding, str):
        check_grounding(grounding, chosen)
    if layout is not None:
        check_labels([item.label for item in layout.objects], chosen)
        _check_length(layout, chosen)
    if chosen.memory or device != "auto":  # the shipped suite runs on whatever there is
        choose_device(chosen, layout, chosen_grounding(grounding, chosen), device)
    check_fit(chosen)
    return chosen


def choose_device(
    preset: Preset,
    layout: VideoSceneLayout | None,
    method: Grounding | BoxOutlines | None,
    device: str,
) -> str:
    """Choose where to sample a layout.

    Parameters
    ----------
    preset : Preset
        What it is sampled with.
    layout : VideoSceneLayout or None
        Its length decides how much memory is needed; without one, that of a window is.
    method : Grounding, BoxOutlines or None
        Gradients take more.
    device : {"auto", "cuda", "mps", "cpu"}
        See `spa2v_lib.sampling.loading.check_device`.

    Returns
    -------
    str
        "cuda", "offload", "mps" or "cpu".

    Raises
    ------
    SamplingError
        If there is no such device, or its memory does not suffice.

    See Also
    --------
    spa2v_lib.sampling.loading.load : Loads the parts where they are computed.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> choose_device(get_preset("tiny"), known_layout(1.0), None, "cpu")
    'cpu'
    """
    from spa2v_lib.sampling import loading

    if layout is None:
        return loading.check_device(preset, device)
    gradients = getattr(method, "takes_gradients", False)
    frames = layout.frame_count
    if preset.control_video:
        from spa2v_lib.sampling.control_video import frame_times

        frames = len(frame_times(layout, preset.max_frames or preset.window, preset.fps or 16.0))
    return loading.check_device(preset, device, frames=frames, gradients=gradients)


def _check_length(layout: VideoSceneLayout, preset: Preset) -> None:
    if not (preset.max_frames and preset.fps):
        return
    longest = (preset.max_frames - 1) / preset.fps
    if layout.duration_s > longest + 0.1:
        raise SamplingError(
            f"preset {preset.name!r} makes videos of up to {longest:g} s and the layout lasts "
            f"{layout.duration_s:g} s; cut it, or take a preset with windows"
        )


def _check_steps(preset: Preset, steps: int | None, guidance_scale: float | None) -> None:
    """Refuse steps that no preset can take; of those for few steps, more than they learnt."""
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise SamplingError(
            f"{steps} sampling steps; the number must lie between 1 and {MAX_STEPS}"
        )
    few = preset.fast
    if preset.speed != "fast" or few is None:
        return
    if steps is not None and steps > few.max_steps:
        raise SamplingError(f"{steps} sampling steps; speed fast takes 1 to {few.max_steps}")
    if guidance_scale is not None and not guidance_scale <= few.max_guidance_scale:
        raise SamplingError(
            f"guidance_scale is {guidance_scale:g}; speed fast takes 1 (none) to "
            f"{few.max_guidance_scale:g}"
        )


def check_guidance(scale: float, start: float, stop: float) -> None:
    """Refuse classifier-free guidance that makes no sense.

    Parameters
    ----------
    scale : float
        At least 0.
    start, stop : float
        Shares of the steps, in [0, 1], the first not above the second.

    Raises
    ------
    SamplingError

    See Also
    --------
    check : What else is refused.

    Examples
    --------
    >>> check_guidance(7.5, 0.0, 1.0)
    """
    if not 0 <= scale <= 100:
        raise SamplingError(f"guidance_scale is {scale:g}; it must lie between 0 and 100")
    if not 0 <= start <= stop <= 1:
        raise SamplingError(
            f"guidance_start is {start:g} and guidance_stop {stop:g}; they are shares of the "
            "steps, from 0 to 1, and the first may not be above the second"
        )


def check_labels(labels: Sequence[str], preset: Preset) -> None:
    """Refuse labels that `preset` cannot draw, and more objects than a method can hold.

    A label beyond a closed vocabulary is drawn as the nearest class, see
    `spa2v_lib.sampling.vocabulary`.

    Parameters
    ----------
    labels : sequence of str
        One an object; any words.
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Raises
    ------
    SamplingError
        The message lists what can be drawn.
    PlanningError
        If a label is no word.

    See Also
    --------
    spa2v_lib.sampling.vocabulary.as_drawable : What is drawn instead of other labels.

    Examples
    --------
    >>> check_labels(["bus", "my neighbour's cow", "tram"], get_preset("tiny"))
    """
    if len(labels) > _MAX_OBJECTS:
        raise SamplingError(f"the layout has {len(labels)} objects; at most {_MAX_OBJECTS} fit")
    classes = {label: get_class(label).drawn_as for label in labels}
    drawable = preset.labels or ()
    unknown = [x for x, nearest in sorted(classes.items()) if not {x, nearest} & set(drawable)]
    if preset.labels and unknown:
        raise SamplingError(
            f"preset {preset.name!r} cannot draw {', '.join(unknown)}; "
            f"it can draw: {', '.join(preset.labels or ())}"
        )
