"""The words of the tiny suite: a CLIP tokenizer that is learnt from captions, and a text encoder."""

from __future__ import annotations

import json
from itertools import product

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from spa2v_lab.scenes.sampler import MOTIONS
from spa2v_lab.training.data import LABELS
from spa2v_lib.layout.captions import frame_caption, video_caption
from spa2v_lib.layout.classes import BACKGROUNDS

__all__ = [
    "CAPTION_TOKENS",
    "WIDTH",
    "caption_corpus",
    "new_text_encoder",
    "new_tokenizer",
    "tokenize",
]

WIDTH = 128
"""Of a word's embedding."""

CAPTION_TOKENS = 32
"""As many tokens of a caption are read."""

_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def caption_corpus() -> list[str]:
    """Return every sentence of the grammar with one object, which holds every word of all others.

    See Also
    --------
    new_tokenizer : learns its words

    Examples
    --------
    >>> caption_corpus()[-1]
    'this and that'
    """
    sentences = []
    for label, background in product(LABELS, BACKGROUNDS):
        sentences += [video_caption([(label, motion)], background) for motion in MOTIONS]
        sentences += [frame_caption([(label, x)], background) for x in (0.1, 0.5, 0.9)]
    return [*sentences, "this and that"]


def new_tokenizer() -> CLIPTokenizer:
    """Learn a byte-pair encoding of the captions, in the form that CLIP's tokenizer has.

    Words that were never met fall apart into letters, which are all in the vocabulary.

    See Also
    --------
    new_text_encoder : reads its tokens

    Examples
    --------
    >>> new_tokenizer().tokenize("a bus")
    ['a</w>', 'bus</w>']
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
    learner.train_from_iterator(caption_corpus(), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return CLIPTokenizer(
        vocab=learner.get_vocab(),
        merges=[tuple(pair) for pair in merges],
        model_max_length=CAPTION_TOKENS,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build the text encoder with random weights.

    See Also
    --------
    new_tokenizer : the words that it reads

    Examples
    --------
    >>> new_text_encoder(new_tokenizer()).config.hidden_size
    128
    """
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=CAPTION_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Return token ids [n, CAPTION_TOKENS], padded and cut as the pipelines do.

    See Also
    --------
    new_tokenizer : makes the tokenizer

    Examples
    --------
    >>> tokenize(new_tokenizer(), ["a bus"]).shape
    torch.Size([1, 32])
    """
    return tokenizer(
        list(captions), padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
