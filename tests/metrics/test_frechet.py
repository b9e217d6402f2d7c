"""The Fréchet distance, held to closed forms and to another implementation; its features."""

import numpy as np
import pytest

from spa2v_lab.metrics import DrawnWorldFeatures, VideoMAEFeatures, frechet_distance
from spa2v_lib.errors import DataError, MetricError, VideoError


def exactly(mean, deviations):
    """Rows whose sample mean and (diagonal) covariance are exactly those asked for."""
    dim = len(mean)
    corners = np.concatenate([np.eye(dim), -np.eye(dim)])
    scale = np.sqrt((len(corners) - 1) / 2)
    return np.asarray(mean) + scale * corners * np.asarray(deviations)


def drawn(seed, n, dim):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(
        dim
    )


def by_sqrtm(a, b):
    """The formula as it is written, with SciPy's matrix root."""
    from scipy.linalg import sqrtm

    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    apart = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return apart + np.trace(cov_a + cov_b - 2 * np.real(sqrtm(cov_a @ cov_b)))


def test_diagonal_gaussians_have_a_closed_form():
    a, b = exactly([0, 1, 2], [1, 2, 0.5]), exactly([3, 1, -2], [2, 0.5, 0.5])
    assert np.cov(a.T) == pytest.approx(np.diag([1, 4, 0.25]))
    # Means: 9 + 0 + 16. Deviations: (1 - 2)² + (2 - 0.5)² + 0.
    assert frechet_distance(a, b) == pytest.approx(25 + 1 + 2.25)


def test_one_dimension_by_hand():
    # Means 1 and 4, deviations √2 and 2√2: 9 + 2.
    assert frechet_distance([[0], [2]], [[2], [6]]) == pytest.approx(9 + 2)


def test_a_shift_counts_its_square_alone():
    a = drawn(0, 40, 6)
    assert frechet_distance(a, a + 2.0) == pytest.approx(6 * 4.0)


def test_nothing_is_nearer_than_itself():
    for n in (5, 200):
        a = drawn(1, n, 16)
        assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (40, 90), (300, 60)])
def test_it_is_the_formula_with_a_matrix_root(n, m):
    a, b = drawn(2, n, 12), drawn(3, m, 12)
    assert frechet_distance(a, b) == pytest.approx(by_sqrtm(a, b), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_fewer_clips_than_dimensions_are_no_trouble():
    # In 64 dimensions two clips fill one: the root of the product is |u·v| times the lengths.
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 2, 64))
    u, v = (a[1] - a[0]) / np.sqrt(2), (b[1] - b[0]) / np.sqrt(2)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + u @ u + v @ v - 2 * abs(u @ v)
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_a_turn_of_both_changes_nothing():
    a, b = drawn(5, 30, 8), drawn(6, 20, 8)
    turn, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((8, 8)))
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b))


def test_few_clips_of_one_source_look_further_apart_than_many():
    rng = np.random.default_rng(8)
    means = [
        np.mean([frechet_distance(*rng.standard_normal((2, n, 16))) for _ in range(10)])
        for n in (10, 40, 400)
    ]
    assert means[0] > 2 * means[1] > 10 * means[2] > 0


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        (np.zeros((1, 4)), np.zeros((3, 4)), r"first features have shape \(1, 4\)"),
        (np.zeros((3, 4)), np.zeros(4), r"second features have shape \(4,\)"),
        (np.zeros((3, 4)), np.zeros((3, 5)), "4 dimensions, the second 5"),
        (np.zeros((3, 4)), np.full((3, 4), np.nan), "second features hold NaN"),
    ],
)
def test_what_has_no_distance_is_refused(a, b, match):
    with pytest.raises(MetricError, match=match):
        frechet_distance(a, b)


# --- features ------------------------------------------------------------------------------------


def clip(seed=0, count=6, shape=(96, 96)):
    return np.random.default_rng(seed).integers(0, 255, (count, *shape, 3), dtype=np.uint8)


