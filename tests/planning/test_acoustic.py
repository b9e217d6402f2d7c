from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import CaptureGuess, SourceTrack, SpatialCues
from spa2v_lib.cues.doppler import path_position
from spa2v_lib.cues.types import PassBy, Range
from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.captions import video_caption
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.planning import plan

FRAMES = 40


def cues(
    label: str | None = "bus",
    azimuth: float | np.ndarray | None = 0.0,
    *,
    motion: str = "stationary",
    relative: float | np.ndarray = 1.0,
    capture: str = "xy",
    level_change_db: float = 0.4,
) -> SpatialCues:
    """Cues of one source over four seconds, with intervals of ±2°."""
    if azimuth is None:
        low = middle = high = [None] * FRAMES
    else:
        track = np.broadcast_to(azimuth, FRAMES).astype(float)
        low, middle, high = ((track + k).clip(-90, 90).tolist() for k in (-2.0, 0.0, 2.0))
    ranges = np.broadcast_to(relative, FRAMES).tolist()
    source = SourceTrack(
        id="source-1",
        label=label,
        label_source="tagger",
        label_confidence=0.9,
        label_alternatives=[("bus", 0.3), ("truck", 0.2)],
        azimuth_deg=middle,
        azimuth_low_deg=low,
        azimuth_high_deg=high,
        level_db=[-20.0] * FRAMES,
        active=[True] * FRAMES,
        motion=motion,
        motion_confidence=0.95,
        motion_scores={motion: 1.0},
        azimuth_start_deg=middle[0],
        azimuth_end_deg=middle[-1],
        level_change_db=level_change_db,
        relative_range=ranges,
        relative_range_low=ranges,
        relative_range_high=ranges,
        closest_s=None if motion == "stationary" else 0.1 * int(np.argmin(ranges)) + 0.05,
        pitch_hz=[None] * FRAMES,
        pass_by=None,
    )
    return _around([source], capture)


def _around(sources: list[SourceTrack], capture: str = "xy") -> SpatialCues:
    return SpatialCues(
        recording="take.wav",
        duration_s=4.0,
        rate=48000,
        channels=2,
        times_s=[0.1 * k + 0.05 for k in range(FRAMES)],
        capture=CaptureGuess(format=capture, confidence=1.0, note="as named"),
        ild_db=[0.0] * FRAMES,
        itd_s=[0.0] * FRAMES,
        coherence=[1.0] * FRAMES,
        level_db=[-20.0] * FRAMES,
        sources=sources,
        count_low=len(sources),
        count_high=len(sources),
        notes=[],
    )


RECORDING = Recording.from_samples(np.zeros((2, 4 * 8000), np.float32), 8000, name="take.wav")


def planned(given: SpatialCues, **how: object):
    """Plan by geometry and what is usual alone; examples are `test_framing`'s."""
    return plan(RECORDING, given, exemplars="none", **how)


def test_key_frames_span_the_first_to_the_last_frame_at_two_a_second() -> None:
    layout = planned(cues())
    assert (layout.key_times_s[0], layout.key_times_s[-1]) == (0.0, pytest.approx(31 / 8))
    assert np.allclose(np.diff(layout.key_times_s), 0.5, atol=0.07)
    assert layout.frame_count == 32


@pytest.mark.parametrize("label", sorted(CLASSES))
def test_every_class_is_drawn_at_its_usual_size_and_range(label: str) -> None:
    sound_class = CLASSES[label]
    box = planned(cues(label)).objects[0].boxes[0]
    raw = Camera().project(
        0.0, sound_class.range_m, sound_class.width_m, sound_class.height_m, sound_class.base_m
    )
    assert box.as_tuple() == pytest.approx(np.clip(raw, 0.0, 1.0).tolist())


@pytest.mark.parametrize("azimuth", [-30.0, 0.0, 20.0])
def test_the_box_is_centred_where_the_sound_is(azimuth: float) -> None:
    box = planned(cues("cow", azimuth)).objects[0].boxes[3]
    assert box.center[0] == pytest.approx(Camera().x_of_azimuth(azimuth), abs=1e-6)


def test_a_resting_source_does_not_jitter() -> None:
    wobble = 10.0 + np.random.default_rng(0).normal(0.0, 2.0, FRAMES)
    boxes = planned(cues("cow", wobble)).objects[0].boxes
    assert len({box.as_tuple() for box in boxes}) == 1


def test_an_approach_grows_and_ends_at_the_usual_range() -> None:
    given = cues(
        "car", -8.0, motion="approaching", relative=np.linspace(4, 1, FRAMES), level_change_db=12.0
    )
    layout = planned(given)
    widths = [box.width for box in layout.objects[0].boxes]
    assert np.all(np.diff(widths) > 0)
    assert widths[-1] / widths[0] == pytest.approx(4.0, rel=0.1)
    assert layout.caption == "a car drives towards the camera on a city street"
    assert "rises by 12.0 dB while the azimuth stays within 1°" in layout.reasoning
    assert "approaching" in layout.reasoning


