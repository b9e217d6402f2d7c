"""The form in which figures become cell outputs."""

from __future__ import annotations

import json
import re
import sys

import plotly.graph_objects as go
import plotly.io as pio
import pytest

from spa2v_lib.viz import style as renderer


@pytest.fixture
def plotly_left_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pio.renderers.default
    yield
    pio.renderers.default = before
    pio.renderers._renderers.pop("spa2v", None)


def test_a_kernel_gets_the_books_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    monkeypatch.delenv("COLAB_NOTEBOOK_ID", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert renderer.renderer_name() == "spa2v"


def test_colab_gets_its_own_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "x")
    assert renderer.renderer_name() == "colab"


def test_outside_a_notebook_plotly_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    monkeypatch.delenv("COLAB_NOTEBOOK_ID", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert renderer.renderer_name() is None


def test_the_users_own_choice_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLOTLY_RENDERER", "png")
    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "x")
    assert renderer.renderer_name() is None


@pytest.mark.usefixtures("plotly_left_as_found")
def test_a_later_choice_of_the_user_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
    monkeypatch.delenv("COLAB_NOTEBOOK_ID", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    renderer.activate()
    assert pio.renderers.default == "spa2v"
    pio.renderers.default = "json"
    renderer.activate()
    assert pio.renderers.default == "json"


def drawn(html: str) -> dict:
    """Return the figure that the page's script hands to plotly.js."""
    text = re.search(r"\}\)\((.*)\)</script>$", html, re.DOTALL)[1]
    return json.loads(text.replace("<\\/", "</"))


def test_the_page_draws_the_figure_with_its_frames() -> None:
    first, second = go.Scatter(x=[0, 1], y=[1, 2]), go.Scatter(x=[0, 1], y=[5, 6])
    figure = go.Figure(data=[first], frames=[go.Frame(data=[second], name="1")])
    parts = drawn(renderer.figure_html(figure))
    assert parts["data"][0]["y"] == [1, 2]
    assert parts["frames"][0]["data"][0]["y"] == [5, 6]


def test_the_library_is_neither_embedded_nor_fetched() -> None:
    html = renderer.figure_html(go.Figure(data=[go.Scatter(y=[1])], layout={"template": "none"}))
    assert len(html) < 2000
    assert "://" not in html
    assert "src=" not in html


def test_a_label_can_neither_end_the_script_nor_keep_it_from_ending() -> None:
    name = "</script><b><!--<script>"
    html = renderer.figure_html(go.Figure(data=[go.Scatter(y=[1], name=name)]))
    assert html.count("</script>") == 1 and "<!--" not in html
    assert drawn(html)["data"][0]["name"] == name


def test_equal_figures_give_equal_html_and_their_number_tells_them_apart() -> None:
    figure = go.Figure(data=[go.Scatter(y=[1])])
    assert renderer.figure_html(figure) == renderer.figure_html(figure)
    assert renderer.figure_html(figure, 1) != renderer.figure_html(figure, 2)


def test_one_output_holds_both_forms() -> None:
    bundle = renderer.BookRenderer().to_mimebundle(go.Figure(data=[go.Scatter(y=[1])]).to_dict())
    assert set(bundle) == {"text/html", "application/vnd.plotly.v1+json"}
    assert bundle["application/vnd.plotly.v1+json"]["data"][0]["y"] == [1]
