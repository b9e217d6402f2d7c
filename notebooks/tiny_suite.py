# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How the tiny suite was made
#
# Everything in this book runs on any computer because the library brings a diffusion suite of its
# own: small enough for a laptop, and made like the published ones, part by part. This chapter shows
# the world that it knows, how each part was trained, what was tried and did not work, and who
# judges it.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** what it takes to train a small video diffusion suite; why parts are trained
# apart; what one training step is; and how to tell whether a judge can be trusted.
#
# **You need** [Diffusion that follows boxes](diffusion.ipynb).
#
# **It takes** fifteen minutes to read and a minute to run. The trainings themselves took ten
# minutes of a large GPU and an hour and a half of two processor cores, and are not run here.
#
# </div>

# %% cellView="form" tags=["remove-cell"]
# @title Install the library, if it is missing (about two minutes; no restart needed)
import importlib.util
import os
import subprocess
import sys

SOURCE = "https://github.com/OWNER/spa2v/archive/refs/heads/main.zip"


def install_spa2v(source: str) -> None:
    """Install the library where it is missing, or stop with one sentence that says why not."""
    if importlib.util.find_spec("spa2v_lib"):
        return
    print("Installing spa2v: about two minutes. The session need not be restarted.")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"spa2v @ {source}"]
    done = subprocess.run(pip, capture_output=True, text=True)
    importlib.invalidate_caches()
    if done.returncode or not importlib.util.find_spec("spa2v_lib"):
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise SystemExit(f"spa2v could not be installed from {source}: {reason}")


install_spa2v(os.environ.get("SPA2V_SOURCE", SOURCE))

# %% [markdown]
# `DRAWN` frames are drawn and coded, `CLIPS` clips go through `STEPS` steps of a training, and
# `JUDGED` frames of each style are shown to the judge.

# %% tags=["parameters"]
DRAWN = 48
CLIPS = 2
STEPS = 6
JUDGED = 120
SEED = 7

# %% [markdown]
# ## A drawn world
#
# Photographs of twenty kinds of things, each in a video with true boxes and true sound: nobody has
# that. But one can be drawn. A scene is a description, a thing of some size on a straight path
# before a background, and everything follows from it: the frames, the boxes, the captions, and in
# [How two channels say where](two_channels.ipynb) the sound. Sprites come from three open emoji sets; the
# suite draws one of them.

# %%
from spa2v_lab.training import data

drawn = data.frames(DRAWN, seed=SEED)
for caption in drawn.captions[:3]:
    print(caption)

# %%
from spa2v_lib.layout.scene_layout import Box
from spa2v_lib.viz.figures import frames_figure


def boxes_of(rows):
    return [[Box(x0=a, y0=b, x1=c, y1=d) for a, b, c, d in row.tolist() if c > a] for row in rows]


scenes = drawn.frames[::4], boxes_of(drawn.boxes[::4])  # four frames are drawn of each scene
rows = {"drawn": scenes[0][:6], "and more": scenes[0][6:12]}
boxes = [scenes[1][:6], scenes[1][6:12]]
frames_figure([rows], [boxes], [""] * 6, "twelve drawn frames with their true boxes")

# %% [markdown]
# *Twelve frames of twelve scenes, with their true boxes. Sizes, cameras and paths are drawn from
# distributions that the planner does not know.*
#
# ## Three separate trainings
#
# As the published models, and for the same reason (data with everything at once do not exist,
# data with a part of it do):
#
# | stage | learns | from | frozen |
# |---|---|---|---|
# | `autoencoder`, `base` | how things look, what words mean | frames with captions | nothing |
# | `motion` | that things stay the same while they move | clips with captions | the base |
# | `gligen`, `migc` | what boxes mean | frames with boxes | the base |
# | `detector` | to judge | frames with boxes, more styles | it shares nothing |

# %%
from spa2v_lab.training.loop import training_logs
from spa2v_lab.viz.scores import loss_figure

logs = training_logs()
loss_figure(logs)

# %% [markdown]
# *Every loss of every training, as it was logged: means over a few hundred steps each. Diffusion
# losses say little by themselves; most of a denoiser's error is noise that nobody can know, and
# those of later parts are of other, noisier times. The third parts jump where harder frames came.*

