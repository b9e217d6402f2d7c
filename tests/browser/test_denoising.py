"""The explorer of strength and steps: both sliders, the boxes and the player change the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from looking import Visit

EXPLORER = ".cell_output .spa2v-explorer:has(.spa2v-sheet)"
VIEWS = {"desktop": ("light", 1280), "phone": ("dark", 390)}


@pytest.fixture(scope="module", params=VIEWS.values(), ids=VIEWS)
def visit(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, "notebooks/diffusion.html", *request.param)
    yield visit
    visit.close()


@pytest.fixture
def explorer(visit: Visit) -> Any:
    explorer = visit.page.locator(EXPLORER)
    explorer.scroll_into_view_if_needed()
    for slider in ("strength", "step"):
        slide(explorer, slider, "End")
    return explorer


def slide(explorer: Any, slider: str, key: str) -> None:
    explorer.locator(f"[name={slider}]").press(key)


def seen(explorer: Any) -> tuple[str, str, str]:
    """Return the picture, the words beside it, and the words about it."""
    picture = explorer.locator("img")
    words = explorer.locator("[data-name=state]").inner_text()
    return picture.get_attribute("src"), words, picture.get_attribute("alt")


def test_it_opens_on_the_finished_video_at_the_usual_strength(explorer: Any) -> None:
    picture, words, alt = seen(explorer)
    assert picture.startswith("data:image/webp;base64,")
    assert words == "Strength 1 × default, step 10 of 10" and alt.endswith(words)
    assert explorer.locator("img").evaluate("(picture) => picture.naturalWidth") > 400


def test_every_strength_and_every_step_has_a_picture_of_its_own(explorer: Any) -> None:
    pictures = set()
    for _ in range(4):
        for _ in range(10):
            pictures.add(seen(explorer)[0])
            slide(explorer, "step", "ArrowLeft")
        assert ", step 1 of 10" in seen(explorer)[1]
        slide(explorer, "step", "End")
        slide(explorer, "strength", "ArrowLeft")
    assert seen(explorer)[1].startswith("Strength 0 ×")
    assert len(pictures) == 4 * 10


def test_the_overlap_with_the_boxes_is_that_of_the_strength(explorer: Any) -> None:
    said = explorer.locator("[data-name=iou]")
    strong = said.inner_text()
    slide(explorer, "strength", "Home")
    assert "at strength 0: IoU" in said.inner_text() != strong


def test_boxes_lie_over_the_frames_until_they_are_switched_off(explorer: Any) -> None:
    picture = explorer.locator("img").bounding_box()
    boxes = [box.bounding_box() for box in explorer.locator(".spa2v-sheet rect").all()]
    assert boxes
    for box in boxes:
        assert picture["x"] - 3 <= box["x"]
        assert box["x"] + box["width"] <= picture["x"] + picture["width"] + 3
        assert picture["y"] - 3 <= box["y"]
        assert box["y"] + box["height"] <= picture["y"] + picture["height"] + 3
    explorer.locator("[name=boxes]").uncheck()
    assert not explorer.locator(".spa2v-sheet rect").first.is_visible()
    explorer.locator("[name=boxes]").check()
    assert explorer.locator(".spa2v-sheet rect").first.is_visible()


def test_the_steps_play_to_the_end_and_stop_there(visit: Visit, explorer: Any) -> None:
    play = explorer.locator(".spa2v-play")
    play.click()
    assert ", step 1 of 10" in seen(explorer)[1] and "Pause" in play.inner_text()
    visit.page.wait_for_function(
        f"document.querySelector({EXPLORER!r}).explorer.step === 9", timeout=20_000
    )
    assert "Play" in play.inner_text()
    play.click()
    slide(explorer, "step", "ArrowRight")
    assert "Play" in play.inner_text()  # a hand on the slider ends it
    assert visit.asked_elsewhere == []
