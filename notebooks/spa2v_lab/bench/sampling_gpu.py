"""What grounding costs at full size on a GPU: Stable Diffusion 1.5's structure, random weights.

Time and memory do not depend on what the weights are, so they can be measured without the hub: the
real classes with the published configurations, 16 frames, 25 steps, half precision. "diffusers" is
its own `AnimateDiffPipeline`, called as its guide does, in the same run.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from diffusers import AnimateDiffPipeline

from spa2v_lab.bench.frame import Goal, Interval, Row, interval
from spa2v_lab.bench.random_weights import FULL, Widths, random_parts
from spa2v_lab.training.words import new_tokenizer
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.sampling import new_grounding
from spa2v_lib.sampling.grounding import gligen_layers, migc_weights
from spa2v_lib.sampling.grounding.cross_attention import layers, spatial_blocks
from spa2v_lib.sampling.pipeline import sample
from spa2v_lib.sampling.presets import Preset, get_preset
from spa2v_lib.sampling.selfcheck import known_layout

__all__ = ["goals", "rows", "random_pipeline"]

SIZES = ((512, 320), (512, 512))
METHODS = {"gligen": "sd15-gligen", "migc": "sd15-migc"}  # and the preset that uses it
_MIGC_BLOCKS = ("mid_block.attentions.0", "up_blocks.1.attentions")  # as published
_RATIO = "seconds, times diffusers"


def random_pipeline(widths: Widths = FULL) -> AnimateDiffPipeline:
    """Build Stable Diffusion 1.5 with AnimateDiff, GLIGEN and MIGC layers, weights random.

    Parameters
    ----------
    widths : Widths
        The published ones of Stable Diffusion 1.5 if not given.

    Returns
    -------
    AnimateDiffPipeline
        In single precision, on the processor; the same weights every time.

    Examples
    --------
    >>> small = Widths((32, 32, 64, 64), text=48, text_layers=2, vocabulary=54, picture=(32,) * 4)
    >>> random_pipeline(small).unet.config.block_out_channels
    (32, 32, 64, 64)
    """
    torch.manual_seed(0)
    tokenizer = new_tokenizer()  # an ordinary CLIP tokenizer; its length is that of the captions
    parts = random_parts(replace(widths, vocabulary=len(tokenizer)), tokenizer)
    pipeline = AnimateDiffPipeline(**parts)
    gligen_layers.attach(pipeline.unet)
    names = [n for n in layers(pipeline.unet) if n.startswith(_MIGC_BLOCKS)]
    migc_weights.attach(pipeline.unet, names, hidden=512, graded=False)
    pipeline.vae.enable_slicing()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def rows(*, repetitions: int = 3, steps: int = 25) -> list[Row]:
    """Measure both sizes on the GPU; empty if there is none.

    Parameters
    ----------
    repetitions : int
        How often each method is measured.
    steps : int
        Sampling steps of each video.

    Examples
    --------
    >>> measured = rows(repetitions=1, steps=4)  # takes minutes on a GPU  # doctest: +SKIP
    >>> [row.method for row in measured]  # doctest: +SKIP
    """
    if not torch.cuda.is_available():
        return []
    pipeline = random_pipeline().to("cuda", torch.float16)
    device = torch.cuda.get_device_name()
    return [row for size in SIZES for row in _measured(pipeline, size, repetitions, steps, device)]


def goals(scores: list[Row]) -> list[Goal]:
    """Hold the slowest grounding of either size to what was asked for.

    Parameters
    ----------
    scores : list of Row
        From `rows`; may be empty, and then the goal has no value.

    Examples
    --------
    >>> from spa2v_lab.bench.frame import interval
    >>> row = Row("gligen", "512 x 320", 3, {_RATIO: interval([1.08, 1.1, 1.12])})
    >>> (goal,) = goals([row])
    >>> goal.met, goals([])[0].met
    (True, False)
    """
    ratios = [row.measures[_RATIO].mean for row in scores if row.method in METHODS]
    worst = max((ratio for ratio in ratios if ratio is not None), default=None)
    return [Goal("GPU, full size: time over diffusers' AnimateDiffPipeline", "<=", 1.15, worst)]


def _measured(
    pipeline: AnimateDiffPipeline,
    size: tuple[int, int],
    repetitions: int,
    steps: int,
    device: str,
) -> list[Row]:
    layout = known_layout(size[0] / size[1])
    calls = {"diffusers": lambda: stock_frames(pipeline, layout, size, steps)}
    for method, preset in METHODS.items():
        sized = replace(get_preset(preset), size=size)
        calls[method] = lambda m=method, p=sized: grounded_frames(pipeline, layout, p, m, steps)
    measures = {name: _timed(pipeline, name, call, repetitions) for name, call in calls.items()}
    plain = measures["diffusers"][0]
    return [
        Row(
            name,
            f"{device}, {size[0]}x{size[1]}",
            repetitions,
            {
                "seconds": interval(seconds),
                _RATIO: interval([a / b for a, b in zip(seconds, plain, strict=True)]),
                "GB of memory": Interval(peak, peak, peak, 1),
            },
        )
        for name, (seconds, peak) in measures.items()
    ]


def _timed(
    pipeline: AnimateDiffPipeline, name: str, call: Callable[[], object], repetitions: int
) -> tuple[list[float], float]:
    """Return the seconds of each call after a first one that is not counted, and the peak GB."""
    with only_layers(pipeline, name):
        call()
        gc.collect()
        torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in range(repetitions):
            torch.cuda.synchronize()
            begin = time.perf_counter()
            call()
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return seconds, torch.cuda.max_memory_allocated() / 1e9


@contextmanager
def only_layers(pipeline: AnimateDiffPipeline, method: str) -> Iterator[None]:
    """Keep the other method's layers in main memory, so that they do not count."""
    unet, home = pipeline.unet, pipeline.device
    added = {
        "migc": [a.migc for a in migc_weights.attached(unet).values()],
        "gligen": [unet.position_net, *(b.fuser for b in spatial_blocks(unet).values())],
    }
    parked = [module for name, modules in added.items() if name != method for module in modules]
    for module in parked:
        module.to("cpu")
    gligen_layers.switch(unet, method == "gligen")
    try:
        yield
    finally:
        gligen_layers.switch(unet, True)
        for module in parked:
            module.to(home)


@torch.no_grad()
def stock_frames(
    pipeline: AnimateDiffPipeline, layout: VideoSceneLayout, size: tuple[int, int], steps: int
) -> object:
    """Sample with diffusers alone."""
    return pipeline(
        prompt=layout.caption,
        num_frames=layout.frame_count,
        width=size[0],
        height=size[1],
        num_inference_steps=steps,
        guidance_scale=7.5,
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="np",
    ).frames


def grounded_frames(
    pipeline: AnimateDiffPipeline,
    layout: VideoSceneLayout,
    preset: Preset,
    method: str,
    steps: int,
) -> object:
    """Sample with a grounding method."""
    grounding = new_grounding(method, **preset.groundings[method])
    grounding.prepare(pipeline)
    how = {"seed": 0, "steps": steps, "guidance_scale": preset.guidance_scale}
    return sample(pipeline, preset, layout, grounding, **how)
