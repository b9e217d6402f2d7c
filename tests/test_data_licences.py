"""Every shipped recording and sprite has a row that says whose it is."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent / "data"
TABLES = {
    "recordings": "recordings.csv",
    "in_the_wild": "in_the_wild.csv",
    "sprites": "sprites.csv",
}


def rows(folder: str) -> list[dict[str, str]]:
    with (DATA / folder / TABLES[folder]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("folder", TABLES)
def test_table_and_folder_list_the_same_files(folder: str) -> None:
    listed = [row["file"] for row in rows(folder)]
    found = [path.name for path in (DATA / folder).iterdir() if path.name != TABLES[folder]]
    assert sorted(listed) == sorted(found)


@pytest.mark.parametrize("folder", TABLES)
def test_every_row_names_a_licence_and_a_source(folder: str) -> None:
    missing = [
        r["file"] for r in rows(folder) if not (r["license"].strip() and r["source"].strip())
    ]
    assert missing == []


def test_every_recording_that_asks_for_attribution_names_its_author() -> None:
    recorded = rows("recordings") + rows("in_the_wild")
    asked = [row for row in recorded if row["license"].startswith("CC-BY")]
    assert asked
    assert [row["file"] for row in asked if not row["author"].strip()] == []


@pytest.mark.parametrize("folder", TABLES)
def test_the_summary_counts_each_licence_rightly(folder: str) -> None:
    summary = (DATA / "README.md").read_text(encoding="utf-8")
    licences = [row["license"] for row in rows(folder)]
    for licence in set(licences):
        assert f"| `{folder}/` | {licence} | {licences.count(licence)} |" in summary


def test_every_folder_under_data_is_in_the_summary() -> None:
    summary = (DATA / "README.md").read_text(encoding="utf-8")
    folders = {path.name for path in DATA.iterdir() if path.is_dir()}
    assert {name for name in folders if f"| `{name}/" not in summary} == set()
