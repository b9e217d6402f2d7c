"""The tiny suite's motion adapter: AnimateDiff's temporal layers, trained with the base frozen.

Paper: Guo et al., "AnimateDiff", ICLR 2024. As in its published version 3 for Stable Diffusion
1.5 there is no motion module in the middle block.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import MotionAdapter, UNetMotionModel
from torch import Tensor

from spa2v_lab.training.autoencoder import EncodedSet
from spa2v_lab.training.base import (
    WIDTHS,
    Base,
    drop_captions,
    object_weights,
    tokenize,
    velocity_loss,
)
from spa2v_lab.training.data import CLIP_FRAMES
from spa2v_lab.training.loop import Plan, fit

__all__ = ["new_adapter", "train_motion"]


def new_adapter() -> MotionAdapter:
    """Build the motion adapter; its output projections start at zero, as AnimateDiff's do.

    See Also
    --------
    train_motion : trains it

    Examples
    --------
    >>> new_adapter().config.motion_max_seq_length  # doctest: +SKIP
    """
    return MotionAdapter(
        block_out_channels=WIDTHS,
        motion_layers_per_block=1,
        motion_num_attention_heads=4,
        motion_norm_num_groups=16,
        motion_max_seq_length=2 * CLIP_FRAMES,
        use_motion_mid_block=False,
    )


def train_motion(
    base: Base, drawn: EncodedSet, start: MotionAdapter | None, plan: Plan, folder: Path
) -> tuple[MotionAdapter, dict]:
    """Train the motion adapter on clips.

    Parameters
    ----------
    base : Base
        It is frozen.
    drawn : EncodedSet
        The clips, frame after frame.
    start : MotionAdapter or None
        One that was trained on smaller pictures; a new one if None.
    plan : Plan
        Its batch counts clips.
    folder : Path
        Of checkpoints.

    See Also
    --------
    spa2v_lab.training.base.train_base : the stage before

    Examples
    --------
    >>> plan = Plan(5000, 16, 5e-4)
    >>> adapter, log = train_motion(base, clips, None, plan, Path("work"))  # doctest: +SKIP
    """
    torch.manual_seed(plan.seed)
    unet, text, tokenizer = base
    latents = drawn.latents.unflatten(0, (-1, CLIP_FRAMES)).transpose(1, 2)
    device = latents.device
    model = UNetMotionModel.from_unet2d(unet, start or _zeroed(new_adapter())).to(device)
    model.requires_grad_(False)
    trained = [p for n, p in model.named_parameters() if ".motion_modules." in n]
    for parameter in trained:
        parameter.requires_grad_(True)
    captions = list(drawn.captions[::CLIP_FRAMES])
    ids, empty = (tokenize(tokenizer, texts).to(device) for texts in (captions, [""]))
    boxes = drawn.boxes.unflatten(0, (-1, CLIP_FRAMES))

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(latents), (plan.batch,), generator=generator, device=device)
        with torch.no_grad():
            words = text(drop_captions(ids[rows], empty, generator)).last_hidden_state
        words = words.repeat_interleave(CLIP_FRAMES, dim=0)
        side = latents.shape[-1]
        weights = object_weights(boxes[rows].flatten(0, 1), side).reshape(
            -1, 1, CLIP_FRAMES, side, side
        )

        def predict(noisy: Tensor, times: Tensor) -> Tensor:
            return model(noisy, times, words).sample

        return velocity_loss(predict, latents[rows], weights, generator)

    log = fit("motion", trained, loss, plan, folder)
    return _adapter_of(model), log


def _zeroed(adapter: MotionAdapter) -> MotionAdapter:
    for name, parameter in adapter.named_parameters():
        if ".proj_out." in name:
            torch.nn.init.zeros_(parameter)
    return adapter


def _adapter_of(model: UNetMotionModel) -> MotionAdapter:
    adapter = new_adapter()
    state = {n: v for n, v in model.state_dict().items() if ".motion_modules." in n}
    adapter.load_state_dict(state)
    return adapter.eval()
