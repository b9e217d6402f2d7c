"""A small detector for the drawn world: the judge of the tiny suite's videos.

One convolutional network in the manner of CenterNet (Zhou et al., "Objects as Points", 2019): at a
quarter of the picture's resolution, a heat map per class whose peaks are object centres, and at
each place the distances to the four sides of the box. It shares no weights and no training with
the suite it judges (`spa2v_lab.training.detector` trains it, on more sprite styles than the suite
draws).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spa2v_lib.layout.box import Box
from spa2v_lib.resources import resource
from spa2v_lib.sampling.detection import Detection
from spa2v_lib.sampling.presets import TINY_LABELS
from spa2v_lib.sampling.tensors import load_weights

__all__ = ["Detection", "Detector", "detect", "shipped_detector"]

_THRESHOLD = 0.3


class Detector(nn.Module):
    """Heat maps [n, classes, h/4, w/4] (logits) and side distances [n, 4, h/4, w/4] (pixels/4).

    See Also
    --------
    detect : Detects with it.
    shipped_detector : With weights.

    Examples
    --------
    >>> heat, sides = Detector(width=16)(torch.zeros(1, 3, 32, 32))
    >>> heat.shape[2:], sides.shape
    (torch.Size([8, 8]), torch.Size([1, 4, 8, 8]))
    """

    def __init__(self, width: int = 48, labels: tuple[str, ...] = TINY_LABELS) -> None:
        super().__init__()
        self.labels = labels
        self.features = nn.Sequential(
            _layer(3, width // 2, stride=2),
            _layer(width // 2, width, stride=2),
            _layer(width, width),
            _layer(width, width, dilation=2),
            _layer(width, width, dilation=4),
            _layer(width, width),
        )
        self.heat = nn.Conv2d(width, len(labels), 1)
        self.sides = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # almost nowhere is a centre

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels [n, 3, h, w] in [-1, 1] to heat and sides."""
        found = self.features(pixels)
        return self.heat(found), F.softplus(self.sides(found))


def _layer(inside: int, outside: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(8, outside), nn.SiLU())


@cache
def shipped_detector() -> Detector:
    """Load the shipped detector, once a process.

    Examples
    --------
    >>> shipped_detector() is shipped_detector()
    True
    """
    model = Detector()
    path = resource("models", "tiny", "detector") / "model.safetensors"
    load_weights(model, path, "the tiny suite's detector")
    return model.eval()


@torch.no_grad()
def detect(
    frames: np.ndarray, model: Detector | None = None, threshold: float = _THRESHOLD
) -> list[list[Detection]]:
    """Find the objects of the drawn world in frames.

    Parameters
    ----------
    frames : np.ndarray [shape=(time, SIZE, SIZE, 3), dtype=uint8]
        Pictures of the small suite.
    model : Detector, optional
        The shipped one if not given.
    threshold : float
        Least score, in [0, 1].

    Returns
    -------
    list of list of Detection
        For each frame, the best first; at most one of a class within a box of its own.

    See Also
    --------
    spa2v_lib.sampling.detection.OwlVit : For other pictures.

    Examples
    --------
    >>> detect(np.zeros((2, 128, 128, 3), np.uint8))
    [[], []]
    """
    model = model or shipped_detector()
    found = []
    for part in torch.from_numpy(np.ascontiguousarray(frames)).split(100):
        heat, sides = model(part.permute(0, 3, 1, 2).float() / 127.5 - 1)
        scores = heat.sigmoid()
        peaks = scores * (scores == F.max_pool2d(scores, 3, 1, 1))
        found += [_decode(p, s, threshold, model.labels) for p, s in zip(peaks, sides, strict=True)]
    return found


def _decode(
    peaks: Tensor, sides: Tensor, threshold: float, labels: tuple[str, ...]
) -> list[Detection]:
    side = peaks.shape[-1]
    found: list[Detection] = []
    for label, row, column in (peaks > threshold).nonzero().tolist():
        left, top, right, bottom = sides[:, row, column].tolist()
        x, y = column + 0.5, row + 0.5
        corners = (x - left) / side, (y - top) / side, (x + right) / side, (y + bottom) / side
        x0, y0, x1, y1 = (min(max(v, 0.0), 1.0) for v in corners)
        if x1 > x0 and y1 > y0:
            score = peaks[label, row, column].item()
            box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
            found.append(Detection(labels[label], score, box))
    found.sort(key=lambda d: -d.score)
    kept: list[Detection] = []
    for one in found:
        if all(one.box.iou(other.box) < 0.5 for other in kept):
            kept.append(one)
    return kept
