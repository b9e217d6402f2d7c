"""Examples for the tagger: embeddings of sounds, each under several conditions.

The sounds are not shipped, but their embeddings are: so anybody can train the tagger again, leave a
recording out and test on it, without the sounds (``data/models/tagger/examples.safetensors``, with
``sounds.csv`` for labels, sources and licences).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from spa2v_lab.scenes.receivers import RECEIVERS
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.training.tagger_outliers import INVENTIONS, invented
from spa2v_lab.training.tagger_views import CONDITIONS, RATE, VIEWS, separated_pair, view
from spa2v_lib.audio import read_audio
from spa2v_lib.cues.tagging.embedded import excerpts
from spa2v_lib.cues.tagging.embedding import Embedding, load_embedding
from spa2v_lib.layout.classes import CLASSES, family_of
from spa2v_lib.resources import data_dir, resource
from spa2v_lib.sampling.loading import bfloat16_is_native

__all__ = ["Examples", "Sound", "embed", "load_examples", "read_sounds", "save_examples"]

_MANY = 25  # sounds of a label
_INVENTED = 6  # of each kind
_SCENES = 6  # of each shipped recording
_STEP = 0.012  # of the square roots, which are stored as bytes
_FIELDS = ("label", "group", "fold", "source", "license")


@dataclass(frozen=True)
class Sound:
    """One sound to learn from.

    Attributes
    ----------
    path : Path
    label : str
        A word of ``objects.csv``, or "unknown".
    group : str
        What must not be parted between training and test: one recording, one speaker, one library.
    fold : int
        Of its own data set; -1 without.
    source, license : str
    """

    path: Path
    label: str
    group: str
    fold: int
    source: str
    license: str


@dataclass(frozen=True)
class Examples:
    """Embedded excerpts.

    Attributes
    ----------
    vectors : ndarray [examples, 512]
    sounds : ndarray of int [examples]
        Which of the sounds it is of.
    conditions : ndarray of int [examples]
        Index in `CONDITIONS`.
    labels, groups, sources, licenses : list of str
        Of the sounds.
    folds : list of int
    """

    vectors: np.ndarray
    sounds: np.ndarray
    conditions: np.ndarray
    labels: list[str]
    groups: list[str]
    folds: list[int]
    sources: list[str]
    licenses: list[str]


_LABELS = {
    "wind": "unknown", "applause": "unknown", "rain": "unknown", "sea waves": "unknown",
    "crackling fire": "unknown", "sneeze": "person", "crying baby": "baby",
    "ticking clock": "clock",
}  # fmt: skip
"""Labels of tables in the words of ``objects.csv``; weather and crowds are no object."""


def read_sounds(folders: Sequence[Path]) -> list[Sound]:
    """Return the sounds of the shipped recordings and of folders with a table.

    Parameters
    ----------
    folders : sequence of Path
        Each with one CSV table that names ``file``, ``label`` and ``license``; without ``group``,
        a file is a recording of its own, and of ESC-10 the takes of one clip are one.
    """
    found = []
    for folder in (data_dir() / "recordings", *folders):
        (table,) = folder.glob("*.csv")
        with table.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                by = f"{row['title']}, {row['author']} ({row['source']})" if "title" in row else ""
                found.append(
                    Sound(
                        folder / row["file"],
                        _LABELS.get(row["label"], row["label"]),
                        row.get("group") or _group(folder.name, row["file"]),
                        int(row["fold"]) - 1 if row.get("fold") else -1,
                        by or row["source"],
                        row["license"],
                    )
                )
    return found


def _group(folder: str, file: str) -> str:
    stem = file.rsplit(".", 1)[0]
    clip = stem.split("-")  # of ESC-10: label_fold, clip, take
    return f"{folder}:{clip[1] if len(clip) == 3 else stem}"


def embed(
    sounds: Sequence[Sound], seed: int, separated: int, progress: Callable[[int, int], None]
) -> Examples:
    """Embed every sound as it is and under other conditions, and `separated` pairs taken apart.

    Sounds of labels with few sounds are embedded under all conditions, those of the others under
    one of them, drawn at random. Shipped recordings are embedded from beginning to end and in
    simulated scenes, too, and invented sounds join them as unknown ones.
    """
    network = load_embedding()
    if bfloat16_is_native():  # elsewhere it is emulated, and takes many times as long
        layers = tuple((k.bfloat16(), b.bfloat16()) for k, b in network.layers)
        network = replace(network, layers=layers)
    labels = [sound.label for sound in sounds]
    groups = [sound.group for sound in sounds]
    found: list[tuple[np.ndarray, int, int]] = []
    for number, sound in enumerate(sounds):
        progress(number, len(sounds) + separated)
        rng = np.random.default_rng([seed, number])
        samples = _read(sound.path)
        chosen = list(range(len(VIEWS)))
        if labels.count(sound.label) > _MANY:
            chosen = [0, int(rng.integers(1, len(chosen)))]
        vectors = network([view(samples, CONDITIONS[k], rng) for k in chosen])
        found += [(vector, number, k) for vector, k in zip(vectors, chosen, strict=True)]
    rng = np.random.default_rng([seed, len(sounds)])
    weights = _balance(labels)
    for number in range(separated):
        progress(len(sounds) + number, len(sounds) + separated)
        pair = [int(k) for k in rng.choice(len(sounds), 2, replace=False, p=weights)]
        parts = separated_pair(*(_read(sounds[k].path) for k in pair), rng)
        for k, part in zip(pair, parts, strict=True):
            if part is not None:
                found.append((network([part])[0], k, CONDITIONS.index("separated")))
    for number in range(len(INVENTIONS) * _INVENTED):
        rng = np.random.default_rng([seed, len(sounds), number])
        found.append((network([view(invented(number, rng), "dry", rng)])[0], len(labels), 0))
        labels.append("unknown")
        groups.append(f"invented:{number % len(INVENTIONS)}")
    found += _whole(sounds, network) + _in_scenes(sounds, network, seed)
    made = len(labels) - len(sounds)
    return Examples(
        np.array([vector for vector, *_ in found], np.float32),
        np.array([number for _, number, _ in found]),
        np.array([condition for *_, condition in found]),
        labels,
        groups,
        [sound.fold for sound in sounds] + [-1] * made,
        [sound.source for sound in sounds] + ["invented"] * made,
        [sound.license for sound in sounds] + ["Apache-2.0"] * made,
    )


def _whole(sounds: Sequence[Sound], network: Embedding) -> list[tuple[np.ndarray, int, int]]:
    """Return every excerpt of the shipped recordings, as they are."""
    shipped = [k for k, sound in enumerate(sounds) if sound.group.startswith("recordings:")]
    return [
        (network([part])[0], number, CONDITIONS.index("dry"))
        for number in shipped
        for part, _ in excerpts(read_audio(sounds[number].path))
    ]


def _in_scenes(
    sounds: Sequence[Sound], network: Embedding, seed: int
) -> list[tuple[np.ndarray, int, int]]:
    """Return excerpts of what receivers record of the shipped recordings in simulated scenes."""
    found = []
    for number, sound in enumerate(sounds):
        if not sound.group.startswith("recordings:") or sound.label not in CLASSES:
            continue
        for turn in range(_SCENES):
            rng = np.random.default_rng([seed, number, turn])
            indoors = family_of(sound.label) == "instrument" and turn % 2 == 1
            scene = sample_scene(
                int(rng.integers(2**31)),
                motion="stationary" if indoors else None,
                labels=(sound.label,),
                recordings={sound.label: (sound.path.name,)},
                receiver=str(rng.choice(list(RECEIVERS))),
                rt60_s=float(rng.uniform(0.3, 0.7)) if indoors else 0.0,
                noise_db=float(rng.uniform(-45.0, -15.0)),
            )
            for part, _ in excerpts(render_sound(scene)):
                found.append((network([part])[0], number, CONDITIONS.index("scene")))
    return found


def _balance(labels: Sequence[str]) -> np.ndarray:
    counts = {label: labels.count(label) for label in set(labels)}
    weights = np.array([1.0 / counts[label] ** 0.7 for label in labels])
    return weights / weights.sum()


def _read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, RATE)


def save_examples(examples: Examples, folder: Path) -> None:
    """Write ``examples.safetensors`` and ``sounds.csv``."""
    from safetensors.numpy import save_file

    steps = np.clip(np.round(np.sqrt(examples.vectors) / _STEP), 0, 255).astype(np.uint8)
    arrays = {
        "vectors": steps,
        "sounds": examples.sounds.astype(np.uint16),
        "conditions": examples.conditions.astype(np.uint8),
    }
    save_file(arrays, folder / "examples.safetensors")
    with (folder / "sounds.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_FIELDS)
        writer.writerows(
            zip(
                examples.labels, examples.groups, examples.folds, examples.sources,
                examples.licenses, strict=True,
            )
        )  # fmt: skip


def load_examples(folder: Path | None = None) -> Examples:
    """Read what `save_examples` wrote, by default the shipped examples."""
    from safetensors.numpy import load_file

    place = folder or resource("models", "tagger")
    arrays = load_file(place / "examples.safetensors")
    with (place / "sounds.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return Examples(
        (arrays["vectors"].astype(np.float32) * _STEP) ** 2,
        arrays["sounds"].astype(int),
        arrays["conditions"].astype(int),
        [row["label"] for row in rows],
        [row["group"] for row in rows],
        [int(row["fold"]) for row in rows],
        [row["source"] for row in rows],
        [row["license"] for row in rows],
    )
