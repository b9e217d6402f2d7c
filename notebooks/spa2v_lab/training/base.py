"""The tiny suite's text-to-image base: a diffusers `UNet2DConditionModel` and its text encoder.

Trained on single frames as latent diffusion is, to predict the velocity of Salimans & Ho (ICLR
2022, app. D) on a schedule that ends in pure noise (Lin et al., WACV 2024): with so few latents,
any signal left at the last step would fix where objects are before text or boxes take effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from spa2v_lab.training.autoencoder import CHANNELS, EncodedSet
from spa2v_lab.training.data import PHRASES, SIZE
from spa2v_lab.training.loop import Plan, fit
from spa2v_lab.training.words import (
    CAPTION_TOKENS,
    WIDTH,
    caption_corpus,
    new_text_encoder,
    new_tokenizer,
    tokenize,
)
from spa2v_lib.sampling.grounding.box_maps import cell_boxes, coverage
from spa2v_lib.sampling.loading import bfloat16_is_native

__all__ = [
    "DROP_SHARE",
    "WIDTHS",
    "Base",
    "close_ups",
    "drop_captions",
    "new_base",
    "new_scheduler",
    "new_unet",
    "object_weights",
    "tokenize",
    "train_base",
    "velocity_loss",
    "with_words",
]


def with_words(base: Base) -> Base:
    """Return a base whose text side has a token for every word of the captions of today's classes.

    New tokens come after the old ones, which stay as they are; each begins as the mean of the
    tokens that its word consisted of.

    Parameters
    ----------
    base : Base

    See Also
    --------
    train_base : teaches what the words mean

    Examples
    --------
    >>> with_words(Base(None, text, tokenizer)).tokenizer.tokenize("a violin")  # doctest: +SKIP
    ['a</w>', 'violin</w>']
    """
    unet, text, tokenizer = base
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary, merges = dict(model["vocab"]), [tuple(pair) for pair in model["merges"]]
    means: list[list[int]] = []
    for word in sorted(set(re.findall(r"[a-z]+", " ".join(caption_corpus())))):
        parts = tokenizer.tokenize(word)
        for last in range(1, len(parts)):
            left, right = "".join(parts[:last]), parts[last]
            merges.append((left, right))
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                means.append([vocabulary[part] for part in parts[: last + 1]])
        if len(parts) > 1:  # the next word may be made of what this one added
            tokenizer = CLIPTokenizer(
                vocab=vocabulary, merges=merges, model_max_length=CAPTION_TOKENS
            )
    text.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    table = text.get_input_embeddings().weight
    with torch.no_grad():
        for row, ids in enumerate(means, len(vocabulary) - len(means)):
            table[row] = table[ids].mean(0)
    return Base(unet, text, tokenizer)


WIDTHS = (128, 192)
_OBJECT_WEIGHT = 2.0
DROP_SHARE = 0.1  # captions dropped, for classifier-free guidance


def new_scheduler() -> DDIMScheduler:
    """Build the noise schedule that all three trainings and sampling share.

    See Also
    --------
    velocity_loss : trains on it

    Examples
    --------
    >>> new_scheduler().config.prediction_type
    'v_prediction'
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def new_unet() -> UNet2DConditionModel:
    """Build the denoiser with random weights.

    See Also
    --------
    new_base : with its text encoder

    Examples
    --------
    >>> new_unet().config.block_out_channels  # doctest: +SKIP
    """
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def object_weights(boxes: Tensor, side: int, more: float = _OBJECT_WEIGHT) -> Tensor:
    """Return loss weights [n, 1, side, side]: `more` is added where boxes [n, k, 4] cover.

    Objects fill a tenth of the picture and hold nearly all that is hard to draw.

    See Also
    --------
    velocity_loss : what is weighted

    Examples
    --------
    >>> object_weights(torch.tensor([[[0.0, 0.0, 0.5, 0.5]]]), side=2).flatten().tolist()
    [3.0, 1.0, 1.0, 1.0]
    """
    covered = coverage(cell_boxes(side, boxes), boxes).amax(2)
    return (1 + more * covered).reshape(-1, 1, side, side)


