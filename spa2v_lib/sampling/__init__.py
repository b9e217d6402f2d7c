"""Layout in, video out: grounded sampling with weights that a preset names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.grounding import METHODS, check_grounding, chosen_grounding, new_grounding
from spa2v_lib.sampling.presets import PRESETS, Preset, get_preset
from spa2v_lib.sampling.weights import check_weights, weight_hashes

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.attention_maps import Recorder
    from spa2v_lib.sampling.grounding.base import Grounding
    from spa2v_lib.video import Video

__all__ = ["METHODS", "PRESETS", "Preset", "check", "generate", "new_grounding", "preset_info"]

_MOST_OBJECTS = 28  # as many as MIGC has places for
Captions = Literal["mixed", "global", "frame"]
"""Which sentences a frame is told: the video's and its own, or either alone."""


def check(
    layout: VideoSceneLayout,
    preset: str = "tiny",
    *,
    steps: int | None = None,
    grounding: str | Grounding = "default",
    captions: Captions = "mixed",
    device: str = "auto",
) -> Preset:
    """Refuse what cannot be sampled, before anything is loaded.

    Raises
    ------
    SamplingError
        If the preset does not exist, cannot draw an object of the layout or use the grounding, the
        number of steps is not at least 1, or the device does not suffice.
    DataError
        If the preset's weights are missing.
    """
    chosen = get_preset(preset)
    if steps is not None and steps < 1:
        raise SamplingError(f"{steps} sampling steps were asked for; at least 1 is needed")
    check_captions(captions)
    if isinstance(grounding, str):
        check_grounding(grounding, chosen)
    check_labels([thing.label for thing in layout.objects], chosen)
    _check_length(layout, chosen)
    check_device(chosen, device)
    check_weights(chosen)
    return chosen


def check_device(preset: Preset, device: str) -> None:
    """Refuse a device that is not there or too small for `preset`.

    Raises
    ------
    SamplingError
    """
    if preset.gpu_gb or device != "auto":  # the shipped suite runs on whatever there is
        from spa2v_lib.sampling import loading

        loading.check_device(preset, device)


def _check_length(layout: VideoSceneLayout, preset: Preset) -> None:
    longest = preset.max_frames and (preset.max_frames - 1) / 16.0
    if longest and layout.duration_s > longest + 0.1:
        raise SamplingError(
            f"preset {preset.name!r} makes videos of up to {longest:g} s and the layout lasts "
            f"{layout.duration_s:g} s; cut it, or take a preset with windows"
        )


def check_captions(captions: str) -> None:
    """Refuse a choice of captions that does not exist.

    Raises
    ------
    SamplingError
    """
    if captions not in get_args(Captions):
        raise SamplingError(f"no captions {captions!r}; one of: {', '.join(get_args(Captions))}")


def check_labels(labels: list[str], preset: Preset) -> None:
    """Refuse labels that `preset` cannot draw, and more objects than a method can hold.

    Raises
    ------
    SamplingError
        The message lists what can be drawn.
    """
    if len(labels) > _MOST_OBJECTS:
        raise SamplingError(f"the layout has {len(labels)} objects; at most {_MOST_OBJECTS} fit")
    unknown = sorted(set(labels) - set(preset.labels)) if preset.labels else []
    if unknown:
        raise SamplingError(
            f"preset {preset.name!r} cannot draw {', '.join(unknown)}; "
            f"it can draw: {', '.join(preset.labels or ())}"
        )


def generate(
    layout: VideoSceneLayout,
    preset: str = "tiny",
    seed: int = 0,
    *,
    steps: int | None = None,
    guidance_scale: float | None = None,
    grounding: str | Grounding = "default",
    captions: Captions = "mixed",
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    recorder: Recorder | None = None,
) -> Video:
    """Sample a video that shows things where a layout says they are.

    Parameters
    ----------
    layout : VideoSceneLayout
    preset : str
        Which weights, a key of `PRESETS`.
    seed : int
        The same seed, weights and machine give the same frames, bit for bit.
    steps : int, optional
        Sampling steps; the preset's own number if not given.
    guidance_scale : float, optional
        Strength of classifier-free guidance; the preset's own if not given. 1 is without.
    grounding : str or Grounding
        A key of `METHODS` that the preset can use, with knobs if you want
        (``"attention:noise=on"``, see `spa2v_lib.sampling.grounding`), or a method of your own.
        "default" is the preset's first; "none" leaves the boxes unheard: only captions count.
    captions : {"mixed", "global", "frame"}
        Which sentences every frame is told.
    device : {"auto", "cuda", "cpu"}
        Where to compute; see `spa2v_lib.sampling.loading.check_device`.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.
    recorder : Recorder, optional
        Keeps attention maps and previews of every step, see
        `spa2v_lib.sampling.attention_maps`; not with presets that draw a control video.

    Returns
    -------
    Video

    Raises
    ------
    SamplingError, DataError
        See `check`; raised before any long work.
    """
    chosen = check(
        layout, preset, steps=steps, grounding=grounding, captions=captions, device=device
    )
    from spa2v_lib.sampling.loading import load
    from spa2v_lib.video import Video

    pipeline = load(preset, device)
    settings = {
        "seed": seed,
        "steps": steps or chosen.steps,
        "guidance_scale": chosen.guidance_scale if guidance_scale is None else guidance_scale,
        "progress": progress,
    }
    if "boxes" in chosen.groundings:
        from spa2v_lib.sampling.control_video import sample_controlled

        drawn = grounding != "none"
        frames = sample_controlled(pipeline, chosen, layout, grounded=drawn, **settings)
    else:
        from spa2v_lib.sampling.pipeline import sample

        method = chosen_grounding(grounding, chosen)
        if method is not None:
            method.prepare(pipeline)
        frames = sample(
            pipeline, chosen, layout, method, captions=captions, recorder=recorder, **settings
        )
    return Video(frames, layout.fps, layout)


def preset_info(name: str) -> dict[str, object]:
    """Describe a preset: its settings, what it can draw and the hashes of its weights."""
    preset = get_preset(name)
    return {**vars(preset), "weights": weight_hashes(preset)}
