"""The weights of aiSFX, from their authors' package: ``python -m spa2v_lab.training.embedding``.

``pip download --no-deps aisfx`` fetches the package; nothing of its code is run.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from spa2v_lib.resources import data_dir

__all__ = ["convert", "main"]

_CHECKPOINT = "aisfx/models/checkpoint.pth"
_EPSILON = 1e-5  # of torch's batch normalisation


def convert(wheel: Path) -> dict[str, torch.Tensor]:
    """Return kernels and biases of the eight convolutions, with their normalisation folded in."""
    stored = io.BytesIO(zipfile.ZipFile(wheel).read(_CHECKPOINT))
    scalar = np._core.multiarray.scalar
    numbers = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, np.dtypes.Int64DType]
    with torch.serialization.safe_globals(numbers):
        weights, _ = torch.load(stored, map_location="cpu", weights_only=True)
    found = {}
    for block in range(4):
        for layer in range(2):
            place = f"embedding_net.conv_block{block + 1}."
            norm = {
                name: weights[f"{place}bn{layer + 1}.{name}"].double()
                for name in ("weight", "bias", "running_mean", "running_var")
            }
            scale = norm["weight"] / torch.sqrt(norm["running_var"] + _EPSILON)
            kernel = weights[f"{place}conv{layer + 1}.weight"].double() * scale[:, None, None, None]
            number = 2 * block + layer
            found[f"{number}.kernel"] = kernel.half()
            found[f"{number}.bias"] = (norm["bias"] - norm["running_mean"] * scale).half()
    return found


def main(arguments: list[str] | None = None) -> None:
    """Write ``embedding.safetensors``."""
    parser = argparse.ArgumentParser(prog="python -m spa2v_lab.training.embedding")
    parser.add_argument("wheel", type=Path, help="aisfx-0.1.2-py2.py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=data_dir() / "models" / "tagger")
    asked = parser.parse_args(arguments)
    about = {"source": "aiSFX 0.1.2, A. B. Ma and A. Lerch 2022", "license": "CC BY 4.0"}
    save_file(convert(asked.wheel), asked.out / "embedding.safetensors", metadata=about)


if __name__ == "__main__":
    main()