# %%
for name, log in logs.items():
    plan = log["plan"]
    print(f"{name}: {log['steps']} steps of {plan['batch']}, {log['seconds']:.0f} seconds")

# %% [markdown]
# The commands, the data and the machine are in the model card:

# %%
from IPython.display import Markdown

from spa2v_lab.training.loop import card_section

Markdown(card_section("How they were made"))

# %% [markdown]
# *From the model card.*
#
# ## A code for pictures
#
# The autoencoder was the first thing that did not work: one that is trained end to end, as usual,
# costs more than everything else together, and was still blurred when the suite was first made, on
# a processor. The answer is
# older than deep learning. The *encoder* is computed, not trained: the principal components of
# 8 by 8 patches, the best linear code there is. Only a small *decoder* is trained, which knows what
# edges of sprites look like.

# %%
import numpy as np
import torch

from spa2v_lab.training.autoencoder import encode_set
from spa2v_lib.sampling.loading import load

vae = load("tiny", "auto").vae
codes = encode_set(vae, drawn.frames)
with torch.no_grad():
    decoded = vae.decode(codes[:24:4]).sample.permute(0, 2, 3, 1).numpy()

# %%
again = (127.5 * (decoded.clip(-1, 1) + 1) + 0.5).astype(np.uint8)
both = {"drawn": drawn.frames[:24:4], "encoded and decoded": again}
frames_figure([both], [[[[]] * 6] * 2], [""] * 6, "six frames, and their reconstructions")

# %% [markdown]
# *What the diffusion model never has to learn, and cannot draw better than.*

# %%
numbers = drawn.frames[0].size, codes[0].numel()
error = ((again / 255 - drawn.frames[:24:4] / 255) ** 2).mean()
print(f"{numbers[0]} numbers become {numbers[1]}; error {-10 * np.log10(error):.0f} dB")

# %% [markdown]
# ## One training step
#
# All three diffusion trainings do the same thing over and over. Here is the second of them, motion,
# from its very first step: new motion modules on the finished base.

# %% tags=["remove-stderr"]
from diffusers import UNet2DConditionModel, UNetMotionModel

from spa2v_lab.training.motion import new_adapter
from spa2v_lib.resources import resource

torch.manual_seed(SEED)
base = UNet2DConditionModel.from_pretrained(resource("models", "tiny", "unet"))
model = UNetMotionModel.from_unet2d(base, new_adapter()).requires_grad_(False)

# %%
new = {n: p for n, p in model.named_parameters() if ".motion_modules." in n}
frozen = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in new.values())
print(f"{frozen / 1e6:.1f} million numbers frozen")
print(f"{sum(p.numel() for p in new.values()) / 1e6:.1f} million to be trained")

# %% [markdown]
# The new modules' last layers are set to zero, so that at first they add nothing: training starts
# from the base exactly as it is, not from a base that random modules have broken.

# %%
for name, parameter in new.items():
    parameter.requires_grad_(True)
    if ".proj_out." in name:
        torch.nn.init.zeros_(parameter)

# %% [markdown]
# A batch: clips, as codes, with their captions.

# %%
clips = data.clips(CLIPS, seed=SEED)
codes = encode_set(vae, clips.frames) * vae.config.scaling_factor
codes = codes.unflatten(0, (-1, data.CLIP_FRAMES)).transpose(1, 2)  # clips, channels, frames

# %%
from spa2v_lab.training.base import tokenize

pipeline = load("tiny", "auto")
captions = list(clips.captions[:: data.CLIP_FRAMES])
words = pipeline.text_encoder(tokenize(pipeline.tokenizer, captions)).last_hidden_state
words = words.repeat_interleave(data.CLIP_FRAMES, 0)

# %% [markdown]
# And the loss: mix in noise, as much as a random time says, and ask for what to subtract. (The
# suite predicts a *velocity*, ([Salimans and Ho, 2022](https://arxiv.org/abs/2202.00512)), which stays well defined where there
# is nothing but noise.)


