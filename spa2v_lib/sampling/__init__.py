"""Layout in, video out: grounded sampling with weights that a preset names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.classes import get_class
from spa2v_lib.sampling.fit import check_fit
from spa2v_lib.sampling.grounding import METHODS, check_grounding, chosen_grounding, new_grounding
from spa2v_lib.sampling.presets import PRESETS, Preset, get_preset
from spa2v_lib.sampling.variants import variant
from spa2v_lib.sampling.vocabulary import as_drawable
from spa2v_lib.sampling.weights import fetch, weight_hashes

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.attention_maps import Recorder
    from spa2v_lib.sampling.control_video import BoxOutlines
    from spa2v_lib.sampling.grounding.base import Grounding
    from spa2v_lib.sampling.pipeline import OnStage
    from spa2v_lib.video import Video

__all__ = [
    "MAX_STEPS",
    "METHODS",
    "PRESETS",
    "Preset",
    "check",
    "check_captions",
    "check_device",
    "check_few_steps",
    "check_fit",
    "check_grounding",
    "check_guidance",
    "check_labels",
    "check_steps",
    "fetch",
    "generate",
    "get_preset",
    "new_grounding",
    "preset_info",
    "variant",
    "weight_hashes",
]

MAX_STEPS = 1000
"""As many noise levels as the weights were trained with; more steps cannot be distinguished."""

_MAX_OBJECTS = 28  # as many as MIGC has places for

Captions = Literal["mixed", "global", "frame"]
"""Which captions condition a frame: the video's and its own, or either alone."""


