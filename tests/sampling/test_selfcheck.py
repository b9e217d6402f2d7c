"""The check of a preset tells a video that follows the layout from one that does not."""

import numpy as np
import pytest
from typer.testing import CliRunner

from spa2v_lib.cli import app
from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.sampling import selfcheck
from spa2v_lib.sampling.detection import Detection, OwlVit, detection_in_frame
from spa2v_lib.video import Video


class _Judge:
    """Finds a car in given boxes."""

    def __init__(self, boxes):
        self.boxes = boxes

    def detect(self, frames, labels):
        assert list(labels) == ["car"]
        return [[Detection("car", 0.9, box)] if box else [] for box in self.boxes]


@pytest.fixture
def sampled(monkeypatch):
    def blank(layout, *_args, **_kwargs):
        return Video(np.zeros((layout.frame_count, 64, 64, 3), np.uint8), layout.fps, layout)

    monkeypatch.setattr(selfcheck, "generate", blank)


def _boxes():
    return [row[0] for row in selfcheck.known_layout(1.0).frame_boxes()]


def test_a_car_in_its_boxes_is_good(sampled):
    verdict = selfcheck.check_preset("tiny", detector=_Judge(_boxes()))
    assert verdict.good and verdict.iou == pytest.approx(1.0) and verdict.detected == 1.0


@pytest.mark.parametrize("move", ["mirrored", "absent"])
def test_a_car_elsewhere_or_nowhere_is_not(sampled, move):
    boxes = [box.mirrored() if move == "mirrored" else None for box in _boxes()]
    verdict = selfcheck.check_preset("tiny", detector=_Judge(boxes))
    assert not verdict.good and verdict.iou < 0.4


def test_the_known_layout_lies_in_the_picture_at_every_shape():
    for aspect in (0.6, 1.0, 1.6, 1.78):
        first, last = selfcheck.known_layout(aspect).frame_boxes()[::15]
        assert first[0].center[0] < 0.3 < 0.7 < last[0].center[0]


def test_without_a_detector_the_video_is_kept_and_nothing_is_measured(sampled, monkeypatch):
    def absent():
        raise DataError("no detector's weights")

    monkeypatch.setattr(selfcheck, "OwlVit", absent)
    monkeypatch.setattr(selfcheck, "check", lambda *_, **__: None)
    verdict = selfcheck.check_preset("sd15-gligen", seconds=1.0, steps=2)
    assert not verdict.good and verdict.iou is None and len(verdict.video.frames) == 8
    assert verdict.missing == "no detector's weights"
    with pytest.raises(SamplingError, match="between 0.25 and 30"):
        selfcheck.check_preset("tiny", seconds=0.0)


@pytest.mark.slow
def test_doctor_confirms_the_shipped_suite_and_keeps_the_video(tmp_path):
    done = CliRunner().invoke(
        app, ["doctor", "--preset", "tiny", "--video", str(tmp_path / "check.mp4")]
    )
    assert done.exit_code == 0, done.output
    assert "preset tiny follows the layout" in done.output
    assert (tmp_path / "check.mp4").stat().st_size > 1000


def test_a_detector_that_is_not_there_is_named_before_sampling(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="no detector's weights at .*nowhere"):
        OwlVit(tmp_path / "nowhere")


def test_missing_weights_of_the_preset_are_named_before_the_detectors(monkeypatch, tmp_path):
    monkeypatch.setenv("SPA2V_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(selfcheck, "OwlVit", pytest.fail)
    with pytest.raises(DataError, match=r"sd15-migc.*MIGC_SD14\.ckpt"):
        selfcheck.check_preset("sd15-migc", device="cpu")


def test_detections_are_clipped_to_the_picture_and_slivers_dropped():
    found = detection_in_frame("car", 0.5, np.array([0.05, 0.5, 0.3, 0.2]))
    assert found.box.as_tuple() == pytest.approx((0.0, 0.4, 0.2, 0.6))
    assert detection_in_frame("car", 0.5, np.array([1.5, 0.5, 0.3, 0.2])) is None


def test_owlvit_answers_for_every_frame_with_boxes_of_asked_labels(small_detector, monkeypatch):
    frames = np.random.default_rng(0).integers(0, 255, (2, 20, 40, 3), dtype=np.uint8)
    found = OwlVit(small_detector, threshold=0.0).detect(frames, ["dog", "car"])
    monkeypatch.setenv("SPA2V_WEIGHTS", str(small_detector.parent))
    named = OwlVit(small_detector.name, threshold=0.0, local=True, device="cpu")
    assert named.detect(frames, ["dog", "car"]) == found
    assert len(found) == 2 and all(len(row) > 1 for row in found)
    assert {d.label for row in found for d in row} <= {"dog", "car"}
    for row in found:
        assert [d.score for d in row] == sorted((d.score for d in row), reverse=True)
