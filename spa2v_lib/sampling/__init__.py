"""Layout in, video out: grounded sampling with weights that a preset names."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spa2v_lib.sampling.checks import (
    Captions,
    check,
    check_guidance,
    check_labels,
    choose_device,
)
from spa2v_lib.sampling.grounding import METHODS, chosen_grounding, new_grounding
from spa2v_lib.sampling.presets import PRESETS, Preset, get_preset
from spa2v_lib.sampling.variants import variant
from spa2v_lib.sampling.vocabulary import as_drawable
from spa2v_lib.sampling.weights import fetch, weight_hashes

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling.grounding.base import Grounding, StepObserver
    from spa2v_lib.sampling.pipeline import OnStage
    from spa2v_lib.video import Video

__all__ = [
    "METHODS",
    "PRESETS",
    "Preset",
    "check",
    "check_labels",
    "fetch",
    "generate",
    "get_preset",
    "new_grounding",
    "variant",
    "weight_hashes",
]


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
    recorder: StepObserver | None = None,
) -> Video:
    """Sample a video that shows objects where a layout places them.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.
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
    recorder : StepObserver, optional
        Sees every step, as `spa2v_lab.viz.attention_maps.Recorder` does, which keeps attention maps
        and previews; not with presets that draw a control video.

    Returns
    -------
    Video

    Raises
    ------
    SamplingError, DataError
        See `check`; raised before any long work. A SamplingError also if memory runs out.

    See Also
    --------
    check : What is refused.
    variant : Other weights, size or speed.
    spa2v_lib.runs.generate_run : From a recording to a folder with video and report.

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
    asked = {
        "steps": steps,
        "guidance_scale": guidance_scale,
        "negative_prompt": negative_prompt,
        "guidance_start": guidance_start,
        "guidance_stop": guidance_stop,
    }
    settings = {
        name: getattr(chosen, name) if value is None else value for name, value in asked.items()
    }
    part = {name: settings.pop(name) for name in ("guidance_start", "guidance_stop")}
    check_guidance(settings["guidance_scale"], *part.values())
    settings |= {"seed": seed, "progress": progress}
    report = on_stage or (lambda *_: None)
    report("load", 0, 4)  # libraries take about three quarters of it
    with _collector_paused():
        from spa2v_lib.sampling import loading
        from spa2v_lib.video import Video

    wanted, layout = layout, as_drawable(layout, chosen)
    method = chosen_grounding(grounding, chosen)
    with loading.clear_memory_errors(chosen, layout.frame_count):
        with _collector_paused():
            loading.import_libraries(chosen)
            report("load", 3, 4)
            pipeline = loading.load(chosen, choose_device(chosen, layout, method, device))
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


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Look for no garbage while libraries are imported, which make objects by the million.

    Each search goes through all of them again: a tenth of the time and more.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
