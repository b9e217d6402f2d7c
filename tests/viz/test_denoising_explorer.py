"""The explorer of strength and steps carries every sheet of frames, and the boxes over them."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.explorers.denoising import DenoisingExplorer
from spa2v_lab.explorers.sampling import Trial
from spa2v_lab.viz.attention_maps import StepRecord
from spa2v_lib.errors import Spa2vError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video

BOX = Box(x0=0.25, y0=0.25, x1=0.75, y1=0.75)


def layout() -> VideoSceneLayout:
    return VideoSceneLayout(
        caption="a bus </script> stands still",
        frame_captions=["a bus", "a street"],
        key_times_s=[0.0, 0.125],
        objects=[SceneObject(id="bus", label="bus", caption="a bus", boxes=[BOX, None])],
        duration_s=0.25,
    )


def trial(strength: float, *greys: int) -> Trial:
    maps = np.zeros((2, 1, 4, 4), np.float16)
    steps = [
        StepRecord(number, 900 - number, maps, np.full((2, 32, 32, 3), grey, np.uint8))
        for number, grey in enumerate(greys)
    ]
    video = Video(np.zeros((2, 32, 32, 3), np.uint8), 8.0)
    return Trial("gligen", strength, video, 0.5 * strength, steps)


def pixels(address: str) -> np.ndarray:
    data = base64.b64decode(address.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)


def test_every_step_of_every_strength_has_its_sheet() -> None:
    explorer = DenoisingExplorer(layout(), [trial(0.0, 10, 20), trial(1.0, 110, 220)])
    data = explorer.data()
    assert [one["label"] for one in data["strengths"]] == ["0", "1"]
    greys = [[pixels(sheet)[4, 4].mean() for sheet in row] for row in data["sheets"]]
    np.testing.assert_allclose(greys, [[10, 20], [110, 220]], atol=3)
    assert pixels(data["sheets"][0][0]).shape == (32, 68, 3)
    assert data["times"] == ["0.00 s", "0.12 s"]


def test_boxes_are_those_of_the_frames_shown() -> None:
    data = DenoisingExplorer(layout(), [trial(1.0, 1)]).data()
    assert data["boxes"] == [[[0.25, 0.25, 0.75, 0.75]], [None]]


def test_a_caption_cannot_end_the_script() -> None:
    html = DenoisingExplorer(layout(), [trial(1.0, 1)])._repr_html_()
    assert html.count("</script>") == 1
    given = re.search(r"\), (\{.*\})\);</script>", html)[1]
    assert json.loads(given)["caption"] == layout().caption


@pytest.mark.parametrize("trials", [[], [trial(0.0)], [trial(0.0, 1), trial(1.0, 1, 2)]])
def test_trials_without_as_many_steps_each_are_refused(trials: list[Trial]) -> None:
    with pytest.raises(Spa2vError, match="as many steps"):
        DenoisingExplorer(layout(), trials)
