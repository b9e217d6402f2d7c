"""A small detector for the drawn world: the judge of the tiny suite's videos.

One convolutional network in the manner of CenterNet (Zhou et al., "Objects as Points", 2019): at a
quarter of the picture's resolution, a heat map per class whose peaks are object centres, and at
each place the distances to the four sides of the box. It shares no weights and no training with
the suite it judges, and is trained on more sprite styles than the suite draws; the held-out style
measures how general it is.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from spa2v_lib.layout import Box
from spa2v_lib.metrics.detection import Detection
from spa2v_lib.resources import resource
from spa2v_lib.tiny import data
from spa2v_lib.tiny.loop import Plan, fit

__all__ = ["Detection", "Detector", "detect", "evaluate", "shipped_detector", "train_detector"]

TRAIN_STYLES = ("fluent3d", "noto")
HELD_OUT_STYLE = "twemoji"
_STRIDE = 4
_THRESHOLD = 0.3


class Detector(nn.Module):
    """Heat maps [n, classes, h/4, w/4] (logits) and side distances [n, 4, h/4, w/4] (pixels/4)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _layer(3, width // 2, stride=2),
            _layer(width // 2, width, stride=2),
            _layer(width, width),
            _layer(width, width, dilation=2),
            _layer(width, width, dilation=4),
            _layer(width, width),
        )
        self.heat = nn.Conv2d(width, len(data.LABELS), 1)
        self.sides = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # almost nowhere is a centre

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pixels [n, 3, h, w] in [-1, 1] to heat and sides."""
        found = self.features(pixels)
        return self.heat(found), F.softplus(self.sides(found))


def _layer(inside: int, outside: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(8, outside), nn.SiLU())


def _grid(side: int, device: torch.device) -> Tensor:
    """Return the places of the feature map's cells, in cells, as [2, side, side] (x, y)."""
    at = torch.arange(side, device=device) + 0.5
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))


