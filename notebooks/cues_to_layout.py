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
# # From cues to a layout
#
# Turn directions into boxes that you can read, edit and save. The analysis gives the *direction* of
# a source and how its distance changes; the picture needs a rectangle. A camera model at the
# microphone leads from one to the other, with some general knowledge about the object.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how azimuth, range and size determine a box; which part of a layout is
# measured and which is assumed; how to edit, save and exchange a layout; and how much overlap
# each error in the cues costs.
#
# **You need** the [quickstart](quickstart.ipynb) and a little trigonometry.
#
# **It takes** about ten minutes to read; to run, 2.5 minutes on two processor cores without
# bfloat16.
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
# This chapter uses a real recording, moved through simulated space. `MOTION` may be
# `left_crossing`, `right_crossing`, `approaching`, `receding` or `stationary`.

# %% tags=["parameters"]
LABEL = "bus"
RECORDING = "bus_01.flac"
MOTION = "right_crossing"
SEED = 11
STEPS = 8

# %%
import spa2v_lib as spa2v
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.sound import render_sound

files = {LABEL: (RECORDING,)}
drawn = {"labels": (LABEL,), "recordings": files, "receiver": "ortf", "duration_s": 3.0}
scene = sample_scene(SEED, motion=MOTION, **drawn)
recording = render_sound(scene)
recording

# %%
cues = spa2v.extract_cues(recording, label=LABEL)
source = cues.sources[0]
print(f"{source.label}, {source.motion.replace('_', ' ')}")
print(f"from {source.azimuth_start_deg:+.0f}° to {source.azimuth_end_deg:+.0f}°")

# %% [markdown]
# ## A camera at the microphone
#
# The camera stands at the microphone: a pinhole camera that looks straight ahead, level, with a
# horizontal field of view of $\varphi = 90°$. A direction $\theta$ then appears in the picture at
#
# $$
# x = \frac12 + f \tan\theta, \qquad f = \frac{1}{2\tan(\varphi/2)},
# $$
#
# where $x$ runs from 0 at the left edge to 1 at the right, and $f$ is the focal length in picture
# widths. Equal angles are *not* equal distances in the picture: the tangent stretches the sides.

# %%
from spa2v_lib import Camera

camera = Camera()
for azimuth in (-45, -30, -15, 0, 15, 30, 45):
    print(f"{azimuth:+3d}°  x = {camera.x_of_azimuth(azimuth):.2f}")

# %% [markdown]
# An object of width $W$ and height $H$ at a range of $r$ metres (measured along the ground) has a
# depth of $z = r\cos\theta$ metres in the scene. Perspective divides by that depth:
#
# $$
# \begin{aligned}
# \text{width} &= f\,\frac{W}{z}, \\
# \text{height} &= f a\,\frac{H}{z}, \\
# y_\text{foot} &= y_\text{horizon} + f a\,\frac{h}{z},
# \end{aligned}
# $$
#
# with the picture's aspect $a$ (width over height) and the camera's height $h$ above the ground,
# 1.5 m. The horizon lies in the middle of the picture as long as the camera is level. As an
# object on the ground approaches, its foot moves further below the horizon; a flying object rises
# above it.

# %%
from spa2v_lab.viz.geometry import projection_figure
from spa2v_lib.layout.classes import get_class

kind = get_class(LABEL)
projection_figure(kind, camera, range(-60, 61, 10))

# %% [markdown]
# *The object at its usual distance. Left: from above, with the camera and its field of view.
# Right: in the picture. Move the slider through the directions; outside the field of view there
# is no box.*

# %%
for away in (0.5, 1.0, 2.0):
    range_m = away * kind.range_m
    raw = camera.project(0.0, range_m, kind.width_m, kind.height_m, kind.base_m)
    size = f"{raw[2] - raw[0]:.2f} wide, {raw[3] - raw[1]:.2f} high"
    print(f"{range_m:4.1f} m away: {size}, foot at y = {raw[3]:.2f}")

# %% [markdown]
# At half the distance the box is twice as wide and high. A box may extend beyond the picture:
# `project` returns it whole, and `visible_box` clips it at the edges, or returns `None` when less
# than a quarter of it would be visible.
#
# ## Class priors: the usual size and distance
#
# Two microphones cannot measure how large an object is, and rarely how far away. So the planner
# uses general knowledge: how large a bus usually is, that it stands on the ground, and the
# distance from which you would film it, at which it fills a third of the picture. These **class
# priors** are a table of some 200 objects, written from general knowledge and not from the
# statistics of any data set, so that benchmarks, which draw other sizes and distances, stay fair.
# A label may be any word: "my neighbour's lawn mower" gets the prior of a lawn mower, and an
# unknown word that of an object of one by one metre on the ground.

# %%
from spa2v_lab.viz.geometry import class_figure
from spa2v_lib.layout.classes import CLASSES

