"""Training of the detector for the drawn world, `spa2v_lib.sampling.tiny_detector`.

It is trained on more sprite styles than the suite draws; the held-out style measures how general
it is.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from spa2v_lab.training import data
from spa2v_lab.training.loop import Plan, fit
from spa2v_lib.layout.scene_layout import Box
from spa2v_lib.sampling.tiny_detector import Detector, detect, shipped_detector

__all__ = ["evaluate", "train_detector"]

TRAIN_STYLES = ("fluent3d", "noto")
HELD_OUT_STYLE = "twemoji"


def _grid(side: int, device: torch.device) -> Tensor:
    """Return the places of the feature map's cells, in cells, as [2, side, side] (x, y)."""
    at = torch.arange(side, device=device) + 0.5
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))


def heat_targets(
    boxes: Tensor, labels: Tensor, side: int, classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return heat [n, classes, side, side], sides [n, 4, side, side] and where they count."""
    cells = _grid(side, boxes.device)
    scaled = boxes * side  # [n, k, 4]
    centre, extent = (scaled[..., :2] + scaled[..., 2:]) / 2, scaled[..., 2:] - scaled[..., :2]
    away = (cells - centre[..., None, None]) / (extent[..., None, None] / 6 + 0.4)
    bump = torch.exp(-0.5 * away.square().sum(2)) * (labels >= 0)[..., None, None]  # [n, k, s, s]
    heat = boxes.new_zeros(len(boxes), classes, side, side)
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
    plan: Plan,
    work: Path,
    out: Path,
    count: int,
    device: str = "cpu",
    workers: int = 1,
    further: bool = False,
) -> dict:
    """Train on drawn frames of `TRAIN_STYLES` and write the weights; the log has its accuracy.

    Parameters
    ----------
    plan : Plan
    work, out : Path
        Of checkpoints; of the finished weights.
    count : int
        Frames to draw.
    device : str
    workers : int
        Processes that draw.
    further : bool
        Whether the shipped detector learns `data.MORE_LABELS`, instead of a new one the suite's.

    See Also
    --------
    evaluate : how good it is

    Examples
    --------
    >>> train_detector(Plan(4000, 128, 2e-3), Path("work"), Path("out"), 48_000)  # doctest: +SKIP
    """
    torch.manual_seed(plan.seed)
    draw = data.further_parts if further else data.frame_parts
    drawn = data.DrawnSet.joined(list(draw(count, 11, styles=TRAIN_STYLES, workers=workers)))
    model = (widened(shipped_detector()) if further else Detector()).to(device)
    frames, boxes, labels = (
        torch.from_numpy(part).to(device) for part in (drawn.frames, drawn.boxes, drawn.labels)
    )

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(frames), (plan.batch,), generator=generator, device=device)
        pixels = frames[rows].permute(0, 3, 1, 2).float() / 127.5 - 1
        heat, sides = model(_disturbed(pixels, generator))
        targets, distance, counted = heat_targets(
            boxes[rows], labels[rows], heat.shape[-1], heat.shape[1]
        )
        error = F.binary_cross_entropy_with_logits(heat, targets, reduction="none")
        error = error * (heat.sigmoid() - targets).abs().square()  # focus on what is still wrong
        wrong = ((sides - distance).abs().mean(1) * counted).sum() / counted.sum().clamp(min=1)
        return 100 * error.mean() + 0.5 * wrong

    log = fit("detector", model.parameters(), loss, plan, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({n: v.half() for n, v in model.state_dict().items()}, out / "model.safetensors")
    model.cpu().eval()
    seen, unseen = (
        evaluate(
            model,
            data.frames(2000, seed=seed, styles=(style,), labels=model.labels, workers=workers),
        )
        for seed, style in ((12, data.STYLE), (13, HELD_OUT_STYLE))
    )
    log["accuracy"] = {data.STYLE: seen, f"{HELD_OUT_STYLE} (never trained on)": unseen}
    print(json.dumps(log["accuracy"]))
    return log


@torch.no_grad()
def widened(model: Detector) -> Detector:
    """Return a detector that also has heat maps for `data.MORE_LABELS`, silent ones at first."""
    wide = Detector(labels=data.LABELS)
    for name, value in model.state_dict().items():
        wide.state_dict()[name][: len(value)] = value
    return wide


def evaluate(model: Detector, drawn: data.DrawnSet) -> dict[str, float]:
    """Measure the detector on drawn frames.

    Returns
    -------
    dict
        ``objects`` counted; ``found``, the share with a detection of the right class and IoU of
        at least 0.5; ``mean_iou`` of the best detection of the right class (0 without one);
        ``false_per_frame``, detections that overlap no object of their class.

    See Also
    --------
    spa2v_lib.sampling.tiny_detector.detect : what is measured

    Examples
    --------
    >>> drawn = data.frames(2, seed=0)
    >>> evaluate(Detector().eval(), drawn)["objects"] > 0  # doctest: +SKIP
    """
    overlaps, false = [], 0
    for row, detections in enumerate(detect(drawn.frames, model)):
        targets = [
            (data.LABELS[label], Box(x0=b[0], y0=b[1], x1=b[2], y1=b[3]))
            for label, b in zip(drawn.labels[row].tolist(), drawn.boxes[row].tolist(), strict=True)
            if label >= 0
        ]
        for label, box in targets:
            ious = [box.iou(d.box) for d in detections if d.label == label]
            overlaps.append(max(ious, default=0.0))
        for one in detections:
            false += all(n != one.label or b.iou(one.box) < 0.1 for n, b in targets)
    values = np.array(overlaps)
    return {
        "objects": len(values),
        "found": round(float((values >= 0.5).mean()), 4),
        "mean_iou": round(float(values.mean()), 4),
        "false_per_frame": round(false / len(drawn.frames), 4),
    }