def test_drawn_world_features_are_what_is_seen_and_how_it_moves():
    features = DrawnWorldFeatures()
    assert "drawn-world features" in features.name and "FVD" not in features.name
    found = features(clip())
    assert found.shape == (96,) and np.isfinite(found).all() and (found[48:] > 0).all()
    still = np.repeat(clip(count=1), 4, axis=0)
    assert features(still)[48:] == pytest.approx(np.zeros(48))
    assert features(still) == pytest.approx(features(still[:1]), abs=1e-5)


def test_drawn_world_features_tell_motion_from_stillness_but_not_which_way_time_runs():
    features = DrawnWorldFeatures()
    frames = clip(count=5)
    assert features(frames[::-1]) == pytest.approx(features(frames), abs=1e-5)
    slow = features(frames[[0, 0, 0, 1, 1]])
    assert (slow[48:] < features(frames)[48:]).all()


def test_drawn_world_features_bring_pictures_to_the_detectors_size():
    features = DrawnWorldFeatures()
    large = clip(count=2).repeat(2, axis=1).repeat(2, axis=2)
    assert features(large).shape == (96,)
    with pytest.raises(VideoError):
        features(clip() / 255.0)


def save_videomae(folder):
    """Save a tiny VideoMAE with random weights, as its hub repository is laid out."""
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    torch.manual_seed(0)
    config = VideoMAEConfig(
        image_size=32,
        patch_size=8,
        num_frames=4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = VideoMAEForVideoClassification(config)
    model.save_pretrained(folder)
    colours = {"image_mean": [0.2, 0.3, 0.4], "image_std": [0.5, 0.6, 0.7]}
    VideoMAEImageProcessor(**colours).save_pretrained(folder)
    return model.eval()


def test_videomae_is_the_mean_of_tokens_of_normalised_frames(tmp_path):
    import torch

    model = save_videomae(tmp_path / "tiny")
    features = VideoMAEFeatures(tmp_path / "tiny")
    assert features.name == "VideoMAE features (tiny)"
    frames = clip(count=4, shape=(32, 32))
    mean, deviation = np.array([0.2, 0.3, 0.4]), np.array([0.5, 0.6, 0.7])
    pixels = torch.tensor((frames / 255.0 - mean) / deviation, dtype=torch.float32)
    with torch.inference_mode():
        tokens = model.videomae(pixels.permute(0, 3, 1, 2)[None]).last_hidden_state
    expected = tokens[0].mean(dim=0).numpy()
    assert features(frames) == pytest.approx(expected, abs=1e-4)


def test_videomae_takes_frames_evenly_and_sees_the_sides(tmp_path):
    save_videomae(tmp_path)
    features = VideoMAEFeatures(tmp_path)
    frames = clip(count=10, shape=(32, 32))
    assert features(frames) == pytest.approx(features(frames[[0, 3, 6, 9]]))
    assert features(frames[:1]) == pytest.approx(features(frames[[0, 0, 0, 0]]))
    wide = np.full((4, 32, 96, 3), 100, np.uint8)
    marked = wide.copy()
    marked[:, :, :20] = 255
    assert np.abs(features(wide) - features(marked)).max() > 1e-3


def test_weights_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="no weights of VideoMAE at .*nowhere"):
        VideoMAEFeatures(tmp_path / "nowhere")


def test_weights_that_are_broken_or_pickled_are_refused(tmp_path):
    import torch

    model = save_videomae(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(DataError, match="no weights of VideoMAE"):
        VideoMAEFeatures(tmp_path)
    weights.unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match="no weights of VideoMAE"):
        VideoMAEFeatures(tmp_path)


def test_weights_of_another_network_are_not_filled_up_at_random(tmp_path):
    from safetensors.torch import load_file, save_file

    save_videomae(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="not those of VideoMAE: .* missing, such as encoder"):
        VideoMAEFeatures(tmp_path)
