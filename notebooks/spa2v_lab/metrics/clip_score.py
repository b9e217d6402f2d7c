"""CLIP similarity: how well frames fit a caption, and one another.

- The network: Radford et al., "Learning Transferable Visual Models From Natural Language
  Supervision", ICML 2021, through transformers.
- Frames and caption: the mean cosine over frames, as in Wu et al., "GODIVA", 2021. CLIPScore
  (Hessel et al., EMNLP 2021) is 2.5 times the cosine, and 0 below 0; others print 100 times it.
- Frames and frames: the mean cosine of neighbours, as in Esser et al., "Structure and
  Content-Guided Video Synthesis with Diffusion Models", ICCV 2023, where it is called frame
  consistency. A video that stands still has 1.

Values are plain cosines, in [-1, 1], and belong to the network that is named beside them. CLIP's
processor takes the middle square of a picture: what a wide picture shows at its sides is not seen.
"""

from __future__ import annotations

import os

import numpy as np

from spa2v_lab.metrics.weights import pretrained
from spa2v_lib.video import Video

__all__ = ["CLIP", "ClipSimilarity"]

CLIP = ("openai/clip-vit-base-patch32", "c237dc49a33fc61debc9276459120b7eac67e7ef")
"""Repository on the Hugging Face hub, and revision – that of its conversion to safetensors, as the
main one holds a pickle only."""

_BATCH = 32  # frames at a time


class ClipSimilarity:
    """Compare frames with a caption, and with one another.

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
    >>> clip = ClipSimilarity()  # doctest: +SKIP
    >>> similarity = clip.text(video.frames, "a red bus")  # doctest: +SKIP
    """

    def __init__(
        self, source: str | os.PathLike[str] = CLIP[0], revision: str | None = CLIP[1]
    ) -> None:
        self._processor, self._model, self._device = pretrained(
            "CLIP", source, revision, "CLIPProcessor", "CLIPModel"
        )

    def text(self, frames: np.ndarray, caption: str) -> float:
        """Return the mean cosine between each frame and the caption.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]
        caption : str
            Read up to the network's length, CLIP's 77 tokens; the rest is left out.

        Returns
        -------
        float
            In [-1, 1]; real pictures and their captions have about 0.3.

        Raises
        ------
        VideoError
            If the frames are of another kind.
        """
        return float(np.mean(self._seen(frames) @ self._read(caption)))

    def consistency(self, frames: np.ndarray) -> float:
        """Return the mean cosine of neighbouring frames.

        Parameters
        ----------
        frames : ndarray [shape=(time, height, width, 3), dtype=uint8]

        Returns
        -------
        float
            In [-1, 1]; NaN for a single frame.

        Raises
        ------
        VideoError
            If the frames are of another kind.
        """
        seen = self._seen(frames)
        return float(np.mean(np.sum(seen[1:] * seen[:-1], axis=1))) if len(seen) > 1 else np.nan

    def _seen(self, frames: np.ndarray) -> np.ndarray:
        """Return the frames' embeddings [time, dim], of length 1."""
        import torch

        pictures = list(Video(frames, fps=1.0).frames)  # the rate does not matter
        embedded = []
        with torch.inference_mode():
            for begin in range(0, len(pictures), _BATCH):
                batch = self._processor.image_processor(
                    pictures[begin : begin + _BATCH], return_tensors="pt"
                ).to(self._device)
                pooled = self._model.vision_model(**batch).pooler_output
                embedded.append(self._model.visual_projection(pooled).double().cpu().numpy())
        return _unit(np.concatenate(embedded))

    def _read(self, caption: str) -> np.ndarray:
        """Return the caption's embedding [dim], of length 1."""
        import torch

        asked = self._processor.tokenizer(
            [caption],
            truncation=True,
            max_length=self._model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            pooled = self._model.text_model(**asked).pooler_output
            return _unit(self._model.text_projection(pooled).double().cpu().numpy())[0]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
