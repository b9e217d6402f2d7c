from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spa2v_lab.training import tagger
from spa2v_lab.training.tagger_data import RATE, excerpt
from spa2v_lab.training.tagger_fit import Heard, Training, fit
from spa2v_lab.training.tagger_outliers import INVENTIONS, TWISTS, invented, twisted
from spa2v_lab.training.tagger_scores import QUICK, auroc, evaluate
from spa2v_lab.training.tagger_separated import separated_excerpts
from spa2v_lab.training.tagger_sounds import Sounds
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import features, load_embedded

FEW = Training(excerpts=20)


def cloud(file: str, label: str, centre: np.ndarray, seed: int) -> Heard:
    rng = np.random.default_rng(seed)
    parts = (centre + 0.1 * rng.normal(size=(20, len(centre))) for _ in range(3))
    return Heard(file, label, *parts)


def clouds() -> list[Heard]:
    """Return two recordings each of two classes that differ in the first number, and outliers."""
    found = []
    for k, label in enumerate(("a", "a", "b", "b", UNKNOWN)):
        centre = np.zeros(6)
        centre[0] = {"a": -1.0, "b": 1.0, UNKNOWN: 6.0}[label]
        centre[1] = 3.0 * (-1.0) ** k  # recordings of one class differ here
        found.append(cloud(f"{label}-{k}", label, centre, k))
    return found


def test_the_space_separates_classes_and_puts_aside_what_recordings_differ_in() -> None:
    model = fit(clouds(), FEW)
    assert model.labels == ("a", "b", UNKNOWN)
    weight = np.linalg.norm(model.projection / model.scale[:, None], axis=1)
    assert weight[0] > 3.0 * weight[1]
    fresh = cloud("new", "b", np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), 9)
    assert (model.distances(model.placed(fresh.test)).argmin(1) == 1).mean() > 0.95


def test_what_is_near_outliers_is_unknown() -> None:
    model = replace(fit(clouds(), FEW), slope=20.0)
    strange = cloud("new", UNKNOWN, np.array([6.0, 3.0, 0.0, 0.0, 0.0, 0.0]), 8)
    assert (model.probabilities(strange.test).argmax(1) == 2).all()
    assert (model.probabilities(clouds()[0].test).argmax(1) == 0).all()


def test_what_was_taken_separated_from_others_has_a_border_of_its_own() -> None:
    model = replace(fit(clouds(), FEW), slope=20.0, border=2.0, border_separated=-2.0)
    known = clouds()[0].test
    assert (model.probabilities(known).argmax(1) == 2).all()
    assert (model.probabilities(known, separated=True).argmax(1) == 0).all()


def test_fitting_repeats_itself() -> None:
    one, two = fit(clouds(), FEW), fit(clouds(), FEW)
    assert np.array_equal(one.examples, two.examples)


def test_leaving_a_recording_out_leaves_out_what_was_made_of_it() -> None:
    known = tuple(clouds()[:4])
    bent = replace(known[0], label=UNKNOWN)
    sounds = Sounds(known, (), (), (bent,), ())
    assert bent in sounds.without(["b-2"]) and known[2] not in sounds.without(["b-2"])
    assert [sound.file for sound in sounds.without(["a-0"])] == ["a-1", "b-2", "b-3"]


def test_auroc_counts_pairs_in_the_right_order() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert auroc(np.array([0.0, 3.0]), np.array([1.0, 2.0])) == 0.5


@pytest.mark.parametrize("kind", range(len(INVENTIONS)))
def test_invented_sounds_are_finite_full_scale_and_repeatable(kind: int) -> None:
    one, two = (invented(kind, np.random.default_rng(kind)) for _ in range(2))
    assert np.isfinite(one).all() and np.abs(one).max() == pytest.approx(1.0)
    assert np.array_equal(one, two)


@pytest.mark.parametrize("kind", range(len(TWISTS)))
def test_twisted_sounds_have_another_course_or_spectrum(kind: int) -> None:
    course = np.exp(-np.arange(RATE) / 2000.0)
    sound = course * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
    other = twisted(sound, kind, np.random.default_rng(0))
    assert other.shape == sound.shape and np.abs(other).max() == pytest.approx(1.0)
    early = [float((part[: RATE // 8] ** 2).sum() / (part**2).sum()) for part in (sound, other)]
    peaks = [int(np.abs(np.fft.rfft(part)).argmax()) for part in (sound, other)]
    assert early[1] < 0.5 * early[0] or abs(peaks[1] - peaks[0]) > 300


def test_excerpts_are_repeatable_and_of_the_size_that_the_tagger_knows() -> None:
    sound = invented(0, np.random.default_rng(0))
    one, two = (features(excerpt(sound, np.random.default_rng(3), 1.0, sound)) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.shape == load_embedded().mean.shape


def test_recordings_played_together_are_found_again_and_described() -> None:
    files = ["sheep_01.flac", "ship_horn_01.flac", "drum_roll_01.flac", "bird_01.flac"]
    found, again = (separated_excerpts(files, 1, [3]) for _ in range(2))
    assert found and set(found) <= set(files)
    for file, vectors in found.items():
        assert vectors.shape[1:] == load_embedded().mean.shape
        assert np.array_equal(vectors, again[file])


def test_a_recording_with_none_to_be_played_together_with_teaches_nothing() -> None:
    assert separated_excerpts(["sheep_01.flac"], 2, [0]) == {}


def test_a_tagger_answers_as_before_once_it_was_written(tmp_path) -> None:
    model = fit(clouds(), FEW)
    tagger._write(tmp_path, model, "card")
    read = load_embedded(tmp_path / "tagger.safetensors")
    fresh = cloud("new", "b", np.array([1.0, 1.0, 0.5, 0.0, 0.0, 0.0]), 9).test
    assert np.allclose(read.probabilities(fresh), model.probabilities(fresh), atol=1e-3)


@pytest.mark.slow
def test_what_is_left_out_is_measured_and_written_into_the_card(tmp_path) -> None:
    found = evaluate(quick=True)
    assert found["leave_one_recording_out"]["recordings"] == 27
    assert found["single_recording"]["recordings"] == 8
    assert found["single_recording"]["top1"] > 0.8 > found["leave_one_recording_out"]["top1"] > 0.3
    assert found["leave_one_class_out"]["auroc"] > 0.8
    assert found["unknown"]["separated_excerpts"] < found["unknown"]["foreign_separated"]
    tagger.main(["--out", str(tmp_path), "--quick"])
    assert "truck" in load_embedded(tmp_path / "tagger.safetensors").labels
    assert "left out one at a time" in (tmp_path / "README.md").read_text()
    assert QUICK.excerpts < Training.excerpts