# %%
def loss(seed):
    chance = torch.Generator().manual_seed(seed)
    noise = torch.randn(codes.shape, generator=chance)
    times = torch.randint(1000, (len(codes),), generator=chance)
    noisy = pipeline.scheduler.add_noise(codes, noise, times)
    wanted = pipeline.scheduler.get_velocity(codes, noise, times)
    return torch.nn.functional.mse_loss(model(noisy, times, words).sample, wanted)


# %%
optimiser = torch.optim.AdamW(new.values(), lr=1e-3)
values = []
for _ in range(STEPS):
    value = loss(seed=SEED)  # the same batch and noise, to see it learn in a few steps
    optimiser.zero_grad()
    value.backward()
    optimiser.step()
    values.append(value.item())

# %%
print(f"the loss falls: {values[-1] < values[0]}")
untouched = [p for n, p in model.named_parameters() if n not in new]
print(f"the base learns nothing: {all(p.grad is None for p in untouched)}")

# %% [markdown]
# The real training does this with another batch and other noise each time, leaves out one caption
# in ten (so that sampling can compare with and without), weighs the cells that things cover more
# than background, lets the learning rate fall as a cosine, and keeps a running average of the
# weights: `spa2v_lab.training.loop`, 150 lines, is all there is. Grounding layers are trained in
# the same way on single frames, with the boxes as a further input.
#
# ## What did not work
#
# - **GLIGEN as published.** Its gates start closed, and plain gated attention has to discover by
#   itself which cells a box means. After 800 steps no attention gate was open by more than 0.015,
#   and the loss had not moved. Two changes helped: gates that are open from the start, before
#   output projections of zero (the same start, but it learns at full speed), and the instance mask.
# - **Boxes that say nothing of the way.** Sprites look left, but for things that go to the right. A
#   box and "a train" say neither, so the layers learnt the mean of both, and sampled trains had two
#   fronts. First the phrase ended in "from left to right" or "from right to left", as the boxes go.
#   That mended trains, not animals: both endings hold the same words, and the small text encoder
#   gives them nearly the same embedding, as measured below. Now only "from left to right" is said,
#   and both kinds of layers were trained further on it, mostly at the noisiest times, where an
#   outline is decided.
# - **The usual noise schedule.** It never reaches pure noise. With so few cells, what remains of
#   the picture at the last step is enough to fix where things are before anybody has read the
#   caption; so the schedule ends in noise alone ([Lin et al., 2024](https://arxiv.org/abs/2305.08891)).
# - **Two processes that average their gradients**: no faster on two hyperthreads of one core.
# - **Clean codes only.** A decoder that saw nothing else drew ragged edges on *sampled* codes,
#   which are never exact; now it sees codes with a little noise.
# - **Large batches for little time.** On the GPU the base saw more than twice as many pictures as
#   on the processor before, but in batches of 512, a sixth of the steps: it was still learning when
#   its three minutes were over.
#
# Grounding layers hear an object's phrase as one vector. How far apart are the vectors of phrases
# that mean different things?

# %%
from spa2v_lib.sampling.texts import pooled

told = ["a cow from right to left", "a cow from left to right", "a cow", "a sheep"]
vectors = dict(zip(told, pooled(pipeline, told), strict=True))
for a, b in zip(told[:-1], told[1:], strict=True):
    print(f"{a} / {b}: {(vectors[a] - vectors[b]).norm():.2f}")

# %% [markdown]
# *Order hardly counts: a thing going left and the same thing going right lie seven times closer
# together than one with such words and one without. A trained layer can only be as clear as what it
# hears.*
#
# What the layers make of it shows in a single step of sampling. It starts from noise alone, so that
# only captions, phrase and box can tell what to draw; whatever they leave open comes out as a blur.

# %%
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.scene import ground_truth_layout

way = {"motion": "right_crossing", "labels": ("cow",), "styles": (data.STYLE,)}
scene = sample_scene(SEED, duration_s=2.0, **way)
layout = ground_truth_layout(scene)

# %%
from spa2v_lib.sampling import generate

rows = {
    "one step": generate(layout, seed=SEED, steps=1, guidance_scale=1.0).frames[1::3],
    "25 steps": generate(layout, seed=SEED, steps=25).frames[1::3],
    "drawn": draw_scene(scene, 128)[1::3],
}

