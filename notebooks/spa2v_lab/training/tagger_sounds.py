"""Every sound that the tagger is taught or tested with, as features."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import soundfile

from spa2v_lab.training.tagger_data import RATE, excerpt
from spa2v_lab.training.tagger_fit import Heard, Training
from spa2v_lab.training.tagger_outliers import TWISTS, invented, twisted
from spa2v_lab.training.tagger_separated import separated_excerpts
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import features
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.resources import resource

__all__ = ["Sounds", "listen"]

_MIXED_IN = 8
_KNOWN, _INVENTED, _TWISTED, _OTHERS, _APART = range(5)  # first words of the seeds


@dataclass(frozen=True)
class Sounds:
    """What was heard.

    Attributes
    ----------
    known : tuple of Heard
        Recordings of classes.
    ambience : tuple of Heard
        Recordings of what is no class.
    invented, twisted : tuple of Heard
        Outliers for training.
    strange : tuple of Heard
        Invented sounds that no training hears.
    """

    known: tuple[Heard, ...]
    ambience: tuple[Heard, ...]
    invented: tuple[Heard, ...]
    twisted: tuple[Heard, ...]
    strange: tuple[Heard, ...]

    def without(self, files: Iterable[str]) -> list[Heard]:
        """Return all that is for training but some recordings, and what was made of them."""
        gone = set(files)
        everything = (*self.known, *self.ambience, *self.invented, *self.twisted)
        return [sound for sound in everything if sound.file not in gone]


@lru_cache(maxsize=2)
def listen(how: Training) -> Sounds:
    """Hear every shipped recording and every outlier through random conditions."""
    table = [
        (row["file"], row["label"] if row["label"] in CLASSES else UNKNOWN, row["loop"])
        for row in _rows()
    ]
    others = [invented(k, np.random.default_rng([how.seed, _OTHERS, k])) for k in range(_MIXED_IN)]
    few = how.strange_excerpts
    real, bent = [], []
    for number, (file, label, course) in enumerate(table):
        sound = _read(file)
        seed = [how.seed, _KNOWN, number]
        real.append(_heard(file, label, sound, others, seed, how.excerpts, how.tests))
        for kind in range(len(TWISTS)) if course == "repeat" else ():
            seed = [how.seed, _TWISTED, number, kind]
            other = twisted(sound, kind, np.random.default_rng([*seed, 9]))
            bent.append(_heard(file, UNKNOWN, other, others, seed, few, 0))
    made = []
    for number in range(how.invented + how.invented // 2):
        seed = [how.seed, _INVENTED, number]
        sound = invented(number, np.random.default_rng([*seed, 9]))
        parts = (few, 0) if number < how.invented else (0, few)
        made.append(_heard(f"invented-{number}", UNKNOWN, sound, others, seed, *parts))
    real = _with_separated(real, how)
    return Sounds(
        known=tuple(sound for sound in real if sound.label != UNKNOWN),
        ambience=tuple(sound for sound in real if sound.label == UNKNOWN),
        invented=tuple(made[: how.invented]),
        twisted=tuple(bent),
        strange=tuple(made[how.invented :]),
    )


def _with_separated(real: list[Heard], how: Training) -> list[Heard]:
    """Add what is left of the recordings where they are taken apart from others."""
    files = [sound.file for sound in real]
    taught, tested = (
        separated_excerpts(files, rounds, [how.seed, _APART, part])
        for part, rounds in enumerate((how.rounds, how.test_rounds))
    )
    return [
        replace(
            sound,
            train=np.concatenate([sound.train, taught.get(sound.file, sound.train[:0])]),
            separated=tested.get(sound.file, sound.separated),
        )
        for sound in real
    ]


def _rows() -> list[dict[str, str]]:
    with resource("recordings", "recordings.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def _read(file: str) -> np.ndarray:
    """Read a recording [time] at 22 050 Hz."""
    samples, rate = soundfile.read(resource("recordings", file))
    steps = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
    # a mean of two neighbours is low-pass enough before halving 44.1 kHz
    smooth = np.convolve(samples, [0.25, 0.5, 0.25], mode="same") if rate > RATE else samples
    return np.interp(steps, np.arange(len(samples)), smooth)


def _heard(
    file: str,
    label: str,
    sound: np.ndarray,
    others: list[np.ndarray],
    seed: list[int],
    train: int,
    test: int,
) -> Heard:
    """Hear a sound; every tenth excerpt for training is as recorded, none for a test is mixed."""
    teach, probe = (np.random.default_rng([*seed, part]) for part in (0, 1))
    taught = [
        features(excerpt(sound, teach, float(k >= train // 10), others[k % len(others)]))
        for k in range(train)
    ]
    tested = [features(excerpt(sound, probe)) for k in range(test)]
    none = np.zeros((0, len(taught[0])) if taught else (0, 0), np.float32)
    parts = (np.stack(part) if part else none for part in (taught, tested, []))
    return Heard(file, label, *parts)
