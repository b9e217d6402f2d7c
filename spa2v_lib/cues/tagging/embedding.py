"""What a sound is like, in 512 numbers: the network of aiSFX, trained on sound effects.

A. B. Ma and A. Lerch, "Representation learning for the automatic indexing of sound effects
libraries", ISMIR 2022. Their weights (CC BY 4.0) are shipped with this library; batch normalisation
is folded into the convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.features import mel_triangles
from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

__all__ = ["BLOCK_S", "RATE", "SIZE", "Embedding", "load_embedding"]

RATE = 44_100
"""Sampling rate that the network was trained at, in Hz."""

SIZE = 512
"""Numbers of an embedding."""

_FRAMES, _HOP, _WINDOW, _BANDS = 100, 1024, 2048, 96
BLOCK_S = _FRAMES * _HOP / RATE
"""Seconds of sound that one embedding describes."""

_BLOCKS = 4
_POOLED = (2, 2, 2, 1)
_GAIN, _LARGEST = 1e4, 9.457798957824707  # of the logarithmic spectra it was trained on
_AT_ONCE = 8


@dataclass(frozen=True)
class Embedding:
    """A convolutional network over logarithmic mel spectra.

    Attributes
    ----------
    layers : tuple of (Tensor, Tensor)
        Kernels [out, in, 3, 3] and biases [out] of eight convolutions, two for each pooling.

    Examples
    --------
    >>> network = load_embedding()
    >>> network(np.random.default_rng(0).normal(size=(1, 44_100))).shape
    (1, 512)
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    def __call__(self, excerpts: Sequence[np.ndarray]) -> np.ndarray:
        """Return the embeddings of excerpts.

        Parameters
        ----------
        excerpts : sequence of ndarray [time]
            At `RATE`; each counts as loud as any other. What is longer than `BLOCK_S` is cut, what
            is shorter is followed by silence.

        Returns
        -------
        ndarray [excerpts, 512]
            Not negative.
        """
        import torch

        if not len(excerpts):
            return np.zeros((0, SIZE), np.float32)
        spectra = torch.stack([_spectrum(excerpt) for excerpt in excerpts])
        with torch.inference_mode():
            return torch.cat([self._forward(part) for part in spectra.split(_AT_ONCE)]).numpy()

    def _forward(self, spectra: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import conv2d, max_pool2d, relu

        x = spectra[:, None].to(self.layers[0][0].dtype)
        for block, pooled in enumerate(_POOLED):
            for kernel, bias in self.layers[2 * block : 2 * block + 2]:
                x = relu(conv2d(x, kernel, bias, padding=1))
            x = max_pool2d(x, pooled)
        return x.mean(3).amax(2).float()


def _spectrum(excerpt: np.ndarray) -> torch.Tensor:
    """Return the logarithmic mel spectrum [100 frames, 96 bands] of an excerpt."""
    import torch

    samples = np.zeros(round(BLOCK_S * RATE), np.float32)
    count = min(len(excerpt), len(samples))
    samples[:count] = excerpt[:count]
    samples /= max(float(np.abs(samples).max()), 1e-9)
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(
        torch.from_numpy(samples), _WINDOW, _HOP, window=window, return_complex=True,
        pad_mode="constant",
    )  # fmt: skip
    power = _filters() @ spectrum.abs() ** 2
    return (torch.log10(_GAIN * power + 1.0) / _LARGEST).T[:_FRAMES]


@cache
def _filters() -> torch.Tensor:
    """Return the weights [bands, bins] of mel bands on the HTK scale, each with a sum of 1."""
    import torch

    mel = np.linspace(0.0, np.log10(1.0 + RATE / 2.0 / 700.0), _BANDS + 2)
    triangles = mel_triangles(np.fft.rfftfreq(_WINDOW, 1.0 / RATE), 700.0 * (10.0**mel - 1.0))
    return torch.from_numpy((triangles / np.maximum(triangles.sum(0), 1e-9)).T.copy())


@cache
def load_embedding(path: Path | None = None) -> Embedding:
    """Load the shipped network.

    Raises
    ------
    DataError
        If the weights are missing or are others.

    Examples
    --------
    >>> len(load_embedding().layers)
    8
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source = path or resource("models", "tagger", "embedding.safetensors")
    try:
        stored = load_file(source)
        layers = tuple(
            (stored[f"{k}.kernel"].float(), stored[f"{k}.bias"].float()) for k in range(2 * _BLOCKS)
        )
        if not all(tensor.isfinite().all() for layer in layers for tensor in layer):
            raise ValueError("it holds NaN or infinity")
        found = Embedding(layers)
        if found([np.zeros(1)]).shape != (1, SIZE):
            raise ValueError(f"its embeddings do not have {SIZE} numbers")
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{source.name} does not hold the tagger's embedding: {error}; reinstall spa2v"
        ) from error
    return found
