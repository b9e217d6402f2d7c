"""Train the tiny suite, one stage after the other: ``python -m spa2v_lab.training.train --help``.

The stages are those of the published models, each on what the one before left, frozen:

1. ``autoencoder``, then ``base``: a text-to-image model on single frames;
2. ``motion``: an AnimateDiff motion adapter on clips, base frozen;
3. ``gligen`` and ``migc``: grounding layers of both types, on single frames with boxes, base
   frozen.

``detector`` is trained separately and judges their videos. Encoded data and checkpoints
are kept in the work folder, so that an interrupted stage goes on where it stopped; the finished
weights are written in half precision to the output folder, in diffusers' formats.

`PLANS` are for one large GPU. The shipped suite was given less time than they take (``--seconds``;
the model card has its steps). The stages after ``base`` do not need one another, so that they can
be trained side by side. On a processor, give ``--steps``, ``--batch`` and ``--lr``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from spa2v_lab.training import data
from spa2v_lab.training.autoencoder import EncodedSet, train_autoencoder
from spa2v_lab.training.base import Base, new_base, new_scheduler, train_base, with_words
from spa2v_lab.training.detector import train_detector
from spa2v_lab.training.grounding import save_layers, train_gligen, train_migc
from spa2v_lab.training.loop import Plan
from spa2v_lab.training.motion import train_motion
from spa2v_lib.sampling.patch_autoencoder import PatchAutoencoder

__all__ = ["PLANS", "Job", "main", "run"]

PLANS = {
    "autoencoder": Plan(steps=3000, batch=64, lr=2e-3, seed=1),
    "base": Plan(steps=9000, batch=512, lr=1e-3, seed=2, warmup=300, decay=0.9992),
    "motion": Plan(steps=5000, batch=16, lr=5e-4, seed=3, decay=0.999),
    "gligen": Plan(steps=5000, batch=256, lr=1e-3, seed=4, decay=0.999),
    "migc": Plan(steps=4000, batch=256, lr=1e-3, seed=6, decay=0.999),
    "detector": Plan(steps=4000, batch=128, lr=2e-3, seed=5),
}
_FURTHER = {
    "more": 6.0,
    "early": 0.3,
    "close": 0.75,
}  # backgrounds are known already, outlines come first
_AUTOENCODER_FRAMES, _FRAMES, _CLIPS, _DETECTOR_FRAMES = 20_000, 160_000, 12_000, 48_000


@dataclass(frozen=True)
class Job:
    """Where a stage reads and writes its files.

    Attributes
    ----------
    work, out : Path
        Of checkpoints and drawn data; of finished weights.
    start : Path or None
        A suite to begin from: one of smaller pictures, or one that shall be trained further.
    size : int
        Pixels a side.
    device : str
        Where to train.
    workers : int
        Processes that draw.
    further : bool
        Whether `start` learns classes that it does not know yet.
    count, seed : int
        Frames to draw, and their seed.

    See Also
    --------
    run : runs a stage of it

    Examples
    --------
    >>> Job(Path("work"), Path("out")).size
    128
    """

    work: Path
    out: Path
    start: Path | None = None
    size: int = data.SIZE
    device: str = "cpu"
    workers: int = 1
    further: bool = False
    count: int = _FRAMES
    seed: int = 1

    def frames(self) -> EncodedSet:
        """Return single frames, encoded with the finished autoencoder."""
        how = {"seed": self.seed, "size": self.size, "workers": self.workers}
        draw = data.further_parts if self.further else data.frame_parts
        return self._encoded("frames", draw(self.count, **how))

    def clips(self) -> EncodedSet:
        """Return clips, encoded with the finished autoencoder."""
        how = {"seed": 2, "size": self.size, "workers": self.workers}
        return self._encoded("clips", data.clip_parts(_CLIPS, **how))

    def _encoded(self, name: str, parts: Iterable[data.DrawnSet]) -> EncodedSet:
        path = self.work / f"{name}.npz"
        if not path.is_file():
            EncodedSet.of(_vae(self.out).to(self.device), parts).save(path)
        return EncodedSet.load(path, self.device)

    def base(self) -> Base:
        """Load the finished base."""
        return load_base(self.out, self.device)


def _vae(folder: Path) -> PatchAutoencoder:
    return PatchAutoencoder.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()


def load_base(folder: Path, device: str) -> Base:
    """Read the base of a suite."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return Base(unet.to(device).eval(), text.to(device).eval(), tokenizer)


def autoencoder(job: Job, plan: Plan) -> dict:
    """Stage 1a. Begun from another suite, the code stays and the decoder learns on."""
    start = _vae(job.start) if job.start else None
    drawn = data.frames(_AUTOENCODER_FRAMES, seed=4, size=job.size, workers=job.workers)
    model, log = train_autoencoder(drawn, plan, job.work, start, job.device)
    model.half().save_pretrained(job.out / "vae")
    return log


