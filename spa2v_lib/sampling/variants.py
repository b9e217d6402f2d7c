"""A preset with other weights or another size: `variant` is what ``--base``, ``--lora`` … ask for.

A user's weights are one more `Source` of the preset, so that they are found, announced, fetched,
hashed and recorded as the preset's own are. They are written as

- ``owner/name``, a repository of the hub, as it is today (``owner/name@REVISION`` pins it);
- ``owner/name/FILE.safetensors``, one file of it;
- a folder or a ``.safetensors`` file on this machine.

A LoRA may end in its weight: ``owner/name:0.8``; so may an image prompt, a picture on this machine:
``photo.jpg:0.6``. Whether weights fit the preset's architecture is
the question of `spa2v_lib.sampling.fit`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Literal, get_args

from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.sampling.image_prompt import check_picture
from spa2v_lib.sampling.presets import Preset, Source, get_preset

__all__ = ["CHECKPOINT", "Speed", "user_source", "variant"]

Speed = Literal["full", "fast"]
"""All steps, as the weights were published; or few, with consistency-distilled weights."""

CHECKPOINT = "checkpoint"
"""The source that holds a base as a single file, whose configuration is the preset's base's."""

_CONFIGURATION = ("model_index.json", "*/config.json", "tokenizer/*", "scheduler/*")
_FOLDER = (
    *("unet/config.json", "vae/config.json", "text_encoder/config.json"),
    *(f"{part}/diffusion_pytorch_model*.safetensors" for part in ("unet", "vae")),
    *("text_encoder/model*.safetensors", "tokenizer/*", "scheduler/*"),
)
_MOTION = ("config.json", "diffusion_pytorch_model*.safetensors")
_ON_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:/([^@]+\.safetensors))?(?:@([\w./-]+))?")
_WEIGHTED = re.compile(r"(.+):(-?\d+(?:\.\d+)?)")
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
_MAX_WEIGHT = 2.0
_IMAGE_WEIGHT = 0.5  # as IP-Adapter's authors advise beside a text
_IMAGE_ENCODER_GB = 1.31  # 0.63 billion weights and the adapter's 0.02, of two bytes
_SMALLEST, _LARGEST = 64, 2048  # pixels


def variant(
    name: str,
    *,
    base: str | None = None,
    motion: str | None = None,
    lora: Sequence[str] = (),
    speed: Speed = "full",
    size: str | None = None,
    image: str | None = None,
) -> Preset:
    """Look a preset up and change what was asked for.

    Parameters
    ----------
    name : str
        A key of `spa2v_lib.sampling.PRESETS`.
    base : str, optional
        Another Stable Diffusion 1.5 base: a repository or folder in diffusers' form, or a single
        safetensors file in its authors' own.
    motion : str, optional
        Another AnimateDiff motion adapter, repository or folder.
    lora : sequence of str
        LoRA to fuse into base and motion adapter, each perhaps with its weight after a colon, from
        -2 to 2; 1 if not given.
    speed : {"full", "fast"}
        "fast" takes the preset's weights for few steps.
    size : str, optional
        Width and height in pixels, as "512x320".
    image : str, optional
        A picture that every frame shall resemble, as a first frame does: an image prompt for
        IP-Adapter, perhaps with its weight after a colon, from 0 to 1; 0.5 if not given.

    Returns
    -------
    Preset

    Raises
    ------
    SamplingError
        If there is no such preset, or it does not take what was asked for.
    DataError
        If a file or folder does not exist, or is no safetensors or no picture.

    See Also
    --------
    spa2v_lib.sampling.presets.get_preset : The preset as it is.

    Examples
    --------
    >>> chosen = variant("sd15-migc", lora=["owner/clay-style:0.8"], speed="fast")
    >>> chosen.loras, chosen.steps, chosen.guidance_scale
    ({'LCM': 1.0, 'LoRA 1': 0.8}, 6, 1.5)
    >>> variant("tiny", speed="fast")
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: preset 'tiny' has no weights for few steps; ...
    """
    preset = get_preset(name)
    if speed not in get_args(Speed):
        raise SamplingError(f"no speed {speed!r}; one of: {', '.join(get_args(Speed))}")
    if (base or motion or lora) and preset.architecture is None:
        raise SamplingError(
            f"preset {name!r} takes no other base, motion adapter or LoRA; those that do: "
            "sd15-migc, sd15-gligen"
        )
    if speed == "fast" and preset.fast is None:
        raise SamplingError(
            f"preset {name!r} has no weights for few steps; those that have: sd15-migc, "
            f"sd15-gligen (this one takes {preset.steps} steps, and --steps may lower them)"
        )
    if image and preset.adapter is None:
        raise SamplingError(
            f"preset {name!r} takes no image prompt; those that do: sd15-migc, sd15-gligen"
        )
    asked = (base, motion, tuple(lora), speed, size, bool(image))
    if asked == (None, None, (), "full", None, False):
        return preset
    sources, loras = dict(preset.sources), {}
    if base:
        sources |= _base(preset, base)
    if motion:
        sources["motion adapter"] = user_source(motion, _MOTION)
    if speed == "fast" and preset.fast:
        sources["LCM"], loras["LCM"] = preset.fast.source, 1.0
        own = {"steps": preset.fast.steps, "guidance_scale": preset.fast.guidance_scale}
        preset = replace(preset, speed="fast", **own)
    for number, text in enumerate(lora, start=1):
        place, weight = _weighted(text, "LoRA", 1.0, -_MAX_WEIGHT, _MAX_WEIGHT)
        what = f"LoRA {number}"
        sources[what], loras[what] = user_source(place, ("*.safetensors",)), weight
    if loras:
        preset = replace(preset, packages=(*preset.packages, "peft"), extra="lora")
    if size:
        preset = _sized(preset, size)
    if image and preset.adapter:
        sources["IP-Adapter"] = preset.adapter
        place, weight = _weighted(image, "image", _IMAGE_WEIGHT, 0.0, 1.0)
        check_picture(place)
        memory = preset.memory.with_part(_IMAGE_ENCODER_GB) if preset.memory else None
        preset = replace(preset, image=place, image_weight=weight, memory=memory)
    return replace(preset, sources=sources, loras=loras, variant=repr(asked))


def user_source(text: str, files: tuple[str, ...]) -> Source:
    """Say where weights are that a user named.

    Parameters
    ----------
    text : str
        A repository of the hub, one file of it, or a file or folder on this machine.
    files : tuple of str
        Patterns of what is needed of a repository or folder.

    Returns
    -------
    Source

    Raises
    ------
    DataError
        If it is none of these, or no safetensors.

    Examples
    --------
    >>> user_source("owner/name/style.safetensors@main", ("*.safetensors",)).files
    ('style.safetensors',)
    >>> user_source("style.ckpt", ("*.safetensors",))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: style.ckpt does not exist; ...
    """
    path = Path(text).expanduser()
    if path.is_dir():
        place = path.resolve()
        lacking = [pattern for pattern in files if not any(place.glob(pattern))]
        if lacking:
            raise DataError(f"the folder {text} lacks {', '.join(lacking)}")
        return Source(place.name, None, files, folder=str(place))
    if path.is_file():
        if path.suffix != ".safetensors":
            raise DataError(
                f"{text} does not end in .safetensors; only such weights are read, because a "
                "pickle (.ckpt, .pt, .bin) can run code: convert it first"
            )
        place = path.resolve()
        return Source(place.parent.name, None, (escape(place.name),), folder=str(place.parent))
    named = _ON_HUB.fullmatch(text)
    if named is None or text.startswith(("./", "../")):
        raise DataError(
            f"{text} does not exist; give a .safetensors file, a folder, or a repository of the "
            "hub as owner/name, owner/name@REVISION or owner/name/FILE.safetensors"
        )
    repository, file, revision = named.groups()
    return Source(repository, revision or "main", (escape(file),) if file else files)


def _base(preset: Preset, text: str) -> dict[str, Source]:
    source = user_source(text, _FOLDER)
    if source.files == _FOLDER:
        return {"base": source}
    own = replace(preset.sources["base"], files=_CONFIGURATION, size_gb=0.0)
    return {"base": own, CHECKPOINT: source}


def _weighted(text: str, what: str, usual: float, low: float, high: float) -> tuple[str, float]:
    parts = _WEIGHTED.fullmatch(text)
    if parts is None:
        return text, usual
    weight = float(parts[2])
    if not low <= weight <= high:
        raise SamplingError(
            f"the weight of {what} {parts[1]} is {weight:g}; it must lie between {low:g} and "
            f"{high:g}"
        )
    return parts[1], weight


def _sized(preset: Preset, text: str) -> Preset:
    grid = preset.architecture.grid if preset.architecture else 16
    if preset.labels is not None:
        width, height = preset.size
        raise SamplingError(f"preset {preset.name!r} draws {width}x{height} pixels and no others")
    named = _SIZE.fullmatch(text)
    size = (int(named[1]), int(named[2])) if named else (0, 0)
    if any(not _SMALLEST <= side <= _LARGEST or side % grid for side in size):
        raise SamplingError(
            f"size is {text!r}; it should be WIDTHxHEIGHT in pixels, such as "
            f"{preset.size[0]}x{preset.size[1]}: both from {_SMALLEST} to {_LARGEST} and "
            f"multiples of {grid}"
        )
    pixels = (size[0] * size[1]) / (preset.size[0] * preset.size[1])
    memory = preset.memory.of_size(pixels) if preset.memory else None
    return replace(preset, size=size, memory=memory)
