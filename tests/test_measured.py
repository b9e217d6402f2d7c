"""Every number that README and book quote from a benchmark is its row's, and names it.

``data/results/quoted.csv`` holds a line for each number in a quoting passage, in the order of the
text: the file, the words that the passage begins with (of a table's row, its first cell), and the
benchmark's row; "count of" a share is how many it is of all. Of a number that no row holds (how
many scenes there were, say) the line says so with "-" and gives the number itself.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from spa2v_lab.bench.frame import Results
from spa2v_lab.bench.raw import read
from spa2v_lab.bench.run_tables import results_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "data/results"
NUMBER = re.compile(r"(?<![\w.\[/])(\d+(?:\.\d+)?)(?![\w\]/])( %)?")

QUOTING = {  # sections that quote; "" stands for the whole file
    "README.md": "## Measured",
    "book/measured.md": "",
    "notebooks/hearing.py": "## Where it fails",
}


class Quote(NamedTuple):
    """A line of the table."""

    place: str
    passage: str
    benchmark: str
    method: str
    condition: str
    measure: str


with (RESULTS / "quoted.csv").open(newline="", encoding="utf-8") as stream:
    QUOTES = [Quote(**line) for line in csv.DictReader(stream)]
BY_PASSAGE = {key: list(of) for key, of in groupby(QUOTES, key=lambda q: (q.place, q.passage))}


@cache
def results(benchmark: str) -> Results:
    path = RESULTS / f"{benchmark}.json"
    return results_of(read(path), 0) if benchmark == "run" else Results.read(path)


def measured(quote: Quote) -> float:
    """Return the value that a quote names."""
    if quote.method == "goal":
        (value,) = {g.value for g in results(quote.benchmark).goals if g.name == quote.condition}
        return value
    place = (quote.method, quote.condition)
    (row,) = (r for r in results(quote.benchmark).rows if (r.method, r.condition) == place)
    if quote.measure == "count":
        return row.count
    if quote.measure.startswith("count of "):
        share = row.measures[quote.measure.removeprefix("count of ")]
        return share.mean * share.count
    return row.measures[quote.measure].mean


def section(place: str) -> str:
    """Return the part of a file that quotes, as Markdown."""
    text = (ROOT / place).read_text(encoding="utf-8")
    if place.endswith(".py"):
        lines = [line[2:] for line in text.splitlines() if line.startswith("# ") or line == "#"]
        text = "\n".join("" if line.startswith("%%") else line for line in lines)
    if not QUOTING[place]:
        return text
    begin = text.index(QUOTING[place] + "\n") + len(QUOTING[place])
    return re.split(r"\n#{1,2} ", text[begin:])[0]


@cache
def passages(place: str) -> list[tuple[str, str]]:
    """Return head and text of every row of a table, item of a list and paragraph.

    The head of a row is its first cell, and its text the second; a row's third cell is its command.
    """
    found = []
    for block in re.split(r"\n\s*\n|\n(?=[|-] |\|)", section(place)):
        words = " ".join(block.split()).replace("**", "").removeprefix("- ")
        cells = [cell.strip() for cell in words.strip("|").split("|")]
        if words.startswith("|"):
            found.append((cells[0], cells[1]))
        elif words and not words.startswith(("#", "```", "<!")):
            found.append((words, words))
    return found


@pytest.mark.parametrize("place, passage", BY_PASSAGE, ids=lambda text: text[:40])
def test_a_quoted_number_is_that_of_the_row_it_names(place: str, passage: str) -> None:
    (text,) = (text for head, text in passages(place) if head.startswith(passage))
    numbers, quotes = NUMBER.findall(text), BY_PASSAGE[place, passage]
    assert len(numbers) == len(quotes), (numbers, [quote.method for quote in quotes])
    for (number, percent), quote in zip(numbers, quotes, strict=True):
        if quote.benchmark == "-":
            assert number == quote.measure
            continue
        share = percent and not quote.measure.endswith("%")
        half_a_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
        value = measured(quote) * (100 if share else 1)
        assert abs(value - float(number)) <= half_a_digit + 1e-9, (value, quote)


@pytest.mark.parametrize("place", QUOTING)
def test_no_number_stands_there_without_its_row(place: str) -> None:
    found = list(passages(place))
    assert found
    for head, text in found:
        known = [p for where, p in BY_PASSAGE if where == place and head.startswith(p)]
        assert not NUMBER.search(text) or len(known) == 1, text


def test_the_readme_is_short_and_its_rows_name_their_command() -> None:
    rows = [row for row in section("README.md").splitlines() if row.count("|") == 4]
    assert len(rows) == 2 + 10  # with the head
    assert all("`spa2v bench " in row for row in rows[2:])