def check(
    layout: VideoSceneLayout,
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
    layout : VideoSceneLayout
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
    generate : Calls this first.

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
    check_steps(steps)
    check_few_steps(chosen, steps, guidance_scale)
    check_captions(captions)
    if chosen.control_video and captions == "frame":
        raise SamplingError(
            f"preset {chosen.name!r} takes one text for the whole video; captions frame cannot be "
            "used, take global or mixed"
        )
    if isinstance(grounding, str):
        check_grounding(grounding, chosen)
    check_labels([item.label for item in layout.objects], chosen)
    _check_length(layout, chosen)
    if chosen.memory or device != "auto":  # the shipped suite runs on whatever there is
        _place(chosen, layout, chosen_grounding(grounding, chosen), device)
    check_fit(chosen)
    return chosen


def _place(
    preset: Preset, layout: VideoSceneLayout, method: Grounding | BoxOutlines | None, device: str
) -> str:
    """Say where to sample, see `spa2v_lib.sampling.loading.check_device`."""
    from spa2v_lib.sampling import loading

    gradients = getattr(method, "takes_gradients", False)
    frames = layout.frame_count
    if preset.control_video:
        from spa2v_lib.sampling.control_video import frame_times

        frames = len(frame_times(layout, preset.max_frames or preset.window, preset.fps or 16.0))
    return loading.check_device(preset, device, frames=frames, gradients=gradients)


def check_steps(steps: int | None) -> None:
    """Refuse a number of sampling steps that no preset can take; None is always right.

    Raises
    ------
    SamplingError

    Examples
    --------
    >>> check_steps(25)
    """
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise SamplingError(
            f"{steps} sampling steps; the number must lie between 1 and {MAX_STEPS}"
        )


def check_few_steps(preset: Preset, steps: int | None, guidance_scale: float | None) -> None:
    """Refuse more steps or guidance than weights for few steps were trained for.

    Parameters
    ----------
    preset : Preset
        Only a variant with speed "fast" is concerned.
    steps, guidance_scale
        None stands for the preset's own.

    Raises
    ------
    SamplingError

    Examples
    --------
    >>> check_few_steps(variant("sd15-migc", speed="fast"), 8, None)
    >>> check_few_steps(variant("sd15-migc", speed="fast"), 8, 7.5)
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: guidance_scale is 7.5; speed fast takes 1 (none) to 2
    """
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


def check_device(
    preset: Preset, device: str, *, frames: int | None = None, gradients: bool = False
) -> None:
    """Refuse a device that is not there or too small for `preset`.

    Parameters
    ----------
    preset, device, frames, gradients
        See `spa2v_lib.sampling.loading.check_device`.

    Raises
    ------
    SamplingError

    Examples
    --------
    >>> check_device(get_preset("tiny"), "cpu")
    """
    if preset.memory or device != "auto":  # the shipped suite runs on whatever there is
        from spa2v_lib.sampling import loading

        loading.check_device(preset, device, frames=frames, gradients=gradients)


def _check_length(layout: VideoSceneLayout, preset: Preset) -> None:
    if not (preset.max_frames and preset.fps):
        return
    longest = (preset.max_frames - 1) / preset.fps
    if layout.duration_s > longest + 0.1:
        raise SamplingError(
            f"preset {preset.name!r} makes videos of up to {longest:g} s and the layout lasts "
            f"{layout.duration_s:g} s; cut it, or take a preset with windows"
        )


def check_captions(captions: str) -> None:
    """Refuse a choice of captions that does not exist.

    Raises
    ------
    SamplingError

    Examples
    --------
    >>> check_captions("mixed")
    """
    if captions not in get_args(Captions):
        raise SamplingError(f"no captions {captions!r}; one of: {', '.join(get_args(Captions))}")


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

    Raises
    ------
    SamplingError
        The message lists what can be drawn.
    PlanningError
        If a label is no word.

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


def generate(
    layout: VideoSceneLayout,
    preset: str | Preset = "tiny",
    seed: int = 0,
    *,
    steps: int | None = None,
    guidance_scale: float | None = None,
    guidance_start: float | None = None,
    guidance_stop: float | None = None,
    negative_prompt: str | None = None,
    grounding: str | Grounding = "default",
    captions: Captions = "mixed",
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    on_stage: OnStage | None = None,
    recorder: Recorder | None = None,
) -> Video:
    """Sample a video that shows objects where a layout places them.

    Parameters
    ----------
    layout : VideoSceneLayout
    preset : str or Preset
        Which weights: a key of `PRESETS`, or what `variant` returns for another base, LoRA, size or
        few steps.
    seed : int
        The same seed, weights and machine give the same frames, bit for bit.
    steps : int, optional
        Sampling steps, from 1 to 1000; the preset's own number if not given.
    guidance_scale : float, optional
        Strength of classifier-free guidance; 1 is without. This and what follows are the preset's
        own if not given.
    guidance_start, guidance_stop : float, optional
        Shares of the steps after which guidance begins and ends, in [0, 1]. A step without guidance
        takes half the time. Not with presets that draw a control video.
    negative_prompt : str, optional
        What guidance leads away from.
    grounding : str or Grounding
        A key of `METHODS` that the preset can use, with knobs if you want
        (``"attention:noise=on"``, see `spa2v_lib.sampling.grounding`), or a method of your own.
        "default" is the preset's first; "none" ignores the boxes: captions alone decide.
    captions : {"mixed", "global", "frame"}
        Which captions condition each frame.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute; see `spa2v_lib.sampling.loading.check_device`.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.
    on_stage : callable, optional
        Called with the stage ("load", "sample", "decode"), the steps done, the steps in all and,
        before sampling begins, the seconds that it will take on this machine.
    recorder : Recorder, optional
        Keeps attention maps and previews of every step, see
        `spa2v_lib.sampling.attention_maps`; not with presets that draw a control video.

    Returns
    -------
    Video

    Raises
    ------
    SamplingError, DataError
        See `check`; raised before any long work. A SamplingError also if memory runs out.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    >>> generate(layout, steps=1).frames.shape
    (2, 128, 128, 3)
    """
    chosen = check(
        layout,
        preset,
        steps=steps,
        guidance_scale=guidance_scale,
        grounding=grounding,
        captions=captions,
        device=device,
    )
    settings = {
        "seed": seed,
        "steps": steps or chosen.steps,
        "guidance_scale": _given(guidance_scale, chosen.guidance_scale),
        "negative_prompt": _given(negative_prompt, chosen.negative_prompt),
        "progress": progress,
    }
    part = {
        "guidance_start": _given(guidance_start, chosen.guidance_start),
        "guidance_stop": _given(guidance_stop, chosen.guidance_stop),
    }
    check_guidance(settings["guidance_scale"], *part.values())
    report = on_stage or (lambda *_: None)
    report("load", 0, 4)  # libraries take about three quarters of it
    from spa2v_lib.sampling import loading
    from spa2v_lib.video import Video

    wanted, layout = layout, as_drawable(layout, chosen)
    method = chosen_grounding(grounding, chosen)
    with loading.clear_memory_errors(chosen, layout.frame_count):
        loading.import_libraries(chosen)
        report("load", 3, 4)
        pipeline = loading.load(chosen, _place(chosen, layout, method, device))
        if chosen.control_video:
            from spa2v_lib.sampling.control_video import sample_controlled

            report("load", 4, 4)
            frames = sample_controlled(pipeline, chosen, layout, method, **settings)
        else:
            from spa2v_lib.sampling.pipeline import sample
            from spa2v_lib.sampling.weights import layer_file

            if method is not None:
                method.prepare(pipeline, layer_file(chosen, method.name))
            report("load", 4, 4)
            settings |= part | {"captions": captions, "recorder": recorder, "on_stage": on_stage}
            frames = sample(pipeline, chosen, layout, method, **settings)
    return Video(frames, layout.fps, wanted)


def _given(value, default):
    return default if value is None else value


def preset_info(preset: str | Preset) -> dict[str, object]:
    """Describe a preset: its settings, what it can draw and the hashes of its weights.

    Parameters
    ----------
    preset : str or Preset
        A key of `PRESETS`, or a variant of a preset.

    Returns
    -------
    dict
        The fields of `Preset`, and "weights", see `spa2v_lib.sampling.weights.weight_hashes`.

    Raises
    ------
    SamplingError, DataError
        If there is no such preset, or shipped weights are missing.

    Examples
    --------
    >>> preset_info("tiny")["size"]
    (128, 128)
    """
    preset = get_preset(preset)
    return {**vars(preset), "weights": weight_hashes(preset)}
