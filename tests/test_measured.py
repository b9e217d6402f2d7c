"""What the README claims to have measured stands in the committed results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spa2v_lib.bench.run_tables import results_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "data/results"
NUMBER = re.compile(r"(?<![\w.\[])\d+(?:\.\d+)?(?![\w\]])")


def claims() -> list[tuple[str, str]]:
    """Return the cells of the README's table of measurements, each with its benchmark's name."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Measured") : text.index("## Use")]
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