# %%
boxes = [[box for box in frame if box] for frame in layout.frame_boxes()[1::3]]
times = [f"{frame / layout.fps:.1f} s" for frame in range(1, layout.frame_count, 3)]
title = "a cow from left to right, predicted, sampled and drawn"
frames_figure([rows], [[boxes] * 3], times, title)

# %% [markdown]
# *After one step the cow already looks to the right, where its box goes, with a dark head and a
# light belly. The steps that follow sharpen it.*
#
# ## The judge
#
# Whether a thing is where it was asked for is decided by a detector, and a benchmark is worth as
# much as its judge. This one shares no weights and no data with the suite, and it was trained on
# more styles than the suite draws, with noise, blur and tints. A third style it has never seen:

# %%
from spa2v_lab.training.detector import HELD_OUT_STYLE
from spa2v_lib.sampling.tiny_detector import detect

styles = {f"{data.STYLE}, which the suite draws": data.STYLE}
styles[f"{HELD_OUT_STYLE}, never trained on"] = HELD_OUT_STYLE
seen = {name: data.frames(JUDGED, seed=SEED + 1, styles=(s,)) for name, s in styles.items()}
found = {name: detect(one.frames) for name, one in seen.items()}
rows = {name: one.frames[:24:4] for name, one in seen.items()}
boxes = [[[d.box for d in frame] for frame in found[name][:24:4]] for name in rows]
frames_figure([rows], [boxes], [""] * 6, "six frames of two styles with their detections")

# %% [markdown]
# *What the detector finds, without being told what is there.*


# %%
def share_found(one, detections):
    hits = []
    for row, labels, frame in zip(one.boxes, one.labels, detections, strict=True):
        for box, label in zip(boxes_of([row])[0], labels, strict=False):
            same = [d.box.iou(box) for d in frame if d.label == data.LABELS[label]]
            hits.append(max(same, default=0.0) >= 0.5)
    return sum(hits) / len(hits)


# %%
for name, one in seen.items():
    print(f"{name}: {share_found(one, found[name]):.1f} of the things found")

# %% [markdown]
# Found means: right class, and an overlap of at least one half. Over 2000 frames each, when it was
# trained:

# %%
for style, measured in logs["detector"]["accuracy"].items():
    print(f"{style}: {measured['found']:.0%} found, mean IoU {measured['mean_iou']:.2f}")

# %% [markdown]
# On a style that it never saw it still finds most things, so it has learnt more than two sets of
# pictures by heart. It is not perfect on the style that it judges either; that is why every table
# of this book has a row *drawn*, the frames that the scene itself draws, as its ceiling.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# How good would a linear code be with 8, 16, 32 or 64 numbers for a patch of 8 by 8 pixels? Compute
# the share of the variance that so many principal components hold.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: the sorted eigenvalues of the patches' covariance say it all.
pixels = torch.from_numpy(drawn.frames).permute(0, 3, 1, 2) / 255
patches = torch.nn.functional.pixel_unshuffle(pixels, 8).movedim(1, -1).flatten(0, 2)
held = torch.linalg.eigvalsh(torch.cov(patches.T)).flip(0).cumsum(0)
for count in (8, 16, 32, 64):
    print(f"{count:2d} of 192 numbers: {held[count - 1] / held[-1]:.1%} of the variance")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# At which times is denoising hard? Compute the loss of the finished suite at $t$ = 50, 500 and 950.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: early the noise hardly shows, late the picture; in between both can be seen.
noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(SEED))
for t in (50, 500, 950):
    given = codes, noise, torch.tensor([t])
    with torch.no_grad():
        velocity = pipeline.unet(pipeline.scheduler.add_noise(*given), t, words).sample
    error = (velocity - pipeline.scheduler.get_velocity(*given)).square().mean()
    print(f"t = {t}: loss {error:.1f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# A drawn world gives unlimited data with perfect truth. Parts trained apart need only the data that
# their part is about. And most of the work was finding out what does *not* need to be learnt: a
# code for pictures, where a box lies, that a new layer should start by doing nothing.
#
# </div>
