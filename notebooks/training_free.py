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
# SpA2V ([Pham et al., 2025](https://arxiv.org/abs/2508.00782)) puts motion modules and grounding layers on one image model although
# they never saw each other in training, and says that the result follows a layout all the same.
# With published weights one has to believe that, or own a large graphics card. The suite of this
# project was made so that one can look.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how to test a claim of this kind: what to vary, what to hold, what chance and
# ceiling are, and how much a handful of scenes can say.
#
# **You need** [Diffusion that follows boxes](diffusion.ipynb).
#
# **It takes** ten minutes to read and about a minute to run.
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
# Three things were trained, each alone, with everything before it frozen: the base on single
# frames; motion modules on clips *without boxes*; grounding layers on *single frames* with boxes.
# No training ever had a video with boxes. When all three meet, two things could go wrong:
#
# 1. grounding could push each frame about on its own, so that things lose their identity, and
#    motion is no motion any more;
# 2. motion modules could drag things away from their boxes, for they never learnt that there are
#    any.
#
# So there are four ways to put the parts together, with and without each, and two questions: is the
# thing in its box, and does it stay the same? The claim holds if *both together* is about as good
# at either as the part that is responsible for it.
#
# `SCENES` of `SECONDS` each are sampled below, in `STEPS` steps; `GROUNDING` is a method of the
# suite.

# %% tags=["parameters"]
SCENES = 4
SECONDS = 1.0
STEPS = 8
SEED = 0
GROUNDING = "default"

# %% [markdown]
# ## Scenes that no training saw
#
# Training scenes were drawn from seeds of 31 bits. These have larger ones, and go through the five
# motions in turn.

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
# ## Four ways to put the parts together
#
# For each scene, all four ways start from the same noise and are told the same sentences. Switching
# the motion modules off means that they pass every frame on as it came; switching grounding off
# means that nobody mentions the boxes.

# %% tags=["remove-stderr"]
from spa2v_lab.bench.ablation import ablated

tried = [ablated(one, grounding=GROUNDING, seed=SEED, steps=STEPS) for one in layouts]

# %%
from spa2v_lab.viz.sampling import beside, frames_beside

frames_beside(layouts[0], tried[0])

# %% [markdown]
# *The first scene. From top to bottom: the base draws each frame by itself; motion modules make it
# one thing, somewhere; grounding puts it into its boxes, drawn anew each time; both together.* In
# the same order from left to right, moving:

# %%
from IPython.display import HTML

HTML(beside(list(tried[0].values())).html())

# %%
frames_beside(layouts[-1], tried[-1])

# %% [markdown]
# *The last scene, in the same order.*
#
# ## Measured
#
# A detector, trained apart from everything it judges, looks for the thing in every frame.
#
# - **IoU**: overlap of the asked box with the best detection of the asked class; 0 without one.
# - **right class**: share of frames where the asked class is found with any overlap at all.
# - **consistency**: the thing is cut out along the asked boxes and brought to one size; the mean
#   correlation of neighbouring cut-outs.
#
# Two more rows give these numbers a scale. *Mirrored layout* scores the videos of the last way
# against the layout with left and right exchanged: what one gets by chance, when things are of the
# right size and height, and on the wrong side. *Drawn* scores the frames that the scene itself
# draws: what the detector gives to a perfect video.

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
# *With motion* against *with both*: grounding brings the thing into its box. *With grounding*
# against *with both*: motion modules do not drag it out again, and they make it more like itself
# from frame to frame.
#
# Consistency compares only rows whose thing *is* in the box; where it is not, the cut-outs show
# background, which is always like itself. So here is a second look at the same question that knows
# nothing of boxes: how much a whole frame differs from the one before it, in grey levels.

# %%
import numpy as np


def change(video):
    return np.abs(np.diff(video.frames.astype(float), axis=0)).mean()


changes = {way: np.mean([change(one[way]) for one in tried]) for way in tried[0]}
print("\n".join(f"{way:16s}{value:4.0f}" for way, value in changes.items()))

# %% [markdown]
# Frames that are drawn one by one differ far more than those of motion modules. Where boxes move,
# more has to change from frame to frame than where a thing stays as it likes; but much of the
# flicker that grounding has by itself is gone.

# %%
both, motion, grounding = (means[way] for way in ("with both", "with motion", "with grounding"))
print(f"grounding brings the thing into its box: {both['IoU'] > motion['IoU'] + 0.2}")
print(f"motion modules leave it there: {abs(both['IoU'] - grounding['IoU']) < 0.15}")
print(f"motion modules calm it: {changes['with both'] < 0.6 * changes['with grounding']}")

# %% [markdown]
# ## How sure is that?
#
# Four scenes are an anecdote. The benchmark takes 30, twice as long, with 25 steps, every method,
# one and two objects, and 95 % intervals over scenes: `spa2v bench sampling --out bench` (half an
# hour on two cores). What it measured for the weights that are shipped is written in
# their model card:

# %%
from IPython.display import Markdown

from spa2v_lab.training.loop import card_section

Markdown(card_section("How well it does"))

# %% [markdown]
# *From the model card, not from this notebook.*
#
# What neither says: whether this holds for photographs, for long videos, for ten things at once, or
# for the published weights, which are a hundred times larger and which we could not run. The claim
# is about a way to put parts together, and that way works here; [Published weights
# on a Colab GPU](colab.ipynb) is for those who can try the rest.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# The four ways were sampled in pairs: same scene, same noise. Say for each scene how much IoU
# grounding adds to motion. Is there a scene where it adds nothing?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: differences within pairs vary less than the scenes do.
for layout, one in zip(layouts, scores, strict=True):
    gain = one["with both"]["IoU"] - one["with motion"]["IoU"]
    print(f"{gain:+.1f}  {layout.caption}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Why is chance not zero? Compute the overlap of the asked boxes with their own mirror images.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: a thing near the middle overlaps with its mirror image, however well it was drawn.
from spa2v_lab import metrics

for layout in layouts:
    print(f"{metrics.iou(layout, layout.mirrored()):.1f}  {layout.caption}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# Distrust the measures. What would a frozen picture get, the first frame again and again, where the
# thing is asked to move?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: much consistency, for a frozen background is like itself; only IoU finds it out.
from spa2v_lab.bench.sampling import score
from spa2v_lib.sampling.tiny_detector import detect

video = tried[0]["with both"]
frozen = np.repeat(video.frames[:1], len(video.frames), axis=0)
for name, frames in (("moving", video.frames), ("frozen", frozen)):
    found = score(layouts[0], frames, detect(frames))
    print(f"{name}: IoU {found['IoU']:.1f}, consistent {found['consistency'] > 0.4}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# A claim about parts is tested by taking parts away. Grounding decides where, motion modules decide
# that it stays the same, and neither spoils the other, though they never met in training.
#
# </div>
