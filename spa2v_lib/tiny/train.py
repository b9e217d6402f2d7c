"""Train the tiny suite, one stage after the other: ``python -m spa2v_lib.tiny.train --help``.

The stages are those of the published models, each on what the one before left, frozen:

1. ``autoencoder``, then ``base``: a text-to-image model on single frames;
2. ``motion``: an AnimateDiff motion adapter on clips, base frozen;
3. ``gligen``: GLIGEN layers with an instance mask on single frames with boxes, base frozen.

``detector`` is trained apart from all of them and judges their videos. Drawn data and checkpoints
are kept in the work folder, so that an interrupted stage goes on where it stopped; the finished
weights are written in half precision to the output folder, in diffusers' formats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from spa2v_lib.sampling import gligen
from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder
from spa2v_lib.tiny import data
from spa2v_lib.tiny.autoencoder import encode_set, train_autoencoder
from spa2v_lib.tiny.base import new_scheduler, train_base
from spa2v_lib.tiny.detector import train_detector
from spa2v_lib.tiny.grounding import train_gligen
from spa2v_lib.tiny.loop import Plan
from spa2v_lib.tiny.motion import train_motion

__all__ = ["PLANS", "main"]

PLANS = {
    "autoencoder": Plan(steps=4000, batch=16, lr=2e-3, seed=1),
    "base": Plan(steps=5000, batch=32, lr=7e-4, seed=2),
    "motion": Plan(steps=1600, batch=3, lr=5e-4, seed=3),
    "gligen": Plan(steps=2600, batch=32, lr=1e-3, seed=4),
    "detector": Plan(steps=2500, batch=64, lr=2e-3, seed=5),
}
_FRAMES, _CLIPS = 48_000, 2_500


def _drawn(work: Path, name: str, draw: Callable[[], data.DrawnSet]) -> data.DrawnSet:
    """Draw a training set once and keep it in the work folder."""
    path = work / f"{name}.npz"
    if not path.is_file():
        draw().save(path)
    return data.DrawnSet.load(path)


def _frames(work: Path) -> data.DrawnSet:
    return _drawn(work, "frames", lambda: data.frames(_FRAMES, seed=1))


def _latents(work: Path, out: Path, name: str, drawn: data.DrawnSet) -> torch.Tensor:
    """Encode a set once with the finished autoencoder; scaled to unit variance."""
    path = work / f"{name}_latents.npy"
    vae = PatchAutoencoder.from_pretrained(out / "vae", torch_dtype=torch.float32).eval()
    if not path.is_file():
        np.save(path, encode_set(vae, drawn.frames).half().numpy())
    return torch.from_numpy(np.load(path)).float() * vae.config.scaling_factor


def _load_base(out: Path) -> tuple[UNet2DConditionModel, CLIPTextModel, CLIPTokenizer]:
    unet = UNet2DConditionModel.from_pretrained(out / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(out / "text_encoder", dtype=torch.float32)
    return unet.eval(), text.eval(), CLIPTokenizer.from_pretrained(out / "tokenizer")


def autoencoder(work: Path, out: Path, plan: Plan) -> dict:
    """Stage 1a."""
    model, log = train_autoencoder(_frames(work), plan, work)
    model.half().save_pretrained(out / "vae")
    return log


def base(work: Path, out: Path, plan: Plan) -> dict:
    """Stage 1b."""
    drawn = _frames(work)
    latents = _latents(work, out, "frames", drawn)
    unet, text, tokenizer, log = train_base(latents, list(drawn.captions), plan, work)
    unet.half().save_pretrained(out / "unet")
    text.half().save_pretrained(out / "text_encoder")
    tokenizer.save_pretrained(out / "tokenizer")
    new_scheduler().save_pretrained(out / "scheduler")
    return log


def motion(work: Path, out: Path, plan: Plan) -> dict:
    """Stage 2."""
    drawn = _drawn(work, "clips", lambda: data.clips(_CLIPS, seed=2))
    latents = _latents(work, out, "clips", drawn)
    by_clip = latents.unflatten(0, (-1, data.CLIP_FRAMES)).transpose(1, 2)
    captions = list(drawn.captions[:: data.CLIP_FRAMES])
    adapter, log = train_motion(*_load_base(out), by_clip, captions, plan, work)
    adapter.half().save_pretrained(out / "motion_adapter")
    return log


def gligen_layers(work: Path, out: Path, plan: Plan) -> dict:
    """Stage 3."""
    drawn = _frames(work)
    latents = _latents(work, out, "frames", drawn)
    unet, text, tokenizer = _load_base(out)
    log = train_gligen(unet, text, tokenizer, latents, drawn, plan, work)
    (out / "grounding").mkdir(exist_ok=True)
    gligen.save(unet, out / "grounding" / "gligen.safetensors")
    return log


def detector(work: Path, out: Path, plan: Plan) -> dict:
    """The judge, on sprite styles that the suite draws and others."""
    return train_detector(plan, work, out / "detector")


STAGES = {
    "autoencoder": autoencoder,
    "base": base,
    "motion": motion,
    "gligen": gligen_layers,
    "detector": detector,
}


def main() -> None:
    """Run one stage and note its losses and time in ``training.json`` beside the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and drawn data")
    parser.add_argument("--out", type=Path, required=True, help="finished weights")
    parser.add_argument("--steps", type=int, help="instead of the stage's own number")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    for folder in (given.work, given.out):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    plan = PLANS[given.stage]
    if given.steps:
        plan = Plan(**{**vars(plan), "steps": given.steps})
    log = STAGES[given.stage](given.work, given.out, plan)
    (given.out / "training").mkdir(exist_ok=True)
    note = json.dumps({**log, "threads": given.threads}, indent=1)
    (given.out / "training" / f"{given.stage}.json").write_text(note + "\n")


if __name__ == "__main__":
    main()
