"""Whether a picture agrees with the layout's first boxes: real detectors on drawn pictures."""

import numpy as np
import pytest
from PIL import Image

from spa2v_lab.scenes.picture import sprite
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import get_preset, variant
from spa2v_lib.sampling.image_layout import image_note
from spa2v_lib.sampling.tiny_detector import detect

LEFT, RIGHT = (0.05, 0.35, 0.45, 0.75), (0.55, 0.35, 0.95, 0.75)


class _DrawnWorld:
    """The tiny suite's detector, which knows its own classes whatever is asked for."""

    def detect(self, frames, labels):
        return [[one for one in row if one.label in labels] for row in detect(frames)]


def _box(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def _layout(**objects) -> VideoSceneLayout:
    items = [
        SceneObject(
            id=name,
            label=name.split("_")[0],
            caption=name,
            boxes=[_box(*corners) if corners else None],
        )
        for name, corners in objects.items()
    ]
    return VideoSceneLayout(
        caption="a scene",
        frame_captions=["a scene"],
        key_times_s=[0.0],
        objects=items,
        duration_s=1.0,
    )


@pytest.fixture
def pictured(tmp_path):
    """Draw objects at places, and ask what is noted of a layout."""

    def note(layout, **drawn):
        picture = Image.new("RGB", (128, 128), (150, 200, 150))
        for name, (x0, y0, x1, y1) in drawn.items():
            size = round(128 * (x1 - x0)), round(128 * (y1 - y0))
            image = sprite(name.split("_")[0], "fluent3d").resize(size)
            picture.paste(image, (round(128 * x0), round(128 * y0)), image)
        path = tmp_path / "photo.png"
        picture.save(path)
        return image_note(variant("sd15-migc", image=str(path)), layout, _DrawnWorld())

    return note


def test_a_picture_that_agrees_is_said_to(pictured):
    said = pictured(_layout(bus=LEFT, dog=RIGHT), bus=LEFT, dog=RIGHT)
    assert said == (
        "the image photo.png conditions every frame; its objects were detected where the layout "
        "has them at first"
    )


def test_what_is_elsewhere_is_named_with_its_place_and_what_is_missing_too(pictured):
    said = pictured(_layout(bus=RIGHT, dog=LEFT), bus=LEFT)
    lead, first, second = said.replace(": ", "; ", 1).split("; ")
    assert lead.endswith("differs from the layout's first boxes, and the video may follow either")
    words = first.replace(",", "").split()
    assert first.startswith("bus was detected at x 0.")
    assert float(words[5]) == pytest.approx(0.05, abs=0.1)
    assert first.endswith("not at x 0.55 to 0.95, y 0.35 to 0.75")
    assert second == "no dog was detected that could be the one at x 0.05 to 0.45, y 0.35 to 0.75"


def test_two_of_one_kind_need_two_in_the_picture(pictured):
    both = _layout(bus_1=LEFT, bus_2=RIGHT)
    assert "at first" in pictured(both, bus_1=RIGHT, bus_2=LEFT)
    said = pictured(both, bus_1=LEFT)
    assert "no bus was detected that could be the one at x 0.55" in said and "x 0.05" not in said


def test_only_what_the_first_frame_has_is_looked_for(pictured):
    assert "at first" in pictured(_layout(bus=LEFT, dog=None), bus=LEFT)
    assert "no boxes to compare it with" in pictured(_layout(dog=None), bus=LEFT)


def test_without_a_picture_nothing_is_said():
    assert image_note(get_preset("sd15-migc"), _layout(bus=LEFT)) is None


def test_without_a_detector_it_is_said_that_nothing_was_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("SPA2V_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    chosen = variant("sd15-gligen", image=str(tmp_path / "photo.png"))
    said = image_note(chosen, _layout(bus=LEFT))
    assert "was not compared with the layout's first boxes" in said
    assert "google/owlvit-base-patch32: they are not on this machine" in said


def test_the_detector_that_is_installed_is_asked(small_detector, tmp_path, monkeypatch):
    monkeypatch.setenv("SPA2V_WEIGHTS", str(tmp_path))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    chosen = variant("sd15-gligen", image=str(tmp_path / "photo.png"))
    said = image_note(chosen, _layout(bus=LEFT))
    assert "differs" in said or "at first" in said  # its weights are random
