"""Sounds to train the tagger with: ``python -m spa2v_lab.training.collection --out FOLDER``.

Debian's packages hold thousands of sounds with clear licences. ``collection.csv`` says which of
them are what, ``packages.csv`` who made them and under which licence. The packages are downloaded
with ``apt-get``, unpacked without being installed, and what is chosen is written as mono FLAC with
``sounds.csv``. Instruments are played from SoundFonts (`spa2v_lab.training.instruments`). The
sounds themselves are not part of this project; what was learnt from them is.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import struct
import subprocess
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile
import soxr

from spa2v_lab.training.instruments import FONTS, render_instruments
from spa2v_lib.errors import DataError

__all__ = ["FIELDS", "RATE", "collect", "packages", "resource_members", "sound_set_members"]

RATE = 44_100
FIELDS = ("file", "label", "group", "source", "license")
"""Columns of ``sounds.csv``; a group is what must not be split between training and test."""

_LONGEST_S = 6.0
_MOST_OF_A_GROUP = 16
_OF_FLUID = ("musescore-general-soundfont-small",)  # many of its samples are Fluid's
_AUDIO = (".wav", ".ogg", ".flac", ".aif", ".aiff")

Member = tuple[str, Callable[[], bytes]]


def packages() -> dict[str, dict[str, str]]:
    """Return licence and authors of every package, by name."""
    with (files(__package__) / "packages.csv").open(encoding="utf-8") as table:
        return {row["package"]: row for row in csv.DictReader(table)}


def collect(out: Path) -> Path:
    """Download, choose and convert all sounds; return the table.

    Parameters
    ----------
    out : Path
        Folder of the sounds; packages are kept in it, so that a second call downloads nothing.

    Raises
    ------
    DataError
        If a package cannot be downloaded or unpacked, or a rule finds nothing in it.
    """
    rows: list[dict[str, str]] = []
    counts: Counter[str] = Counter()
    known = packages()
    for package, rules in _rules().items():
        chosen = chosen_members(list(_members(_unpacked(package, out))), rules)
        for name, label, content in chosen:
            group = group_of(package, name, label)
            file = f"{package}/{len(rows):05d}.flac"
            counts[group] += 1
            if counts[group] <= _MOST_OF_A_GROUP and _convert(content(), out / file):
                rows.append(_row(file, label, group, f"{package}: {name}", known[package]))
    for font, path in FONTS.items():
        folder = _unpacked(font, out)
        for file, label in render_instruments(folder / path, out, font):
            origin = "fluid-soundfont-gm" if font in _OF_FLUID else font
            rows.append(_row(file, label, f"{origin}:{label}", font, known[font]))
    table = out / "sounds.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    return table


def _row(file: str, label: str, group: str, source: str, package: dict[str, str]) -> dict[str, str]:
    found = (file, label, group, source, package["license"])
    return dict(zip(FIELDS, found, strict=True))


def _rules() -> dict[str, list[tuple[re.Pattern[str], str, int]]]:
    found: dict[str, list[tuple[re.Pattern[str], str, int]]] = {}
    with (files(__package__) / "collection.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            rule = (re.compile(row["pattern"]), row["label"], int(row["most"]))
            found.setdefault(row["package"], []).append(rule)
    return found


def chosen_members(
    members: list[Member], rules: list[tuple[re.Pattern[str], str, int]]
) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yield the members that a rule takes: at most so many of names that differ in digits."""
    for pattern, label, most in rules:
        counts: Counter[str] = Counter()
        for name, content in sorted(members, key=lambda member: member[0]):
            series = re.sub(r"\d+", "", name) if label == "unknown" else str(Path(name).parent)
            series = name if most == 1 else series
            if pattern.search(name) and counts[series] < most:
                counts[series] += 1
                yield name, label, content
        if not counts:
            raise DataError(f"nothing in the package matches {pattern.pattern!r} any more")


