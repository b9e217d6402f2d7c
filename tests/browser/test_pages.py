"""Every page of the built book, looked at with a browser that has no network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from looking import HERE, Visit

ROOT = HERE.parents[1]
AXE = HERE / "axe.min.js"
DESKTOP, PHONE = 1280, 390
MOST_SCRIPT, MOST_WITH_WIDGETS = 1_500_000, 5_000_000  # bytes, as they lie on the disk


def pages() -> list[str]:
    """Return every page of the table of contents, and the two that the book makes itself."""
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    one_of_many = "book/api/spa2v_lib.cues.extract"  # the pages of the reference are all alike
    named = (toc["root"], *chapters, one_of_many, "search", "genindex")
    return [f"{name}.html" for name in named]


# What the pages may say: nothing, but for this.
SAID_BY_OTHERS = (
    # the widget manager's own schema, checked by its own validator
    "strict mode: use allowUnionTypes",
)

# What axe-core may find, by rule and a part of the element. All of it is the work of others.
MISNAMED = "label-content-name-mismatch"
KNOWN_TO_AXE = (
    (MISNAMED, "search-button-field"),  # the theme says Search, and shows the key
    (MISNAMED, "theme-switch-button"),  # the theme hides the names of its three icons
    (MISNAMED, "Toggle hidden content"),  # myst-nb's fold of a cell says what it shows or hides
    ("aria-input-field-name", "noUi-handle"),  # Jupyter's sliders name the row, not the handle
    ("button-name", 'class="jupyter-button"'),  # Jupyter's player has icons without names
    ("aria-required-children", "citation-list"),  # Sphinx's list has entries without the role
)


@pytest.fixture(scope="module", params=pages())
def light(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, request.param, "light", DESKTOP)
    yield visit
    visit.close()


@pytest.fixture(scope="module", params=pages())
def dark(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address, request.param, "dark", PHONE)
    yield visit
    visit.close()


def test_it_loads_without_a_word_and_asks_nothing_of_others(light: Visit) -> None:
    unexpected = [line for line in light.said if not any(k in line for k in SAID_BY_OTHERS)]
    assert unexpected == []
    assert light.asked_elsewhere == []


def test_no_page_loads_many_scripts_before_a_reader_scrolls(light: Visit) -> None:
    widgets = light.page.locator('script[type$="widget-view+json"]').count()
    allowed = MOST_WITH_WIDGETS if widgets else MOST_SCRIPT
    assert sum(light.first_scripts.values()) <= allowed, light.first_scripts


def test_figures_say_that_they_load_until_they_are_drawn(browser: Any, address: str) -> None:
    visit = Visit(browser, address, "notebooks/measuring_it.html", "light", DESKTOP, ready=False)
    waiting = visit.page.locator(".spa2v-figure:not(.js-plotly-plot)")
    assert waiting.count() >= 2
    assert set(waiting.all_inner_texts()) == {"Loading…"}
    visit.page.locator(".spa2v-figure").first.scroll_into_view_if_needed()
    visit.page.wait_for_selector(".spa2v-figure.js-plotly-plot .main-svg")
    visit.close()


def test_a_widget_says_that_it_loads_until_it_is_drawn(browser: Any, address: str) -> None:
    visit = Visit(browser, address, "notebooks/cues_to_layout.html", "light", DESKTOP)
    place = visit.page.locator('.cell_output:has(> script[type$="widget-view+json"])').first
    said = "(place) => getComputedStyle(place, '::before').content"
    assert place.evaluate(said) == "none"
    place.evaluate("(place) => place.querySelector('.jupyter-widgets, .lm-Widget').remove()")
    assert place.evaluate(said) == '"Loading…"'
    visit.close()


def test_every_figure_has_drawn_marks(light: Visit) -> None:
    assert light.probe("figuresWithoutMarks") == []


def test_every_widget_is_drawn(light: Visit) -> None:
    assert light.probe("viewsNotDrawn") == 0


def test_every_formula_is_set(light: Visit) -> None:
    assert light.probe("formulasNotSet") == []


def test_every_player_has_a_duration(light: Visit) -> None:
    durations = light.probe("durations")
    assert [seconds for seconds in durations if not 0.0 < seconds < 600.0] == []


def test_every_picture_is_loaded_and_has_words(light: Visit) -> None:
    assert light.probe("picturesAtFault") == []


def test_sliders_change_the_picture(light: Visit) -> None:
    sliding = light.page.query_selector_all(".spa2v-figure:has(.slider-rail-touch-rect)")
    assert bool(sliding) == has_sliders(light.page.url)
    for figure in sliding:
        assert slid(light, figure, 0.05) != slid(light, figure, 0.95)


def has_sliders(url: str) -> bool:
    """Say whether the notebook that a page shows, if any, holds a figure with a slider."""
    notebook = ROOT / "notebooks" / f"{url.rsplit('/', 1)[-1].removesuffix('.html')}.ipynb"
    return notebook.is_file() and '"sliders"' in notebook.read_text(encoding="utf-8")


def slid(visit: Visit, figure: Any, share: float) -> bytes:
    """Press a figure's slider that far along, and return what the figure then looks like."""
    figure.scroll_into_view_if_needed()
    rail = figure.query_selector(".slider-rail-touch-rect").bounding_box()
    visit.page.mouse.click(rail["x"] + share * rail["width"], rail["y"] + rail["height"] / 2)
    visit.page.wait_for_timeout(500)
    visit.page.mouse.move(0, 0)
    drawn = figure.query_selector(".cartesianlayer, .polarlayer") or figure
    return drawn.screenshot()


def test_axe_finds_nothing_serious_in_the_light(light: Visit) -> None:
    assert serious(light) == []


def test_axe_finds_nothing_serious_in_the_dark(dark: Visit) -> None:
    assert serious(dark) == []


def serious(visit: Visit) -> list[str]:
    """Return what axe-core calls serious or critical, less what is known."""
    visit.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    return [fault for fault in visit.probe("serious") if not known(fault)]


def known(fault: str) -> bool:
    return any(fault.startswith(rule) and part in fault for rule, part in KNOWN_TO_AXE)


def test_the_dark_page_is_dark_and_its_figures_can_be_read(dark: Visit) -> None:
    ground, *texts = dark.probe("luminances")
    assert ground < 0.05
    assert [light for light in texts if (light + 0.05) / (ground + 0.05) < 4.5] == []


def test_a_phone_need_not_scroll_sideways(dark: Visit) -> None:
    assert dark.probe("width") <= PHONE


def test_search_finds_interaural(browser: Any, address: str) -> None:
    visit = Visit(browser, address, "search.html?q=interaural", "light", DESKTOP)
    visit.page.wait_for_selector("#search-results li a")
    assert visit.page.locator("#search-results li").count() >= 1
    assert visit.said == []
    visit.close()
