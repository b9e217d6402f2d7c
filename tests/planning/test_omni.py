"""Qwen2.5-Omni's thinker, tiny and with random weights, without torchvision."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.planning.backends.local import LocalModel, local_model
from spa2v_lib.planning.exemplars import load_exemplars
from spa2v_lib.planning.mllm import plan_with_model, question
from spa2v_lib.planning.schema import Limits

pytest.importorskip("llguidance", reason="needs the extra 'local'")

NAMED = {
    f"{what}_token": f"<|{what if what.endswith('os') else what.upper()}|>"
    for what in ("image", "audio", "video", "vision_bos", "vision_eos", "audio_bos", "audio_eos")
}
SIGNS = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ c['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
SHORT = Limits(text=8, texts={"reasoning": 16}, items=1)


@pytest.fixture(scope="module")
def omni(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    import torch
    import transformers as tf
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("omni")
    letters = {piece: i for i, piece in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = tf.Qwen2Tokenizer(
        vocab=letters, merges=[], eos_token="<|im_end|>", extra_special_tokens=NAMED
    )
    tokenizer.add_special_tokens({"additional_special_tokens": SIGNS})
    tokenizer.save_pretrained(folder)
    tf.WhisperFeatureExtractor(feature_size=16, chunk_length=6).save_pretrained(folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": CHAT}))
    _thinker(tokenizer, torch).save_pretrained(folder)
    return replace(local_model(str(folder), temperature=2.0), limits=SHORT)


def _thinker(tokenizer: Any, torch: Any) -> Any:
    import transformers as tf

    number = {name: tokenizer.convert_tokens_to_ids(sign) for name, sign in NAMED.items()}
    small = {"hidden_size": 16, "intermediate_size": 32}
    config = tf.Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": 16,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "d_model": 16,
            "max_source_positions": 300,
            "output_dim": 16,
        },
        vision_config={"depth": 1, "num_heads": 2, "out_hidden_size": 16, **small},
        text_config={
            "vocab_size": len(tokenizer) + 5,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32_768,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
            **small,
        },
        audio_token_index=number["audio_token"],
        image_token_index=number["image_token"],
        video_token_index=number["video_token"],
        audio_start_token_id=number["audio_bos_token"],
        audio_end_token_id=number["audio_eos_token"],
        vision_start_token_id=number["vision_bos_token"],
    )
    torch.manual_seed(0)
    model = tf.Qwen2_5OmniThinkerForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids("<|im_end|>")
    return model


def sounding(seconds: float) -> Recording:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, round(16_000 * seconds)))
    return Recording.from_samples(noise, 16_000)


def test_random_weights_plan_a_valid_layout_from_four_clips(omni: LocalModel) -> None:
    chosen = next(e for e in load_exemplars() if e.attributes == ["right_crossing", "single"])
    recording = sounding(chosen.cues.duration_s)
    asked = {"shots": 1, "placement": "cues"}
    assert omni.takes_audio
    inputs = omni.inputs(question(recording, chosen.cues, omni, **asked).prompt)
    assert inputs["input_features"].shape[:2] == (4, 16)  # left and right of both
    layout = plan_with_model(recording, chosen.cues, omni, **asked)
    assert layout.objects[0].id == "source-1" and all(layout.frame_captions)


def test_what_it_writes_depends_on_the_sound(omni: LocalModel) -> None:
    import torch

    cues = load_exemplars()[0].cues
    logits = []
    for gain in (1.0, 0.0):
        recording = sounding(cues.duration_s)
        silent = Recording.from_samples(gain * recording.samples, recording.rate)
        inputs = omni.inputs(question(silent, cues, omni, shots=0).prompt)
        with torch.no_grad():
            logits.append(omni.weights.model(**inputs).logits[0, -1])
    assert not torch.allclose(*logits)