def group_of(package: str, name: str, label: str) -> str:
    """Return what a sound must not be parted from: of a package all of a class, or a speaker."""
    if package == "openttd-opensfx":
        return f"{package}:{name}"
    if package == "ktuberling-data" or "codriver" in name:
        return f"{package}:{Path(name).parent.name.split('@')[0]}"
    if label == "unknown":
        return f"{package}:{re.sub(r'[-_ ]*[0-9]+$', '', Path(name).stem)}"
    return f"{package}:{label}"


def _unpacked(package: str, out: Path) -> Path:
    """Return the folder of a package's files, downloaded if it is not there."""
    folder = out / "packages" / package
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", package], cwd=folder.parent, check=True)
        (archive,) = folder.parent.glob(f"{package}_*.deb")
        partial = folder.with_suffix(".partial")
        subprocess.run(["dpkg-deb", "-x", archive, partial], check=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise DataError(f"Debian's package {package} cannot be fetched here: {error}") from error
    partial.rename(folder)
    archive.unlink()
    return folder


def _members(folder: Path) -> Iterator[Member]:
    """Yield name and content of every sound of a package, also of those in archives."""
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        if suffix in _AUDIO and path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes
        elif suffix == ".zip":
            archive = zipfile.ZipFile(path)
            for name in archive.namelist():
                if name.lower().endswith(_AUDIO):
                    yield name, lambda archive=archive, name=name: archive.read(name)
        elif suffix == ".rcc":
            for name, content in resource_members(path.read_bytes()):
                if name.lower().endswith(_AUDIO):
                    yield f"{path.stem}{name}", lambda content=content: content
        elif suffix == ".cat":
            for name, content in sound_set_members(path.read_bytes()):
                yield name, lambda content=content: content


def resource_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files in a resource archive of Qt (``.rcc``)."""
    magic, version, tree, content, names = struct.unpack(">4s4I", data[:20])
    if magic != b"qres":
        raise DataError("no resource archive of Qt")
    size = 14 if version < 2 else 22

    def walk(node: int, prefix: str) -> Iterator[tuple[str, bytes]]:
        at = tree + node * size
        name_at, flags = struct.unpack(">IH", data[at : at + 6])
        if node:
            begin = names + name_at
            length = 2 * struct.unpack(">H", data[begin : begin + 2])[0]
            prefix += "/" + data[begin + 6 : begin + 6 + length].decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack(">II", data[at + 6 : at + 14])
            for child in range(first, first + count):
                yield from walk(child, prefix)
        else:
            begin = content + struct.unpack(">I", data[at + 10 : at + 14])[0]
            length = struct.unpack(">I", data[begin : begin + 4])[0]
            stored = data[begin + 4 : begin + 4 + length]
            yield prefix, zlib.decompress(stored[4:]) if flags & 1 else stored

    yield from walk(0, "")


def sound_set_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the sounds in a sound set of OpenTTD (``.cat``), by number: ``osfx_05.wav``."""
    count = (struct.unpack("<I", data[:4])[0] & 0x7FFFFFFF) // 8
    for number in range(count):
        at, length = struct.unpack("<II", data[8 * number : 8 * number + 8])
        at &= 0x7FFFFFFF
        begin = at + 1 + data[at]
        yield f"osfx_{number:02d}.wav", data[begin : begin + length]


def _convert(content: bytes, path: Path) -> bool:
    """Write a sound as mono FLAC, from where it begins; return whether there is any."""
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return False
    mono = samples.mean(1)
    loud = np.flatnonzero(np.abs(mono) > 1e-3 * np.abs(mono).max(initial=0.0))
    if len(loud) < 0.05 * rate:
        return False
    mono = mono[loud[0] : loud[0] + int(_LONGEST_S * rate)]
    mono = soxr.resample(mono, rate, RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.9 * mono / np.abs(mono).max(), RATE, format="FLAC")
    return True


def main(arguments: list[str] | None = None) -> None:
    """Collect the sounds and print how many there are of each label."""
    parser = argparse.ArgumentParser(prog="python -m spa2v_lab.training.collection")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sounds")
    table = collect(parser.parse_args(arguments).out)
    with table.open(encoding="utf-8") as stream:
        counts = Counter(row["label"] for row in csv.DictReader(stream))
    print(", ".join(f"{label} {count}" for label, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
