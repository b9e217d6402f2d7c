"""Training of the embedded tagger: ``python -m spa2v_lab.training.tagger``.

With ``--sounds FOLDER`` (of `spa2v_lab.training.collection`, or ESC-10's) sounds are embedded anew;
without, the shipped examples are learnt again, in a minute. What the tagger can do is measured by
``spa2v bench tagging``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from spa2v_lab.training.tagger_examples import (
    Examples,
    embed,
    load_examples,
    read_sounds,
    save_examples,
)
from spa2v_lab.training.tagger_fit import Training, calibrated, fit, held_out
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import EmbeddedTagger
from spa2v_lib.resources import data_dir

__all__ = ["labels_of", "main", "train", "without_recordings", "write"]

_SEPARATED = 240


def labels_of(examples: Examples) -> tuple[str, ...]:
    """Return the classes, and "unknown" last."""
    return (*sorted(set(examples.labels) - {UNKNOWN}), UNKNOWN)


def train(examples: Examples, how: Training | None = None) -> EmbeddedTagger:
    """Learn from all examples; calibrate with folds that were held out."""
    how, labels = how or Training(), labels_of(examples)
    everything = np.ones(len(examples.vectors), bool)
    whole = fit(examples, everything, labels, how)
    return calibrated(whole, examples, held_out(examples, labels, how))


@cache
def without_recordings() -> EmbeddedTagger:
    """Return a tagger that learnt from the shipped examples but those of shipped recordings."""
    examples = load_examples()
    kept = [not examples.groups[k].startswith("recordings:") for k in examples.sounds]
    return train(
        replace(
            examples,
            vectors=examples.vectors[kept],
            sounds=examples.sounds[kept],
            conditions=examples.conditions[kept],
        )
    )


def write(tagger: EmbeddedTagger, folder: Path) -> None:
    """Write ``tagger.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "weights": np.ascontiguousarray(tagger.weights, np.float32),
        "bias": np.asarray(tagger.bias, np.float32),
        "family_exponent": np.array(tagger.family_exponent, np.float32),
    }
    weights = save(arrays, metadata={"labels": ",".join(tagger.labels)})
    (folder / "tagger.safetensors").write_bytes(weights)


def main(arguments: list[str] | None = None) -> None:
    """Train the tagger and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m spa2v_lab.training.tagger", description=__doc__
    )
    parser.add_argument("--out", type=Path, default=data_dir() / "models" / "tagger")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sounds", type=Path, action="append", help="a folder with a table")
    asked = parser.parse_args(arguments)
    if asked.sounds:
        asked.out.mkdir(parents=True, exist_ok=True)
        sounds = read_sounds(asked.sounds)
        save_examples(embed(sounds, asked.seed, _SEPARATED, _progress), asked.out)
    examples = load_examples(asked.out if asked.sounds else None)
    write(train(examples), asked.out)
    counts = Counter(examples.labels)
    print(", ".join(f"{label} {count}" for label, count in sorted(counts.items())))


def _progress(done: int, total: int) -> None:
    if done % 50 == 0:
        print(f"\r{done} of {total}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
