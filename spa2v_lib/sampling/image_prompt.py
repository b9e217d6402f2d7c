"""A picture that conditions every frame beside the text: an image prompt, through IP-Adapter.

Paper: Ye et al., "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion
Models", 2023. An image encoder turns the picture into one vector, and the adapter that into four
tokens, which every spatial cross-attention attends to by keys and values of their own; the result,
times a weight, is added to what attention to the text gives. The classes are diffusers' own.

The video resembles the picture in what it shows and how it looks; the first frame is no copy of it.
The encoder sees it small and pressed into a square, as IP-Adapter's authors advise for pictures
that are none: the square from its middle, the usual way, would lose what is at the sides. Whether
its objects are where the layout has them is the question of `spa2v_lib.sampling.image_layout`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spa2v_lib.errors import DataError

if TYPE_CHECKING:
    import torch
    from diffusers import AnimateDiffPipeline
    from PIL.Image import Image

    from spa2v_lib.sampling.presets import Preset

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "add_adapter",
    "check_picture",
    "embedded",
    "read_picture",
]

MAX_BYTES = 64_000_000
MAX_PIXELS = 50_000_000

# Those that Pillow decodes itself: of others it starts programs that are not made for strangers.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "TIFF", "BMP", "GIF", "PPM", "TGA")


def check_picture(path: str) -> None:
    """Refuse a file that is no picture or too large, by its head alone.

    Parameters
    ----------
    path : str

    Raises
    ------
    DataError

    See Also
    --------
    read_picture : Reads it.

    Examples
    --------
    >>> check_picture("nowhere.jpg")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: the image nowhere.jpg does not exist; give the path of a picture
    """
    _opened(path).close()


def embedded(pipeline: AnimateDiffPipeline, preset: Preset, *, guided: bool) -> list[torch.Tensor]:
    """Encode the image prompt of a preset, and set its weight.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        With the adapter, if the preset has an image prompt.
    preset : Preset
        Of `spa2v_lib.sampling.variant`.
    guided : bool
        Put the unconditional half of classifier-free guidance, which sees no picture, in front.

    Returns
    -------
    list of Tensor [shape=(1 or 2, 1, width)]
        As the pipeline takes them, one a picture; empty without a picture.

    Raises
    ------
    DataError
        If the picture cannot be decoded.

    See Also
    --------
    add_adapter : Loads what it is embedded with.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> embedded(None, get_preset("tiny"), guided=True)
    []
    """
    if not preset.image:
        return []
    pipeline.set_ip_adapter_scale(preset.image_weight)
    side = pipeline.image_encoder.config.image_size
    picture, device = read_picture(preset.image).resize((side, side)), pipeline._execution_device
    return pipeline.prepare_ip_adapter_image_embeds(picture, None, device, 1, guided)


def read_picture(path: str) -> Image:
    """Decode a picture, upright.

    Parameters
    ----------
    path : str

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    DataError
        If it cannot be decoded, or is too large.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = f"{tempfile.mkdtemp()}/grey.png"
    >>> Image.new("L", (6, 4)).save(path)
    >>> read_picture(path).mode
    'RGB'
    """
    from PIL import ImageOps

    with _opened(path) as picture:
        try:
            return ImageOps.exif_transpose(picture).convert("RGB")
        except Exception as error:  # what decoders of a broken file raise is not documented
            raise DataError(f"the image {path} is damaged: {error}") from error


def _opened(path: str) -> Image:
    from PIL import Image, UnidentifiedImageError

    place = Path(path).expanduser()
    if not place.is_file():
        what = "is no file" if place.exists() else "does not exist"
        raise DataError(f"the image {path} {what}; give the path of a picture")
    if place.stat().st_size > MAX_BYTES:
        raise DataError(
            f"the image {path} has {place.stat().st_size / 1e6:.0f} MB; at most "
            f"{MAX_BYTES / 1e6:.0f} are read"
        )
    Image.init()
    known = [name for name in _FORMATS if name in Image.OPEN]  # older Pillow lacks AVIF
    try:
        picture = Image.open(place, formats=known)
    except UnidentifiedImageError:
        said = f"{path} is no picture that can be read; one of: {', '.join(known)}"
        raise DataError(said) from None
    except Exception as error:  # a bomb, or what else a decoder raises
        raise DataError(f"the image {path} cannot be opened: {error}") from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        picture.close()
        raise DataError(
            f"the image {path} has {width}x{height} pixels; at most "
            f"{MAX_PIXELS / 1e6:.0f} million are read"
        )
    return picture


def add_adapter(pipeline: AnimateDiffPipeline, folder: Path) -> None:
    """Give a pipeline an image encoder and IP-Adapter's layers, in its own precision.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        Without grounding layers, which diffusers would take for attention to the picture.
    folder : Path
        Holds what a preset's `adapter` names.

    Raises
    ------
    DataError
        If weights are damaged or missing.

    Examples
    --------
    >>> add_adapter(None, Path("nowhere"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: ip-adapter_sd15.safetensors does not hold IP-Adapter weights: ...
    """
    from transformers import CLIPVisionModelWithProjection

    from spa2v_lib.sampling.tensors import check_finite, load_part, read_tensors

    file = folder / "models" / "ip-adapter_sd15.safetensors"
    weights = read_tensors(file, "IP-Adapter weights")
    check_finite(weights, file.name)
    how = {"dtype": pipeline.dtype, "use_safetensors": True}
    encoder = load_part(CLIPVisionModelWithProjection, folder / "models" / "image_encoder", **how)
    pipeline.register_modules(image_encoder=encoder)
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in weights.items():
        part, _, inner = name.partition(".")
        if part in parts:
            parts[part][inner] = value
    try:
        pipeline.load_ip_adapter(parts, subfolder="", weight_name=file.name)
    except Exception as error:  # what the library raises is not documented
        raise DataError(f"{file.name} cannot be loaded: {error}") from error