def base(job: Job, plan: Plan) -> dict:
    """Stage 1b."""
    if job.start:
        model = load_base(job.start, job.device)
    else:
        new = new_base(plan.seed)
        model = Base(new.unet.to(job.device), new.text.to(job.device), new.tokenizer)
    how = {}
    if job.further:
        model, how = with_words(model), _FURTHER
    log = train_base(model, job.frames(), plan, job.work, **how)
    model.unet.register_to_config(sample_size=job.size // 8)
    model.unet.half().save_pretrained(job.out / "unet")
    model.text.half().save_pretrained(job.out / "text_encoder")
    model.tokenizer.save_pretrained(job.out / "tokenizer")
    new_scheduler().save_pretrained(job.out / "scheduler")
    return log


def motion(job: Job, plan: Plan) -> dict:
    """Stage 2."""
    start = job.start and MotionAdapter.from_pretrained(
        job.start / "motion_adapter", torch_dtype=torch.float32
    )
    adapter, log = train_motion(job.base(), job.clips(), start, plan, job.work)
    adapter.half().save_pretrained(job.out / "motion_adapter")
    return log


def grounding(name: str, job: Job, plan: Plan) -> dict:
    """Stage 3, with layers of one type; each is used without the other."""
    train = _GROUNDING[name]
    path, model = Path("grounding") / f"{name}.safetensors", job.base()
    log = train(model, job.frames(), job.start and job.start / path, plan, job.work)
    (job.out / path).parent.mkdir(exist_ok=True)
    save_layers(model.unet, job.out / path)
    return log


_GROUNDING = {"gligen": train_gligen, "migc": train_migc}


def detector(job: Job, plan: Plan) -> dict:
    """The judge, on sprite styles that the suite draws and others."""
    return train_detector(
        plan,
        job.work,
        job.out / "detector",
        job.count if job.further else _DETECTOR_FRAMES,
        job.device,
        job.workers,
        job.further,
    )


STAGES = {
    "autoencoder": autoencoder,
    "base": base,
    "motion": motion,
    "gligen": partial(grounding, "gligen"),
    "migc": partial(grounding, "migc"),
    "detector": detector,
}


def main() -> None:
    """Run the stage that the command line names.

    See Also
    --------
    run : one stage

    Examples
    --------
    >>> main()  # doctest: +SKIP
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and drawn data")
    parser.add_argument("--out", type=Path, required=True, help="finished weights")
    parser.add_argument("--start", type=Path, help="a suite to begin from")
    parser.add_argument("--size", type=int, default=data.SIZE, help="pixels a side")
    parser.add_argument("--steps", type=int, help="instead of the stage's own number")
    parser.add_argument("--batch", type=int, help="instead of the stage's own number")
    parser.add_argument("--lr", type=float, help="instead of the stage's own learning rate")
    parser.add_argument("--seconds", type=float, help="end then, be the steps done or not")
    parser.add_argument("--further", action="store_true", help="teach --start the classes it lacks")
    parser.add_argument("--frames", type=int, default=_FRAMES, help="frames to draw")
    parser.add_argument("--seed", type=int, default=1, help="of the frames")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    for folder in (given.work, given.out):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    asked = {name: vars(given)[name] for name in ("steps", "batch", "lr", "seconds")}
    plan = replace(PLANS[given.stage], **{name: value for name, value in asked.items() if value})
    if given.further:
        plan = replace(
            plan, warmup=50, decay=0.995
        )  # few steps, from weights that are good already
    job = Job(
        given.work,
        given.out,
        given.start,
        given.size,
        given.device,
        given.workers,
        given.further,
        given.frames,
        given.seed,
    )
    run(given.stage, job, plan)


def run(stage: str, job: Job, plan: Plan) -> None:
    """Run one stage and write its log beside the weights, with that of what it began from.

    See Also
    --------
    STAGES : their names

    Examples
    --------
    >>> run("detector", Job(Path("work"), Path("out")), PLANS["detector"])  # doctest: +SKIP
    """
    torch.set_float32_matmul_precision("high")
    log = STAGES[stage](job, plan)
    (job.out / "training").mkdir(exist_ok=True)
    where = {"device": _device_name(job.device), "torch": torch.__version__.split("+")[0]}
    note, name = {**log, **where}, f"{stage}.json"
    if job.start and (before := job.start / "training" / name).is_file():
        note["before"] = json.loads(before.read_text(encoding="utf-8"))
    text = json.dumps(note, indent=1) + "\n"
    (job.out / "training" / name).write_text(text, encoding="utf-8")


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} processor threads"


if __name__ == "__main__":
    main()
