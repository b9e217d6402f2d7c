"""The film of a run: boxes in its frames, azimuth beside them, a start that shows the object."""

from __future__ import annotations

import json
import re
from html import unescape

import numpy as np
import pytest

from spa2v_lab.demo import SCENES
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.viz.film import Film, with_boxes
from spa2v_lib import Video, extract_cues, plan


@pytest.fixture(scope="module")
def parts():
    recording = render_sound(SCENES["truck-from-left-to-right"])
    cues = extract_cues(recording, label="truck")
    layout = plan(recording, cues)
    frames = np.full((layout.frame_count, 36, 64, 3), 90, np.uint8)
    return recording, cues, layout, Video(frames, layout.fps)


def test_boxes_are_drawn_where_the_layout_has_them(parts) -> None:
    _, _, layout, video = parts
    drawn = with_boxes(video, layout, 320)
    for frame, (box,) in zip(drawn.frames, layout.frame_boxes(), strict=True):
        blue = (frame[..., 2].astype(int) - frame[..., 0]) > 100
        assert blue.any() == (box is not None)
        if box is not None:
            assert abs(np.flatnonzero(blue.any(0)).mean() / 320 - (box.x0 + box.x1) / 2) < 0.05


def test_it_starts_where_something_is_seen_and_follows_the_track(parts) -> None:
    recording, cues, layout, video = parts
    html = Film(video, layout, recording, cues)._repr_html_()
    start = float(re.search(r'data-start="([\d.]+)"', html)[1])
    (box,) = layout.frame_boxes()[round(start * layout.fps)]
    assert box is not None and 0.2 < (box.x0 + box.x1) / 2 < 0.8  # the truck has come, and not gone
    track = json.loads(unescape(re.search(r'data-track="([^"]+)"', html)[1]))
    assert len(track["times"]) == len(track["places"]) == len(cues.times_s)
    heard = [place for place in track["places"] if place]
    assert heard[0][0] < heard[-1][0] and heard[0][1] < heard[-1][1]  # to the right, and down
    assert 'poster="data:image/webp' in html and "aria-label=" in html
