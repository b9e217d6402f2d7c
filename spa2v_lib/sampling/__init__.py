"""Layout in, video out: grounded sampling with weights that a preset names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling.presets import PRESETS, Preset, get_preset, weight_files, weight_hashes

if TYPE_CHECKING:
    from spa2v_lib.layout import VideoSceneLayout
    from spa2v_lib.video import Video

__all__ = ["PRESETS", "Preset", "check", "generate", "preset_info"]


def check(layout: VideoSceneLayout, preset: str = "tiny", *, steps: int | None = None) -> Preset:
    """Refuse what cannot be sampled, before anything is loaded.

    Raises
    ------
    SamplingError
        If the preset does not exist, cannot draw an object of the layout, or the number of steps
        is not at least 1.
    DataError
        If the preset's weights are missing.
    """
    chosen = get_preset(preset)
    if steps is not None and steps < 1:
        raise SamplingError(f"{steps} sampling steps were asked for; at least 1 is needed")
    check_labels([thing.label for thing in layout.objects], chosen)
    weight_files(chosen)
    return chosen


def check_labels(labels: list[str], preset: Preset) -> None:
    """Refuse labels that `preset` cannot draw.

    Raises
    ------
    SamplingError
        The message lists what can be drawn.
    """
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
    guidance: float | None = None,
    grounding: Literal["default", "none"] = "default",
    progress: Callable[[int, int], None] | None = None,
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
    guidance : float, optional
        Strength of classifier-free guidance; the preset's own if not given. 1 is without.
    grounding : {"default", "none"}
        "none" leaves the boxes unheard: only the caption counts.
    progress : callable, optional
        Called after each step with the steps done and the steps in all.

    Returns
    -------
    Video

    Raises
    ------
    SamplingError, DataError
        See `check`; raised before any long work.
    """
    from spa2v_lib.sampling import presets
    from spa2v_lib.sampling.pipeline import sample
    from spa2v_lib.video import Video

    chosen = check(layout, preset, steps=steps)
    if grounding not in ("default", "none"):
        raise SamplingError(f"no grounding {grounding!r}; one of: default, none")
    frames = sample(
        presets.load(preset),
        chosen,
        layout,
        seed=seed,
        steps=steps or chosen.steps,
        guidance=chosen.guidance if guidance is None else guidance,
        grounded=grounding == "default",
        progress=progress,
    )
    return Video(frames, layout.fps, layout)


def preset_info(name: str) -> dict[str, object]:
    """Describe a preset: its settings, what it can draw and the hashes of its weights."""
    preset = get_preset(name)
    return {**vars(preset), "weights": weight_hashes(preset)}
