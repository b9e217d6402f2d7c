"""The published Audio Spectrogram Transformer, which knows the 527 labels of AudioSet.

Gong, Chung and Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021; the weights are
those fine-tuned on AudioSet, through transformers. They could not be reached where this project is
tested: the tests run the same classes at small width with random weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN, Answers
from spa2v_lib.cues.tagging.published import Published, excerpts, load_pretrained
from spa2v_lib.errors import CueError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["AST", "CLASS_OF", "KINDS"]

_WEIGHTS = Published(
    "MIT/ast-finetuned-audioset-10-10-0.4593",
    "f826b80d28226b62986cc218e5cec390b1096902",
    ("config.json", "preprocessor_config.json", "model.safetensors"),
)

_LABELS_OF = {
    "ambulance": ("Ambulance (siren)",),
    "bus": ("Bus",),
    "car": (
        "Car",
        "Car alarm",
        "Car passing by",
        "Race car, auto racing",
        "Vehicle horn, car horn, honking",
    ),
    "fire_engine": ("Fire engine, fire truck (siren)",),
    "motorcycle": ("Motorcycle",),
    "truck": ("Truck", "Air horn, truck horn"),
    "train": (
        "Train",
        "Train whistle",
        "Train horn",
        "Rail transport",
        "Railroad car, train wagon",
    ),
    "airplane": ("Fixed-wing aircraft, airplane",),
    "helicopter": ("Helicopter",),
    "bird": (
        "Bird",
        "Bird vocalization, bird call, bird song",
        "Chirp, tweet",
        "Squawk",
        "Pigeon, dove",
        "Coo",
        "Crow",
        "Caw",
        "Owl",
        "Hoot",
        "Bird flight, flapping wings",
    ),
    "ship": ("Ship",),
    "cow": ("Cattle, bovinae", "Moo"),
    "dog": ("Dog", "Bark", "Yip", "Bow-wow", "Whimper (dog)"),
    "horse": ("Horse", "Clip-clop", "Neigh, whinny"),
    "sheep": ("Sheep",),
    "bell": (
        "Bell",
        "Church bell",
        "Jingle bell",
        "Bicycle bell",
        "Cowbell",
        "Tubular bells",
        "Change ringing (campanology)",
    ),
    "drum": (
        "Drum",
        "Drum kit",
        "Snare drum",
        "Rimshot",
        "Drum roll",
        "Bass drum",
        "Timpani",
        "Tabla",
    ),
    "guitar": (
        "Guitar",
        "Electric guitar",
        "Bass guitar",
        "Acoustic guitar",
        "Steel guitar, slide guitar",
        "Tapping (guitar technique)",
        "Strum",
    ),
}

CLASS_OF: dict[str, str] = {label: name for name, labels in _LABELS_OF.items() for label in labels}
"""Labels of AudioSet that surely are one of our classes; "Roar", say, need not be a lion's."""

KINDS = frozenset(
    {
        "Animal",
        "Domestic animals, pets",
        "Livestock, farm animals, working animals",
        "Wild animals",
        "Music",
        "Musical instrument",
        "Plucked string instrument",
        "Percussion",
        "Vehicle",
        "Motor vehicle (road)",
        "Emergency vehicle",
        "Aircraft",
        "Engine",
        "Sound effect",
        "Noise",
        "Environmental noise",
        "Silence",
        "Reverberation",
        "Echo",
        "Field recording",
        "Inside, small room",
        "Inside, large room or hall",
        "Inside, public space",
        "Outside, urban or manmade",
        "Outside, rural or natural",
    }
)
"""Labels that name a kind, a place or no thing: never an answer, as nobody could draw them."""


class AST:
    """Names a sound by AudioSet, in our own classes where they are sure.

    Attributes
    ----------
    name : str
    threshold : float
        AudioSet labels are judged apart, each in [0, 1]; below this none is claimed. It has not
        been calibrated, as the weights could not be reached where this project is tested.
    labels : tuple of str
        Our classes, then AudioSet's own labels for what is none of them, then "unknown".
    """

    name = "AST"
    threshold = 0.2

    def __init__(self, folder: str | Path | None = None) -> None:
        """Load the network.

        Parameters
        ----------
        folder : path, optional
            Where the weights are; without it they are taken from the hub's cache, or fetched.

        Raises
        ------
        CueError
            If they are not to be had, or are no AST's.
        """
        from transformers import ASTFeatureExtractor, ASTForAudioClassification

        place = folder or _WEIGHTS.folder()
        self._extract, self._net = load_pretrained(
            place, ASTFeatureExtractor.from_pretrained, ASTForAudioClassification.from_pretrained
        )
        self._net.eval()
        names = [self._net.config.id2label[k] for k in range(self._net.config.num_labels)]
        heads = [None if name in KINDS else CLASS_OF.get(name, name) for name in names]
        self.labels = (*dict.fromkeys(head for head in heads if head), UNKNOWN)
        if len(self.labels) == 1:
            raise CueError(f"{place} holds a network without labels of AudioSet")
        self._columns = [
            [k for k, head in enumerate(heads) if head == label] for label in self.labels[:-1]
        ]

    def answers(self, sound: Recording) -> Answers:
        """Listen to a sound, 5 s at a time."""
        import torch

        rate = self._extract.sampling_rate
        chance: list[np.ndarray] = []
        starts: list[float] = []
        ends: list[float] = []
        for waves, start, end in excerpts(sound, rate):
            inputs = self._extract(waves, sampling_rate=rate, return_tensors="pt")
            with torch.no_grad():
                score = torch.sigmoid(self._net(inputs["input_values"].float()).logits)
            chance.append(self._in_our_words(score.double().numpy()))
            starts += start
            ends += end
        columns = np.concatenate(chance) if chance else np.zeros((0, len(self.labels)))
        return Answers(self.labels, np.array(starts), np.array(ends), columns)

    def _in_our_words(self, score: np.ndarray) -> np.ndarray:
        """Return [excerpts, labels] from AudioSet's scores: of several names the likeliest."""
        known = np.stack([score[:, columns].max(1) for columns in self._columns], axis=1)
        return np.concatenate([known, 1.0 - known.max(1, keepdims=True)], axis=1)
