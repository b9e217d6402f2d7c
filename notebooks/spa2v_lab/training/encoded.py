"""Drawn sets as the diffusion trainings see them: latents instead of pixels, on one device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spa2v_lab.training.autoencoder import encode_set
from spa2v_lab.training.data import DrawnSet
from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

__all__ = ["EncodedSet"]


@dataclass
class EncodedSet:
    """Encoded frames with their truth.

    Attributes
    ----------
    latents : Tensor [shape=(n, CHANNELS, side, side)]
        Scaled to unit variance.
    captions : np.ndarray [shape=(n,), dtype=str]
    boxes : Tensor [shape=(n, MAX_OBJECTS, 4)]
    phrases : Tensor [shape=(n, MAX_OBJECTS), dtype=int64]
        As `DrawnSet` has them.
    """

    latents: Tensor
    captions: np.ndarray
    boxes: Tensor
    phrases: Tensor

    @classmethod
    def of(cls, model: PatchAutoencoder, parts: Iterable[DrawnSet]) -> EncodedSet:
        """Encode a set part by part, so that its pixels are never held all at once."""
        latents, captions, truth = [], [], []
        for part in parts:
            latents.append(encode_set(model, part.frames) * model.config.scaling_factor)
            captions.append(part.captions)
            truth.append((part.boxes, part.phrases))
        device = latents[0].device
        columns = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*truth, strict=True))
        return cls(
            torch.cat(latents), np.concatenate(captions), *(one.to(device) for one in columns)
        )

    def save(self, path: Path) -> None:
        """Write the set as one ``.npz`` file, latents in half precision."""
        unfinished = path.with_name(path.name + ".partial.npz")
        np.savez(
            unfinished,
            latents=self.latents.half().cpu().numpy(),
            captions=self.captions,
            boxes=self.boxes.cpu().numpy(),
            phrases=self.phrases.cpu().numpy(),
        )
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> EncodedSet:
        """Read a set that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            latents, *truth = (
                torch.from_numpy(stored[name]).to(device)
                for name in ("latents", "boxes", "phrases")
            )
            return cls(latents.float(), stored["captions"], *truth)
