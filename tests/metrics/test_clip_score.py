"""CLIP similarity, with a tiny CLIP of random weights."""

import numpy as np
import pytest

from spa2v_lab.metrics import ClipSimilarity
from spa2v_lib.errors import DataError, VideoError

LENGTH = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a tiny CLIP that reads letters, as its hub repository is laid out."""
    import torch
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("clip")
    letters = [chr(97 + i) for i in range(26)]
    words = ["<|startoftext|>", "<|endoftext|>", "!</w>", *letters, *(f"{c}</w>" for c in letters)]
    tokenizer = CLIPTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=LENGTH
    )
    images = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )  # fmt: skip
    CLIPProcessor(images, tokenizer).save_pretrained(place)
    text = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "bos_token_id": 0,
        "num_hidden_layers": 1, "num_attention_heads": 2, "eos_token_id": 1, "pad_token_id": 2,
        "max_position_embeddings": LENGTH,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
    }  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    CLIPModel(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def similarity(folder):
    return ClipSimilarity(folder)


def clip(count=5, seed=0):
    rng = np.random.default_rng(seed)
    tones = rng.integers(0, 255, (count, 4, 4, 3), dtype=np.uint8)
    return tones.repeat(10, axis=1).repeat(15, axis=2)


def embeddings(folder, frames, caption):
    """Embeddings as transformers' own forward pass gives them, of length 1."""
    import torch
    from transformers import CLIPModel, CLIPProcessor

    asked = CLIPProcessor.from_pretrained(folder)(
        text=[caption], images=list(frames), return_tensors="pt"
    )
    with torch.inference_mode():
        found = CLIPModel.from_pretrained(folder).eval()(**asked)
    return found.image_embeds.numpy(), found.text_embeds.numpy()[0]


def test_text_is_the_mean_cosine_of_transformers_own_embeddings(folder, similarity):
    frames = clip()
    seen, read = embeddings(folder, frames, "a dog")
    assert similarity.text(frames, "a dog") == pytest.approx(np.mean(seen @ read), abs=1e-5)


def test_consistency_is_the_mean_cosine_of_neighbours(folder, similarity):
    frames = clip()
    seen, _ = embeddings(folder, frames, "a")
    cosines = [a @ b for a, b in zip(seen, seen[1:], strict=False)]
    assert similarity.consistency(frames) == pytest.approx(np.mean(cosines), abs=1e-5)


def test_what_stands_still_is_consistent_and_one_frame_is_not_defined(similarity):
    still = np.repeat(clip(1), 4, axis=0)
    assert similarity.consistency(still) == pytest.approx(1.0)
    assert similarity.consistency(clip()) < 1.0
    assert np.isnan(similarity.consistency(clip(1)))


def test_more_frames_than_a_batch_are_compared_across_its_edges(similarity):
    frames = np.concatenate([np.repeat(clip(1, seed), 32, axis=0) for seed in (1, 2)])
    pair = np.concatenate([clip(1, 1), clip(1, 2)])
    expected = (62 + similarity.consistency(pair)) / 63
    assert similarity.consistency(frames) == pytest.approx(expected)


def test_a_long_caption_is_cut_and_still_read(similarity):
    frames, many = clip(2), LENGTH - 2  # beside start and end
    cut = similarity.text(frames, " ".join("a" * many))
    assert similarity.text(frames, " ".join("a" * many + "zz")) == pytest.approx(cut)
    assert similarity.text(frames, " ".join("a" * (many - 1) + "z")) != pytest.approx(cut)


def test_weights_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="no weights of CLIP at .*nowhere"):
        ClipSimilarity(tmp_path / "nowhere")


def test_other_frames_are_refused(similarity):
    with pytest.raises(VideoError, match="uint8"):
        similarity.text(clip() / 255.0, "a dog")
