from __future__ import annotations

from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.vocabulary import as_drawable, substitutions

BOX = {"x0": 0.1, "y0": 0.4, "x1": 0.5, "y1": 0.8}


def layout(*objects: tuple[str, str, bool]) -> VideoSceneLayout:
    """Return two key frames; an object may be out of the first."""
    return VideoSceneLayout(
        reasoning="",
        caption=" and ".join(f"{caption} stands" for _, caption, _ in objects) + " on a street",
        frame_captions=[
            " and ".join(f"{c} on the left" for _, c, seen in objects if seen or k) for k in (0, 1)
        ],
        key_times_s=[0.0, 0.875],
        objects=[
            SceneObject(id=str(k), label=label, caption=caption, boxes=[BOX if seen else None, BOX])
            for k, (label, caption, seen) in enumerate(objects)
        ],
        duration_s=1.0,
        fps=8.0,
        aspect=1.0,
        background="street",
    )


def test_a_closed_vocabulary_draws_the_nearest_class_and_says_it_in_the_captions() -> None:
    tram = layout(("old tram", "an old tram", True))
    drawn = as_drawable(tram, get_preset("tiny"))
    assert [(item.label, item.caption) for item in drawn.objects] == [("train", "a train")]
    assert drawn.caption == "a train stands on a street"
    assert drawn.frame_captions == ["a train on the left"] * 2
    assert drawn.objects[0].boxes == tram.objects[0].boxes
    assert substitutions(["old tram"], get_preset("tiny")) == {"old tram": "train"}


def test_guesses_of_one_family_keep_their_classes_apart() -> None:
    two = layout(("car", "a vehicle", False), ("truck", "a vehicle", True))
    drawn = as_drawable(two, get_preset("tiny"))
    assert drawn.caption == "a car stands and a truck stands on a street"
    assert drawn.frame_captions == [
        "a truck on the left",
        "a car on the left and a truck on the left",
    ]


def test_an_open_vocabulary_gets_the_users_words() -> None:
    kettle = layout(("my kettle", "my kettle", True))
    open_preset = get_preset("sd15-gligen")
    assert open_preset.labels is None
    assert as_drawable(kettle, open_preset) is kettle
    assert substitutions(["my kettle"], open_preset) == {}
