"""Open-vocabulary detectors: where in a frame is what a word names.

Paper: Minderer et al., "Simple Open-Vocabulary Object Detection with Vision Transformers", ECCV
2022 (OWL-ViT), through transformers. It judges videos of the real world; the tiny suite's drawn
world has a judge of its own, `spa2v_lib.sampling.tiny_detector`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spa2v_lib.errors import DataError
from spa2v_lib.layout.box import Box
from spa2v_lib.sampling.sources import FOLDER_VARIABLE

__all__ = ["OWLVIT", "Detection", "Detects", "OwlVit", "detection_in_frame"]

OWLVIT = ("google/owlvit-base-patch32", "cbc355fb364588351c5d51c7f74465e8e7ec6f72")
"""Repository on the Hugging Face hub, and revision."""

_LEAST_SIDE = 1e-4


@dataclass(frozen=True)
class Detection:
    """One detected object: its label, a score in [0, 1] and its box.

    See Also
    --------
    OwlVit : Makes them.

    Examples
    --------
    >>> Detection("dog", 0.9, Box(x0=0.1, y0=0.2, x1=0.4, y1=0.6)).label
    'dog'
    """

    label: str
    score: float
    box: Box


class Detects(Protocol):
    """A detector.

    See Also
    --------
    OwlVit : One for pictures of the world.

    Examples
    --------
    >>> Detects.detect.__name__
    'detect'
    """

    def detect(self, frames: np.ndarray, labels: Sequence[str]) -> list[list[Detection]]:
        """Detect the objects that `labels` name.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        labels : sequence of str

        Returns
        -------
        list of list of Detection
            For each frame, the best first.
        """
        ...


class OwlVit:
    """Detect what words name.

    Parameters
    ----------
    source : str or path
        Repository on the hub, or a folder that holds model and processor. The folder of that name
        in ``SPA2V_WEIGHTS``, if there is one, comes first.
    revision : str, optional
        Of the repository.
    threshold : float
        Least score, in [0, 1]. Typical 0.05 to 0.3.
    local : bool
        Take what is on this machine, and download nothing.
    device : str, optional
        Such as "cpu"; a GPU if there is one and nothing is given.

    Raises
    ------
    DataError
        If the weights are neither on this machine nor to be had from the hub.

    See Also
    --------
    spa2v_lib.sampling.tiny_detector.detect : For videos of the small suite.

    Examples
    --------
    >>> OwlVit("a folder that is not there")
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: no detector's weights at a folder that is not there: ...
    """

    def __init__(
        self,
        source: str | os.PathLike[str] = OWLVIT[0],
        revision: str | None = OWLVIT[1],
        threshold: float = 0.1,
        *,
        local: bool = False,
        device: str | None = None,
    ) -> None:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import torch
        from transformers import OwlViTForObjectDetection, OwlViTProcessor

        from spa2v_lib.sampling.tensors import load_part

        own = os.environ.get(FOLDER_VARIABLE)
        if own and os.path.isdir(os.path.join(own, source)):
            source = os.path.join(own, source)
        kept = {} if os.path.isdir(source) else {"revision": revision, "local_files_only": local}
        try:
            self._processor = OwlViTProcessor.from_pretrained(source, **kept)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            if local:
                reason = "they are not on this machine; spa2v doctor --preset fetches them"
            raise DataError(f"no detector's weights at {source}: {reason}") from error
        self._model = load_part(OwlViTForObjectDetection, source, use_safetensors=True, **kept)
        self._model.eval()
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device)
        self._threshold = threshold

    def detect(self, frames: np.ndarray, labels: Sequence[str]) -> list[list[Detection]]:
        """Detect the objects that `labels` name.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        labels : sequence of str
            Such as "dog"; the prompt is "a photo of a dog".

        Returns
        -------
        list of list of Detection
            For each frame, the best first; at most one a box, of its most probable label.
        """
        return [self._in_frame(frame, tuple(labels)) for frame in frames]

    def _in_frame(self, frame: np.ndarray, labels: tuple[str, ...]) -> list[Detection]:
        import torch

        asked = self._processor(
            text=[[f"a photo of a {label}" for label in labels]],
            images=[frame],
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            found = self._model(**asked)
        scores, which = found.logits[0].float().sigmoid().cpu().max(dim=-1)
        boxes = found.pred_boxes[0].float().cpu().numpy()  # in shares of the picture, as asked
        order = scores.argsort(descending=True).tolist()
        kept = (detection_in_frame(labels[which[i]], float(scores[i]), boxes[i]) for i in order)
        return [d for d in kept if d is not None and d.score >= self._threshold]


def detection_in_frame(label: str, score: float, found: np.ndarray) -> Detection | None:
    """Make a detection whose box lies within the picture.

    Parameters
    ----------
    label : str
        Class of the object.
    score : float
        Confidence, in [0, 1].
    found : np.ndarray [shape=(4,)]
        Centre x and y, width and height, in shares of the picture; may reach beyond it.

    Returns
    -------
    Detection or None
        None if nothing of the box lies within the picture.

    Examples
    --------
    >>> detection_in_frame("car", 0.5, np.array([0.05, 0.5, 0.3, 0.2])).box.x0
    0.0
    """
    x, y, width, height = found
    low, high = (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)
    x0, y0, x1, y1 = (float(np.clip(v, 0.0, 1.0)) for v in (*low, *high))
    if x1 - x0 < _LEAST_SIDE or y1 - y0 < _LEAST_SIDE:
        return None
    return Detection(label, score, Box(x0=x0, y0=y0, x1=x1, y1=y1))