def test_a_crossing_enters_and_leaves_the_picture() -> None:
    azimuth = np.linspace(-75.0, 75.0, FRAMES)
    relative = 1.0 / np.cos(np.radians(azimuth)) + 1e-9
    layout = planned(cues("car", azimuth, motion="right_crossing", relative=relative))
    boxes = layout.objects[0].boxes
    assert boxes[0] is None and boxes[-1] is None
    seen = [box.center[0] for box in boxes if box is not None]
    assert len(seen) >= 3 and np.all(np.diff(seen) > 0)
    assert layout.caption == video_caption([("car", "right_crossing")], "street")
    assert layout.frame_captions[0] == "a city street"
    assert "a car in the centre, a city street" in layout.frame_captions
    assert "sweeps from -75° to +75°" in layout.reasoning


def test_a_crossing_that_fits_no_path_is_planned_without_a_closest_moment() -> None:
    given = cues("car", np.where(np.arange(FRAMES) < 20, -28.0, 28.0), motion="right_crossing")
    leaping = given.sources[0].model_copy(
        update={"closest_s": None, "relative_range": [None] * FRAMES}
    )
    layout = planned(given.model_copy(update={"sources": [leaping]}))
    assert "sweeps from -28° to +28°: right crossing" in layout.reasoning


def passed(distance: Range | None) -> tuple[SpatialCues, np.ndarray]:
    """Cues of a ship that passes 60 m away at 30 m/s, and where it is at the key times."""
    rate, closest, lag = 0.5, 2.0 + 60.0 / 343.0, 60.0 / 343.0
    path = PassBy(
        closest_s=Range(value=closest, low=closest, high=closest),
        speed_over_distance=Range(value=rate, low=rate, high=rate),
        speed_m_s=None if distance is None else Range(value=30.0, low=29.0, high=31.0),
        distance_m=distance,
        heading_deg=90.0,
        evidence="azimuth and level" if distance is None else "azimuth, level and Doppler",
    )
    times = 0.1 * np.arange(FRAMES) + 0.05
    way = path_position(times, closest, rate, 30.0 / 343.0)
    given = cues("ship", np.degrees(np.arctan(way)), motion="right_crossing")
    source = given.sources[0].model_copy(update={"pass_by": path})
    shown = np.array(planned(given).key_times_s)
    return given.model_copy(update={"sources": [source]}), rate * (shown - closest + lag)


def test_a_measured_distance_takes_the_place_of_the_usual_one() -> None:
    given, way = passed(Range(value=60.0, low=57.0, high=63.0))
    layout = planned(given)
    sound_class, middle = CLASSES["ship"], int(np.abs(way).argmin())
    raw = Camera().project(0.0, 60.0, sound_class.width_m, sound_class.height_m, sound_class.base_m)
    assert layout.objects[0].boxes[middle].width == pytest.approx(raw[2] - raw[0], rel=0.03)
    assert "its path 60 m away (90 % interval 57 to 63 m) at 30 m/s" in layout.reasoning
    unsure, _ = passed(Range(value=60.0, low=6.0, high=600.0))
    usual, _ = passed(None)
    widths = [planned(c).objects[0].boxes[middle].width for c in (given, unsure, usual)]
    assert widths[0] < widths[1] < widths[2]


def test_a_fast_source_is_shown_where_it_is_and_not_where_its_sound_left() -> None:
    given, way = passed(Range(value=60.0, low=59.9, high=60.1))
    boxes = planned(given).objects[0].boxes
    expected = [Camera().x_of_azimuth(float(np.degrees(np.arctan(x)))) for x in way]
    inner = slice(2, -2)  # whole boxes only
    centres = [box.center[0] for box in boxes[inner]]
    assert np.allclose(centres, expected[inner], atol=5e-3)


def test_without_a_direction_the_source_is_central_and_the_reasoning_says_so() -> None:
    layout = planned(cues("bus", None, capture="mono"))
    assert layout.objects[0].boxes[0].center[0] == pytest.approx(0.5)
    assert "Its direction is not known" in layout.reasoning


def test_what_is_high_up_is_moved_out_to_where_its_delay_came_from() -> None:
    sound_class, up = (
        CLASSES["airplane"],
        CLASSES["airplane"].base_m + CLASSES["airplane"].height_m / 2 - 1.5,
    )
    level = sound_class.range_m / np.hypot(sound_class.range_m, up)
    apparent = float(np.degrees(np.arcsin(np.sin(np.radians(20.0)) * level)))
    spaced = planned(cues("airplane", apparent, capture="ab")).objects[0].boxes[0]
    assert spaced.center[0] == pytest.approx(Camera().x_of_azimuth(20.0), abs=1e-3)
    level_pair = planned(cues("airplane", apparent, capture="panned")).objects[0].boxes[0]
    assert level_pair.center[0] == pytest.approx(Camera().x_of_azimuth(apparent), abs=1e-3)


