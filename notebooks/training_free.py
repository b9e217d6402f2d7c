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
# # The training-free claim, tested
#
# Test the central claim of SpA2V on your own computer. SpA2V ([Pham et al.,
# 2025](https://arxiv.org/abs/2508.00782)) combines one image model with motion modules and
# grounding layers that were never trained together, and claims that the videos follow a layout
# all the same. Published weights need a large graphics card; the embedded suite was trained in
# the same three steps and runs on a laptop.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how to run an ablation: what to vary, what to hold fixed, how to measure
# chance and ceiling, and how much a handful of scenes can show.
#
# **You need** [Diffusion that follows boxes](diffusion.ipynb).
#
# **It takes** ten minutes to read; to run, 2 minutes on two processor cores without bfloat16.
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
# ## The claim, and what would refute it
#
# Three parts were trained separately: the base on single frames; then, with the base frozen, motion
# modules on clips *without boxes* and grounding layers on *single frames* with boxes. No training
# used a video with boxes. When you combine all three, two things could go wrong:
#
# 1. grounding could act on each frame separately, so that objects flicker and lose their
#   identity;
# 2. motion modules could drag objects out of their boxes, because they were trained without
#    boxes.
#
# So compare four combinations, with and without each part, on two questions: is the object in its
# box, and does it look the same from frame to frame? The claim holds if both parts together score
# about as high on each question as the part that is responsible for it.
#
# Below you sample `SCENES` scenes of `SECONDS` seconds each in `STEPS` steps; `GROUNDING` is a
# grounding method of the suite.

# %% tags=["parameters"]
SCENES = 4
SECONDS = 1.0
STEPS = 8
SEED = 0
GROUNDING = "default"

# %% [markdown]
# ## Scenes outside the training data
#
# Training scenes were drawn from seeds of 31 bits. These scenes have larger seeds and go through
# the five motions in turn.

# %%
from spa2v_lab.scenes.sampler import MOTIONS, sample_scene
from spa2v_lab.scenes.scene import ground_truth_layout
from spa2v_lib.sampling import get_preset

FIRST = 9_000_000_100
drawn = {"labels": get_preset("tiny").labels, "styles": ("fluent3d",), "duration_s": SECONDS}
motions = [MOTIONS[number % len(MOTIONS)] for number in range(SCENES)]
scenes = [sample_scene(FIRST + n, motion=motion, **drawn) for n, motion in enumerate(motions)]
layouts = [ground_truth_layout(scene) for scene in scenes]

# %%
print("\n".join(layout.caption for layout in layouts))

# %% [markdown]
# ## Four combinations
#
# For each scene, all four combinations start from the same noise and the same prompts. Without
# motion modules, every frame is sampled independently; without grounding, nothing conditions the
# sampling on the boxes.

# %% tags=["remove-stderr"]
from spa2v_lab.bench.ablation import ablated

tried = [ablated(one, grounding=GROUNDING, seed=SEED, steps=STEPS) for one in layouts]

# %%
from spa2v_lab.viz.sampling import beside, frames_beside

frames_beside(layouts[0], tried[0])

# %% [markdown]
# *The first scene. From top to bottom: the base alone samples each frame independently; motion
# modules make one object of it, somewhere in the picture; grounding puts it into its boxes, but
# with another look in each frame; both together.*
#
# The videos, in the same order from left to right:

# %%
from IPython.display import HTML

HTML(beside(list(tried[0].values())).html())

# %%
frames_beside(layouts[-1], tried[-1])

# %% [markdown]
# *The last scene, in the same order.*
#
# ## Scores
#
# A detector, trained separately from the suite, locates the object in every frame.
#
# - **IoU** (intersection over union): the overlap of the layout's box with the best detection of
#   its class, as a share of the area that both cover; 0 without a detection.
# - **right class**: the share of frames in which the class is detected with any overlap at all.
# - **consistency**: the object is cropped along the layout's boxes and scaled to one size; the
#   mean correlation of consecutive crops.
#
# Two more rows give these numbers a scale. *Mirrored layout* is chance: the videos with both
# parts, scored against the layout with left and right exchanged, so that objects have the right
# size and height but are on the wrong side. *Drawn* is the ceiling: the frames that the scene
# itself draws.

