"""Words of layouts: classes and captions."""

import pytest

from spa2v_lab.metrics import caption_overlap, class_recall, rouge_l
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout


def layout(caption: str, *labels: str) -> VideoSceneLayout:
    things = [
        SceneObject(id=f"{n}", label=label, caption=label, boxes=[Box(x0=0, y0=0, x1=1, y1=1)])
        for n, label in enumerate(labels)
    ]
    return VideoSceneLayout(
        caption=caption,
        frame_captions=[caption],
        key_times_s=[0.0],
        objects=things,
        duration_s=1.0,
        fps=8.0,
        background="street",
        reasoning="",
    )


def test_rouge_l_is_the_published_example():
    # Lin 2004, sec. 3.1: recall and precision 3/4 where the order is kept, 2/4 where it is not.
    reference = "police killed the gunman"
    assert rouge_l(reference, "police kill the gunman") == 0.75
    assert rouge_l(reference, "the gunman kill police") == 0.5


def test_lengths_weigh_on_both_sides():
    assert rouge_l("a b c d", "a b") == pytest.approx(2 * 0.5 * 1.0 / 1.5)
    assert rouge_l("a b", "a b c d") == rouge_l("a b c d", "a b")
    assert rouge_l("A dog.", "a dog") == 1.0
    assert rouge_l("", "") == 1.0 and rouge_l("a", "") == 0.0


def test_classes_count_once_for_each_thing():
    truth = layout("two dogs and a bus", "dog", "dog", "bus")
    assert class_recall(truth, layout("", "bus", "dog", "tree")) == pytest.approx(2 / 3)
    assert class_recall(truth, truth) == caption_overlap(truth, truth) == 1.0
    assert class_recall(layout("nothing"), truth) == 1.0
