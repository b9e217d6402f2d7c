"""The training of the tagger: folds, fitting, calibration, and the examples that are shipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spa2v_lab.training import tagger
from spa2v_lab.training.tagger_examples import (
    Examples,
    embed,
    load_examples,
    read_sounds,
    save_examples,
)
from spa2v_lab.training.tagger_fit import (
    FOLDS,
    Training,
    calibration,
    class_folds,
    fit,
    folds,
    held_out,
)
from spa2v_lab.training.tagger_outliers import INVENTIONS, invented
from spa2v_lib.cues.tagging.base import UNKNOWN
from spa2v_lib.cues.tagging.embedded import load_embedded, probabilities_of
from spa2v_lib.layout.classes import FAMILIES, family_of

LABELS = ("cow", "dog", "violin", UNKNOWN)


def clouds(spread: float = 0.3, groups: int = 5) -> Examples:
    """Return examples of four labels that lie around four corners of the space."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0.0, 1.0, (len(LABELS), 512))
    names = [name for name in LABELS for _ in range(groups)]
    sounds = np.repeat(np.arange(len(names)), 4)
    vectors = np.array([corners[LABELS.index(names[k])] for k in sounds])
    vectors = np.abs(vectors + spread * rng.normal(size=vectors.shape)).astype(np.float32)
    which = [f"{name}:{k}" for k, name in enumerate(names)]
    plain = ["made here"] * len(names)
    return Examples(
        vectors, sounds, np.zeros(len(sounds), int), names, which, [-1] * len(names), plain, plain
    )


def test_classes_that_lie_apart_are_learnt_and_probabilities_sum_to_one() -> None:
    examples = clouds()
    model = fit(examples, np.ones(len(examples.vectors), bool), LABELS, Training())
    fresh = clouds(groups=2)
    classes, families = probabilities_of(model.logits(fresh.vectors), LABELS, 1.0)
    truth = np.array([LABELS.index(name) for name in fresh.labels])[fresh.sounds]
    assert (classes.argmax(1) == truth).mean() > 0.95
    assert np.allclose(classes.sum(1), 1.0) and np.allclose(families.sum(1), 1.0)


def test_a_family_is_as_probable_as_its_classes_together() -> None:
    classes, families = probabilities_of(np.array([[1.0, 2.0, 0.0, 0.5]]), LABELS, 1.0)
    animal = list(FAMILIES).index("animal")
    assert families[0, animal] == pytest.approx(classes[0, :2].sum())
    assert families[0, -1] == pytest.approx(classes[0, 3])


def test_a_class_without_examples_is_never_answered() -> None:
    examples = clouds()
    cows = np.array(examples.labels)[examples.sounds] == "cow"
    model = fit(examples, ~cows, LABELS, Training())
    assert (model.logits(examples.vectors[cows]).argmax(1) != 0).all()


def test_a_group_is_in_one_fold_and_a_data_sets_own_folds_are_kept() -> None:
    examples = clouds(groups=FOLDS)
    parted = folds(examples)
    for name in LABELS:
        of_label = [parted[k] for k, label in enumerate(examples.labels) if label == name]
        assert sorted(of_label) == list(range(FOLDS))
    together = replace(examples, groups=["one"] * len(examples.groups))
    assert len(set(folds(together))) == 1
    own = replace(examples, folds=[2] * len(examples.labels))
    assert set(folds(own)) == {2}


def test_classes_are_left_out_once_each() -> None:
    parts = class_folds(LABELS)
    assert sorted(name for part in parts for name in part) == sorted(LABELS[:-1])


def test_no_fold_learns_from_what_it_names() -> None:
    examples = clouds()
    # Each recording has its own direction and no class has any: only what was learnt is known.
    rng = np.random.default_rng(1)
    own = rng.uniform(0.0, 2.0, (len(examples.labels), 512)).astype(np.float32)
    lone = replace(examples, vectors=own[examples.sounds])
    truth = np.array([LABELS.index(name) for name in lone.labels])[lone.sounds]
    whole = fit(lone, np.ones(len(truth), bool), LABELS, Training(penalty=1e-6))
    assert (whole.logits(lone.vectors).argmax(1) == truth).mean() > 0.95
    assert (held_out(lone, LABELS, Training()).argmax(1) == truth).mean() < 0.6


def test_calibration_makes_probabilities_as_right_as_they_say() -> None:
    rng = np.random.default_rng(2)
    examples = clouds(groups=60)
    truth = np.array([LABELS.index(name) for name in examples.labels])[examples.sounds]
    answers = np.where(rng.uniform(size=len(truth)) < 0.7, truth, (truth + 1) % len(LABELS))
    bold = 12.0 * np.eye(len(LABELS))[answers]  # is right in 70 %, says it is certain
    temperature, _ = calibration(examples, LABELS, bold)
    classes, _ = probabilities_of(bold / temperature, LABELS, 1.0)
    assert classes.max(1).mean() == pytest.approx(0.7, abs=0.12)


@pytest.mark.parametrize("kind", range(len(INVENTIONS)))
def test_invented_sounds_are_finite_full_scale_and_repeatable(kind: int) -> None:
    one, two = (invented(kind, np.random.default_rng(kind)) for _ in range(2))
    assert np.isfinite(one).all() and np.abs(one).max() == pytest.approx(1.0)
    assert np.array_equal(one, two)


def test_examples_are_read_as_they_were_written(tmp_path) -> None:
    examples = clouds()
    save_examples(examples, tmp_path)
    read = load_examples(tmp_path)
    assert read.labels == examples.labels and read.groups == examples.groups
    assert np.array_equal(read.sounds, examples.sounds)
    assert np.allclose(np.sqrt(read.vectors), np.sqrt(examples.vectors), atol=0.0061)


def test_a_tagger_answers_as_before_once_it_was_written(tmp_path) -> None:
    examples = clouds()
    model = tagger.train(examples)
    tagger.write(model, tmp_path)
    read = load_embedded(tmp_path / "tagger.safetensors")
    assert read.labels == LABELS
    assert np.allclose(read.logits(examples.vectors), model.logits(examples.vectors), atol=1e-4)
    assert read.family_exponent == pytest.approx(model.family_exponent)


def test_sounds_are_embedded_under_conditions_with_invented_ones_beside() -> None:
    sounds = read_sounds([])[:3]
    found = embed(sounds, 0, 1, lambda *_: None)
    assert set(found.conditions[found.sounds == 0]) >= {0, 1, 2, 3}
    assert found.labels[3:] == [UNKNOWN] * (len(found.labels) - 3)
    assert found.vectors.shape == (len(found.sounds), 512) and (found.vectors >= 0.0).all()


def test_the_shipped_examples_state_a_source_and_a_licence_for_every_sound() -> None:
    examples = load_examples()
    assert all(examples.sources) and all(examples.licenses)
    assert set(examples.sounds) == set(range(len(examples.labels)))
    assert {family_of(name) for name in set(examples.labels) - {UNKNOWN}} <= set(FAMILIES)
    assert tagger.labels_of(examples) == load_embedded().labels


@pytest.mark.slow
def test_the_shipped_tagger_is_what_the_shipped_examples_teach(tmp_path) -> None:
    tagger.main(["--out", str(tmp_path)])
    again, shipped = load_embedded(tmp_path / "tagger.safetensors"), load_embedded()
    examples = load_examples()
    one, two = (
        probabilities_of(model.logits(examples.vectors), model.labels, model.family_exponent)[0]
        for model in (again, shipped)
    )
    assert np.abs(one - two).max() < 0.02