def velocity_loss(
    predict: Callable[[Tensor, Tensor], Tensor],
    latents: Tensor,
    weights: Tensor,
    generator: torch.Generator,
    early: float = 0.0,
) -> Tensor:
    """Noise `latents` at random times and return the weighted squared error of the velocity.

    Parameters
    ----------
    predict : callable
        Maps noisy latents and times [n] to the predicted velocity.
    latents : Tensor [shape=(n, ...)]
        Scaled to unit variance. Clips share one time.
    weights : Tensor
        Of the error; broadcast against `latents`.
    generator : torch.Generator
    early : float
        Share of the times that are drawn from the noisiest third alone, in [0, 1].

    See Also
    --------
    object_weights : the usual weights

    Examples
    --------
    >>> latents = torch.zeros(1, 4, 2, 2)
    >>> rng = torch.Generator().manual_seed(0)
    >>> loss = velocity_loss(lambda noisy, times: 0 * noisy, latents, torch.ones(1), rng)
    >>> loss.ndim
    0
    """
    random = {"generator": generator, "device": latents.device}
    times = torch.randint(1000, (len(latents),), **random)
    if early:
        noisy = torch.rand(len(latents), **random) < early
        times = torch.where(noisy, 999 - times // 3, times)
    noise = torch.randn(latents.shape, **random)
    device = latents.device.type
    native = device != "cpu" or bfloat16_is_native()  # emulated, it is slower than single precision
    with torch.autocast(device, torch.bfloat16, enabled=native):
        velocity = predict(_SCHEDULE.add_noise(latents, noise, times), times)
    error = (velocity.float() - _SCHEDULE.get_velocity(latents, noise, times)).square()
    return (weights * error).mean() / weights.mean()


_SCHEDULE = new_scheduler()


def drop_captions(ids: Tensor, empty: Tensor, generator: torch.Generator) -> Tensor:
    """Replace one caption in ten with the empty caption.

    See Also
    --------
    DROP_SHARE : how many

    Examples
    --------
    >>> ids, empty = torch.ones(1000, 2), torch.zeros(1, 2)
    >>> kept = drop_captions(ids, empty, torch.Generator().manual_seed(0))[:, 0].mean()
    >>> bool(0.85 < kept < 0.95)
    True
    """
    dropped = torch.rand(len(ids), 1, generator=generator, device=ids.device) < DROP_SHARE
    return torch.where(dropped, empty, ids)


class Base(NamedTuple):
    """A text-to-image model without its autoencoder.

    See Also
    --------
    new_base : makes one

    Examples
    --------
    >>> unet, text, tokenizer = new_base(seed=0)  # doctest: +SKIP
    """

    unet: UNet2DConditionModel
    text: CLIPTextModel
    tokenizer: CLIPTokenizer


def new_base(seed: int) -> Base:
    """Build the base with random weights.

    See Also
    --------
    train_base : trains it

    Examples
    --------
    >>> new_base(seed=0).tokenizer.model_max_length  # doctest: +SKIP
    """
    torch.manual_seed(seed)
    tokenizer = new_tokenizer()
    text = new_text_encoder(tokenizer)
    return Base(new_unet(), text, tokenizer)


def close_ups(
    drawn: EncodedSet, rows: Tensor, weights: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a window of half the picture's sides around one object of each frame.

    A quarter of the cells costs a quarter of the time, and holds nearly all that is to be learnt of
    an object's looks. A cell's code depends on its own pixels alone, so that cutting cells out of a
    frame's code is the same as coding the cut frame.

    Parameters
    ----------
    drawn : EncodedSet
    rows : Tensor [shape=(n,), dtype=int64]
        Frames.
    weights : Tensor [shape=(n, 1, side, side)]
        Of the whole frames.
    generator : torch.Generator

    Returns
    -------
    latents : Tensor [shape=(n, CHANNELS, side / 2, side / 2)]
    weights : Tensor [shape=(n, 1, side / 2, side / 2)]
    phrases : Tensor [shape=(n,), dtype=int64]
        Index in `spa2v_lab.training.data.PHRASES` of the object; -1 where a frame holds none, whose
        window is its top left.

    See Also
    --------
    train_base : uses them

    Examples
    --------
    >>> close_ups(drawn, torch.tensor([0]), weights, torch.Generator())[0].shape  # doctest: +SKIP
    torch.Size([1, 32, 8, 8])
    """
    side = drawn.latents.shape[-1]
    half = side // 2
    random = {"generator": generator, "device": rows.device}
    present = drawn.phrases[rows] >= 0
    chosen = torch.where(present, torch.rand(present.shape, **random), -1.0).argmax(1)
    at = torch.arange(len(rows), device=rows.device)
    box = drawn.boxes[rows][at, chosen]
    aside = 0.3 * (torch.rand(len(rows), 2, **random) - 0.5)
    corner = (((box[:, :2] + box[:, 2:]) / 2 + aside - 0.25) * side).round().long()
    corner = corner.clamp(0, side - half)
    cells = torch.arange(half, device=rows.device)
    x, y = corner[:, :1] + cells, corner[:, 1:] + cells  # [n, half]
    where = at[:, None, None], slice(None), y[:, :, None], x[:, None, :]
    cut = [t[where].movedim(-1, 1) for t in (drawn.latents[rows], weights)]
    return cut[0], cut[1], drawn.phrases[rows][at, chosen]


def train_base(
    base: Base,
    drawn: EncodedSet,
    plan: Plan,
    folder: Path,
    more: float = _OBJECT_WEIGHT,
    early: float = 0.0,
    close: float = 0.0,
) -> dict:
    """Train the denoiser and the text encoder together.

    Parameters
    ----------
    base : Base
        New, or trained on smaller pictures; on the device of `drawn`.
    drawn : EncodedSet
    plan : Plan
    folder : Path
        Of checkpoints.
    more : float
        Added to the loss's weight where objects are.
    early : float
        Share of the times that are drawn from the noisiest third alone, in [0, 1].
    close : float
        Share of the steps that look at objects from near, see `close_ups`, in [0, 1].

    See Also
    --------
    spa2v_lab.training.motion.train_motion : the next stage

    Examples
    --------
    >>> log = train_base(new_base(2), drawn, Plan(9000, 512, 1e-3), Path("work"))  # doctest: +SKIP
    """
    unet, text, tokenizer = base
    latents, boxes, device = drawn.latents, drawn.boxes, drawn.latents.device
    sentences = list(drawn.captions), [""], list(PHRASES)
    ids, empty, phrases = (tokenize(tokenizer, texts).to(device) for texts in sentences)

    def loss(generator: torch.Generator) -> Tensor:
        random = {"generator": generator, "device": device}
        near = close > 0 and bool(torch.rand((), **random) < close)
        rows = torch.randint(len(latents), (plan.batch * (4 if near else 1),), **random)
        clean, captions = latents[rows], ids[rows]
        weights = object_weights(boxes[rows], latents.shape[-1], more)
        if near:
            clean, weights, which = close_ups(drawn, rows, weights, generator)
            named = (which >= 0) & (torch.rand(len(rows), **random) < 0.5)
            captions = torch.where(named[:, None], phrases[which.clamp(min=0)], captions)

        def predict(noisy: Tensor, times: Tensor) -> Tensor:
            words = text(drop_captions(captions, empty, generator)).last_hidden_state
            return unet(noisy, times, words).sample

        return velocity_loss(predict, clean, weights, generator, early)

    log = fit("base", [*unet.parameters(), *text.parameters()], loss, plan, folder)
    unet.eval(), text.eval()
    return log
