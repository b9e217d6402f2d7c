"""Scene changes split a recording; what one scene does by itself does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.segments import clips, one_clip, split_scenes
from spa2v_lib.errors import CueError

RATE = 16_000


def scene(seed: int, label: str, file: str, motion: str, receiver: str, **sound: object):
    world = sample_scene(
        seed,
        motion=motion,
        labels=(label,),
        recordings={label: (file,)},
        receiver=receiver,
        duration_s=9.0,
        **sound,
    )
    return render_sound(world, RATE)


@pytest.fixture(scope="module")
def train() -> Recording:
    return scene(3, "train", "train_passby_01.flac", "right_crossing", "ortf", noise_db=-20.0)


@pytest.fixture(scope="module")
def birds() -> Recording:
    return scene(5, "bird", "bird_01.flac", "stationary", "xy", rt60_s=0.0, noise_db=-30.0)


def joined(*parts: Recording) -> Recording:
    return Recording.from_samples(np.concatenate([p.samples for p in parts], axis=1), RATE)


def silence(seconds: float) -> Recording:
    return Recording.from_samples(np.zeros((2, round(seconds * RATE))), RATE)


def noise(seconds: float, level: float = 0.1) -> Recording:
    rng = np.random.default_rng(0)
    return Recording.from_samples(level * rng.normal(size=(2, round(seconds * RATE))), RATE)


@pytest.mark.parametrize("first_is_train", [True, False])
def test_two_places_are_split_where_one_was_cut_to_the_other(
    train: Recording, birds: Recording, first_is_train: bool
) -> None:
    order = (train, birds) if first_is_train else (birds, train)
    first, second = split_scenes(joined(*order))
    assert first.start_s == 0.0 and first.end_s == second.start_s
    assert first.end_s == pytest.approx(order[0].duration_s, abs=0.5)
    assert second.end_s == pytest.approx(18.0, abs=0.1)


def test_a_train_that_goes_past_is_one_scene(train: Recording) -> None:
    assert len(split_scenes(train)) == 1


def test_birds_that_pause_between_their_calls_are_one_scene(birds: Recording) -> None:
    assert len(split_scenes(birds)) == 1


def test_the_same_noise_at_the_same_level_is_one_scene_however_it_was_measured() -> None:
    recording = noise(20.0)
    assert split_scenes(recording) == split_scenes(extract_features(recording))
    assert len(split_scenes(recording)) == 1


def test_a_long_silence_belongs_to_no_clip_and_a_short_one_does() -> None:
    parts = split_scenes(joined(noise(6.0), silence(12.0), noise(6.0)))
    assert [(p.start_s, p.end_s) for p in parts] == [
        pytest.approx((0.0, 6.5), abs=0.11),
        pytest.approx((17.5, 24.0), abs=0.11),
    ]
    assert len(split_scenes(joined(noise(6.0), silence(2.0), noise(6.0)))) == 1


def test_silence_throughout_has_no_clip_and_says_so() -> None:
    assert split_scenes(silence(20.0)) == []
    with pytest.raises(CueError, match="silent throughout"):
        clips(silence(20.0))


def test_a_long_scene_is_divided_within_the_lengths_asked_for_where_it_is_quiet() -> None:
    samples = noise(40.0).samples.copy()
    samples[:, 8 * RATE : int(8.3 * RATE)] *= 0.05
    recording = Recording.from_samples(samples, RATE)
    parts = split_scenes(recording, shortest_s=3.0, longest_s=10.0)
    assert 8.0 <= parts[0].end_s <= 8.3
    assert all(3.0 <= part.duration_s <= 10.0 for part in parts)
    assert [p.end_s for p in parts[:-1]] == [p.start_s for p in parts[1:]]
    assert parts[-1].end_s == pytest.approx(40.0)


def test_no_scene_is_shorter_than_asked_for(train: Recording, birds: Recording) -> None:
    part = birds.cut(0.0, 2.5)
    found = split_scenes(joined(train, part, train), shortest_s=4.0)
    assert all(segment.duration_s >= 4.0 for segment in found)


def test_something_shorter_than_a_clip_is_one_clip() -> None:
    assert [s.duration_s for s in split_scenes(noise(0.5))] == [pytest.approx(0.5)]


@pytest.mark.parametrize(("shortest", "longest"), [(0.5, 30.0), (20.0, 30.0), (4.0, float("nan"))])
def test_lengths_that_cannot_be_kept_are_refused(shortest: float, longest: float) -> None:
    with pytest.raises(CueError, match="shortest"):
        split_scenes(noise(1.0), shortest_s=shortest, longest_s=longest)


def test_a_clip_says_where_it_was_taken_from(train: Recording, birds: Recording) -> None:
    recording = joined(train, birds)
    second = one_clip(recording, 2, 30.0)
    assert np.array_equal(second.samples, recording.samples[:, -second.frames :])
    assert any(note.startswith("clip 2 of 2: ") for note in second.notes)
    short = one_clip(recording, 2, 2.0)
    assert short.duration_s == 2.0 and "cut to the first 2.00 s" in short.notes[-1]
    with pytest.raises(CueError, match="clips 1 to 2; clip 3"):
        one_clip(recording, 3, 30.0)


@pytest.fixture
def blocks_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Give the longest block, in seconds, that was read so far."""
    longest = [0.0]
    read = Recording.blocks

    def blocks(self: Recording, seconds: float = 10.0):
        for block in read(self, seconds):
            longest[0] = max(longest[0], block.shape[1] / self.rate)
            yield block

    monkeypatch.setattr(Recording, "blocks", blocks)
    return lambda: longest[0]


def test_splitting_never_reads_the_whole_recording_at_once(blocks_read) -> None:
    split_scenes(noise(45.0))
    assert 0.0 < blocks_read() <= 10.0
