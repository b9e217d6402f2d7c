"""The suite can learn more classes from where it stands: words, close-ups, boxes of any size."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from spa2v_lab.scenes.picture import STYLES, drawn_labels, sprite
from spa2v_lab.scenes.sampler import sample_free_scene
from spa2v_lab.scenes.scene import ground_truth_layout
from spa2v_lab.training import data
from spa2v_lab.training.autoencoder import EncodedSet
from spa2v_lab.training.base import Base, close_ups, object_weights, tokenize, with_words
from spa2v_lab.training.detector import widened
from spa2v_lab.training.loop import Plan
from spa2v_lab.training.train import Job, base, load_base
from spa2v_lib.layout.classes import CLASSES, get_class
from spa2v_lib.resources import resource
from spa2v_lib.sampling.tiny_detector import shipped_detector


@pytest.fixture(scope="module")
def drawn() -> data.DrawnSet:
    return data.DrawnSet.joined(list(data.further_parts(64, seed=3, size=128)))


def test_every_drawn_class_has_a_sprite_in_every_style_and_a_usual_size():
    labels = drawn_labels()
    assert labels[: len(CLASSES)] == tuple(sorted(CLASSES))
    assert len(data.MORE_LABELS) == 15 and not set(data.MORE_LABELS) & set(CLASSES)
    for label in labels:
        assert get_class(label).name == label and get_class(label).family
        for style in STYLES:
            assert max(sprite(label, style).size) == 192


def test_words_of_new_classes_become_tokens_and_old_captions_stay_as_they_were():
    shipped = load_base(resource("models", "tiny"), "cpu")
    captions = ["a bus drives from left to right on a city street", "a fire engine on the left"]
    before = [tokenize(shipped.tokenizer, captions), None]
    with torch.no_grad():
        before[1] = shipped.text(before[0]).last_hidden_state
    wide = with_words(shipped)
    assert torch.equal(tokenize(wide.tokenizer, captions), before[0])
    with torch.no_grad():
        assert torch.equal(wide.text(before[0]).last_hidden_state, before[1])
    for label in data.MORE_LABELS:
        assert wide.tokenizer.tokenize(label) == [f"{word}</w>" for word in label.split()]
    assert len(wide.tokenizer) == wide.text.get_input_embeddings().weight.shape[0] > 701
    again = with_words(Base(*wide))
    assert len(again.tokenizer) == len(wide.tokenizer), "nothing is added twice"


def test_close_ups_are_cut_around_an_object_and_name_it(drawn):
    latents = torch.arange(64 * 4 * 16 * 16, dtype=torch.float32).reshape(64, 4, 16, 16)
    targets = (torch.from_numpy(part) for part in (drawn.boxes, drawn.phrases))
    encoded = EncodedSet(latents, drawn.captions, *targets)
    rows, rng = torch.arange(64), torch.Generator().manual_seed(0)
    weights = object_weights(encoded.boxes, 16)
    cut, cut_weights, which = close_ups(encoded, rows, weights, rng)
    assert cut.shape == (64, 4, 8, 8) and cut_weights.shape == (64, 1, 8, 8)
    assert (torch.diff(cut[:, 0], dim=2) == 1).all() and (torch.diff(cut[:, 0], dim=1) == 16).all()
    for row in range(64):
        present = encoded.phrases[row][encoded.phrases[row] >= 0]
        assert which[row] in present if len(present) else which[row] == -1
    with_objects = (encoded.phrases >= 0).any(1)
    share = cut_weights.mean((1, 2, 3)) / weights.mean((1, 2, 3))
    assert (share[with_objects] > 1).float().mean() > 0.9, "windows hold objects"


def test_frames_for_learning_more_show_new_classes_in_half_and_forget_no_old_one(drawn):
    frames = data.DrawnSet.joined(list(data.further_parts(800, seed=4, size=16)))
    seen = Counter(data.LABELS[label] for label in frames.labels[frames.labels >= 0])
    new = sum(seen[label] for label in data.MORE_LABELS)
    assert 0.5 < new / seen.total() < 0.85
    assert set(seen) == set(data.LABELS)


def test_free_boxes_are_small_and_large_of_any_shape_and_often_of_one_class():
    rng = np.random.default_rng(0)
    scenes = [sample_free_scene(rng, labels=("cow", "dog"), object_count=3) for _ in range(60)]
    layouts = [ground_truth_layout(scene) for scene in scenes]
    boxes = [b for layout in layouts for item in layout.objects for b in item.boxes if b]
    width, height = np.array([(b.x1 - b.x0, b.y1 - b.y0) for b in boxes]).T
    assert (width < 0.1).mean() > 0.15 and (width > 0.25).mean() > 0.1
    assert np.std(np.log(width / height)) > 0.2
    alike = [len({item.label for item in layout.objects}) == 1 for layout in layouts]
    assert 0.4 < np.mean(alike) < 0.85
    ways = [{np.sign(obj.path.velocity[0]) for obj in scene.objects} for scene in scenes]
    assert any({-1.0, 1.0} <= way for way in ways), "some cross"


def test_a_widened_detector_finds_what_the_shipped_one_does():
    shipped, wide = shipped_detector(), widened(shipped_detector())
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        (old, sides), (new, same) = shipped(pixels), wide(pixels)
    assert torch.equal(old, new[:, : old.shape[1]]) and torch.equal(sides, same)
    assert new.shape[1] == len(data.LABELS) and new[:, old.shape[1] :].sigmoid().max() < 0.5


@pytest.mark.slow
def test_the_shipped_base_learns_on_with_new_classes(tmp_path: Path):
    (tmp_path / "out").mkdir()
    shipped = resource("models", "tiny")
    (tmp_path / "out" / "vae").symlink_to(shipped / "vae")
    job = Job(tmp_path, tmp_path / "out", shipped, further=True, count=16, seed=5)
    log = base(job, Plan(2, 2, 1e-4, warmup=1, decay=0.5))
    assert log["steps"] == 2
    assert load_base(tmp_path / "out", "cpu").tokenizer.tokenize("a violin") == [
        "a</w>",
        "violin</w>",
    ]
