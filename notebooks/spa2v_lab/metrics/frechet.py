"""The Fréchet distance between sets of videos, and the features that it is taken in.

- The distance of two Gaussians: Dowson and Landau, "The Fréchet distance between multivariate
  normal distributions", Journal of Multivariate Analysis, 1982; of networks' features: Heusel et
  al., NeurIPS 2017.
- Of videos, FVD: Unterthiner et al., "Towards Accurate Generative Models of Video: A New Metric
  and Challenges", 2018, with the features of I3D.
- Ge et al., "On the Content Bias in Fréchet Video Distance", CVPR 2024: in I3D's features single
  frames outweigh motion; in those of large self-supervised video networks, VideoMAE's kind, less.
- VideoMAE: Tong et al., NeurIPS 2022, through transformers.

Conventions
-----------
*Names.* A distance belongs to its features, whose `Features.name` is printed beside it. Only one
in a published video network's features may be called FVD, with the network's name; it compares
with no published value unless network, clips and their number are the same. The drawn world's
distance is never FVD.

*Number of clips.* The estimate is biased upward where clips are few: two sets from one source are
not at 0, and with fewer clips than dimensions far from it. State n beside the distance, compare
only at the same n, and report the distance of two true sets of that n as the floor.

*Units.* Squared units of the features; 0 or more, lower is better.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from spa2v_lab.metrics.weights import pretrained
from spa2v_lib.errors import MetricError
from spa2v_lib.video import Video

__all__ = ["VIDEOMAE", "DrawnWorldFeatures", "Features", "VideoMAEFeatures", "frechet_distance"]

VIDEOMAE = (
    "MCG-NJU/videomae-base-finetuned-kinetics",
    "488eb9a0565f257b32866000305c8178965eb9f6",
)
"""Repository on the Hugging Face hub, and revision."""

_BATCH = 100  # frames at a time
_SIDE = 128  # pixels a side of the frames that the tiny detector was trained on


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

    The estimate is biased upward for few clips: n must be stated beside it (see this module).

    Parameters
    ----------
    a, b : ndarray [shape=(n, dim)]
        One row a clip; the two may differ in n.

    Returns
    -------
    float
        ``|mean_a - mean_b|² + tr(cov_a + cov_b - 2 (cov_a cov_b)^½)``, covariances over n - 1.

    Raises
    ------
    MetricError
        If either holds fewer than two clips or values that are not finite, or dimensions differ.

    Examples
    --------
    >>> features = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(frechet_distance(features, features + [2.0, 0.0, 0.0]), 6)
    4.0
    """
    a, b = _checked(a, "first"), _checked(b, "second")
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            f"the first features have {a.shape[1]} dimensions, the second {b.shape[1]}; both must "
            "come from the same network"
        )
    distance = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    root_a, root_b = _root(a), _root(b)
    # With cov = rootᵀ root, the eigenvalues of cov_a cov_b are the squared singular values of
    # root_a root_bᵀ: no root of a nearly singular matrix is taken, and nothing becomes complex.
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return max(0.0, float(distance + np.sum(root_a**2) + np.sum(root_b**2) - 2.0 * shared))


def _checked(features: np.ndarray, name: str) -> np.ndarray:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] == 0:
        raise MetricError(
            f"the {name} features have shape {rows.shape}; [n, dim] of at least two clips is needed"
        )
    if not np.isfinite(rows).all():
        raise MetricError(f"the {name} features hold NaN or infinite values; all must be finite")
    return rows


def _root(rows: np.ndarray) -> np.ndarray:
    """Return r [min(n, dim), dim] whose ``rᵀ r`` is the covariance."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    return np.linalg.qr(centred, mode="r")


class Features(Protocol):
    """What describes a clip by numbers.

    Attributes
    ----------
    name : str
        Printed beside every distance that is taken in them.

    Examples
    --------
    >>> class MeanColour:
    ...     name = "mean colour"
    ...
    ...     def __call__(self, frames: np.ndarray) -> np.ndarray:
    ...         return frames.mean((0, 1, 2))
    >>> describe: Features = MeanColour()
    >>> describe(np.full((2, 4, 4, 3), 128, np.uint8)).tolist()
    [128.0, 128.0, 128.0]
    """

    name: str

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Describe one clip.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]

        Returns
        -------
        ndarray [shape=(dim,)]
        """
        ...


