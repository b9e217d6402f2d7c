"""Whatever names, labels and captions say: what shows itself as HTML has its own elements alone."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.explorers.layout_editor import editor_html
from spa2v_lab.explorers.widgets import image_html
from spa2v_lab.viz.analysis import Exhibit
from spa2v_lib import viz
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import Analysis, SpatialCues, extract_cues
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video
from spa2v_lib.viz.analysis_page import analysis_html
from spa2v_lib.viz.player import Player, sound_player
from spa2v_lib.viz.style import figure_html

EVIL = "'\"></script></svg><script>alert(1)</script><img src=x onerror=alert(1)>&amp;<!--<script>"


def recording(text: str) -> Recording:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    noise[1] *= 0.5
    return Recording.from_samples(noise, 16_000, name=text)


def cues(text: str) -> SpatialCues:
    heard = extract_cues(recording(text), label="car")
    sources = [source.model_copy(update={"label": text}) for source in heard.sources]
    assert sources
    return heard.model_copy(update={"sources": sources, "notes": [text]})


def layout(text: str) -> VideoSceneLayout:
    box = Box(x0=0.25, y0=0.5, x1=0.75, y1=0.75)
    return VideoSceneLayout(
        reasoning=text,
        caption=text,
        frame_captions=[text, text],
        key_times_s=[0.0, 0.375],
        objects=[SceneObject(id=text, label=text, caption=text, boxes=[box, None])],
        duration_s=0.5,
    )


def video(text: str) -> Video:
    return Video(np.zeros((4, 64, 64, 3), np.uint8), 8.0, layout(text))


def exhibit(text: str) -> Exhibit:
    return Exhibit(viz.cue_figure(cues(text)), text, (Player(text, "#123456", b""),))


VIEWS: dict[str, Callable[[str], str]] = {
    "recording": lambda text: recording(text)._repr_html_(),
    "cues": lambda text: cues(text)._repr_html_(),
    "map": lambda text: viz.cue_svg(cues(text)),
    "hearing": lambda text: analysis_html(Analysis(recording(text), cues(text))),
    "player": lambda text: sound_player(recording(text), text, colour="#123456").html(),
    "exhibit": lambda text: exhibit(text).html(),
    "layout": lambda text: layout(text)._repr_html_(),
    "editor": lambda text: editor_html(layout(text), video(text)),
    "film": lambda text: figure_html(viz.film_strip(layout(text), video(text))),
    "boxes": lambda text: figure_html(viz.layout_figure(layout(text))),
    "video": lambda text: video(text)._repr_html_(),
    "picture": lambda text: image_html(Image.new("RGB", (8, 8)), text),
}


class Elements(HTMLParser):
    """Collects elements with the names of their attributes, and what closes them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, *sorted(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment",))


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_adds_no_element_and_no_attribute(view):
    plain, hostile = (VIEWS[view](text) for text in ("a plain word", EVIL))
    assert Elements(hostile).found == Elements(plain).found != []
    assert "<!--" not in hostile  # within a script it would keep the script from ending


def test_an_element_that_is_smuggled_in_would_be_noticed():
    assert Elements(f"<b>{EVIL}</b>").found != Elements("<b>a plain word</b>").found
