"""Published networks by which videos are measured, read through transformers."""

from __future__ import annotations

import os
from typing import Any

from spa2v_lib.errors import DataError

__all__ = ["pretrained"]


def pretrained(
    what: str, source: str | os.PathLike[str], revision: str | None, processor: str, model: str
) -> tuple[Any, Any, str]:
    """Read a processor and a network, for inference.

    Parameters
    ----------
    what : str
        What messages call it.
    source : str or path
        Repository on the hub, or a folder that holds both.
    revision : str, optional
        Of the repository.
    processor, model : str
        Names of transformers' classes.

    Returns
    -------
    tuple
        Processor, network and the device that the network is on.

    Raises
    ------
    DataError
        If the weights are neither on this machine nor to be had from the hub, are not kept as
        safetensors, or are another network's.

    Examples
    --------
    >>> source = ("openai/clip-vit-base-patch32", "main")
    >>> processor, network, device = pretrained(
    ...     "CLIP", *source, "CLIPProcessor", "CLIPModel"
    ... )  # doctest: +SKIP
    >>> device  # doctest: +SKIP
    'cpu'
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    import transformers
    from safetensors import SafetensorError

    kept = {} if os.path.isdir(source) else {"revision": revision}
    try:
        reader = getattr(transformers, processor).from_pretrained(source, **kept)
        network, loading = getattr(transformers, model).from_pretrained(
            source, use_safetensors=True, output_loading_info=True, **kept
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"no weights of {what} at {source}: {reason}") from error
    # transformers draws at random what a file lacks, and only warns.
    if missing := sorted(loading["missing_keys"]):
        raise DataError(
            f"the weights at {source} are not those of {what}: {len(missing)} are missing, "
            f"such as {missing[0]}"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return reader, network.eval().to(device), device
