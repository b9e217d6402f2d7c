"""The index page: offline, escaped, and its links lead to the items."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import pytest
from pyarrow import parquet

from spa2v_lib.batch.results import as_row, render_index, write_tables
from spa2v_lib.batch.store import Store

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&\n\u2028\u202e🎺$name"


def record(number: int = 1, text: str = "a car", **given: object) -> dict:
    """Return an item's record in which every free text is `text`."""
    summary = {"caption": text, "sources": text, "motion": text, "duration_s": 2.0, "notes": text}
    fields = {"title": text, "recording": text, "host": text, "error": text, "status": "done"}
    return {**fields, "number": number, "folder": "car-1", "summary": summary, **given}


class Page(HTMLParser):
    """Collects the elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("status", ["done", "failed", EVIL])
def test_whatever_names_and_captions_say_the_page_has_only_its_own_elements(status):
    def shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
        page = Page(render_index([as_row(record(text=text, status=status))]))
        return [(tag, tuple(sorted(attributes))) for tag, attributes in page.elements]

    assert shape(EVIL) == shape("plain")
    assert EVIL.splitlines()[0] not in render_index([as_row(record(text=EVIL, status=status))])


def test_everything_that_is_loaded_lies_among_the_items():
    page = render_index([as_row(record()), as_row(record(2, status="failed"))])
    for _, attributes in Page(page).elements:
        for name in ("src", "href", "data-video"):
            assert attributes.get(name, "items/").startswith("items/")
    assert not re.search(r"@import|url\(|https?://", page)
    assert "default-src 'none'" in page


def test_a_folder_with_a_strange_name_cannot_leave_the_items():
    page = render_index([as_row(record(folder='"><b> ?#'))])
    assert 'href="items/%22%3E%3Cb%3E%20%3F%23/report.html"' in page


def test_what_failed_has_its_reason_and_notebook_but_no_player():
    page = render_index([as_row(record(status="failed", error="no sound"))], waiting=2)
    assert "no sound" in page and "notebook.ipynb" in page and "2 not done yet" in page
    assert "data-video=" not in page.split("<script>")[0] and "report.html" not in page


@pytest.mark.parametrize("content", [None, [], "text", {"a": []}, 1e400, float("nan")])
def test_a_record_that_was_tampered_with_still_gives_a_row(content):
    keys = ("number", "title", "summary", "sources", "parameters", "status")
    assert render_index([as_row({"folder": "x", **dict.fromkeys(keys, content)})])


def test_ten_thousand_rows_make_a_page_in_reasonable_time_and_size():
    page = render_index([as_row(record(number)) for number in range(10_000)])
    assert page.count("<tr>") == 10_001 and len(page) < 12e6


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", " =HYPERLINK(1)"])
def test_no_text_in_the_table_starts_a_formula(tmp_path, text):
    (tmp_path / "out").mkdir()
    write_tables(Store(tmp_path / "out"), [as_row(record(text=text))])
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert {row[name] for name in ("name", "recording", "caption", "notes")} == {f"'{text}"}
    assert float(row["duration_s"]) == 2.0
    (kept,) = parquet.read_table(tmp_path / "out" / "results.parquet")["caption"].to_pylist()
    assert kept == text


def test_characters_that_act_are_shown_as_escapes(tmp_path):
    text = "a\x1b[31mcar\u202egpj.exe"
    page = render_index([as_row(record(text=text))])
    assert "a\\x1b[31mcar\\u202egpj.exe" in page and not {"\x1b", "\u202e"} & set(page)


def test_a_record_of_an_earlier_version_gives_the_same_row(tmp_path):
    now = record(parameters={"LABEL": "car", "SEED": 3})
    before = {**now, "summary": {**now["summary"], "heard": "car"}, "version": "spa2v.batch/1"}
    del before["summary"]["sources"]
    item = tmp_path / "items" / "car-1"
    item.mkdir(parents=True)
    (item / "item.json").write_text(json.dumps(before))
    (found,) = Store(tmp_path).records()
    assert as_row(found)["sources"] == "car"
    assert json.loads(as_row(found)["parameters"]) == {"label": "car", "seed": 3}