def _targets(boxes: Tensor, labels: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return heat [n, classes, side, side], sides [n, 4, side, side] and where they count."""
    cells = _grid(side, boxes.device)
    scaled = boxes * side  # [n, k, 4]
    centre, extent = (scaled[..., :2] + scaled[..., 2:]) / 2, scaled[..., 2:] - scaled[..., :2]
    away = (cells - centre[..., None, None]) / (extent[..., None, None] / 6 + 0.4)
    bump = torch.exp(-0.5 * away.square().sum(2)) * (labels >= 0)[..., None, None]  # [n, k, s, s]
    heat = boxes.new_zeros(len(boxes), len(data.LABELS), side, side)
    index = labels.clamp(min=0)[..., None, None].expand_as(bump)
    heat.scatter_reduce_(1, index, bump, "amax")
    best, owner = bump.max(1)  # which object a cell belongs to
    rows = torch.arange(len(boxes), device=boxes.device)[:, None, None]
    own = scaled[rows, owner].movedim(-1, 1)  # [n, 4, s, s]
    sides = torch.cat([cells - own[:, :2], own[:, 2:] - cells], 1)
    return heat, sides, best > 0.5


def _disturbed(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Blur, tint and add noise, as decoded pictures are less crisp than drawn ones."""
    random = {"generator": generator, "device": pixels.device}
    if torch.rand((), **random) < 0.5:
        pixels = F.interpolate(F.avg_pool2d(pixels, 2), scale_factor=2, mode="bilinear")
    tint = 1 + 0.15 * torch.randn(len(pixels), 3, 1, 1, **random)
    noise = 0.06 * torch.randn(pixels.shape, **random)
    return pixels * tint + noise


def train_detector(
    plan: Plan, work: Path, out: Path, count: int, device: str = "cpu", workers: int = 1
) -> dict:
    """Train on drawn frames of `TRAIN_STYLES` and write the weights; the log has its accuracy."""
    torch.manual_seed(plan.seed)
    drawn = data.frames(count, seed=11, styles=TRAIN_STYLES, workers=workers)
    model = Detector().to(device)
    frames, boxes, labels = (
        torch.from_numpy(part).to(device) for part in (drawn.frames, drawn.boxes, drawn.labels)
    )

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(frames), (plan.batch,), generator=generator, device=device)
        pixels = frames[rows].permute(0, 3, 1, 2).float() / 127.5 - 1
        heat, sides = model(_disturbed(pixels, generator))
        truth, distance, counted = _targets(boxes[rows], labels[rows], heat.shape[-1])
        error = F.binary_cross_entropy_with_logits(heat, truth, reduction="none")
        error = error * (heat.sigmoid() - truth).abs().square()  # focus on what is still wrong
        wrong = ((sides - distance).abs().mean(1) * counted).sum() / counted.sum().clamp(min=1)
        return 100 * error.mean() + 0.5 * wrong

    log = fit("detector", model.parameters(), loss, plan, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({n: v.half() for n, v in model.state_dict().items()}, out / "model.safetensors")
    model.cpu().eval()
    seen, unseen = (
        evaluate(model, data.frames(2000, seed=seed, styles=(style,), workers=workers))
        for seed, style in ((12, data.STYLE), (13, HELD_OUT_STYLE))
    )
    log["accuracy"] = {data.STYLE: seen, f"{HELD_OUT_STYLE} (never trained on)": unseen}
    print(json.dumps(log["accuracy"]))
    return log


@cache
def shipped_detector() -> Detector:
    """Load the shipped detector, once a process."""
    model = Detector()
    state = load_file(resource("models", "tiny", "detector") / "model.safetensors")
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval()


@torch.no_grad()
def detect(
    frames: np.ndarray, model: Detector | None = None, threshold: float = _THRESHOLD
) -> list[list[Detection]]:
    """Find the objects of the drawn world in frames.

    Parameters
    ----------
    frames : np.ndarray [shape=(time, SIZE, SIZE, 3), dtype=uint8]
    model : Detector, optional
        The shipped one if not given.
    threshold : float
        Least score, in [0, 1].

    Returns
    -------
    list of list of Detection
        For each frame, the best first; at most one of a class within a box of its own.
    """
    model = model or shipped_detector()
    found = []
    for part in torch.from_numpy(np.ascontiguousarray(frames)).split(100):
        heat, sides = model(part.permute(0, 3, 1, 2).float() / 127.5 - 1)
        scores = heat.sigmoid()
        peaks = scores * (scores == F.max_pool2d(scores, 3, 1, 1))
        found += [_decode(p, s, threshold) for p, s in zip(peaks, sides, strict=True)]
    return found


def _decode(peaks: Tensor, sides: Tensor, threshold: float) -> list[Detection]:
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
            found.append(Detection(data.LABELS[label], score, box))
    found.sort(key=lambda d: -d.score)
    kept: list[Detection] = []
    for one in found:
        if all(one.box.iou(other.box) < 0.5 for other in kept):
            kept.append(one)
    return kept


def evaluate(model: Detector, drawn: data.DrawnSet) -> dict[str, float]:
    """Measure the detector on drawn frames.

    Returns
    -------
    dict
        ``objects`` counted; ``found``, the share with a detection of the right class and IoU of
        at least 0.5; ``mean_iou`` of the best detection of the right class (0 without one);
        ``false_per_frame``, detections that overlap no object of their class.
    """
    overlaps, false = [], 0
    for row, found in enumerate(detect(drawn.frames, model)):
        truth = [
            (data.LABELS[label], Box(x0=b[0], y0=b[1], x1=b[2], y1=b[3]))
            for label, b in zip(drawn.labels[row].tolist(), drawn.boxes[row].tolist(), strict=True)
            if label >= 0
        ]
        for label, box in truth:
            ious = [box.iou(d.box) for d in found if d.label == label]
            overlaps.append(max(ious, default=0.0))
        for one in found:
            false += all(n != one.label or b.iou(one.box) < 0.1 for n, b in truth)
    values = np.array(overlaps)
    return {
        "objects": len(values),
        "found": round(float((values >= 0.5).mean()), 4),
        "mean_iou": round(float(values.mean()), 4),
        "false_per_frame": round(false / len(drawn.frames), 4),
    }
