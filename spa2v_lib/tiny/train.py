"""Train the tiny suite, one stage after the other: ``python -m spa2v_lib.tiny.train --help``.

The stages are those of the published models, each on what the one before left, frozen:

1. ``autoencoder``, then ``base``: a text-to-image model on single frames;
2. ``motion``: an AnimateDiff motion adapter on clips, base frozen;
3. ``gligen`` and ``migc``: grounding layers of either kind, on single frames with boxes, base
   frozen.

``detector`` is trained apart from all of them and judges their videos. Drawn data and checkpoints
are kept in the work folder, so that an interrupted stage goes on where it stopped; the finished
weights are written in half precision to the output folder, in diffusers' formats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from spa2v_lib.sampling import gligen, migc_weights
from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder
from spa2v_lib.tiny import data
from spa2v_lib.tiny.autoencoder import encode_set, train_autoencoder
from spa2v_lib.tiny.base import Base, new_base, new_scheduler, train_base
from spa2v_lib.tiny.detector import train_detector
from spa2v_lib.tiny.grounding import train_gligen, train_migc
from spa2v_lib.tiny.loop import Plan
from spa2v_lib.tiny.motion import train_motion

__all__ = ["PLANS", "main"]

PLANS = {
    "autoencoder": Plan(steps=4000, batch=16, lr=2e-3, seed=1),
    "base": Plan(steps=4500, batch=32, lr=6e-4, seed=2),
    "motion": Plan(steps=1600, batch=3, lr=5e-4, seed=3),
    "gligen": Plan(steps=2600, batch=32, lr=1e-3, seed=4),
    "migc": Plan(steps=2600, batch=32, lr=1e-3, seed=6),
    "detector": Plan(steps=2500, batch=64, lr=2e-3, seed=5),
}
_FRAMES, _CLIPS = 48_000, 2_500


@dataclass(frozen=True)
class Job:
    """Where a stage finds and leaves its things.

    Attributes
    ----------
    work, out : Path
        Of checkpoints and drawn data; of finished weights.
    start : Path or None
        A suite trained on smaller pictures, to begin from.
    size : int
        Pixels a side.
    """

    work: Path
    out: Path
    start: Path | None
    size: int

    def drawn(self, name: str, draw: Callable[[], data.DrawnSet]) -> data.DrawnSet:
        """Draw a training set once and keep it in the work folder."""
        path = self.work / f"{name}.npz"
        if not path.is_file():
            draw().save(path)
        return data.DrawnSet.load(path)

    def frames(self) -> data.DrawnSet:
        return self.drawn("frames", lambda: data.frames(_FRAMES, seed=1, size=self.size))

    def latents(self, name: str, drawn: data.DrawnSet) -> torch.Tensor:
        """Encode a set once with the finished autoencoder; scaled to unit variance."""
        path = self.work / f"{name}_latents.npy"
        vae = _vae(self.out)
        if not path.is_file():
            np.save(path, encode_set(vae, drawn.frames).half().numpy())
        return torch.from_numpy(np.load(path)).float() * vae.config.scaling_factor


def _vae(folder: Path) -> PatchAutoencoder:
    return PatchAutoencoder.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()


def _base(folder: Path) -> Base:
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    return Base(unet.eval(), text.eval(), CLIPTokenizer.from_pretrained(folder / "tokenizer"))


def autoencoder(job: Job, plan: Plan) -> dict:
    """Stage 1a. Begun from another suite, the code stays and the decoder learns on."""
    start = _vae(job.start) if job.start else None
    model, log = train_autoencoder(job.frames(), plan, job.work, start)
    model.half().save_pretrained(job.out / "vae")
    return log


def base(job: Job, plan: Plan) -> dict:
    """Stage 1b."""
    drawn = job.frames()
    model = _base(job.start) if job.start else new_base(plan.seed)
    log = train_base(model, job.latents("frames", drawn), drawn, plan, job.work)
    model.unet.register_to_config(sample_size=job.size // 8)
    model.unet.half().save_pretrained(job.out / "unet")
    model.text.half().save_pretrained(job.out / "text_encoder")
    model.tokenizer.save_pretrained(job.out / "tokenizer")
    new_scheduler().save_pretrained(job.out / "scheduler")
    return log


def motion(job: Job, plan: Plan) -> dict:
    """Stage 2."""
    drawn = job.drawn("clips", lambda: data.clips(_CLIPS, seed=2, size=job.size))
    latents = job.latents("clips", drawn)
    by_clip = latents.unflatten(0, (-1, data.CLIP_FRAMES)).transpose(1, 2)
    start = job.start and MotionAdapter.from_pretrained(
        job.start / "motion_adapter", torch_dtype=torch.float32
    )
    adapter, log = train_motion(*_base(job.out), by_clip, drawn, start, plan, job.work)
    adapter.half().save_pretrained(job.out / "motion_adapter")
    return log


def gligen_layers(job: Job, plan: Plan) -> dict:
    """Stage 3."""
    drawn = job.frames()
    unet, text, tokenizer = _base(job.out)
    start = job.start and job.start / "grounding" / "gligen.safetensors"
    log = train_gligen(
        unet, text, tokenizer, job.latents("frames", drawn), drawn, start, plan, job.work
    )
    (job.out / "grounding").mkdir(exist_ok=True)
    gligen.save(unet, job.out / "grounding" / "gligen.safetensors")
    return log


def migc_layers(job: Job, plan: Plan) -> dict:
    """Stage 3 once more, with the other kind of layers; each is used without the other."""
    drawn = job.frames()
    unet, text, tokenizer = _base(job.out)
    log = train_migc(unet, text, tokenizer, job.latents("frames", drawn), drawn, plan, job.work)
    (job.out / "grounding").mkdir(exist_ok=True)
    migc_weights.save(unet, job.out / "grounding" / "migc.safetensors")
    return log


def detector(job: Job, plan: Plan) -> dict:
    """The judge, on sprite styles that the suite draws and others."""
    return train_detector(plan, job.work, job.out / "detector")


STAGES = {
    "autoencoder": autoencoder,
    "base": base,
    "motion": motion,
    "gligen": gligen_layers,
    "migc": migc_layers,
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
    parser.add_argument("--start", type=Path, help="a suite of smaller pictures to begin from")
    parser.add_argument("--size", type=int, default=data.SIZE, help="pixels a side")
    parser.add_argument("--steps", type=int, help="instead of the stage's own number")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    for folder in (given.work, given.out):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    plan = PLANS[given.stage]
    if given.steps:
        plan = Plan(**{**vars(plan), "steps": given.steps})
    job = Job(given.work, given.out, given.start, given.size)
    log = STAGES[given.stage](job, plan)
    (given.out / "training").mkdir(exist_ok=True)
    note = json.dumps({**log, "threads": given.threads}, indent=1)
    (given.out / "training" / f"{given.stage}.json").write_text(note + "\n")


if __name__ == "__main__":
    main()
