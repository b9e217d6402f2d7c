"""Training of the embedded tagger: ``python -m spa2v_lab.training.tagger``.

Things become classes; wind, applause, invented and twisted sounds teach "unknown". What the tagger
can do is measured on recordings and classes that are left out of trainings of their own, and
written into its card.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from spa2v_lab.training.tagger_fit import Training
from spa2v_lab.training.tagger_outliers import INVENTIONS, TWISTS
from spa2v_lab.training.tagger_scores import QUICK, examine
from spa2v_lib.cues.tagging.embedded import SCALARS, EmbeddedTagger
from spa2v_lib.resources import data_dir

__all__ = ["main"]

_CARD = """# Embedded tagger

Names what sounds in 3 s of sound, through {features} statistics of 40 mel bands, and says "unknown"
for what is unlike everything it was taught. Regularised discriminant analysis puts room, noise,
pitch and specimen aside; the class is that of the nearest recording; "unknown" is what lies nearer
to outliers than to known examples (both by five nearest neighbours). No network is trained, so that
every fold of the test below costs a fraction of a second.

Made by `{command}` from `data/recordings` (licences there) in {seconds:.0f} s of processor time on
one core of {machine}, tests included: {excerpts} excerpts of each recording with random course of
level, pitch (±2 semitones), filter, low-pass, room, noise, and now and then another sound mixed in
below (not in the tests). To them come {rounds} simulated scenes in which it is played together with
one or two others, as far as separation finds it there. Outliers: wind and applause, {invented}
invented sounds of {kinds} kinds (noises, tones, sirens, beeps, gusts, rain, voices), and recordings
of single calls and strokes twisted in {twists} ways (reversed, phases scrambled, spectrum shifted
or turned upside down).

## Naming (share of augmented 3 s excerpts; "unknown" not allowed as an answer)

| heard in training | recordings | first answer | among three |
|---|---|---|---|
| never: left out one at a time, classes with several | {loo[recordings]} | {loo[top1]:.2f} \
| {loo[top3]:.2f} |
| the same recording in other rooms, noises and pitches, classes with one | {one[recordings]} \
| {one[top1]:.2f} | {one[top3]:.2f} |
| the same recording in other rooms, noises and pitches, all | {all[recordings]} \
| {all[top1]:.2f} | {all[top3]:.2f} |
| the same recording, taken apart from one or two others | {separated[recordings]} \
| {separated[top1]:.2f} | {separated[top3]:.2f} |

Classes with one recording cannot be tested on another: their row says only that room, noise,
filter and pitch are survived. The first row is what to expect of recordings of your own, if they
sound like one of those shipped.

## Saying "unknown"

Every class was left out once ({classes} trainings), with all that was made of it, and its excerpts
compared with those of known sounds.

| known sounds | AUROC | unknown accepted where 90 % of the known are |
|---|---|---|
| recordings that were taught, in other rooms, noises and pitches | {open[auroc]:.2f} \
| {open[false_acceptance]:.2f} |
| recordings that were left out, of classes that were taught | {open[auroc_unheard]:.2f} \
| {open[false_acceptance_unheard]:.2f} |

The second row says how little one or two specimens of a class tell about a third: to the tagger, it
is nearly as strange as another class. The border was set so that a tenth of the left-out classes
would be accepted. Sounds that were taken apart from others have a border of their own, where a
fifth would be: at a tenth, most of them would stay without a name. With these, and naming nothing
that is less than 40 % probable, this share of excerpts is called unknown:

| sounds | called unknown |
|---|---|
| recordings that were taught, other conditions | {unknown[heard]:.2f} |
| recordings left out, of classes that were taught | {unknown[unheard]:.2f} |
| classes left out | {unknown[foreign]:.2f} |
| recordings that were taught, taken apart from others | {unknown[separated_excerpts]:.2f} |
| classes left out, taken apart from others | {unknown[foreign_separated]:.2f} |
| wind and applause, each left out | {unknown[ambience]:.2f} |
| invented sounds that were not taught | {unknown[strange]:.2f} |

An answer of "unknown" comes with the closest classes; a label given by the user overrides it.

## Recordings left out, one by one

| recording | class | first answer | among three | nearest most often |
|---|---|---|---|---|
{table}

## Confusions of the recordings left out (excerpts; what would be answered)

| class | answers |
|---|---|
{confusion}
"""


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and write the tagger with its model card."""
    parser = argparse.ArgumentParser(
        prog="python -m spa2v_lab.training.tagger", description=__doc__
    )
    parser.add_argument("--out", type=Path, help="folder (default: the shipped tagger's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer excerpts")
    asked = parser.parse_args(arguments)
    how = replace(QUICK if asked.quick else Training(), seed=asked.seed)
    begin = time.process_time()
    model, numbers = examine(how)
    command = f"{parser.prog} --seed {asked.seed}" + " --quick" * asked.quick
    card = _card(model, numbers, how, command, time.process_time() - begin)
    _write(asked.out or data_dir() / "models" / "tagger", model, card)
    print(json.dumps(numbers, indent=1))


def _card(
    model: EmbeddedTagger,
    numbers: dict[str, object],
    how: Training,
    command: str,
    seconds: float,
) -> str:
    left_out = numbers["leave_one_recording_out"]
    rows = [
        f"| {row['file']} | {row['label']} | {row['top1']:.2f} | {row['top3']:.2f} "
        f"| {row['likely']} |"
        for row in left_out["each"]
    ]
    confusion = [
        f"| {label} | {', '.join(f'{name} {count}' for name, count in answers.items())} |"
        for label, answers in numbers["confusion"].items()
    ]
    return _CARD.format(
        features=len(model.mean),
        command=command,
        seconds=seconds,
        machine=platform.machine(),
        excerpts=how.excerpts,
        rounds=how.rounds,
        invented=how.invented,
        kinds=len(INVENTIONS),
        twists=len(TWISTS),
        loo=left_out,
        one=numbers["single_recording"],
        all=numbers["heard_recordings"],
        separated=numbers["separated"],
        classes=numbers["leave_one_class_out"]["classes"],
        open=numbers["leave_one_class_out"],
        unknown=numbers["unknown"],
        table="\n".join(rows),
        confusion="\n".join(confusion),
    )


def _write(folder: Path, model: EmbeddedTagger, card: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(v) for name, v in vars(model).items() if name != "labels"}
    arrays["examples"] = arrays["examples"].astype(np.float16)
    for name in SCALARS:
        arrays[name] = arrays[name].astype(np.float32)
    arrays["owners"] = arrays["owners"].astype(np.uint8)
    arrays["centre_owners"] = arrays["centre_owners"].astype(np.uint8)
    # safetensors takes an array's memory as it lies, and so would mix up a transposed one
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    weights = save(arrays, metadata={"labels": ",".join(model.labels)})
    (folder / "tagger.safetensors").write_bytes(weights)
    (folder / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
