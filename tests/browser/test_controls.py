"""Every control that a page shows does something, and every video shows what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from looking import HERE, Visit

CONTENTS = yaml.safe_load((HERE.parents[1] / "book/_toc.yml").read_text(encoding="utf-8"))
PAGES = [
    CONTENTS["root"],
    *(
        chapter["file"]
        for part in CONTENTS["parts"]
        for chapter in part["chapters"]
        if "/api" not in chapter["file"]
    ),
]
VIEWS = {"desktop": ("light", 1280), "phone": ("dark", 390)}


@pytest.fixture(scope="module", params=VIEWS.values(), ids=VIEWS)
def view(request: pytest.FixtureRequest) -> tuple[str, int]:
    return request.param


@pytest.fixture(scope="module", params=PAGES)
def visit(
    request: pytest.FixtureRequest, view: tuple[str, int], browser: Any, address: str
) -> Iterator[Visit]:
    visit = Visit(browser, address, f"{request.param}.html", *view)
    yield visit
    visit.close()


def test_every_control_changes_something(visit: Visit) -> None:
    assert visit.probe("controlsWithoutEffect") == []
    assert [line for line in visit.said if line.startswith("error")] == []
    assert visit.asked_elsewhere == []


def test_every_video_has_a_poster(visit: Visit) -> None:
    bare = "video:not([poster^='data:image/']):visible"  # an editor's appears with its first video
    assert visit.page.locator(bare).count() == 0
    frames = [frame for frame in visit.page.frames if frame != visit.page.main_frame]
    assert sum(frame.locator(bare).count() for frame in frames) == 0
