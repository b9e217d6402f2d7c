"""Training of the embedded tagger: ``python -m spa2v_lib.tiny.tagger``.

Things become classes; wind, applause and invented noises and tones teach "unknown". Recordings of
classes that have several are left out one at a time to measure the tagger on what it never heard;
those of the others are heard through conditions that training did not draw.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

from spa2v_lib.classes import CLASSES
from spa2v_lib.cues.tagging import UNKNOWN, Tagger, features
from spa2v_lib.resources import data_dir, resource
from spa2v_lib.tiny.tagger_data import RATE, excerpt, synthetic
from spa2v_lib.tiny.tagger_net import Training, fit

__all__ = ["main"]

_INVENTED = 25
_TEST_EXCERPTS = 24


@dataclass(frozen=True)
class _Sound:
    """One recording: its file, its class, and features for training and test [n, features]."""

    file: str
    label: str
    train: np.ndarray
    test: np.ndarray


def _sounds(how: Training) -> list[_Sound]:
    made = []
    with resource("recordings", "recordings.csv").open(encoding="utf-8", newline="") as table:
        rows = [(row["file"], row["label"]) for row in csv.DictReader(table)]
    for number, (file, label) in enumerate(rows):
        samples, rate = soundfile.read(resource("recordings", file))
        steps = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
        # a mean of two neighbours is low-pass enough before halving 44.1 kHz
        smooth = np.convolve(samples, [0.25, 0.5, 0.25], mode="same") if rate > RATE else samples
        sound = np.interp(steps, np.arange(len(samples)), smooth)
        name = label if label in CLASSES else UNKNOWN
        made.append(_heard(file, name, sound, number, how))
    rng = np.random.default_rng(how.seed + 1)
    for number in range(_INVENTED):
        made.append(
            _heard(f"invented-{number}", UNKNOWN, synthetic(number, rng), 1000 + number, how)
        )
    return made


def _heard(file: str, label: str, sound: np.ndarray, number: int, how: Training) -> _Sound:
    rng = [np.random.default_rng([how.seed, number, part]) for part in (0, 1)]
    train = [features(excerpt(sound, rng[0], 0.0)) for _ in range(how.excerpts // 10)]
    train += [features(excerpt(sound, rng[0])) for _ in range(how.excerpts - len(train))]
    test = [features(excerpt(sound, rng[1])) for _ in range(_TEST_EXCERPTS)]
    return _Sound(file, label, np.stack(train), np.stack(test))


def _fit(sounds: list[_Sound], labels: tuple[str, ...], how: Training) -> Tagger:
    vectors = np.concatenate([sound.train for sound in sounds])
    targets = [np.full(len(sound.train), labels.index(sound.label)) for sound in sounds]
    return fit(vectors, np.concatenate(targets), labels, how)


def _judge(model: Tagger, sounds: list[_Sound]) -> list[dict[str, object]]:
    """Return one row per sound: the share of excerpts right at first, in three; the answers."""
    rows = []
    for sound in sounds:
        chance = model.probabilities(sound.test)
        order = np.argsort(-chance, axis=1)
        true = model.labels.index(sound.label)
        answers = np.bincount(order[:, 0], minlength=len(model.labels))
        rows.append(
            {
                "file": sound.file,
                "label": sound.label,
                "top1": float((order[:, 0] == true).mean()),
                "top3": float((order[:, :3] == true).any(1).mean()),
                "likely": model.labels[int(answers.argmax())],
                "chance": chance,
                "true": true,
            }
        )
    return rows


def _left_out(
    sounds: list[_Sound], labels: tuple[str, ...], how: Training
) -> list[dict[str, object]]:
    """Judge every real recording of a class with several by a network that never heard it."""
    rows = []
    for sound in sounds:
        fellows = [s for s in sounds if s.label == sound.label and s is not sound]
        if fellows and not sound.file.startswith("invented"):
            others = [s for s in sounds if s is not sound]
            rows += _judge(_fit(others, labels, how), [sound])
            print(f"{sound.file:28s} {rows[-1]['top1']:.2f} {rows[-1]['top3']:.2f}", flush=True)
    return rows


def _temperature(rows: list[dict[str, object]]) -> float:
    """Return the temperature that makes the probabilities of `rows` most honest."""

    def loss(heat: float) -> float:
        total = []
        for row in rows:
            score = np.log(row["chance"] + 1e-12) / heat
            score -= np.log(np.exp(score).sum(1, keepdims=True))
            total.append(-score[:, row["true"]].mean())
        return float(np.mean(total))

    return float(min(np.arange(0.5, 4.05, 0.1), key=loss))


def _mean(rows: list[dict[str, object]], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


_CARD = """# Embedded tagger

