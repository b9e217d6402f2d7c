"""The captions that condition a denoiser: the video's, each frame's, or both.

The paper found a mixture of global and local captions better than either. Here mixed means that
every frame attends to the tokens of both sentences, one after the other: each sentence is encoded
by itself, as the text encoder was trained to, and cross-attention weighs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from spa2v_lib.layout.box import motion_of
from spa2v_lib.layout.captions import directional_caption

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline
    from transformers import CLIPTokenizer

    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling import Captions

__all__ = ["FrameTexts", "encode_texts", "object_phrases", "pooled"]


@dataclass(frozen=True)
class FrameTexts:
    """The text of every frame, encoded.

    Attributes
    ----------
    conditional, unconditional : torch.Tensor [shape=(frames, tokens, width)]
    spans : torch.Tensor of bool [shape=(frames, objects, tokens)]
        Which tokens name an object.

    Examples
    --------
    >>> empty = torch.zeros(2, 4, 8)
    >>> FrameTexts(empty, empty, torch.zeros(2, 1, 4, dtype=torch.bool)).spans.shape
    torch.Size([2, 1, 4])
    """

    conditional: torch.Tensor
    unconditional: torch.Tensor
    spans: torch.Tensor


def encode_texts(
    pipeline: AnimateDiffPipeline,
    layout: VideoSceneLayout,
    captions: Captions,
    negative_prompt: str = "",
) -> FrameTexts:
    """Encode the captions of each frame of `layout`.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        As `spa2v_lib.sampling.loading.load` returns it.
    layout : VideoSceneLayout
        Captions, and boxes per key frame.
    captions : {"global", "frame", "mixed"}
        Which captions condition a frame.
    negative_prompt : str
        For the unconditional half of classifier-free guidance.

    Returns
    -------
    FrameTexts

    See Also
    --------
    object_phrases : What each object is prompted with.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> texts = encode_texts(load("tiny", "cpu"), known_layout(1.0), "mixed")
    >>> texts.conditional.shape[:2], texts.spans.shape
    (torch.Size([16, 64]), torch.Size([16, 1, 64]))
    """
    sentences = _sentences(layout, captions)
    wanted = {negative_prompt, *sum(sentences, ())}
    ids = {text: _ids(pipeline.tokenizer, text) for text in wanted}
    encoded = {text: _encoded(pipeline, row) for text, row in ids.items()}
    nouns = [_noun_ids(pipeline.tokenizer, item.caption) for item in layout.objects]

    def joined(texts: tuple[str, ...]) -> torch.Tensor:
        return torch.cat([encoded[text] for text in texts])

    spans = [
        [torch.cat([_places(ids[text], noun) for text in texts]) for noun in nouns]
        for texts in sentences
    ]
    tokens = len(sentences[0]) * len(ids[negative_prompt])
    return FrameTexts(
        conditional=torch.stack([joined(texts) for texts in sentences]),
        unconditional=torch.stack([joined((negative_prompt,) * len(t)) for t in sentences]),
        spans=torch.stack([s for row in spans for s in row]).reshape(len(sentences), -1, tokens)
        if nouns
        else torch.zeros(len(sentences), 0, tokens, dtype=torch.bool),
    )


def object_phrases(layout: VideoSceneLayout, *, directional: bool) -> tuple[str, ...]:
    """Return the phrase that grounding layers are given for each object of `layout`.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.
    directional : bool
        Whether to say, after an object's caption, that it crosses the picture to the right, where
        its boxes do: the caption may come from a person or a language model, who need not say.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> object_phrases(known_layout(1.0), directional=False)
    ('a car',)
    """
    return tuple(
        directional_caption(item.caption, directional and motion_of(item.boxes) == "right_crossing")
        for item in layout.objects
    )


def pooled(pipeline: AnimateDiffPipeline, phrases: list[str]) -> torch.Tensor:
    """Return the pooled text embeddings of `phrases` [n], as [n, text width].

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        Whose text encoder is used.
    phrases : list of str
        At least one.

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> pooled(load("tiny", "cpu"), ["a bus", "a cow"]).shape[0]
    2
    """
    ids = torch.tensor([_ids(pipeline.tokenizer, phrase) for phrase in phrases])
    return pipeline.text_encoder(ids.to(pipeline.text_encoder.device)).pooler_output


def _sentences(layout: VideoSceneLayout, captions: Captions) -> list[tuple[str, ...]]:
    """Return the sentences of each frame."""
    step = 1.0 / layout.fps
    frames = [layout.caption_at(frame * step) for frame in range(layout.frame_count)]
    if captions == "frame":
        return [(text,) for text in frames]
    return [(layout.caption,) if captions == "global" else (layout.caption, t) for t in frames]


def _ids(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    return tokenizer(text, padding="max_length", truncation=True).input_ids


def _encoded(pipeline: AnimateDiffPipeline, ids: list[int]) -> torch.Tensor:
    device = pipeline.text_encoder.device
    return pipeline.text_encoder(torch.tensor([ids], device=device)).last_hidden_state[0]


def _noun_ids(tokenizer: CLIPTokenizer, phrase: str) -> list[int]:
    """Return the tokens of a phrase without its article."""
    words = phrase.split()
    if len(words) > 1 and words[0].lower() in ("a", "an", "the"):
        words = words[1:]
    return tokenizer(" ".join(words), add_special_tokens=False).input_ids


def _places(text: list[int], noun: list[int]) -> torch.Tensor:
    """Mark where the tokens of `noun` stand, in a row, in `text` [tokens]."""
    marked = torch.zeros(len(text), dtype=torch.bool)
    for start in range(len(text) - len(noun) + 1 if noun else 0):
        if text[start : start + len(noun)] == noun:
            marked[start : start + len(noun)] = True
    return marked