class VideoMAEFeatures:
    """The mean of VideoMAE's tokens.

    The network's number of frames (16) are taken evenly from first to last, again where there are
    fewer; each whole picture is brought to the network's square (224), as cutting out its middle
    would leave out what stands at the sides; colours are normalised as its processor says. The
    network is smaller than those of Ge et al., and tuned on Kinetics: distances are not theirs.

    Parameters
    ----------
    source : str or path
        Repository on the hub, or a folder that holds model and processor.
    revision : str, optional
        Of the repository.

    Raises
    ------
    DataError
        If the weights are neither on this machine nor to be had from the hub.

    Examples
    --------
    >>> describe = VideoMAEFeatures()  # doctest: +SKIP
    >>> describe(np.zeros((16, 224, 224, 3), np.uint8)).shape  # doctest: +SKIP
    (768,)
    """

    def __init__(
        self, source: str | os.PathLike[str] = VIDEOMAE[0], revision: str | None = VIDEOMAE[1]
    ) -> None:
        self._processor, self._model, self._device = pretrained(
            "VideoMAE", source, revision, "VideoMAEImageProcessor", "VideoMAEModel"
        )
        known_as = Path(source).name if os.path.isdir(source) else source
        self.name = f"VideoMAE features ({known_as})"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Describe one clip.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]

        Returns
        -------
        ndarray [shape=(dim,)]
            768 numbers for the base network.

        Raises
        ------
        VideoError
            If the frames are of another kind.
        """
        import torch

        frames = Video(frames, fps=1.0).frames  # the rate does not matter
        config = self._model.config
        rows = np.linspace(0, len(frames) - 1, config.num_frames).round().astype(int)
        asked = self._processor(
            list(frames[rows]),
            size={"height": config.image_size, "width": config.image_size},
            do_center_crop=False,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            tokens = self._model(**asked).last_hidden_state
        return tokens[0].double().mean(dim=0).cpu().numpy()


class DrawnWorldFeatures:
    """What the drawn world's own detector makes of a clip: what is seen, and how it moves.

    The channels of the detector's feature map, their means over space and time, then their mean
    absolute change from a frame to the next at the same place (0 for a single frame). Change grows
    with the time between frames: compare clips of one frame rate. For the drawn world only, and
    never to be called FVD.

    Examples
    --------
    >>> DrawnWorldFeatures()(np.zeros((2, 128, 128, 3), np.uint8)).shape
    (96,)
    """

    name = "drawn-world features (tiny detector)"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Describe one clip.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
            Brought to the size that the detector was trained at.

        Returns
        -------
        ndarray [shape=(96,)]
            48 means and 48 changes.

        Raises
        ------
        VideoError
            If the frames are of another kind.
        """
        import torch

        from spa2v_lib.sampling.tiny_detector import shipped_detector

        pixels = torch.from_numpy(np.ascontiguousarray(Video(frames, fps=1.0).frames))
        pixels = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        if pixels.shape[2:] != (_SIDE, _SIDE):
            pixels = torch.nn.functional.interpolate(
                pixels, (_SIDE, _SIDE), mode="bilinear", antialias=True
            )
        network = shipped_detector().features
        with torch.inference_mode():
            seen = torch.cat([network(part) for part in pixels.split(_BATCH)]).double()
        change = seen.diff(dim=0).abs().sum(dim=(0, 2, 3)) / max(seen[1:, 0].numel(), 1)
        return torch.cat([seen.mean(dim=(0, 2, 3)), change]).numpy()
