from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spa2v_lab.scenes.exemplar_scenes import PLANS, make_exemplar, mirrored_scene
from spa2v_lab.scenes.exemplars import rounded
from spa2v_lab.scenes.recordings import recordings_table
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.scene import ground_truth_layout
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import extract_cues
from spa2v_lib.errors import DataError, PlanningError
from spa2v_lib.planning.exemplars import (
    Exemplar,
    check_choice,
    cue_distance,
    exemplar_sound,
    leaks,
    load_exemplars,
    ranked_exemplars,
)
from spa2v_lib.planning.prompt import cue_table
from spa2v_lib.resources import resource

ALL = load_exemplars()


def test_at_least_sixty_scenes_of_every_spatial_attribute_are_shipped() -> None:
    assert len(ALL) >= 60
    wanted = {
        ("stationary", "single", "left"),
        ("stationary", "single", "centre"),
        ("stationary", "single", "right"),
        ("stationary", "multiple", "left", "right"),
        ("left_crossing", "single"),
        ("right_crossing", "single"),
        ("approaching", "single"),
        ("receding", "single"),
    }
    for attributes in wanted:
        found = [e for e in ALL if set(attributes) <= set(e.attributes)]
        assert len(found) >= 4, attributes
    sizes = [p.stat().st_size for p in resource("exemplars").rglob("*") if p.is_file()]
    assert sum(sizes) <= 2_000_000


def test_every_exemplar_says_the_same_in_cues_layout_and_words() -> None:
    assert len({e.id for e in ALL}) == len(ALL)
    for e in ALL:
        assert set(e.objects) == {source.id for source in e.cues.sources}, e.id
        assert sorted(e.objects.values()) == sorted(o.id for o in e.layout.objects), e.id
        assert e.cues.duration_s == pytest.approx(e.layout.duration_s), e.id
        objects = {shown.id: shown for shown in e.layout.objects}
        for source in e.cues.sources:
            shown = objects[e.objects[source.id]]
            assert source.label == shown.label, e.id
            assert source.motion in e.attributes, e.id
            assert shown.caption.removeprefix("a ").removeprefix("an ") in e.layout.reasoning
        assert len(e.layout.reasoning) > 100, e.id


def test_directions_in_cues_and_layout_agree() -> None:
    for e in ALL:
        objects = {shown.id: shown for shown in e.layout.objects}
        for source in e.cues.sources:
            box = next(b for b in objects[e.objects[source.id]].boxes if b is not None)
            if abs(box.center[0] - 0.5) > 0.2 and source.motion == "stationary":
                assert (source.azimuth_start_deg > 0) == (box.center[0] > 0.5), e.id


def test_mirrored_exemplars_are_marked_and_are_the_mirror_of_their_scene() -> None:
    drawn = {e.family: e for e in ALL if e.variant == "drawn"}
    mirrored = [e for e in ALL if e.variant == "mirrored"]
    assert len(drawn) == len(PLANS) and mirrored
    for e in mirrored:
        rows = [[b and b.as_tuple() for b in o.boxes] for o in e.layout.objects]
        original = drawn[e.family].layout.mirrored()
        for row, shown in zip(rows, original.objects, strict=True):
            for box, other in zip(row, shown.boxes, strict=True):
                assert (box is None) == (other is None)
                if box is not None:
                    assert box == pytest.approx(other.as_tuple(), abs=2e-4)


def test_every_recording_that_was_used_is_in_the_table_of_licences() -> None:
    listed = resource("exemplars", "recordings.csv").read_text(encoding="utf-8")
    for name in {file for e in ALL for file in e.recordings}:
        assert f"\n{name}," in listed
    shipped = {row.file for row in recordings_table()}
    assert {file for e in ALL for file in e.recordings} <= shipped