A network with one hidden layer ({features} features of 40 mel bands, {units} units,
{classes} classes) that names what sounds in a recording, and says "unknown" for what it was not
taught.

Made by `python -m spa2v_lib.tiny.tagger --seed {seed}` from `data/recordings` (licences there) in
{seconds:.0f} s on one core of {machine}. {excerpts} excerpts of each recording with random gain
course, pitch (±2 semitones), filter, low-pass, room and noise; {steps} steps of {batch}; Adam.
Wind, applause and {invented} invented noises and tones are taught as "unknown".

## Accuracy (share of augmented 3 s excerpts)

| heard in training | recordings | first answer | among three |
|---|---|---|---|
| never: left out one at a time, classes with several | {n_loo} | {loo1:.2f} | {loo3:.2f} |
| never: wind and applause, each left out, right is "unknown" | {n_non} | {non1:.2f} | {non3:.2f} |
| other excerpts of the same recording, classes with one | {n_one} | {one1:.2f} | {one3:.2f} |
| other excerpts of the same recording, all | {n_all} | {all1:.2f} | {all3:.2f} |

Classes with one recording cannot be tested on another: their row says only that room, noise,
filter and pitch are survived. Scores were divided by the temperature {heat:.1f}, which suits the
first and third row together; an answer below 0.4 is given as "unknown".

## Left out, one by one

| recording | class | first answer | among three | most often taken for |
|---|---|---|---|---|
{table}
"""


def _write(folder: Path, model: Tagger, numbers: dict[str, object], table: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {k: np.asarray(v, np.float32) for k, v in vars(model).items() if k != "labels"}
    save_file(arrays, folder / "tagger.safetensors", metadata={"labels": ",".join(model.labels)})
    (folder / "README.md").write_text(_CARD.format(table=table, **numbers), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and write the tagger with its model card."""
    parser = argparse.ArgumentParser(prog="python -m spa2v_lib.tiny.tagger", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder (default: the shipped tagger's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--excerpts", type=int, default=Training.excerpts)
    parser.add_argument("--epochs", type=int, default=Training.epochs)
    asked = parser.parse_args(arguments)
    how = Training(excerpts=asked.excerpts, epochs=asked.epochs, seed=asked.seed)
    begin = time.perf_counter()
    sounds = _sounds(how)
    labels = (*sorted({s.label for s in sounds} - {UNKNOWN}), UNKNOWN)
    model = _fit(sounds, labels, how)
    seconds = time.perf_counter() - begin
    real = [s for s in sounds if not s.file.startswith("invented")]
    single = {s.label for s in real if sum(o.label == s.label for o in real) == 1}
    heard = _judge(model, real)
    left_out = _left_out(sounds, labels, how)
    things = [row for row in left_out if row["label"] != UNKNOWN]
    others = [row for row in left_out if row["label"] == UNKNOWN]
    one = [row for row in heard if row["label"] in single]
    heat = _temperature(things + one)
    model = replace(model, output=model.output / heat, output_bias=model.output_bias / heat)
    numbers = {
        **asdict(how),
        "features": len(model.mean),
        "classes": len(labels),
        "seconds": seconds,
        "machine": platform.machine(),
        "steps": how.epochs * (sum(len(s.train) for s in sounds) // how.batch),
        "invented": _INVENTED,
        "heat": heat,
    }
    for name, rows in (("loo", things), ("non", others), ("one", one), ("all", heard)):
        numbers |= {f"n_{name}": len(rows)}
        numbers |= {f"{name}1": _mean(rows, "top1"), f"{name}3": _mean(rows, "top3")}
    table = "\n".join(
        f"| {row['file']} | {row['label']} | {row['top1']:.2f} | {row['top3']:.2f} "
        f"| {row['likely']} |"
        for row in left_out
    )
    _write(asked.out or data_dir() / "models" / "tagger", model, numbers, table)
    print(json.dumps({k: v for k, v in numbers.items() if isinstance(v, float)}, indent=1))


if __name__ == "__main__":
    main()
