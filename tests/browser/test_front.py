"""The front page's film, and what others show of a link to a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from looking import Visit

ROW = ".spa2v-film-row"


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 390)], ids=["desktop", "phone"])
def front(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, "book/intro.html", *request.param)
    yield visit
    visit.close()


def test_the_film_begins_with_the_object_in_the_picture(front: Visit) -> None:
    row = front.page.locator(ROW)
    start = float(row.get_attribute("data-start"))
    assert 0.5 < start < 3.5
    assert row.locator("video").get_attribute("poster").startswith("data:image/webp")
    visit = f"document.querySelector('{ROW} video')"
    front.page.wait_for_function(f"{visit}.readyState >= 1 && {visit}.currentTime > 0")


def test_the_dot_beside_the_film_is_where_the_sound_comes_from(front: Visit) -> None:
    dot = front.page.locator(f"{ROW} .now")
    places = []
    for second in (0.5, 3.5):
        front.page.evaluate(
            "(time) => { const film = document.querySelector('.spa2v-film-row video');"
            "film.pause(); film.currentTime = time; }",
            second,
        )
        front.page.wait_for_timeout(400)
        places.append((float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))))
    (left, above), (right, below) = places
    assert left < right and above < below


def test_one_press_gives_the_film_its_sound(front: Visit) -> None:
    assert front.page.evaluate(f"document.querySelector('{ROW} video').muted")
    front.page.locator(".spa2v-sound").click()
    assert not front.page.evaluate(f"document.querySelector('{ROW} video').muted")
    assert front.page.locator(".spa2v-sound").count() == 0


@pytest.mark.parametrize("page", ["book/intro.html", "notebooks/in_the_wild.html"])
def test_a_shared_link_has_a_title_a_description_and_a_picture(
    browser: Any, address: str, page: str
) -> None:
    visit = Visit(browser, address, page, "light", 1280, ready=False)
    tags = visit.page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('meta[content]')]"
        ".map((tag) => [tag.name || tag.getAttribute('property'), tag.content]))"
    )
    assert len(tags["description"]) > 40 and tags["og:description"]
    assert tags["og:title"] and tags["og:image"].endswith("demo.png")
    visit.close()
