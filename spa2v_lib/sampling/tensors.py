"""Damaged weights are refused by the name of their file, and numbers that are none end a video.

A pickle is read with ``weights_only``, so that no code of it runs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from spa2v_lib.errors import DataError, SamplingError

__all__ = [
    "as_pixels",
    "check_finite",
    "check_fit",
    "check_numbers",
    "load_part",
    "load_weights",
    "quiet_libraries",
    "read_tensors",
    "some_of",
]

_MEND = "fetch the file again, or reinstall spa2v if it is a shipped one"


def read_tensors(path: Path, content: str) -> dict[str, Any]:
    """Read a file of weights.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``, or is a pickle, of which only tensors are read.
    content : str
        What it ought to hold, such as "GLIGEN weights"; for the message.

    Returns
    -------
    dict of str to Tensor
        On the processor, in the file's own precision. A checkpoint's tensors may lie deeper.

    Raises
    ------
    DataError
        If the file cannot be read, is cut short, or is of another format.

    See Also
    --------
    load_weights : Into a model.

    Examples
    --------
    >>> read_tensors(Path("nothing.safetensors"), "GLIGEN weights")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: nothing.safetensors does not hold GLIGEN weights: ...
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Mapped where it can be: of a whole published UNet only the grounding weights are read.
        mapped = zipfile.is_zipfile(path)
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # what parsers of a broken file raise is not documented
        raise _damaged(path.name, content, error) from error
    if not isinstance(stored, dict):
        raise DataError(
            f"{path.name} does not hold {content}: it holds {type(stored).__name__}, and named "
            "tensors are needed"
        )
    return stored


def check_fit(
    stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: str, method: str
) -> None:
    """Refuse a grounding method's weights that are not those that its layers have in a UNet.

    Parameters
    ----------
    stored, wanted : mapping of str to Tensor
        What the file holds, and what the layers take; of the latter only names and shapes count.
    file, method : str
        For the message.

    Raises
    ------
    DataError
        If weights are missing, unknown, of another shape, or not finite.

    Examples
    --------
    >>> check_fit({}, {"to_q.weight": torch.ones(1)}, "some.safetensors", "MIGC")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: some.safetensors does not fit this UNet: of its MIGC weights 1 ...
    """
    faults = {
        "missing": sorted(wanted.keys() - stored.keys()),
        "unknown": sorted(stored.keys() - wanted.keys()),
        "of another shape": sorted(
            k for k in wanted.keys() & stored.keys() if wanted[k].shape != stored[k].shape
        ),
    }
    faulty = [f"{len(keys)} {fault} ({some_of(keys)})" for fault, keys in faults.items() if keys]
    if faulty:
        raise DataError(
            f"{file} does not fit this UNet: of its {method} weights {', '.join(faulty)}"
        )
    check_finite(stored, file)


def some_of(names: list[str]) -> str:
    """Name the first three, for a message.

    Parameters
    ----------
    names : list of str
        At least one.

    Examples
    --------
    >>> some_of(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def load_weights(model: nn.Module, path: Path, content: str) -> None:
    """Give a model the weights of a file that must fit it exactly, in the model's precision.

    Parameters
    ----------
    model : nn.Module
        Whose weights are replaced.
    path : Path
        A safetensors file.
    content : str
        What the message says that it should hold.

    Raises
    ------
    DataError
        If the file is damaged, lacks weights, holds others, or holds some of another shape.

    Examples
    --------
    >>> from safetensors.torch import save_file
    >>> save_file({"weight": torch.ones(1, 2)}, "some.safetensors")
    >>> load_weights(nn.Linear(2, 1), Path("some.safetensors"), "a line")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: some.safetensors does not hold a line: ... Missing key(s) ...
    """
    stored = read_tensors(path, content)
    check_finite(stored, path.name)
    try:
        model.load_state_dict(stored)
    except RuntimeError as error:
        raise _damaged(path.name, content, error) from error


def load_part(part: type, folder: str | Path, **options: Any) -> Any:
    """Load one part of a pipeline, of diffusers or transformers, from its folder.

    Those libraries warn where weights are missing, and leave them at random.

    Parameters
    ----------
    part : type
        Has ``from_pretrained``.
    folder : str or Path
        Holds the part's configuration and weights; or a repository of the hub.
    **options
        Of ``from_pretrained``.

    Returns
    -------
    nn.Module

    Raises
    ------
    DataError
        If weights are damaged, missing, of another shape, or not finite.

    See Also
    --------
    check_finite : What it refuses.

    Examples
    --------
    >>> from spa2v_lib.resources import resource
    >>> from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder
    >>> vae = load_part(PatchAutoencoder, resource("models", "tiny", "vae"), use_safetensors=True)
    >>> type(vae).__name__
    'PatchAutoencoder'
    """
    name = "/".join(Path(folder).parts[-2:])
    try:
        model, report = part.from_pretrained(folder, output_loading_info=True, **options)
    except Exception as error:  # what the libraries raise for a broken file is not documented
        raise _damaged(name, f"weights of {part.__name__}", error) from error
    if missing := sorted(report["missing_keys"]):
        raise DataError(
            f"{name} lacks {len(missing)} of the weights of {part.__name__}, for example "
            f"{missing[0]}; {_MEND}"
        )
    check_finite(model.state_dict(), name)
    return model


def check_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights that hold NaN or infinity, of which nothing but black frames would come.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights by name.
    name : str
        What the message calls them.

    Raises
    ------
    DataError

    Examples
    --------
    >>> check_finite({"one": torch.tensor([1.0, torch.nan])}, "some.safetensors")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: some.safetensors is damaged: NaN or infinity in 1 of 1 weights, ...
    """
    bad = [key for key, value in tensors.items() if not value.isfinite().all()]
    if bad:
        raise DataError(
            f"{name} is damaged: NaN or infinity in {len(bad)} of {len(tensors)} weights, for "
            f"example {bad[0]}; {_MEND}"
        )


def check_numbers(tensor: Tensor, name: str) -> None:
    """Refuse to go on with NaN or infinity, of which a black video would come.

    Parameters
    ----------
    tensor : Tensor
        Of any shape.
    name : str
        What the message calls it.

    Raises
    ------
    SamplingError

    Examples
    --------
    >>> check_numbers(torch.tensor([torch.nan]), "the latents")
    Traceback (most recent call last):
    spa2v_lib.errors.SamplingError: the latents hold NaN or infinity; ...
    """
    if not tensor.isfinite().all():
        raise SamplingError(
            f"{name} hold NaN or infinity; the weights may be damaged, or a knob or the guidance "
            "scale too large"
        )


def as_pixels(frames: np.ndarray) -> np.ndarray:
    """Turn frames [time, height, width, 3] in [0, 1] into bytes.

    Parameters
    ----------
    frames : np.ndarray [shape=(time, height, width, 3)]
        In [0, 1]; what lies beyond is cut off.

    Raises
    ------
    SamplingError
        If they hold NaN or infinity.

    Examples
    --------
    >>> as_pixels(np.ones((1, 1, 1, 3))).tolist()
    [[[[255, 255, 255]]]]
    """
    check_numbers(torch.from_numpy(frames), "the decoded frames")
    return (255 * np.clip(frames, 0, 1) + 0.5).astype(np.uint8)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the libraries' progress bars and remarks about loading out of sight.

    Examples
    --------
    >>> with quiet_libraries():
    ...     pass
    """
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


def _damaged(name: str, content: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return DataError(f"{name} does not hold {content}: {reason}; {_MEND}")
