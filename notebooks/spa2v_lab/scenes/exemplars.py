"""The script that makes ``data/exemplars``: ``python -m spa2v_lab.scenes.exemplars``.

It takes a few minutes, and writes the same every time, as long as hearing measures the same and
the sounds are compressed alike. How many scenes had to be drawn is written in the README beside
them.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from spa2v_lab.scenes.exemplar_scenes import PLANS, Made, make_exemplar
from spa2v_lib.files import replacing
from spa2v_lib.planning.exemplars import SOUNDS, Exemplar
from spa2v_lib.planning.prompt import clips
from spa2v_lib.resources import data_dir, resource

__all__ = ["write_exemplars"]

_DIGITS = {"itd_s": 6, "x0": 4, "x1": 4, "y0": 4, "y1": 4, "times_s": 3, "key_times_s": 4}
_USUAL_DIGITS = 2
_COMPRESSION = 0.95  # of Opus, about 20 kbit/s: sides are still audible, and little is stored
_COLUMNS = ("file", "label", "title", "author", "license", "source")


def write_exemplars(folder: str | Path | None = None) -> Path:
    """Make every exemplar and write ``exemplars.jsonl``, its sounds, their table and ``README.md``.

    Parameters
    ----------
    folder : str or Path, optional
        Where to; ``data/exemplars`` if not given.

    Returns
    -------
    pathlib.Path
        The file of exemplars.

    See Also
    --------
    spa2v_lab.scenes.exemplar_scenes.make_exemplar : makes one

    Examples
    --------
    >>> write_exemplars("exemplars")  # doctest: +SKIP
    """
    target = Path(folder) if folder else data_dir() / "exemplars"
    exemplars, tries = [], 0
    for number in range(len(PLANS)):
        made = make_exemplar(number)
        exemplars, tries = exemplars + made.exemplars, tries + made.tries
        _write_sound(target, made)
        print(f"{number + 1}/{len(PLANS)}: {made.tries} drawn", flush=True)
    with replacing(target / "exemplars.jsonl") as partial:
        partial.write_text("".join(map(_line, exemplars)), encoding="utf-8")
    _write_licences(target, exemplars)
    _write_readme(target, exemplars, tries)
    return target / "exemplars.jsonl"


def _write_sound(folder: Path, made: Made) -> None:
    """Write the left clip and then the right one into one channel.

    As two channels they would be coded together, which does not keep what differs between them.
    """
    drawn = made.exemplars[0]
    parts = clips(made.sound, drawn.cues.capture.format)
    samples, rates = zip(*(soundfile.read(io.BytesIO(part.wav)) for part in parts), strict=True)
    with replacing(folder / SOUNDS / f"{drawn.family}.ogg") as partial:
        soundfile.write(
            partial,
            np.concatenate(samples),
            rates[0],
            format="OGG",
            subtype="OPUS",
            compression_level=_COMPRESSION,
        )


def _line(exemplar: Exemplar) -> str:
    values = rounded(json.loads(exemplar.model_dump_json()))
    line = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    Exemplar(**json.loads(line))  # rounding must not break what belongs together
    return line + "\n"


def rounded(value: Any, name: str = "") -> Any:
    """Round every number to the digits that its name needs.

    A confidence below 1 stays below.
    """
    if isinstance(value, dict):
        return {key: rounded(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, name) for item in value]
    if isinstance(value, float):
        digits = _DIGITS.get(name, _USUAL_DIGITS)
        most = 1.0 - 10.0**-digits if name.endswith("confidence") and value < 1.0 else value
        return round(min(value, most), digits) + 0.0
    return value


def _write_licences(folder: Path, exemplars: list[Exemplar]) -> None:
    """Write whose recordings sound in which scenes."""
    scenes: dict[str, list[str]] = {}
    for exemplar in exemplars:
        if exemplar.variant == "drawn":
            for file in exemplar.recordings:
                scenes.setdefault(file, []).append(exemplar.family)
    with resource("recordings", "recordings.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["file"] in scenes]
    with (
        replacing(folder / "recordings.csv") as partial,
        partial.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow((*_COLUMNS, "scenes"))
        for row in rows:
            table.writerow((*(row[name] for name in _COLUMNS), " ".join(scenes[row["file"]])))


def _write_readme(folder: Path, exemplars: list[Exemplar], tries: int) -> None:
    mirrored = sum(exemplar.variant == "mirrored" for exemplar in exemplars)
    counts = Counter(name for exemplar in exemplars for name in exemplar.attributes)
    rows = "\n".join(f"| {name} | {count} |" for name, count in sorted(counts.items()))
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    text = text.format(
        count=len(exemplars),
        mirrored=mirrored,
        drawn=len(exemplars) - mirrored,
        kept=len(PLANS),
        tries=tries,
        rows=rows,
    )
    with replacing(folder / "README.md") as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_exemplars()
