"""Initial noise that moves with the boxes, so that what grows from it tends to move along.

Paper: Qiu et al., "FreeTraj: Tuning-Free Trajectory Control in Video Diffusion Models", 2024; the
frequency mix is that of Wu et al., "FreeInit: Bridging Initialization Gap in Video Diffusion
Models", ECCV 2024.

In every frame, an object's box is filled with one and the same patch of noise, which thereby moves
along the path. Of that noise only the low frequencies in space and time are kept; the high ones
come from fresh noise, for a denoiser has never met noise that repeats itself in detail. The filter
is a Butterworth low-pass of order n = 4, L = 1 / (1 + (d/d_s)^(2n)), with the distance d in units
of half the sampling rate, time stretched by d_s/d_t; d_s = 0.25, d_t = 0.1.

Two things are ours. The halves are mixed as ``(L low + (1 - L) high) / sqrt(L² + (1 - L)²)``, so
that white noise stays white through the mix. And as repeated noise is not white, but strong in low
frequencies, every frame is brought back to unit variance at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["trajectory_noise"]


def trajectory_noise(
    noise: Tensor,
    boxes: Tensor,
    present: Tensor,
    seed: int,
    *,
    space: float = 0.25,
    time: float = 0.1,
    order: int = 4,
) -> Tensor:
    """Return noise whose low frequencies move with the boxes.

    Parameters
    ----------
    noise : Tensor [shape=(1, channels, frames, height, width)]
        White, of unit variance; its high frequencies are kept.
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1]. Boxes without area inside the picture are not heard; of
        boxes that overlap the later object's lies on top.
    present : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    seed : int
        Of the patches.
    space, time : float
        Stop frequencies of the low-pass as shares of half the sampling rate; typical 0.1 to 0.5.
    order : int
        Steepness of the low-pass.

    Returns
    -------
    Tensor [shape=(1, channels, frames, height, width)]
        Of unit variance in every frame; `noise` itself where no box is heard in any frame.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    shape = (noise.shape[1], *noise.shape[3:])
    moved, heard = noise.float().clone(), False
    for index in range(boxes.shape[1]):
        patch = torch.randn(shape, generator=generator).to(moved)
        for frame in range(boxes.shape[0]):
            if present[frame, index] > 0:
                heard |= _paste(moved[0, :, frame], patch, boxes[frame, index])
    if not heard:
        return noise
    low = _low_pass(noise.shape[2:], space, time, order).to(moved.device)
    mixed = low * torch.fft.fftn(moved, dim=(2, 3, 4))
    mixed = mixed + (1 - low) * torch.fft.fftn(noise.float(), dim=(2, 3, 4))
    mixed = mixed / (low.square() + (1 - low).square()).sqrt()
    found = torch.fft.ifftn(mixed, dim=(2, 3, 4)).real
    return (found / found.square().mean((1, 3, 4), keepdim=True).sqrt()).to(noise)


def _paste(frame: Tensor, patch: Tensor, box: Tensor) -> bool:
    """Fill a box of a frame [channels, h, w] with the middle of `patch`; say if there was room.

    The patch is shifted by whole cells, never resized, for resized noise is not white.
    """
    height, width = frame.shape[1:]
    top, bottom, up = _cells(box[1], box[3], height)
    left, right, aside = _cells(box[0], box[2], width)
    if top >= bottom or left >= right:
        return False
    moved = patch.roll((up, aside), dims=(1, 2))
    frame[:, top:bottom, left:right] = moved[:, top:bottom, left:right]
    return True


def _cells(low: Tensor, high: Tensor, count: int) -> tuple[int, int, int]:
    """Return the first and last cell of an interval, and how far its middle is from the middle."""
    low, high = float(low), float(high)
    start, end = max(low, 0.0), min(high, 1.0)
    if start >= end:
        return 0, 0, 0
    first = min(round(start * count), count - 1)
    return first, max(round(end * count), first + 1), round((low + high - 1) / 2 * count)


def _low_pass(size: tuple[int, int, int], space: float, time: float, order: int) -> Tensor:
    """Return the Butterworth filter for a transform over frames, height and width."""
    rates = (2 * torch.fft.fftfreq(count) for count in size)
    t, y, x = torch.meshgrid(*rates, indexing="ij")
    distance = (t * space / time).square() + y.square() + x.square()
    return 1 / (1 + (distance / space**2) ** order)
