"""Which weights a video is sampled with.

A preset names a base model, a motion adapter and grounding layers. They were trained apart; they
meet for the first time in `load`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline

__all__ = [
    "PRESETS",
    "TINY_LABELS",
    "Preset",
    "get_preset",
    "load",
    "weight_files",
    "weight_hashes",
]


@dataclass(frozen=True)
class Preset:
    """Weights and the settings that suit them.

    Attributes
    ----------
    name, summary : str
    folder : tuple of str
        Of the weights, below ``data/``.
    size : tuple of int
        Width and height in pixels.
    window : int
        Frames that the motion modules see at once.
    stride : int
        Frames between overlapping windows of a longer video.
    steps : int
        Default number of sampling steps.
    guidance : float
        Default strength of classifier-free guidance; 1 is without. Typical 2 to 7.5.
    grounding_active : float
        Share of the steps during which the grounding layers act, in [0, 1].
    labels : tuple of str or None
        What the weights can draw; None where that is open.
    """

    name: str
    summary: str
    folder: tuple[str, ...]
    size: tuple[int, int]
    window: int
    stride: int
    steps: int
    guidance: float
    grounding_active: float
    labels: tuple[str, ...] | None


TINY_LABELS = (
    "airplane", "bell", "bird", "bus", "car", "cow", "drum", "guitar",
    "helicopter", "horse", "lion", "monkey", "sheep", "ship", "train", "truck",
)  # fmt: skip
"""What the shipped suite was taught to draw."""

PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        name="tiny",
        summary="the shipped suite: a drawn world of 64x64 pixels, for any computer",
        folder=("models", "tiny"),
        size=(64, 64),
        window=16,
        stride=8,
        steps=25,
        guidance=3.0,
        grounding_active=1.0,
        labels=TINY_LABELS,
    ),
}


def get_preset(name: str) -> Preset:
    """Look a preset up.

    Raises
    ------
    SamplingError
        If there is none of this name.
    """
    if name not in PRESETS:
        raise SamplingError(f"no preset {name!r}; there is: {', '.join(PRESETS)}")
    return PRESETS[name]


def weight_files(preset: Preset) -> list[Path]:
    """Return the weight files that sampling reads.

    Raises
    ------
    DataError
        If some are missing.
    """
    files = sorted(resource(*preset.folder).rglob("*.safetensors"))
    found = {path.parent.name for path in files}
    needed = {"vae", "unet", "text_encoder", "motion_adapter", "grounding"}
    if missing := sorted(needed - found):
        raise DataError(
            f"preset {preset.name!r} lacks weights in {'/'.join(('data', *preset.folder))}: "
            f"{', '.join(missing)}; reinstall spa2v or train them (python -m spa2v_lib.tiny.train)"
        )
    return [path for path in files if path.parent.name in needed]


def weight_hashes(preset: Preset) -> dict[str, str]:
    """Return the SHA-256 of every weight file that sampling reads, by its path below the preset.

    Raises
    ------
    DataError
        If weights are missing.
    """
    folder = resource(*preset.folder)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in weight_files(preset)
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the libraries' progress bars and remarks about loading out of sight."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
            library.enable_progress_bar()


@cache
def load(name: str) -> AnimateDiffPipeline:
    """Put base, motion adapter and grounding layers together, once a process.

    Nothing is fetched: the preset's files are on disk.

    Returns
    -------
    AnimateDiffPipeline
        Its UNet carries GLIGEN layers (see `spa2v_lib.sampling.gligen`).
    """
    preset = get_preset(name)
    weight_files(preset)
    with _quietly():
        return _assemble(preset)


def _assemble(preset: Preset) -> AnimateDiffPipeline:
    import torch
    from diffusers import (
        AnimateDiffPipeline,
        DDIMScheduler,
        MotionAdapter,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer

    from spa2v_lib.sampling import gligen
    from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

    folder = resource(*preset.folder)
    full = {"torch_dtype": torch.float32, "use_safetensors": True}
    pipeline = AnimateDiffPipeline(
        vae=PatchAutoencoder.from_pretrained(folder / "vae", **full),
        text_encoder=CLIPTextModel.from_pretrained(
            folder / "text_encoder", dtype=torch.float32, use_safetensors=True
        ),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet", **full),
        motion_adapter=MotionAdapter.from_pretrained(folder / "motion_adapter", **full),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
    )
    gligen.load(pipeline.unet, folder / "grounding" / "gligen.safetensors")
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        part.eval().requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