def test_the_camera_and_the_aspect_are_obeyed() -> None:
    narrow = planned(cues("cow", 10.0), camera=Camera(fov_deg=60.0, aspect=16 / 9))
    assert narrow.aspect == pytest.approx(16 / 9)
    assert narrow.objects[0].boxes[0].center[0] == pytest.approx(
        Camera(fov_deg=60.0).x_of_azimuth(10.0), abs=1e-6
    )
    assert planned(cues(), aspect=2.0).aspect == 2.0


def test_the_reasoning_states_that_size_and_range_are_not_measured() -> None:
    text = planned(cues("bus")).reasoning
    assert "typical of a bus, not measured" in text and "6.6 m away" in text


def test_silence_is_an_empty_scene() -> None:
    layout = planned(_around([]))
    assert layout.objects == []
    assert layout.caption == "a green meadow"
    assert "Nothing sounds" in layout.reasoning


def guessed(label: str | None = "truck", families: tuple = (("vehicle", 0.8),)) -> SpatialCues:
    given = cues(label)
    source = given.sources[0].model_copy(
        update={"label_source": "guess" if label else "none", "families": list(families)}
    )
    return given.model_copy(update={"sources": [source]})


def test_what_was_not_recognized_is_drawn_as_the_best_guess_and_called_by_its_family() -> None:
    (item,) = (layout := planned(guessed())).objects
    assert (item.label, item.caption) == ("truck", "a vehicle")
    assert layout.caption.startswith("a vehicle stands")
    assert "not recognized" in layout.reasoning and "bus 0.30" in layout.reasoning
    assert "families: vehicle 0.80" in layout.reasoning
    assert "typical of a truck, not measured" in layout.reasoning


def test_what_not_even_a_family_is_known_of_is_something_that_makes_a_sound() -> None:
    (item,) = planned(guessed(families=(("vehicle", 0.3),))).objects
    assert (item.label, item.caption) == ("truck", "something that makes a sound")
    (item,) = planned(guessed(None, ())).objects
    assert item.label == "bus"  # the best candidate


@pytest.mark.parametrize("label", [None, "truck"])
def test_strict_planning_asks_for_a_label(label: str | None) -> None:
    with pytest.raises(PlanningError, match=r"take\.wav.*bus 0\.30.*--label"):
        planned(guessed(label), strict=True)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"planner": "oracle"}, "acoustic"),
        ({"fps": 0}, "fps is 0"),
        ({"key_rate_hz": -1}, "key_rate_hz is -1"),
        ({"aspect": 0}, "aspect is 0"),
    ],
)
def test_wrong_wishes_are_refused_with_what_would_be_right(how, why: str) -> None:
    with pytest.raises(PlanningError, match=why):
        planned(cues(), **how)


def test_cues_of_another_recording_are_refused() -> None:
    other = Recording.from_samples(np.zeros((2, 8000), np.float32), 8000, name="other.wav")
    with pytest.raises(PlanningError, match=r"other\.wav lasts 1\.00 s"):
        plan(other, cues())


def test_a_recording_of_one_frame_has_one_key_frame() -> None:
    short = cues().model_copy(update={"duration_s": 0.1})
    brief = Recording.from_samples(np.zeros((2, 800), np.float32), 8000)
    assert plan(brief, short).key_times_s == [0.0]


def test_mirrored_cues_give_the_mirrored_layout() -> None:
    azimuth = np.linspace(-60.0, 35.0, FRAMES)
    one = planned(cues("bus", azimuth, motion="right_crossing"))
    two = planned(cues("bus", -azimuth, motion="left_crossing"))
    assert any(one.objects[0].boxes)
    for box, twin in zip(one.objects[0].boxes, two.mirrored().objects[0].boxes, strict=True):
        assert (box is None) == (twin is None)
        assert box is None or box.as_tuple() == pytest.approx(twin.as_tuple())


def test_a_strict_plan_leaves_a_guess_beside_a_known_source_out_and_says_so() -> None:
    analyzed = cues("bus")
    stranger = guessed().sources[0].model_copy(update={"id": "source-2"})
    both = analyzed.model_copy(update={"sources": [*analyzed.sources, stranger]})
    assert [item.label for item in planned(both).objects] == ["bus", "truck"]
    layout = planned(both, strict=True)
    assert [item.label for item in layout.objects] == ["bus"]
    assert "source-2 is left out" in layout.reasoning
    assert layout.reasoning.startswith("Two sources are detected")


def test_any_word_of_the_users_is_planned_and_markup_is_refused() -> None:
    analyzed = cues("bus")

    def named(label: str) -> SpatialCues:
        given = {"label": label, "label_source": "user", "label_confidence": 1.0}
        source = analyzed.sources[0].model_copy(update=given)
        return analyzed.model_copy(update={"sources": [source]})

    (item,) = planned(named("my neighbour's lawn mower")).objects
    assert item.label == item.caption == "my neighbour's lawn mower"
    with pytest.raises(PlanningError, match="markup"):
        planned(named("<b>bus</b>"))