class_figure(camera)

# %% [markdown]
# *The twenty classes of the embedded suite, straight ahead at their usual distances: the vertical
# extent of each in the picture. The dotted line is the horizon. Buses and ships reach across it,
# flying objects are above it, and an instrument is at its player's chest.*

# %%
for name in dict.fromkeys((LABEL, "bird", "ship")):
    known = CLASSES[name]
    size = f"{known.width_m:g} m × {known.height_m:g} m"
    print(f"{known.noun}: {size}, {known.place}, usually {known.range_m:g} m away")

# %% [markdown]
# The *change* of distance is measured: from the level, and for an object that passes by, from the
# pass-by fitted to azimuth and level. The planner takes the usual range for the closest moment
# and multiplies it by the measured relative range. Where a Doppler shift gives the distance in
# metres, the planner averages the two, each weighted by its precision.
#
# Neither sound nor size determines how high a bird flies or a guitar is held. The planner takes
# this height from the three nearest [exemplars](planning_with_a_model.ipynb), scenes with known
# ground truth that show such an object; with `exemplars="none"` it uses the usual height.
#
# ## The layout
#
# A layout has key frames twice a second, a box for each object and key frame, a caption for each
# key frame, and the reasoning behind it:

# %%
layout = spa2v.plan(recording, cues)
layout

# %% [markdown]
# *The plan: boxes in the key frames, and below them the reasoning, which states what was measured
# and what is assumed from the class.*
#
# The captions become the diffusion model's prompts. Each places the object in a third of the
# picture, in a grammar that the embedded text encoder was trained on:

# %%
for time, caption in zip(layout.key_times_s, layout.frame_captions, strict=True):
    print(f"{time:.1f} s: {caption}")

# %% [markdown]
# Between key frames, boxes are interpolated linearly, so that every frame of the video has one:

# %%
boxes = layout.frame_boxes()
print(f"{len(layout.key_times_s)} key frames, {len(boxes)} frames")
print(f"centre at 1 s: {layout.boxes_at(1.0)[0].center[0]:.1f} of the picture's width")

# %% [markdown]
# The scene was simulated, so its ground truth is known. How good is the plan? The overlap of a true
# box $b$ and a planned box $\hat b$ is their **intersection over union**,
#
# $$
# \mathrm{IoU}(b, \hat b) = \frac{|b \cap \hat b|}{|b \cup \hat b|},
# $$
#
# where $|\cdot|$ is an area: 1 for equal boxes, 0 for boxes that do not touch. A layout's score
# is the mean over its frames.

# %%
from spa2v_lab import metrics
from spa2v_lab.scenes.scene import ground_truth_layout

truth = ground_truth_layout(scene)
print(f"overlap (IoU) {metrics.iou(truth, layout):.1f}")
print(f"the mirrored plan {metrics.iou(truth, layout.mirrored()):.1f}")
print(f"distance of the centres: {metrics.x_center_error(truth, layout):.2f} picture widths")

# %% [markdown]
# The centres agree, because the direction is measured. The overlap is far from 1, because the
# planner assumes an average bus at its usual distance, and this one differs. The benchmark `spa2v
# bench planning` measures both on hundreds of scenes.
#
# ## How errors in the cues change the boxes
#
# Which errors cost most overlap? Shift the direction or scale the distance, and compare the boxes:

# %%
from spa2v_lab.viz.geometry import overlap_figure

overlap_figure(kind, camera)

# %% [markdown]
# *Overlap (IoU) of an erroneous box with the true one, straight ahead and to the side. Left: an
# error in direction; where a curve drops to 0, the box has left the picture. Right: an error in
# distance, as a factor.*

# %%
from spa2v_lab.viz.geometry import overlap_when_wrong

for off in (2, 5, 10):
    print(f"{off:2d}° off: IoU {overlap_when_wrong(kind, camera, 0.0, off_deg=off):.2f}")
for factor in (1.2, 1.5, 2.0):
    print(f"range × {factor}: IoU {overlap_when_wrong(kind, camera, 0.0, range_factor=factor):.2f}")

# %% [markdown]
# The curves lie close together: at the side the tangent moves a box further, but the box is also
# wider, because its depth is smaller. And as every class fills about a third of the picture at its
# usual distance, the curves look much the same for all classes. An error of ten degrees costs some
# two fifths of the overlap; a range that is wrong by a factor of 1.4 costs half, because the area
# falls with the square of the range. So it pays to measure changes of range, and the mean overlap
# of planned boxes stays far below 1 even when every direction is correct.
#
# ## Editing by hand
#
# You can change every box of a plan. Sample the plan first, then edit what you do not like.

# %%
video = spa2v.generate(layout, preset="tiny", seed=SEED, steps=STEPS)

# %% tags=["nbval-ignore-output"]
from spa2v_lab.explorers.layout_editor import LayoutEditor

