"""What the README claims to have measured stands in the committed results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spa2v_lab.bench.run_tables import results_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "data/results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.\[])\d+(?:\.\d+)?(?![\w\]])")


def claims() -> list[tuple[str, str]]:
    """Return the cells of the README's table of measurements, each with its benchmark's name."""
    section = README[README.index("## Measured") : README.index("## Use")]
    found, name = [], ""
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or cells[1] in ("", "---") or set(cells[1]) <= {"-"}:
            continue
        command = re.search(r"spa2v bench (\w+)", cells[2])
        name = command.group(1) if command else name
        if (RESULTS / f"{name}.json").is_file():
            found.append((cells[1], name))
    return found


def measured(name: str) -> list[float]:
    """Return every mean and every goal's value of a benchmark."""
    content = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    if name == "run":
        content = results_of(content, 0).as_dict()
    means = [m["mean"] for row in content["rows"] for m in row["measures"].values()]
    counts = [float(row["count"]) for row in content["rows"]]
    return [v for v in (*means, *counts, *(g["value"] for g in content["goals"])) if v is not None]


def numbers(text: str) -> Iterator[tuple[str, float]]:
    for match in NUMBER.finditer(text.replace("**", "")):
        yield match.group(), float(match.group())


Where = tuple[str, str, str]  # method, condition, measure
KNOWN = "spa2v, format known"
HEADLINES: dict[str, tuple[str, tuple[Where, ...]]] = {
    "a sampled object in its box": ("sampling", (
        ("gligen", "one object", "IoU"), ("migc", "one object", "IoU"),
        ("lvd", "one object", "IoU"), ("attention", "one object", "IoU"),
        ("none", "one object", "IoU"), ("drawn", "one object", "IoU"),
    )),
    "the same against the mirrored layout": ("sampling", (
        ("mirrored layout", "one object", "IoU"),
    )),
    "two objects, mean IoU": ("sampling", (
        ("gligen", "two objects", "IoU"), ("migc", "two objects", "IoU"),
        ("none", "two objects", "IoU"), ("drawn", "two objects", "IoU"),
    )),
    "one source's direction": ("hearing", (
        (KNOWN, "1 source, 20 dB, anechoic", "azimuth median °"),
        (KNOWN, "1 source, 20 dB, RT60 0.3 s", "azimuth median °"),
        (KNOWN, "1 source, 20 dB, RT60 0.6 s", "azimuth median °"),
        ("raw ILD", "1 source, 20 dB, anechoic", "azimuth median °"),
    )),
    "number of sources right": ("hearing", tuple(
        (KNOWN, f"{count}, 20 dB", "count right %")
        for count in ("1 source", "2 sources", "3 sources")
    )),
    "90 % intervals hold the truth": ("hearing", tuple(
        (KNOWN, "any number, 20 dB", f"{what} coverage %") for what in ("azimuth", "range", "count")
    )),
    "crossing in the right direction": ("hearing", (
        (KNOWN, "1 source, 20 dB", "crossing right %"),
        (KNOWN, "1 source, 20 dB", "false motion %"),
    )),
    "coming or going told right": ("hearing", ((KNOWN, "1 source, 20 dB", "radial right %"),)),
    "the whole pipeline, told nothing": ("run", tuple(
        (f"layouts: {method}", "all", measure)
        for method in (
            "full", "without spatial reasoning", "copy nearest exemplar", "another clip",
            "full, true labels",
        )
        for measure in ("MaxIoU", "LTSim")
    )),
    "the same by kind, MaxIoU": ("run", tuple(
        ("layouts: full", kind, "MaxIoU")
        for kind in ("translational, single", "stationary, single", "stationary, multiple")
    )),
    "videos of true layouts": ("run", tuple(
        (f"videos: {method}", "all", "LTSim")
        for method in (
            "true layout", "true layout, MIGC", "true layout, no grounding",
            "drawn from the true layout",
        )
    )),
}  # fmt: skip
"""First numbers of the README's main rows: benchmark, and whose mean each is, in order."""


@pytest.mark.parametrize("begin", HEADLINES)
def test_the_main_rows_hold_the_means_of_the_rows_that_they_speak_of(begin: str):
    name, places = HEADLINES[begin]
    content = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    rows = results_of(content, 0).as_dict()["rows"] if name == "run" else content["rows"]
    means = {(r["method"], r["condition"]): r["measures"] for r in rows}
    (line,) = (one for one in README.splitlines() if one.startswith(f"| {begin}"))
    written = [text for text, _ in numbers(line.split("|")[2])]
    for text, (method, condition, measure) in zip(written, places, strict=False):
        value = means[method, condition][measure]["mean"]
        half = 0.5 * 10.0 ** -len(text.partition(".")[2])
        assert value == pytest.approx(float(text), abs=half + 1e-9), (method, condition, measure)
    assert len(written) >= len(places)


def test_there_are_claims_to_check():
    assert {name for _, name in claims()} >= {"planning", "run", "sampling"}


@pytest.mark.parametrize("claim, name", claims(), ids=lambda value: str(value)[:40])
def test_every_number_of_a_claim_is_a_row_s_mean_or_count(claim: str, name: str):
    known = measured(name)
    for written, value in numbers(claim):
        digits = len(written.partition(".")[2])
        scales = (1.0, 100.0)  # shares may be written in percent
        near = [v for v in known for s in scales if abs(round(s * v, digits) - value) < 1e-9]
        assert near, f"{written} in {claim!r}: no row of spa2v bench {name} says so"
