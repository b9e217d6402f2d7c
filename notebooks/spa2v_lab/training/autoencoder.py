"""The tiny suite's autoencoder: 128x128 pixels to 16x16 latents of 32 channels.

The encoder is computed, the decoder trained; `spa2v_lib.sampling.patch_autoencoder` says why. The
loss is the absolute error of the pixels and of their gradients, so that edges stay sharp.

The diffusion trainings see drawn sets through it: latents instead of pixels (`EncodedSet`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spa2v_lab.training.data import DrawnSet
from spa2v_lab.training.loop import Plan, fit
from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

__all__ = ["CHANNELS", "EncodedSet", "encode_set", "to_pixels", "train_autoencoder"]

CHANNELS = 32
_PATCH = 8
_WIDTH = 96  # of the decoder
_OBJECT_WEIGHT = 4.0  # extra weight of pixels inside boxes, where the detail is
_WHITENING = 0.5  # 0 keeps the components' own sizes, 1 makes them all equal
_JITTER = 0.3  # most noise on latents while the decoder learns, as sampled latents are not exact


def to_pixels(frames: Tensor) -> Tensor:
    """Turn uint8 frames [n, h, w, 3] into floats [n, 3, h, w] in [-1, 1].

    See Also
    --------
    encode_set : encodes them

    Examples
    --------
    >>> to_pixels(torch.zeros(1, 8, 8, 3, dtype=torch.uint8)).shape
    torch.Size([1, 3, 8, 8])
    """
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1


def _box_weights(boxes: Tensor, size: int) -> Tensor:
    """Return pixel weights [n, 1, size, size] that are larger inside boxes [n, k, 4]."""
    at = (torch.arange(size, device=boxes.device) + 0.5) / size
    x0, y0, x1, y1 = boxes.unsqueeze(-1).unbind(2)  # each [n, k, 1]
    across, down = (at >= x0) & (at <= x1), (at >= y0) & (at <= y1)
    inside = (down.unsqueeze(3) & across.unsqueeze(2)).any(1)
    return 1 + _OBJECT_WEIGHT * inside.unsqueeze(1).float()


def _principal_components(pixels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean [d], components [d, CHANNELS] and their deviations [CHANNELS] of patches."""
    patches = F.pixel_unshuffle(pixels, _PATCH).movedim(1, -1).flatten(0, 2)
    weight = F.avg_pool2d(weights, _PATCH).flatten()[:, None]
    weight = weight / weight.sum()
    mean = (weight * patches).sum(0)
    covariance = (weight * (patches - mean)).T @ (patches - mean)
    variances, components = torch.linalg.eigh(covariance)
    return mean, components.flip(1)[:, :CHANNELS], variances.flip(0)[:CHANNELS].sqrt()


def _new_autoencoder(frames: Tensor, boxes: Tensor) -> PatchAutoencoder:
    """Build an autoencoder whose code is computed and whose decoder is the code's transpose."""
    model = PatchAutoencoder(CHANNELS, width=_WIDTH)
    mean, components, deviations = _principal_components(
        to_pixels(frames), _box_weights(boxes, frames.shape[1])
    )
    scales = deviations**-_WHITENING
    scales = scales / (deviations * scales).square().mean().sqrt()
    _set_components(model, mean, components, scales)
    return model


@torch.no_grad()
def _set_components(
    model: PatchAutoencoder, mean: Tensor, components: Tensor, scales: Tensor
) -> None:
    """Set the linear code: mean patch [d], orthonormal columns [d, channels], a factor of each."""
    patch = model.analysis.kernel_size[0]
    forward, back = (components * scales).T, (components / scales).T
    model.analysis.weight.copy_(forward.reshape(-1, 3, patch, patch))
    model.analysis.bias.copy_(-forward @ mean)
    model.synthesis.weight.copy_(back.reshape(-1, 3, patch, patch))
    model.synthesis.bias.copy_(mean.reshape(3, -1).mean(1))


