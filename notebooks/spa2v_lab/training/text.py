"""The tiny suite's text side: a CLIP tokenizer over the captions' own words, and its encoder."""

from __future__ import annotations

import json
from itertools import product

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from spa2v_lab.scenes.sampler import MOTIONS
from spa2v_lib.layout.captions import frame_caption, video_caption
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES

__all__ = ["WIDTH", "new_text_encoder", "new_tokenizer", "tokenize"]

WIDTH = 128
_LENGTH = 32  # tokens a caption
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def _corpus() -> list[str]:
    """Every sentence of the grammar with one object, which holds every word of all others."""
    sentences = []
    for label, background in product(CLASSES, BACKGROUNDS):
        sentences += [video_caption([(label, motion)], background) for motion in MOTIONS]
        sentences += [frame_caption([(label, x)], background) for x in (0.1, 0.5, 0.9)]
    return [*sentences, "this and that"]


def new_tokenizer() -> CLIPTokenizer:
    """Learn a byte-pair encoding of the captions, in the form that CLIP's tokenizer has.

    Words that were never met fall apart into letters, which are all in the vocabulary.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_END))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=[_BEGIN, _END, *sorted(f"{letter}</w>" for letter in letters)],
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(_corpus(), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return CLIPTokenizer(
        vocab=learner.get_vocab(),
        merges=[tuple(pair) for pair in merges],
        model_max_length=_LENGTH,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build the text encoder with random weights."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Return token ids [n, _LENGTH], padded and cut as the pipelines do."""
    return tokenizer(
        list(captions), padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