def test_the_shipped_file_is_what_the_script_makes() -> None:
    made = make_exemplar(2)
    shipped = [e for e in ALL if e.family == "002"]
    assert [e.id for e in made.exemplars] == [e.id for e in shipped]
    for new, old in zip(made.exemplars, shipped, strict=True):
        assert new.layout.reasoning == old.layout.reasoning
        assert new.recordings == old.recordings
    sides, rate = exemplar_sound(shipped[0])
    assert sides.shape == (2, rate * made.sound.frames // made.sound.rate)
    drawn = made.sound.resampled(rate).samples[:, : sides.shape[1]]
    for coded, true in zip(sides, drawn, strict=True):
        assert np.corrcoef(coded, true)[0, 1] > 0.8  # coded, but the same sound


def test_every_exemplar_can_be_played_and_the_louder_side_is_kept() -> None:
    louder = []
    for e in ALL:
        (left, right), rate = exemplar_sound(e)
        assert len(left) / rate == pytest.approx(e.cues.duration_s, abs=0.01)
        ild = [value for value in e.cues.ild_db if value is not None]
        if abs(np.median(ild)) > 3.0 and e.attributes[0] == "stationary":
            change = 10 * np.log10(np.mean(right**2) / np.mean(left**2))
            louder.append((change > 0) == (np.median(ild) > 0))
    assert len(louder) > 5 and all(louder)


def test_a_mirrored_exemplar_sounds_with_its_sides_exchanged() -> None:
    mirrored = next(e for e in ALL if e.variant == "mirrored")
    drawn = next(e for e in ALL if e.family == mirrored.family and e.variant == "drawn")
    assert np.array_equal(exemplar_sound(mirrored)[0], exemplar_sound(drawn)[0][::-1])


def test_the_sounds_name_their_recordings_and_licences() -> None:
    rows = resource("exemplars", "recordings.csv").read_text(encoding="utf-8").splitlines()[1:]
    listed = {row.split(",", 1)[0]: row.rsplit(",", 1)[1].split() for row in rows}
    for e in ALL:
        assert all(e.family in listed[file] for file in e.recordings)
    shipped = {path.stem for path in resource("exemplars", "sounds").iterdir()}
    assert shipped == {e.family for e in ALL} == {name for row in listed.values() for name in row}


def test_no_confidence_is_rounded_up_to_one() -> None:
    assert rounded({"label_confidence": 0.996, "confidence": 1.0}) == {
        "label_confidence": 0.99,
        "confidence": 1.0,
    }


def test_a_confident_tagger_is_not_taken_for_the_caller() -> None:
    named = [
        source.label_source == "user" for e in ALL for source in e.cues.sources if not source.tags
    ]
    tagged = [source for e in ALL for source in e.cues.sources if source.tags]
    assert all(named) and tagged
    assert not any(source.label_source == "user" for source in tagged)
    certain = next(
        e for e in ALL if any(s.tags and s.label_confidence == 1.0 for s in e.cues.sources)
    )
    assert "confidence 1.00" in cue_table(certain.cues, [0.0])


@pytest.mark.parametrize("receiver", ["xy", "ab", "foa"])
def test_mirror_and_reversal_of_a_recording_are_recognised(receiver: str) -> None:
    recordings = {"train": ("train_steam_01.flac",)}
    scene = sample_scene(
        8, motion="right_crossing", labels=("train",), recordings=recordings, receiver=receiver
    )
    sound = render_sound(scene)
    turned = sound.samples[:, ::-1].copy()
    flipped = sound.samples.copy()
    if receiver == "foa":
        flipped[1] *= -1
    else:
        flipped = flipped[::-1].copy()
    own = ALL[0].model_copy(update={"recordings": [], "cues": extract_cues(sound)})
    for samples in (sound.samples, turned, flipped, flipped[:, ::-1].copy()):
        analyzed = extract_cues(Recording.from_samples(samples, sound.rate, name="renamed"))
        assert leaks(own, analyzed)
    recordings = {"horse": ("horse_01.flac",)}
    other = sample_scene(
        8, motion="right_crossing", labels=("horse",), recordings=recordings, receiver=receiver
    )
    assert not leaks(own, extract_cues(render_sound(other)))


def test_no_choice_shows_the_recording_its_mirror_or_its_sources() -> None:
    for e in ALL[::4]:
        for how in ("knn", "fixed", "random"):
            chosen = ranked_exemplars(e.cues, how, recordings=e.recordings)[:3]
            assert len(chosen) == 3 and e.family not in {one.family for one in chosen}
            assert not any(set(one.recordings) & set(e.recordings) for one in chosen)
        assert e.family not in {one.family for one in ranked_exemplars(e.cues)[:3]}


def test_a_recording_is_known_by_its_name_whatever_the_folder_and_suffix() -> None:
    e = ALL[0]
    stem = Path(e.recordings[0]).stem
    strange = ALL[-1].cues
    assert leaks(e, strange, [f"some/where/{stem}.wav"])
    assert leaks(e, strange.model_copy(update={"recording": f"{stem}.mp3"}))


def test_the_nearest_are_of_the_same_kind_of_scene() -> None:
    same = []
    for e in ALL:
        first = ranked_exemplars(e.cues)[0]
        same.append(sorted(first.attributes) == sorted(e.attributes))
    assert np.mean(same) >= 0.75


def test_nearness_is_symmetric_and_sees_direction_motion_and_class() -> None:
    e = next(e for e in ALL if set(e.attributes) == {"stationary", "single", "left"})
    source = e.cues.sources[0]
    assert cue_distance(e.cues, e.cues) == 0.0
    for a, b in zip(ALL[:6], ALL[6:12], strict=True):
        assert cue_distance(a.cues, b.cues) == pytest.approx(cue_distance(b.cues, a.cues))

    def changed(**fields: object) -> float:
        other = source.model_copy(update=fields)
        return cue_distance(e.cues, e.cues.model_copy(update={"sources": [other]}))

    azimuth = [a + 30.0 for a in source.azimuth_deg]
    nearer = [a + 10.0 for a in source.azimuth_deg]
    assert changed(azimuth_deg=azimuth) > changed(azimuth_deg=nearer) > 0.0
    assert changed(label="ship" if source.label != "ship" else "bus", label_alternatives=[]) > 0.0
    assert changed(motion_scores={"receding": 1.0}) > 0.0
    assert changed(level_change_db=source.level_change_db - 9.0) > 0.0


def test_fixed_ignores_the_recording_and_random_follows_its_seed() -> None:
    a, b = ALL[0].cues, ALL[40].cues
    far = [e for e in ALL if e.family not in (ALL[0].family, ALL[40].family)]
    assert ranked_exemplars(a, "fixed", pool=far) == ranked_exemplars(b, "fixed", pool=far)
    draws = [[e.id for e in ranked_exemplars(a, "random", seed=s)] for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_none_chooses_nothing_and_a_wrong_word_is_refused() -> None:
    cues = ALL[0].cues
    assert ranked_exemplars(cues, "none") == []
    check_choice("none", 0)
    with pytest.raises(PlanningError, match="knn, fixed, random, none"):
        ranked_exemplars(cues, "nearest")
    with pytest.raises(PlanningError, match="0 or more"):
        check_choice("knn", -1)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "exemplars.jsonl"
    good = ALL[0].model_dump_json()
    file.write_text(f"{good}\n{json.dumps({'id': 'x'})}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        load_exemplars(file)
    with pytest.raises(DataError, match="does not exist"):
        load_exemplars(tmp_path / "none.jsonl")


def test_the_mirror_of_a_mirrored_scene_is_the_scene() -> None:
    scene = sample_scene(4, motion="left_crossing")
    assert mirrored_scene(mirrored_scene(scene)) == scene
    boxes = ground_truth_layout(mirrored_scene(scene)).objects[0].boxes
    expected = ground_truth_layout(scene).mirrored().objects[0].boxes
    for box, other in zip(boxes, expected, strict=True):
        assert (box is None) == (other is None)
        assert box is None or box.as_tuple() == pytest.approx(other.as_tuple())


def test_exemplars_survive_saving() -> None:
    for e in ALL[:5]:
        assert Exemplar(**json.loads(e.model_dump_json())) == e
