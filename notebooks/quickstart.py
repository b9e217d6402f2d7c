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
# # Quickstart
#
# Turn a recording and a label into a video with sound, in a few short cells. You see what each
# step returns, and check the boxes against the ground truth.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** to move a real recording past a simulated pair of microphones, to estimate
# its direction from the two channels, to plan boxes and captions from it, and to generate a video
# that follows the boxes.
#
# **You need** only this library: no graphics card, no network, no API key.
#
# **It takes** five minutes to read; to run, a minute on two processor cores without bfloat16.
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
# Change these values and run all cells again. `RECORDING` is a file of `data/recordings`, and
# `LABEL` names the object in it. `MOTION` may be `left_crossing`, `right_crossing`, `approaching`,
# `receding` or `stationary`; `SEED` determines the rest of the scene and the noise from which the
# video is sampled.

# %% tags=["parameters"]
LABEL = "truck"
RECORDING = "truck_01.flac"
MOTION = "right_crossing"
SEED = 4

# %% [markdown]
# ## A recording
#
# This file has one channel, and its source stands still; a simulated ORTF pair of microphones
# records it as it moves past. To use a stereo recording of your own, write `recording =
# spa2v.read_audio("train.flac")` instead.

# %%
import spa2v_lib as spa2v
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.sound import render_sound

files = {LABEL: (RECORDING,)}
scene = sample_scene(SEED, motion=MOTION, labels=(LABEL,), recordings=files, receiver="ortf")
recording = render_sound(scene)
recording

# %% [markdown]
# ## Cues from two channels
#
# Level and time differences between the channels give the direction of arrival, ten times a second;
# changes of level show how the distance changes.

# %%
from spa2v_lib import viz

cues = spa2v.extract_cues(recording, label=LABEL)
viz.cue_figure(cues)

# %% [markdown]
# *Azimuth with its 90 % interval, and level, over time. Upwards is to the right.*

# %%
source = cues.sources[0]
start, end = source.azimuth_start_deg, source.azimuth_end_deg
print(f"{source.label}, {source.motion}, from {start:+.0f}° to {end:+.0f}°")

# %% [markdown]
# ## A plan
#
# The planner turns the cues into a **Video Scene Layout**: a box and a caption for each key frame.
# Directions come from the sound. The object's size, and whether it flies, come from general
# knowledge about its class.

# %%
layout = spa2v.plan(recording, cues)
layout

# %%
for time, caption in zip(layout.key_times_s, layout.frame_captions, strict=True):
    print(f"{time:.1f} s: {caption}")

# %% [markdown]
# ## A video
#
# The embedded suite samples 128×128 pixels at eight frames a second. [Diffusion that follows
# boxes](diffusion.ipynb) explains how the boxes steer it.

# %%
video = spa2v.generate(layout, preset="tiny", seed=SEED)
viz.layout_figure(layout, video)

# %% [markdown]
# *Generated frames with the planned boxes; move the slider.*
#
# Now play it with its sound. Beside it runs the azimuth track, with right as in the picture and
# time downwards. The film starts in the middle of the pass.

# %%
from spa2v_lab.viz.film import Film

Film(video, layout, recording, cues)

# %% [markdown]
# ## Is it correct?
#
# The scene is simulated, so its ground truth is known. Compare the planned boxes with the true
# ones:

# %%
from spa2v_lab import metrics
from spa2v_lab.scenes.scene import ground_truth_layout

truth = ground_truth_layout(scene)
print(f"overlap (IoU): {metrics.iou(truth, layout):.1f}")
print(f"centres apart: {metrics.x_center_error(truth, layout):.2f} picture widths")

# %% [markdown]
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Swap the two channels of the recording. What happens to the cues, and to the boxes?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: left and right change places, in the cues and in the boxes.
swapped = spa2v.Recording.from_samples(recording.samples[::-1], recording.rate)
turned = spa2v.extract_cues(swapped, label=LABEL)
track = turned.sources[0]
print(f"{track.motion}, from {track.azimuth_start_deg:+.0f}° to {track.azimuth_end_deg:+.0f}°")
apart = metrics.x_center_error(layout.mirrored(), spa2v.plan(swapped, turned))
print(f"boxes apart from the mirrored ones: {apart:.2f} picture widths")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Mix the two channels into one, and analyze the result. What remains of the direction?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: nothing. Equal channels have no direction, and none is reported.
import numpy as np

same = spa2v.Recording.from_samples(np.tile(recording.mono(), (2, 1)), recording.rate)
flat = spa2v.extract_cues(same, label=LABEL)
print(f"{flat.sources[0].motion}, read as {flat.capture.format}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# `extract_cues`, `plan` and `generate` lead from a recording to a video. Each works alone and
# returns an object that you can save, read and edit.
#
# </div>
