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
# Train a small diffusion suite of your own, or understand the one that generates every video in
# this book: it runs on a laptop, and was built part by part like the published ones. You see its
# training data, run training steps, learn what did not work, and test the detector that evaluates
# the result.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** what it takes to train a small video diffusion suite; why its parts are
# trained separately; what one training step does; and how to test whether a detector is a
# reliable judge.
#
# **You need** [Diffusion that follows boxes](diffusion.ipynb).
#
# **It takes** fifteen minutes to read; to run, 1.5 minutes on two processor cores without bfloat16.
# The trainings themselves took ten minutes of a large GPU and an hour and a half of two processor
# cores, and are not run here.
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
# `DRAWN` frames are drawn and encoded, `CLIPS` clips go through `STEPS` training steps, and the
# detector judges `JUDGED` frames of each style.

# %% tags=["parameters"]
DRAWN = 48
CLIPS = 2
STEPS = 6
JUDGED = 120
SEED = 7

# %% [markdown]
# ## A drawn world
#
# We know of no data set of real videos of twenty classes with true boxes and true spatial sound.
# But you can draw one. A scene is a description: an object of some size on a straight trajectory
# in front of a background. It determines the frames, the boxes, the captions, and in [How two
# channels say where](two_channels.ipynb) the sound. Sprites come from three open emoji sets; the
# suite was trained on one of them.

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
half = min(len(scenes[0]) // 2, 6)
rows = {"drawn": scenes[0][:half], "and more": scenes[0][half : 2 * half]}
boxes = [scenes[1][:half], scenes[1][half : 2 * half]]
frames_figure([rows], [boxes], [""] * half, "drawn frames with their true boxes")

# %% [markdown]
# *Twelve frames of twelve scenes, with their true boxes. Sizes, cameras and trajectories are
# sampled from distributions that the planner does not use.*
#
# ## Three separate trainings
#
# The parts are trained separately, like the published models and for the same reason: there are
# data for each part, but none for all of them at once.
#
# | stage | learns | from | frozen |
# |---|---|---|---|
# | `autoencoder`, `base` | what objects look like, what words mean | frames with captions | nothing |
# | `motion` | how objects move and keep their appearance | clips with captions | the base |
# | `gligen`, `migc` | what boxes mean | frames with boxes | the base |
# | `detector` | to detect objects, as the judge | frames with boxes, more styles | it shares nothing |

# %%
from spa2v_lab.training.loop import training_logs
from spa2v_lab.viz.scores import loss_figure

logs = training_logs()
loss_figure(logs)

# %% [markdown]
# *The loss of every training: each point is a mean over a few hundred steps. Do not compare
# diffusion losses between panels: most of a denoiser's error is noise that no model can predict,
# and the later parts were trained at noisier times. In part 3 the loss jumps where harder frames
# were added.*

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
# ## The autoencoder
#
# On a laptop's processor, an autoencoder trained end to end costs more than everything else
# together, and its pictures are still blurred. The solution is older than deep learning. The
# *encoder* is computed, not trained: the principal components of 8 by 8 patches, the best linear
# code. Only a small *decoder* is trained, to restore the edges of sprites.

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
# *The diffusion model works on these codes, so its pictures cannot be sharper than these
# reconstructions.*

# %%
numbers = drawn.frames[0].size, codes[0].numel()
error = ((again / 255 - drawn.frames[:24:4] / 255) ** 2).mean()
print(f"{numbers[0]} numbers become {numbers[1]}; error {-10 * np.log10(error):.0f} dB")

# %% [markdown]
# ## One training step
#
# All three diffusion trainings repeat the same step. Take the motion training, from its very
# first step: new motion modules on the finished base.

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
# Set the last layers of the new modules to zero, so that they add nothing at first and training
# starts from the base as it is.

# %%
for name, parameter in new.items():
    parameter.requires_grad_(True)
    if ".proj_out." in name:
        torch.nn.init.zeros_(parameter)

# %% [markdown]
# A batch holds clips, encoded as latents, with their captions.

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
# For the loss, add noise according to a random time, and compare the model's prediction with its
# target. The suite predicts the velocity of [Diffusion that follows boxes](diffusion.ipynb).
# Unlike predicting the noise, this remains a meaningful task when the input is pure noise.


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

# %% tags=["remove-cell"]
print(f"the loss falls: {values[-1] < values[0]}")
untouched = [p for n, p in model.named_parameters() if n not in new]
print(f"the base learns nothing: {all(p.grad is None for p in untouched)}")

# %% [markdown]
# The real training takes a new batch and new noise in each step. It drops one caption in ten, for
# classifier-free guidance, weights the latents that objects cover more than the background,
# decays the learning rate as a cosine, and keeps an exponential average of the weights. The whole
# loop is one short file, `spa2v_lab.training.loop`. Grounding layers are trained in the same way
# on single frames, with the boxes as a further input.
#
# ## What did not work
#
# - **GLIGEN as published.** Its gates start closed, and plain gated attention has to learn by
#   itself which positions a box covers. After 800 steps no attention gate was open by more than
#   0.015, and the loss had not improved. Two changes helped: gates that are open from the start,
#   in front of output projections initialized to zero (still adding nothing at first, but
#   learning at full speed), and the instance mask.
# - **Captions without a direction.** Sprites face left, except for objects that move to the
#   right. A box and "a train" specify neither, so the layers learnt the mean of both, and sampled
#   trains had two fronts. The first directional captions ended in "from left to right" or "from
#   right to left", as the boxes move. That fixed trains, but not animals: both endings consist of
#   the same words, and the small text encoder gives them nearly the same embedding, as measured
#   below. Now only "from left to right" is added, and both GLIGEN's and MIGC's layers were
#   trained further with it, mostly at the noisiest times, which decide an outline.
# - **The usual noise schedule.** It never reaches pure noise. With so few latents, what remains
#   of the picture at the last time is enough to reveal where objects are, whatever the caption;
#   so the suite's schedule ends in pure noise ([Lin et al.,
#   2024](https://arxiv.org/abs/2305.08891)).
# - **Data-parallel training in two processes.** On two hyperthreads of one core it was no faster
#   than one process.
# - **A decoder trained on exact latents.** It drew ragged edges from *sampled* latents, which are
#   never exact. Now it is trained on latents with a little noise.
# - **Large batches in little time.** In batches of 512 the base had only 1702 training steps in its
#   three minutes, and its loss was still falling at the end. Smaller batches would probably have
#   used the time better.
#
# Grounding layers receive an object's caption as one vector. How far apart are the vectors of
# captions that differ in meaning?

# %%
from spa2v_lib.sampling.texts import pooled

phrases = ["a cow from right to left", "a cow from left to right", "a cow", "a sheep"]
vectors = dict(zip(phrases, pooled(pipeline, phrases), strict=True))
for a, b in zip(phrases[:-1], phrases[1:], strict=True):
    print(f"{a} / {b}: {(vectors[a] - vectors[b]).norm():.2f}")

# %% [markdown]
# *The text encoder hardly represents word order. The captions of a cow that moves left and of one
# that moves right are nearly seven times closer together than a caption with a direction and one
# without. A layer cannot distinguish what its input does not.*
#
# A single sampling step shows what the layers have learnt. It starts from pure noise, so only the
# captions and the box determine the picture; whatever they leave open is blurred.

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
# *After one step the cow already faces right, where its box moves, with a dark head and a light
# belly. Further steps sharpen it.*
#
# ## The detector as judge
#
# A benchmark is only as good as the detector that decides whether an object is in its box. This
# detector shares no weights and no training frames with the suite, and was trained on more
# styles, with noise, blur and tints. Test it on a style that was held out of its training:

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
# *The detections. The detector's only input is the frame.*


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
    print(f"{name}: {share_found(one, found[name]):.1f} of the objects detected")

# %% [markdown]
# An object counts as detected if the class is right and the boxes overlap by at least one half
# (IoU). After training, the detector was tested on 2000 frames of each style:

# %%
for style, measured in logs["detector"]["accuracy"].items():
    print(f"{style}: {measured['found']:.0%} detected, mean IoU {measured['mean_iou']:.2f}")

# %% [markdown]
# It still detects most objects in the held-out style, so it generalizes beyond the sprites of its
# training. It is not perfect on the suite's own style either, which is why the tables of this
# book have a row *drawn* as their ceiling: the scene's own frames.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# How good would a linear code be with 8, 16, 32 or 64 numbers for a patch of 8 by 8 pixels?
# Compute the share of the variance that so many principal components explain.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: sum the sorted eigenvalues of the patches' covariance.
pixels = torch.from_numpy(drawn.frames).permute(0, 3, 1, 2) / 255
patches = torch.nn.functional.pixel_unshuffle(pixels, 8).movedim(1, -1).flatten(0, 2)
held = torch.linalg.eigvalsh(torch.cov(patches.T)).flip(0).cumsum(0)
for count in (8, 16, 32, 64):
    print(f"{count:2d} of 192 numbers: {held[count - 1] / held[-1]:.1%} of the variance")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# At which times is denoising hard? Compute the loss of the finished suite at $t$ = 50, 500 and
# 950.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: at late times, when hardly any of the picture is left.
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
# A drawn world gives unlimited data with exact ground truth. A part that is trained separately
# needs data for that part only. And what helped most was what a network does *not* have to learn: a
# code for pictures, the area that a box covers, and how to start without disturbing the base.
#
# </div>