editor = LayoutEditor(layout, video, seed=SEED, steps=STEPS)
editor

# %% [markdown]
# *Drag a box to move it, a corner to resize it; the slider chooses the key frame, and a tick
# moves all of them together. With the keyboard: Tab to a box, arrows to move, Shift and arrows to
# resize, Page Up and Page Down for the key frame, Delete to take the object out of the picture.*
# On this page you can edit but not sample. Open the notebook with the rocket above, and **Sample
# again** makes a new video; `editor.value` is the edited layout.
#
# To see how the video follows its boxes, sample the same plan with the same seed and every box
# mirrored:

# %%
from spa2v_lib import viz

again = spa2v.generate(layout.mirrored(), preset="tiny", seed=SEED, steps=STEPS)
viz.film_strip(layout, video)

# %%
viz.film_strip(layout.mirrored(), again)

# %% [markdown]
# *Above, the plan from the measured cues; below, the same plan with left and right exchanged.
# Both videos start from the same noise.*
#
# ## Reading and writing layouts
#
# A layout is a small JSON file. You can write one by hand; an error message names each mistake:

# %%
from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout

start, end = Box(x0=0.1, y0=0.5, x1=0.3, y1=0.7), Box(x0=0.6, y0=0.45, x1=0.9, y1=0.75)
dog = SceneObject(id="dog-1", label="dog", caption="a dog", boxes=[start, end])
times = {"key_times_s": [0.0, 1.0], "duration_s": 1.5, "background": "meadow"}
texts = {"caption": "a dog runs closer", "frame_captions": ["a dog on the left", "a dog, close"]}
by_hand = VideoSceneLayout(objects=[dog], **times, **texts)

# %%
try:
    Box(x0=0.6, y0=0.45, x1=0.3, y1=0.75)
except LayoutError as error:
    print(error)
try:
    VideoSceneLayout(objects=[], **times, **(texts | {"frame_captions": ["a dog"]}))
except LayoutError as error:
    print(error)

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    path = by_hand.save(Path(folder) / "layout.json")
    print(path.read_text()[:330], "…")
    print("the same when read again:", VideoSceneLayout.load(path) == by_hand)

# %% [markdown]
# `spa2v generate train.flac --layout layout.json --out out/train` samples a layout of yours for a
# recording; `VideoSceneLayout.json_schema()` returns the schema, for editors that validate while
# you type.
#
# LVD ([Lian et al., 2024](https://arxiv.org/abs/2309.17444)), in which a language model writes
# dynamic layouts, has a text format of its own: six frames, boxes as x, y, width and height in a
# 512-pixel square, names instead of classes. You can convert layouts to it and back, rounded to
# pixels:

# %%
from spa2v_lib.layout.lvd import from_lvd, lvd_text, to_lvd

text = lvd_text(to_lvd(by_hand))
print(text)

# %%
back = from_lvd(text, caption=by_hand.caption, duration_s=1.5)
print(f"{back.objects[0].label}: overlap with the original {back.boxes_at(0)[0].iou(start):.2f}")

# %% [markdown]
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# A telephoto lens has a field of view of 40° instead of 90°. Where in the picture is a source at
# 15°, and how much wider is the same bus at the same distance?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution
tele = Camera(fov_deg=40.0)
for name, lens in (("90°", camera), ("40°", tele)):
    raw = lens.project(0.0, kind.range_m, kind.width_m, kind.height_m, kind.base_m)
    print(f"{name}: x = {lens.x_of_azimuth(15):.2f}, width {raw[2] - raw[0]:.2f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# By which factor may the range be wrong before a box straight ahead loses half of its overlap?
# Does the factor depend on the class?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: the area is inversely proportional to the square of the range, so expect a factor of √2.
import numpy as np

for name in (LABEL, "bird", "train"):
    known, factors = get_class(name), np.arange(1.0, 3.0, 0.01)
    kept = [overlap_when_wrong(known, camera, 0.0, range_factor=float(f)) for f in factors]
    print(f"{known.noun}: × {factors[int(np.argmax(np.array(kept) < 0.5))]:.1f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# By default the planner assumes a level camera. Plan the same cues for a camera that is tilted up
# by 10°. What happens to the boxes, and why does their x stay the same?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: boxes sink with the horizon; azimuth turns about the vertical, so x stays.
tilted = spa2v.plan(recording, cues, camera=Camera(pitch_deg=10.0))
for name, plan in (("level", layout), ("tilted", tilted)):
    box = plan.boxes_at(1.5)[0]
    print(f"{name}: centre x {box.center[0]:.1f}, lower edge {box.y1:.1f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Direction gives x, the change of distance gives the change of size, and class priors give the
# rest. The layout states what is measured and what is assumed, and you can read and correct it
# before you sample anything.
#
# </div>
