"""Boxes on feature maps: which of a map's cells a box covers, and where in it a cell lies.

Boxes are ``(x0, y0, x1, y1)`` in [0, 1]; cells go row by row from the top left.
"""

from __future__ import annotations

import torch
from diffusers.models.embeddings import get_fourier_embeds_from_boundingbox
from torch import Tensor
from torch.nn import functional

__all__ = [
    "FOURIER_WIDTH",
    "MapSize",
    "box_cover",
    "box_fourier",
    "cell_boxes",
    "coverage",
    "seen_from_cells",
    "soft_masks",
]

MapSize = tuple[int, int]  # height and width in cells
_FREQUENCIES = 8
FOURIER_WIDTH = 8 * _FREQUENCIES
"""Sine and cosine of four coordinates."""


def box_fourier(boxes: Tensor) -> Tensor:
    """Return the Fourier features of four coordinates, at the frequencies that GLIGEN took.

    Parameters
    ----------
    boxes : Tensor [shape=(n, m, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].

    Returns
    -------
    Tensor [shape=(n, m, 64)]

    Examples
    --------
    >>> box_fourier(torch.zeros(1, 2, 4)).shape
    torch.Size([1, 2, 64])
    """
    return get_fourier_embeds_from_boundingbox(_FREQUENCIES, boxes)


def cell_boxes(side: int, like: Tensor) -> Tensor:
    """Return the boxes of a square feature map's cells, row by row, as [side * side, 4].

    Parameters
    ----------
    side : int
        Cells of a row, at least 1.
    like : Tensor
        Whose device and type the boxes get.

    Examples
    --------
    >>> cell_boxes(2, torch.zeros(()))[1].tolist()
    [0.5, 0.0, 1.0, 0.5]
    """
    low = torch.arange(side, device=like.device, dtype=like.dtype) / side
    y, x = torch.meshgrid(low, low, indexing="ij")
    return torch.stack([x, y, x + 1 / side, y + 1 / side], dim=-1).flatten(0, 1)


