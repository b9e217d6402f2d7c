"""The report page: complete, offline, and safe whatever names and captions say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import analyze
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.runs.report import render_report
from spa2v_lib.video import Video

EVIL = '"><script>alert(1)</script>&'
RATE = 16_000


def a_page(text="a car", sources=True):
    """Return the report of a made-up run in which every free text is `text`."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE) * sources
    recording = Recording.from_samples(np.stack([0.5 * noise, noise]), RATE, name=text)
    analysis = analyze(recording, label="car")
    named = [one.model_copy(update={"label": text}) for one in analysis.cues.sources]
    analysis = replace(analysis, cues=analysis.cues.model_copy(update={"sources": named}))
    box = Box(x0=0.25, y0=0.5, x1=0.75, y1=0.75)
    layout = VideoSceneLayout(
        reasoning=text,
        caption=text,
        frame_captions=[text, text, "another"],
        key_times_s=[0.0, 0.5, 0.875],
        objects=[SceneObject(id="o", label=text, caption=text, boxes=[box, box, None])],
        duration_s=1.0,
    )
    video = Video(np.zeros((8, 16, 16, 3), np.uint8), 8.0, layout)
    record = {
        "input": {"name": text, "sha256": "a", "duration_s": 1.0, "rate": RATE, "channels": 2},
        "parameters": {"preset": text, "label": text, "steps": None},
        "seed": 0,
        "frames": {"count": 8, "width": 16, "height": 16, "fps": 8.0, "sha256": "f" * 64},
        "weights": {text: "b" * 64},
        "timings_s": {"analyze": 0.1},
        "environment": {
            "spa2v": "1",
            "commit": None,
            "python": "3",
            "packages": {"torch": "2", "diffusers": "0", "transformers": None},
            "system": text,
            "device": text,
        },
        "notes": [text],
    }
    return render_report(record, video, b"\0mp4", analysis, layout)


class Page(HTMLParser):
    """Collects the elements, and checks that they close in order."""

    VOID = frozenset({"meta", "input", "image", "rect", "path", "line", "br"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("text", ["a car", EVIL])
def test_the_page_is_well_formed_and_has_only_its_own_scripts(text):
    page = Page(a_page(text))
    assert page.open == []
    assert [tag for tag, _ in page.elements].count("script") == 2


def test_nothing_is_loaded_from_elsewhere():
    page = a_page()
    for tag, attributes in Page(page).elements:
        for name in ("src", "href", "data", "poster"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "default-src 'none'" in page


def test_it_shows_player_frames_with_boxes_cues_captions_and_facts():
    text = a_page()
    elements = Page(text).elements
    tags = [tag for tag, _ in elements]
    strip = text.split('class="strip">')[1].split("</section>")[0]
    assert tags.count("video") == 1 and strip.count("<figure ") == strip.count("<image") == 8
    frames = strip.split("<figure ")[1:]
    assert sum('stroke-width="3"' in frame.split("</figure>")[0] for frame in frames) == 6
    assert "Azimuth and level over" in text
    for words in ("<td>0.00 to 0.50 s</td><td>a car</td>", "another", "f" * 64, "not from a check"):
        assert words in text


def test_the_boxes_stand_where_the_layout_has_them():
    assert '<rect x="40.0" y="80.0" width="80.0" height="40.0"' in a_page()


def test_the_recording_and_every_source_can_be_listened_to_beside_their_pictures():
    figures = a_page().split('class="cues scroll">')[1].split("</section>")[0].split("<figure>")[1:]
    assert len(figures) == 2
    for figure in figures:
        assert figure.count("<svg") == figure.count("data:image/png") == 1
        assert figure.count("<audio controls") == figure.count("data:audio/mpeg") == 1


def test_a_silent_recording_has_a_page_too():
    assert "the recording is silent" in a_page(sources=False)
