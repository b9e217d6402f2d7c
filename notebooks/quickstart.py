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
# From one recording and a label to one video, in a few short cells.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how to move a real recording past a simulated pair of microphones, what the
# two channels reveal about its direction, how boxes and captions are planned from that, and how a
# small diffusion model generates a video that follows the boxes.
#
# **You need** only this library: no graphics card, no network, no key.
#
# **It takes** five minutes to read, and less than a minute to run on two processor cores.
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
# Change these and run everything again. `LABEL` names the object; without a label, the tagger
# decides. `MOTION` may be `left_crossing`, `right_crossing`, `approaching`, `receding` or
# `stationary`.

# %% tags=["parameters"]
LABEL = "truck"
RECORDING = "truck_01.flac"
MOTION = "right_crossing"
SEED = 4

# %% [markdown]
# ## A sound
#
# The recording itself has one channel, and its source stands still. Here it moves past two
# microphones. For a stereo recording of your own, write `recording =
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
# ## What the two channels say
#
# Level and time differences between the channels give the direction of arrival, frame by frame;
# the level says how the distance changes. The band is the 90 % interval.

# %%
from spa2v_lib import viz

cues = spa2v.extract_cues(recording, label=LABEL)
viz.cue_figure(cues)

# %% [markdown]
# *Azimuth and level over time. Right is up.*

# %%
source = cues.sources[0]
start, end = source.azimuth_start_deg, source.azimuth_end_deg
print(f"{source.label}, {source.motion}, from {start:+.0f}° to {end:+.0f}°")

# %% [markdown]
# ## A plan
#
# Geometry and common knowledge about the object, such as its size and whether it flies, turn the
# cues into a **Video Scene Layout**: boxes and captions per key frame.

# %%
layout = spa2v.plan(recording, cues)
layout

# %%
for time, caption in zip(layout.key_times_s, layout.frame_captions, strict=True):
    print(f"{time:.1f} s: {caption}")

# %% [markdown]
# ## A video
#
# The embedded suite generates small frames, eight a second. [Diffusion that follows
# boxes](diffusion.ipynb) explains how it follows the boxes.

# %%
video = spa2v.generate(layout, preset="tiny", seed=SEED)
viz.layout_figure(layout, video)

# %% [markdown]
# *The frames with the planned boxes; move the slider.*
#
# And with its sound, from the middle on. The azimuth runs beside it: right is right, and time runs
# down.

# %%
from spa2v_lab.viz.film import Film

Film(video, layout, recording, cues)

# %% [markdown]
# ## Is it correct?
#
# The scene was simulated, so its ground truth is known. Compare the planned boxes with the true
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
# @title Solution: left becomes right, everywhere.
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
# Mix the two channels to one, and analyze the result. What is left of the direction?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: nothing. Equal channels have no direction, and the cues do not invent one.
import numpy as np

same = spa2v.Recording.from_samples(np.tile(recording.mono(), (2, 1)), recording.rate)
flat = spa2v.extract_cues(same, label=LABEL)
print(f"{flat.sources[0].motion}, read as {flat.capture.format}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Sound becomes boxes, and boxes become frames. Each step is one function that works alone and
# returns something you can save, read and edit.
#
# </div>
