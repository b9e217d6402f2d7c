"""A batch's index page, opened from the disk: it sorts, finds, plays, and runs its own code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spa2v_lib.batch.results import as_row, render_index
from spa2v_lib.video import Video

EVIL = "\"'></td><script>alert(1)</script><img src=x onerror=alert(1)><!--<script>"
# name, seconds of sound, status; the seconds would be in another order as text, or digit by digit
ITEMS = [
    ("b", 2.5, "done"),
    (EVIL, 2.25, "done"),
    ("a", 10.0, "done"),
    ("c", 9.75, "failed"),
]

PLAYS = "() => document.querySelector('video').currentTime > 0"


def record(number: int, name: str, seconds: float, status: str) -> dict:
    """Return an item's record in which every free text is its name."""
    summary = {"caption": name, "sources": name, "motion": name, "duration_s": seconds}
    said = {"title": name, "recording": name, "host": name, "error": name}
    return {**said, "number": number, "status": status, "folder": f"{number}", "summary": summary}


def write_items(root: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    for number in range(1, len(ITEMS) + 1):
        folder = root / "items" / str(number)
        folder.mkdir(parents=True)
        Image.new("RGB", (64, 64), "teal").save(folder / "thumbnail.webp")
        Video(frames, 8.0).save(folder / "video.mp4")


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open the index of four items, and fail where it complains or asks for a dialogue."""
    write_items(tmp_path)
    rows = [as_row(record(number, *item)) for number, item in enumerate(ITEMS, 1)]
    (tmp_path / "index.html").write_text(render_index(rows), encoding="utf-8")
    said: list[str] = []
    opened = browser.new_page()
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialogue: (said.append("a dialogue"), dialogue.dismiss()))
    opened.goto((tmp_path / "index.html").as_uri())
    yield opened
    opened.close()
    assert said == []


def numbers(page: Any) -> list[int]:
    """Return the items that are shown, in their order, by number."""
    return [int(row.split()[0]) for row in page.locator("tbody tr:visible").all_inner_texts()]


def test_names_are_shown_as_they_are(page):
    assert page.locator("tbody tr").count() == len(ITEMS)
    assert page.locator("td.name b").nth(1).inner_text() == EVIL


@pytest.mark.parametrize(
    ("column", "wanted"),
    [("sound, s", [2, 1, 4, 3]), ("recording", [2, 3, 1, 4]), ("status", [1, 2, 3, 4])],
)
def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page, column, wanted):
    heading = page.locator("th button", has_text=column)
    heading.click()
    assert numbers(page) == wanted
    heading.click()
    if column != "status":  # equal ones keep the order that they had
        assert numbers(page) == wanted[::-1]


def test_what_is_searched_for_is_shown_alone(page):
    page.get_by_label("find").fill("ONERROR=alert")
    assert numbers(page) == [2]
    page.get_by_label("find").fill("")
    assert numbers(page) == [1, 2, 3, 4]


def test_pictures_are_shown_and_a_click_plays_the_video(page):
    pictures = page.locator("td.picture img")
    assert pictures.count() == 3
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("one => one.decode()")  # fails if it cannot be had; lazy ones come late
    page.get_by_role("button", name="play").first.click()
    video = page.locator("video")
    page.wait_for_function(PLAYS)
    assert video.evaluate("video => video.duration") == pytest.approx(1.0, abs=0.1)