def _reconstruction(image: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    error = image - target
    across, down = error.diff(dim=3).abs(), error.diff(dim=2).abs()
    edges = (across * weights[..., 1:]).mean() + (down * weights[:, :, 1:]).mean()
    return (error.abs() * weights).mean() + edges


def train_autoencoder(
    drawn: DrawnSet,
    plan: Plan,
    folder: Path,
    start: PatchAutoencoder | None = None,
    device: str = "cpu",
) -> tuple[PatchAutoencoder, dict]:
    """Compute the encoder from drawn frames, train the decoder on them.

    Scales are such that latents have unit variance on average, larger for the leading components.

    See Also
    --------
    encode_set : with the trained model

    Examples
    --------
    >>> model, log = train_autoencoder(drawn, Plan(3000, 64, 2e-3), Path("work"))  # doctest: +SKIP
    """
    torch.manual_seed(plan.seed)
    frames, boxes = torch.from_numpy(drawn.frames), torch.from_numpy(drawn.boxes)
    model = (start or _new_autoencoder(frames[:4000], boxes[:4000])).to(device)
    model.analysis.requires_grad_(False)

    def loss(generator: torch.Generator) -> Tensor:
        random = {"generator": generator, "device": device}
        rows = torch.randint(len(frames), (plan.batch,), **random).cpu()
        target, weights = to_pixels(frames[rows].to(device)), boxes[rows].to(device)
        latents = model.encode(target).latents
        amount = _JITTER * torch.rand(plan.batch, 1, 1, 1, **random)
        noisy = latents + amount * torch.randn(latents.shape, **random)
        return _reconstruction(
            model.decode(noisy).sample, target, _box_weights(weights, frames.shape[1])
        )

    log = fit("autoencoder", model.parameters(), loss, plan, folder)
    if start is None:
        latents = encode_set(model.eval(), drawn.frames[:4000])
        model.register_to_config(scaling_factor=round(float(1 / latents.std()), 4))
    return model, {**log, "psnr_db": _psnr(model, drawn)}


@torch.no_grad()
def _psnr(model: PatchAutoencoder, drawn: DrawnSet, count: int = 500) -> dict[str, float]:
    """Measure the last `count` frames: the peak signal-to-noise ratio overall and in boxes."""
    pixels = to_pixels(torch.from_numpy(drawn.frames[-count:]).to(model.device))
    boxes = torch.from_numpy(drawn.boxes[-count:]).to(model.device)
    error = ((model.decode(model.encode(pixels).latents).sample.clamp(-1, 1) - pixels) / 2) ** 2
    inside = (_box_weights(boxes, pixels.shape[-1]) > 1).expand_as(error)
    parts = {"all": error, "in_boxes": error[inside]}
    return {name: round(-10 * float(part.mean().log10()), 2) for name, part in parts.items()}


@torch.no_grad()
def encode_set(model: PatchAutoencoder, frames: np.ndarray, batch: int = 100) -> Tensor:
    """Encode uint8 frames [n, h, w, 3] to latents [n, CHANNELS, h/8, w/8], unscaled.

    See Also
    --------
    EncodedSet : with captions and boxes

    Examples
    --------
    >>> model = PatchAutoencoder(CHANNELS, width=16)
    >>> encode_set(model, np.zeros((2, 32, 32, 3), np.uint8)).shape
    torch.Size([2, 32, 4, 4])
    """
    rows = torch.from_numpy(frames).split(batch)
    return torch.cat([model.encode(to_pixels(part.to(model.device))).latents for part in rows])


@dataclass
class EncodedSet:
    """Encoded frames with their ground truth.

    Attributes
    ----------
    latents : Tensor [shape=(n, CHANNELS, side, side)]
        Scaled to unit variance.
    captions : np.ndarray [shape=(n,), dtype=str]
    boxes : Tensor [shape=(n, MAX_OBJECTS, 4)]
    phrases : Tensor [shape=(n, MAX_OBJECTS), dtype=int64]
        As `DrawnSet` has them.

    See Also
    --------
    spa2v_lab.training.data.DrawnSet : the pixels

    Examples
    --------
    >>> from spa2v_lab.training import data
    >>> model = PatchAutoencoder(CHANNELS, width=16)
    >>> encoded = EncodedSet.of(model, data.frame_parts(2, seed=0, size=32))
    >>> encoded.latents.shape, encoded.boxes.shape
    (torch.Size([2, 32, 4, 4]), torch.Size([2, 4, 4]))
    """

    latents: Tensor
    captions: np.ndarray
    boxes: Tensor
    phrases: Tensor

    @classmethod
    def of(cls, model: PatchAutoencoder, parts: Iterable[DrawnSet]) -> EncodedSet:
        """Encode a set part by part, so that its pixels are never held all at once."""
        latents, captions, targets = [], [], []
        for part in parts:
            latents.append(encode_set(model, part.frames) * model.config.scaling_factor)
            captions.append(part.captions)
            targets.append((part.boxes, part.phrases))
        device = latents[0].device
        columns = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*targets, strict=True))
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
            latents, *targets = (
                torch.from_numpy(stored[name]).to(device)
                for name in ("latents", "boxes", "phrases")
            )
            return cls(latents.float(), stored["captions"], *targets)
