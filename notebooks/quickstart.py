# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart
#
# One sound, one video: the whole way in a few short cells.
#
# ```{admonition} About this chapter
# :class: note
# **You will learn** how to move a real recording past a simulated pair of microphones, what the two
# channels say about where it is, how boxes and captions are planned from that, and how a small
# diffusion model draws a video that follows the boxes.
#
# **You need** nothing but this library: no graphics card, no network, no key.
#
# **It takes** five minutes to read, and less than a minute to run on two processor cores.
# ```

# %% tags=["remove-cell"]
import os

if "COLAB_NOTEBOOK_ID" in os.environ:  # elsewhere the library is installed already
    from IPython import get_ipython

    get_ipython().run_line_magic("pip", "install --quiet git+{{repository}}@{{tag}}")

# %% [markdown]
# Change these and run everything again. `MOTION` may be `left_crossing`, `right_crossing`,
# `approaching`, `receding` or `stationary`.

# %% tags=["parameters"]
LABEL = "truck"
RECORDING = "truck_01.flac"
MOTION = "right_crossing"
SEED = 4

# %% [markdown]
# ## A sound
#
# The recording itself has one channel, and its source stands still. Here it drives past two
# microphones. With a stereo recording of your own, write `recording =
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
# The louder and the earlier channel give the direction, frame by frame; the level says how the
# distance changes. The band is the interval that holds the direction nine times in ten.

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
# Geometry and what everyone knows about the thing, its size and whether it flies, turn the cues
# into a **Video Scene Layout**: boxes and captions per key frame.

# %%
layout = spa2v.plan(recording, cues)
layout

# %%
for time, caption in zip(layout.key_times_s, layout.frame_captions, strict=True):
    print(f"{time:.1f} s: {caption}")

# %% [markdown]
# ## A video
#
# The embedded suite draws small pictures, eight a second. How it is made to follow the boxes is
# told in [Diffusion that follows boxes](diffusion).

# %%
video = spa2v.generate(layout, preset="tiny", seed=SEED)
viz.layout_figure(layout, video)

# %% [markdown]
# *The frames with the planned boxes over them; move the slider.* And with its sound:

# %%
from IPython.display import HTML

HTML(video.html(recording))

# %% [markdown]
# ## Was it right?
#
# The scene was simulated, so the truth is known: compare the planned boxes with those that the
# same geometry gives.

# %%
from spa2v_lab import metrics
from spa2v_lab.scenes.scene import ground_truth_layout

truth = ground_truth_layout(scene)
print(f"overlap (IoU): {metrics.iou(truth, layout):.1f}")
print(f"centres apart: {metrics.x_center_error(truth, layout):.2f} picture widths")

# %% [markdown]
# ## Exercises
#
# ```{admonition} Exercise 1
# :class: tip
# Swap the two channels of the recording. What will the cues say, and the boxes?
# ```

# %% tags=["hide-cell"]
# Solution: left becomes right, everywhere.
swapped = spa2v.Recording.from_samples(recording.samples[::-1], recording.rate)
turned = spa2v.extract_cues(swapped, label=LABEL)
track = turned.sources[0]
print(f"{track.motion}, from {track.azimuth_start_deg:+.0f}° to {track.azimuth_end_deg:+.0f}°")
apart = metrics.x_center_error(layout.mirrored(), spa2v.plan(swapped, turned))
print(f"boxes apart from the mirrored ones: {apart:.2f} picture widths")

# %% [markdown]
# ```{admonition} Exercise 2
# :class: tip
# Mix the two channels to one, and hear again. What is left of the direction?
# ```

# %% tags=["hide-cell"]
# Solution: nothing. Equal channels have no direction, and the cues do not make one up.
import numpy as np

same = spa2v.Recording.from_samples(np.tile(recording.mono(), (2, 1)), recording.rate)
flat = spa2v.extract_cues(same, label=LABEL)
print(f"{flat.sources[0].motion}, read as {flat.capture.format}")

# %% [markdown]
# ```{admonition} Take away
# :class: tip
# Sound becomes boxes, boxes become pictures. Each step is one function, works alone, and gives
# something that you can save, read and change.
# ```