def coverage(cells: Tensor, boxes: Tensor) -> Tensor:
    """Return the share of each cell [cells, 4] that each box [n, objects, 4] covers.

    Parameters
    ----------
    cells : Tensor [shape=(cells, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    boxes : Tensor [shape=(n, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].

    Returns
    -------
    Tensor [shape=(n, cells, objects)]
        In [0, 1].

    See Also
    --------
    cell_boxes : The cells of a square map.

    Examples
    --------
    >>> coverage(cell_boxes(2, torch.zeros(())), torch.tensor([[[0.0, 0.0, 0.75, 0.5]]])).tolist()
    [[[1.0], [0.5], [0.0], [0.0]]]
    """
    cells, boxes = cells[None, :, None], boxes[:, None]
    low = torch.maximum(cells[..., :2], boxes[..., :2])
    high = torch.minimum(cells[..., 2:], boxes[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (cells[..., 2:] - cells[..., :2]).prod(-1)


def seen_from_cells(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where in its box each cell of a feature map lies, and the box's size.

    Parameters
    ----------
    boxes : Tensor [shape=(n, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    size : tuple of int
        Height and width of the feature map.

    Returns
    -------
    Tensor [shape=(n, objects, cells, 4)]
        Across and down, 0 and 1 at the box's edges and beyond them; width and height.

    Examples
    --------
    >>> seen_from_cells(torch.tensor([[[0.0, 0.0, 0.5, 1.0]]]), (1, 2))[0, 0].tolist()
    [[0.5, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 1.0]]
    """
    down, across = ((torch.arange(s, device=boxes.device) + 0.5) / s for s in size)
    y, x = torch.meshgrid(down, across, indexing="ij")
    middles = torch.stack([x, y], dim=-1).flatten(0, 1)
    corner, sides = boxes[..., None, :2], (boxes[..., None, 2:] - boxes[..., None, :2])
    inside = ((middles - corner) / sides.clamp(min=1e-3)).clamp(0, 1)
    return torch.cat([inside, sides.expand_as(inside)], dim=-1)


def box_cover(boxes: Tensor, present: Tensor, size: MapSize) -> Tensor:
    """Rasterise boxes: how far each cell of a map lies inside.

    The share of the cell that the box covers, over the largest such share, so that a box smaller
    than a cell still holds one and a box's middle is wholly inside. An object that is not present,
    or whose box has no area inside the picture, covers nothing.

    Parameters
    ----------
    boxes : Tensor [shape=(..., 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    present : Tensor [shape=(...)]
        1 where the object is in the frame, else 0.
    size : (int, int)
        Height and width of the map in cells.

    Returns
    -------
    Tensor [shape=(..., height, width)]
        In [0, 1].

    See Also
    --------
    soft_masks : As MIGC was published with.
    coverage : Of any cells.

    Examples
    --------
    >>> box_cover(torch.tensor([0.0, 0.0, 0.5, 1.0]), torch.tensor(1.0), (1, 4)).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """
    x0, y0, x1, y1 = boxes.clamp(0, 1).unbind(-1)
    across = _shares(x0, x1, size[1])
    down = _shares(y0, y1, size[0])
    cover = down[..., :, None] * across[..., None, :] * present[..., None, None]
    most = cover.amax((-2, -1), keepdim=True)
    return torch.where(most > 0, cover / most.clamp(min=1e-12), torch.zeros_like(cover))


def _shares(low: Tensor, high: Tensor, count: int) -> Tensor:
    """Return the share of each of `count` equal cells of [0, 1] that an interval covers."""
    start = torch.arange(count, device=low.device, dtype=low.dtype) / count
    end = torch.minimum(start + 1 / count, high[..., None])
    return (end - torch.maximum(start, low[..., None])).clamp(min=0) * count


def soft_masks(
    boxes: Tensor, present: Tensor, picture: tuple[int, int], size: MapSize
) -> tuple[Tensor, Tensor]:
    """Rasterise boxes as MIGC was published: pixels, interpolated to the latents and to the map.

    Parameters
    ----------
    boxes : Tensor [shape=(frames, objects, 4)]
        ``(x0, y0, x1, y1)`` in [0, 1].
    present : Tensor [shape=(frames, objects)]
        1 where the object is in the frame, else 0.
    picture : tuple of int
        Width and height in pixels.
    size : (int, int)
        Height and width of the map.

    Returns
    -------
    cover : Tensor [shape=(frames, objects, height, width)]
    rest : Tensor [shape=(frames, 1, height, width)]
        What no object covers.

    See Also
    --------
    box_cover : For maps of few cells.

    Examples
    --------
    >>> boxes, present = torch.tensor([[[0.0, 0.0, 0.5, 1.0]]]), torch.ones(1, 1)
    >>> cover, rest = soft_masks(boxes, present, (64, 64), (1, 2))
    >>> cover.flatten().tolist(), rest.flatten().tolist()
    ([1.0, 0.0], [0.0, 1.0])
    """
    width, height = picture
    latent = (height // 8, width // 8)
    covers = []
    for frame, there in zip(boxes, present, strict=True):
        x0, y0, x1, y1 = (frame * frame.new_tensor([width, height] * 2)).long().unbind(-1)
        columns = torch.arange(width, device=boxes.device)
        rows = torch.arange(height, device=boxes.device)
        across = (columns >= x0[:, None]) & (columns < x1[:, None]) & (there[:, None] > 0)
        down = (rows >= y0[:, None]) & (rows < y1[:, None])
        inside = (down[:, :, None] & across[:, None]).float()
        both = torch.cat([1 - inside.sum(0, keepdim=True).clamp(max=1), inside])[None]
        for smaller in (latent, size):
            both = functional.interpolate(both, smaller, mode="bilinear")
        covers.append(both)
    found = torch.cat(covers)
    return found[:, 1:], found[:, :1]
