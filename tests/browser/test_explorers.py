"""The explorers inside the pages: what is dragged or dropped changes numbers, sound and picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import HERE, Visit

from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lab.viz.captures import PAIRS, differences

AXE = HERE / "axe.min.js"
AROUND, FILE = '[data-explorer="around-head"]', '[data-explorer="stereo-file"]'
VIEWS = [("light", 1280), ("dark", 390)]
FRONT = "book/intro.html"


@pytest.fixture(scope="module", params=VIEWS, ids=["desktop", "phone"])
def front(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, FRONT, *request.param)
    visit.page.wait_for_selector(f"{FILE} input")
    yield visit
    visit.close()


@pytest.fixture
def around(front: Visit) -> Any:
    explorer = front.page.locator(AROUND)
    explorer.scroll_into_view_if_needed()
    return explorer


def texts(explorer: Any) -> dict[str, str]:
    cells = explorer.locator("[data-name]").all()
    return {cell.get_attribute("data-name"): cell.inner_text() for cell in cells}


def drag_to(front: Visit, explorer: Any, right_m: float, ahead_m: float) -> None:
    """Drag the source to a place; the plan is 250 units wide and a metre is 13.75 of them."""
    plan = explorer.locator(".spa2v-plan").bounding_box()
    source = explorer.locator(".source").bounding_box()
    unit = plan["width"] / 250
    front.page.mouse.move(source["x"] + source["width"] / 2, source["y"] + source["height"] / 2)
    front.page.mouse.down()
    front.page.mouse.move(
        plan["x"] + plan["width"] / 2 + 13.75 * right_m * unit,
        plan["y"] + plan["height"] / 2 - 13.75 * ahead_m * unit,
        steps=4,
    )
    front.page.mouse.up()


def test_dragging_the_source_changes_numbers_text_and_picture(front: Visit, around: Any) -> None:
    drag_to(front, around, 3.0, 3.0)
    right, box = texts(around), around.locator(".box").get_attribute("x")
    assert right["place"].startswith(("44°", "45°", "46°")) and "to the right" in right["place"]
    assert right["ild"].startswith("+") and right["itd"].startswith("+")
    drag_to(front, around, -2.0, 4.0)
    left = texts(around)
    assert "to the left" in left["place"] and left["ild"].startswith("−")
    assert float(around.locator(".box").get_attribute("x")) < 160 < float(box)
    drag_to(front, around, -2.0, -4.0)
    assert texts(around)["box"] == "none: out of view"
    assert "the front is assumed" in texts(around)["reading"]


def test_the_source_follows_the_arrow_keys(front: Visit, around: Any) -> None:
    drag_to(front, around, 0.0, 4.0)
    around.locator(".source").focus()
    for _ in range(6):
        front.page.keyboard.press("ArrowRight")
    front.page.keyboard.press("ArrowUp")
    turned = around.locator(".source").get_attribute("aria-valuetext")
    assert turned == texts(around)["place"]
    assert abs(float(around.locator("[name=azimuth]").input_value()) - 30) <= 2
    assert abs(float(around.locator("[name=distance]").input_value()) - 4.5) <= 0.2


def test_another_capture_format_has_other_differences_from_the_same_place(around: Any) -> None:
    around.locator("select").select_option("ab")
    assert texts(around)["ild"] == "0.0 dB"
    around.locator("select").select_option("xy")
    assert texts(around)["itd"] == "0 µs"
    around.locator("select").select_option("binaural")


def test_dragging_sets_the_sounds_delay_gain_and_shadow(front: Visit, around: Any) -> None:
    around.locator("select").select_option("binaural")
    around.locator(".spa2v-play").click()
    front.page.wait_for_function(f"document.querySelector('{AROUND}').explorer.sound !== null")
    drag_to(front, around, 4.0, 0.0)
    front.page.wait_for_timeout(400)
    sides = front.page.evaluate(
        f"""(() => {{ const s = document.querySelector('{AROUND}').explorer.sound;
        return {{ delays: s.sides.map((one) => one.delay.delayTime.value),
                  shadows: s.sides.map((one) => one.shadow.gain.value),
                  distance: s.distance.gain.value }} }})()"""
    )
    said = float(texts(around)["itd"].split()[0]) * 1e-6
    assert sides["delays"][0] - sides["delays"][1] == pytest.approx(said, abs=20e-6)
    assert sides["shadows"][1] > 3.0 > -3.0 > sides["shadows"][0]
    assert sides["distance"] == pytest.approx(0.25, abs=0.03)
    around.locator(".spa2v-play").click()
    assert around.locator(".spa2v-play").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("capture", PAIRS)
def test_the_page_and_the_library_compute_the_same_differences(front: Visit, capture: str) -> None:
    azimuths = np.arange(-170.0, 181.0, 10.0)
    there = front.page.evaluate(
        """async ([format, azimuths]) => {
        const { differences } = await import("../_static/acoustics.js");
        return azimuths.map((azimuth) => differences(format, azimuth)) }""",
        [capture, azimuths.tolist()],
    )
    here = differences(capture, azimuths)
    np.testing.assert_allclose([one["ild"] for one in there], here.ild_db, atol=1e-6)
    np.testing.assert_allclose([one["itd"] for one in there], here.itd_s, atol=1e-12)


@pytest.fixture(scope="module")
def at_30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = stage(Trajectory("sheep_01.flac", 30, from_m=2.0), capture="ortf", seconds=3.0)
    return render_sound(scene).save(tmp_path_factory.mktemp("sound") / "at30.wav")


DROP = """([selector, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "audio/wav" }));
  const place = document.querySelector(selector);
  place.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true,
    cancelable: true }));
}"""


def drop(front: Visit, name: str, content: bytes) -> Any:
    import base64

    data = base64.b64encode(content).decode()
    front.page.evaluate(DROP, [f"{FILE} .spa2v-drop", name, data])
    status = front.page.locator(f"{FILE} [role=status]")
    front.page.wait_for_function(
        f"""(() => {{ const text = document.querySelector('{FILE} [role=status]').textContent;
        return text && !text.startsWith("Analyzing") }})()"""
    )
    return status


def test_a_dropped_file_shows_its_source_where_it_is(front: Visit, at_30: Path) -> None:
    status = drop(front, "at30.wav", at_30.read_bytes())
    assert "ORTF" in status.inner_text()
    azimuth = front.page.evaluate(f"document.querySelector('{FILE}').explorer.result.azimuth")
    known = [value for value in azimuth if value is not None]
    assert len(known) > 10 and np.median(known) == pytest.approx(30.0, abs=5.0)
    box = front.page.locator(f"{FILE} .spa2v-boxes").get_attribute("data-box")
    x0, _, x1, _ = map(float, box.split())
    assert (x0 + x1) / 2 == pytest.approx(0.5 + 0.5 * np.tan(np.radians(30.0)), abs=0.05)
    assert front.page.locator(f"{FILE} audio").get_attribute("src").startswith("blob:")


def test_what_cannot_be_analyzed_is_said(front: Visit) -> None:
    assert "cannot be decoded" in drop(front, "words.wav", b"no sound").inner_text()


def test_nothing_leaves_the_browser_and_the_page_says_so(front: Visit, at_30: Path) -> None:
    drop(front, "at30.wav", at_30.read_bytes())
    assert "Nothing leaves your browser" in front.page.locator(FILE).inner_text()
    assert front.asked_elsewhere == []


def test_axe_finds_nothing_serious_in_the_explorers(front: Visit) -> None:
    front.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    inside = ("spa2v-explorer", "spa2v-plan", "spa2v-play", "spa2v-drop", "spa2v-track")
    serious = front.probe("serious")
    assert [fault for fault in serious if any(name in fault for name in inside)] == []


def test_the_chapter_on_two_channels_has_the_explorer_too(browser: Any, address: str) -> None:
    visit = Visit(browser, address, "notebooks/two_channels.html", "light", 1280)
    visit.page.wait_for_selector(".cell_output .spa2v-explorer .source")
    visit.close()


def test_the_chapter_in_the_wild_takes_a_file(browser: Any, address: str) -> None:
    visit = Visit(browser, address, "notebooks/in_the_wild.html", "dark", 390)
    visit.page.wait_for_selector(".cell_output .spa2v-explorer input[type=file]")
    assert visit.asked_elsewhere == []
    visit.close()