# %%
from spa2v_lab.bench.ablation import combination_scores, mean_scores

scores = [combination_scores(scene, videos) for scene, videos in zip(scenes, tried, strict=True)]
means = mean_scores(scores)

# %%
from spa2v_lab.viz.scores import score_figure

score_figure(scores)

# %% [markdown]
# *A dot is a scene, a bar their mean.*

# %%
from spa2v_lab.viz.scores import score_table

HTML(score_table(means))

# %%
print("\n".join(f"{way:16s}IoU {values['IoU']:.1f}" for way, values in means.items()))

# %% [markdown]
# Compare *with motion* and *with both*: grounding brings the object into its box. Compare *with
# grounding* and *with both*: motion modules do not drag it out again.
#
# You can compare consistency only between rows whose object *is* in the box; elsewhere the crops
# show background, which hardly changes. A second measure does not depend on boxes: how much a
# whole frame differs from the one before it, in grey levels.

# %%
import numpy as np


def change(video):
    return np.abs(np.diff(video.frames.astype(float), axis=0)).mean()


changes = {way: np.mean([change(one[way]) for one in tried]) for way in tried[0]}
print("\n".join(f"{way:16s}{value:4.0f}" for way, value in changes.items()))

# %% [markdown]
# Frames that are sampled independently differ far more than frames with motion modules. Moving
# boxes require some change, but much less than grounding alone produces: the rest was flicker.

# %% tags=["remove-cell"]
both, motion, grounding = (means[way] for way in ("with both", "with motion", "with grounding"))
print(f"grounding brings the object into its box: {both['IoU'] > motion['IoU'] + 0.2}")
print(f"motion modules leave it there: {abs(both['IoU'] - grounding['IoU']) < 0.15}")
print(f"motion modules calm it: {changes['with both'] < 0.6 * changes['with grounding']}")

# %% [markdown]
# ## How certain is the result?
#
# A handful of scenes proves little. The benchmark `spa2v bench sampling --out bench` samples 30,
# with every grounding method, one and two objects, and 95 % confidence intervals over scenes. The
# model card of the shipped weights has its results:

# %%
from IPython.display import Markdown

from spa2v_lab.training.loop import card_section

Markdown(card_section("How well it does"))

# %% [markdown]
# *Copied from the model card; this notebook did not run the benchmark.*
#
# Neither result shows whether the claim holds for photographs, for long videos, for ten objects at
# once, or for the published weights, which we could not run. If you have a GPU, [Published weights
# on a Colab GPU](colab.ipynb) shows you how to test them.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# The four combinations are paired: same scene, same noise. For each scene, how much IoU does
# grounding add to motion? Is there a scene where it adds nothing?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: paired differences vary less than the scenes do.
for layout, one in zip(layouts, scores, strict=True):
    gain = one["with both"]["IoU"] - one["with motion"]["IoU"]
    print(f"{gain:+.1f}  {layout.caption}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Why is chance not zero? Compute the overlap of the layout's boxes with their own mirror images.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: an object near the middle overlaps with its mirror image, wherever it was generated.
from spa2v_lab import metrics

for layout in layouts:
    print(f"{metrics.iou(layout, layout.mirrored()):.1f}  {layout.caption}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# Test the measures themselves. How does a frozen video score, the first frame repeated, where the
# object should move?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: high consistency, because a frozen background does not change; only IoU exposes it.
from spa2v_lab.bench.sampling import score
from spa2v_lib.sampling.tiny_detector import detect

video = tried[0]["with both"]
frozen = np.repeat(video.frames[:1], len(video.frames), axis=0)
for name, frames in (("moving", video.frames), ("frozen", frozen)):
    found = score(layouts[0], frames, detect(frames))
    print(f"{name}: IoU {found['IoU']:.1f}, consistency {found['consistency']:.1f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# An ablation tests a claim about parts. Grounding decides where an object is, motion modules keep
# it consistent from frame to frame, and neither degrades the other, although they were never
# trained together.
#
# </div>
