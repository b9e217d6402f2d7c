"""The published CLAP, which compares a sound with any words.

Wu, Chen, Zhang, Hui, Berg-Kirkpatrick and Dubnov, "Large-scale contrastive language-audio
pretraining with feature fusion and keyword-to-caption augmentation", ICASSP 2023; through
transformers. The weights could not be reached where this project is tested: the tests run the same
classes at small width with random weights.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN, Answers
from spa2v_lib.cues.tagging.published import Published, excerpts, load_pretrained
from spa2v_lib.errors import CueError
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["CLAP", "NEUTRAL"]

# This commit holds no safetensors; its weights are read with weights_only=True.
_WEIGHTS = Published(
    "laion/clap-htsat-unfused",
    "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",
    (
        "config.json",
        "preprocessor_config.json",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
        "merges.txt",
    ),
)

NEUTRAL = (
    "This is a sound.",
    "This is background noise.",
    "This is a sound of something else.",
    "This is an unidentifiable sound.",
)
"""Prompts that fit any sound: a label must fit better than the best of them."""

_KNOWN_ACCEPTED = 0.9


class CLAP:
    """Names a sound by the label whose words fit it best.

    Attributes
    ----------
    name : str
    threshold : float
        Least chance of a label that is claimed.
    labels : tuple of str
        As they were given, and "unknown" last.
    margin : float
        How much better than the best neutral prompt a label's cosine has to fit.
    """

    name = "CLAP"
    threshold = 0.3

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        folder: str | Path | None = None,
        margin: float | None = None,
    ) -> None:
        """Load the network and read the labels.

        Parameters
        ----------
        labels : sequence of str, optional
            Any words; our classes if not given.
        folder : path, optional
            Where the weights are; without it they are taken from the hub's cache, or fetched.
        margin : float, optional
            Without it, `calibrated` on the shipped recordings, which takes some seconds.

        Raises
        ------
        CueError
            If a label is empty or given twice, or the weights are not to be had.
        """
        from transformers import ClapModel, ClapProcessor

        wanted = [c.name for c in CLASSES.values()] if labels is None else list(labels)
        chosen = [label.strip() for label in wanted]
        if not chosen or not all(chosen) or len(set(chosen)) < len(chosen) or UNKNOWN in chosen:
            raise CueError(
                f"labels {chosen!r} cannot be told apart: give one or more, each once and not "
                f'empty; "{UNKNOWN}" is understood'
            )
        self._process, self._net = load_pretrained(
            folder or _WEIGHTS.folder(), ClapProcessor.from_pretrained, ClapModel.from_pretrained
        )
        self._net.eval()
        self.labels = (*chosen, UNKNOWN)
        self._words = self._read([_prompt(label) for label in chosen])
        self._neutral = self._read(NEUTRAL)
        self._sharpness = float(self._net.logit_scale_a.detach().exp())
        self.margin = self.calibrated(_shipped()) if margin is None else margin

    def answers(self, sound: Recording) -> Answers:
        """Listen to a sound, 5 s at a time.

        Returns
        -------
        Answers
            Softmax over the labels and the best neutral prompt, which stands for "unknown".
        """
        heard, starts, ends = self._hear(sound)
        fit = heard @ self._words.T
        none = (heard @ self._neutral.T).max(1, keepdims=True, initial=-1.0) + self.margin
        score = self._sharpness * np.concatenate([fit, none], axis=1)
        odds = np.exp(score - score.max(1, keepdims=True, initial=-np.inf))
        chance = odds / odds.sum(1, keepdims=True)
        return Answers(self.labels, starts, ends, chance)

    def calibrated(self, known: Iterable[tuple[str, Recording]]) -> float:
        """Return the margin with which nine of ten known sounds are accepted.

        Parameters
        ----------
        known : iterable of (label, Recording)
        """
        leads = []
        for label, sound in known:
            heard, _, _ = self._hear(sound)
            fit = heard @ self._read([_prompt(label)]).T
            leads.append(float((fit[:, 0] - (heard @ self._neutral.T).max(1)).mean()))
        return float(np.quantile(leads, 1.0 - _KNOWN_ACCEPTED))

    def _read(self, sentences: Sequence[str]) -> np.ndarray:
        """Return unit vectors [sentences, size]."""
        import torch

        inputs = self._process(text=list(sentences), return_tensors="pt", padding=True)
        with torch.no_grad():
            return _unit(self._net.get_text_features(**inputs))

    def _hear(self, sound: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return unit vectors [excerpts, size], and where the excerpts lie."""
        import torch

        extract = self._process.feature_extractor
        vectors: list[np.ndarray] = []
        starts: list[float] = []
        ends: list[float] = []
        for waves, start, end in excerpts(sound, extract.sampling_rate):
            inputs = extract(waves, sampling_rate=extract.sampling_rate, return_tensors="pt")
            with torch.no_grad():
                vectors.append(
                    _unit(
                        self._net.get_audio_features(
                            input_features=inputs["input_features"].float(),
                            is_longer=torch.zeros(len(waves), 1, dtype=torch.bool),
                        )
                    )
                )
            starts += start
            ends += end
        size = self._neutral.shape[1]
        heard = np.concatenate(vectors) if vectors else np.zeros((0, size))
        return heard, np.array(starts), np.array(ends)


def _prompt(label: str) -> str:
    noun = CLASSES[label].noun if label in CLASSES else label
    return f"This is a sound of {noun}."


def _unit(output: object) -> np.ndarray:
    vectors = getattr(output, "pooler_output", output).double().numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _shipped() -> Iterable[tuple[str, Recording]]:
    from spa2v_lib.audio.recording import read_audio

    with resource("recordings", "recordings.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["label"] in CLASSES:
                yield row["label"], read_audio(resource("recordings", row["file"]))
