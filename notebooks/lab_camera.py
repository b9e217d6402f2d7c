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
# # Lab 3: a camera at the microphone
#
# Turn a recording of a bus into a layout of your own. Given the direction of a sound, where in
# the picture does its object belong, and how large is it? The answer is three lines of
# trigonometry, which painters knew before there were cameras.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this lab</b></p>
#
# **You will be able to** project an object into a picture from direction, distance and size; decide
# when it is out of view; and plan a video from cues.
#
# **You need** [From cues to a layout](cues_to_layout.ipynb), which derives the formulas.
#
# **It takes** half an hour to write; to run, 7 s on two processor cores without bfloat16.
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
# A recording moves past the microphone; `LABEL` names its class, one of the embedded suite's.
# `MOTION` may be `left_crossing`, `right_crossing`, `approaching`, `receding` or `stationary`.

# %% tags=["parameters"]
LABEL = "bus"
RECORDING = "bus_01.flac"
MOTION = "left_crossing"
SEED = 4

# %% [markdown]
# ## What is known
#
# The scene is simulated, so its true layout is known. Your input is what the library measures in
# its sound:

# %%
import spa2v_lib as spa2v
from spa2v_lab.scenes.sampler import sample_scene
from spa2v_lab.scenes.sound import render_sound

drawn = {"labels": (LABEL,), "recordings": {LABEL: (RECORDING,)}, "receiver": "ortf"}
scene = sample_scene(SEED, motion=MOTION, duration_s=3.0, **drawn)
recording = render_sound(scene)
recording

# %%
cues = spa2v.extract_cues(recording, capture="ortf", label=LABEL)
source = cues.sources[0]
print(f"{source.label}, {source.motion.replace('_', ' ')}")
print(f"from {source.azimuth_start_deg:+.0f}° to {source.azimuth_end_deg:+.0f}°")

# %% [markdown]
# and the class prior, the usual size and distance of such an object:

# %%
from spa2v_lib.layout.classes import get_class

usual = get_class(LABEL)
print(f"{usual.width_m:g} m wide, {usual.height_m:g} m high, usually {usual.range_m:g} m away")

# %% [markdown]
# ## Write it: projection
#
# The camera is level, 1.5 m above the ground, and looks along azimuth 0; the picture is square. `x`
# and `y` run from 0 to 1, `y` downwards. The object is an upright rectangle that faces the camera;
# `base_m` is the height of its lower edge above the ground, and `range_m` its distance along the
# ground. Return its corners, even where they lie outside the picture, and `None` where it is not in
# front of the camera.


# %% tags=["attempt"]
def project(azimuth_deg, range_m, width_m, height_m, base_m, fov_deg=90.0):
    """Return the corners (x0, y0, x1, y1) of an object in the picture, or None."""
    raise NotImplementedError


# %%
from spa2v_lab.labs.camera import check_project

project = check_project(project)

# %% [markdown]
# <details><summary>Hint</summary>
#
# First the position in metres: to the right `range_m * sin(azimuth)`, ahead `range_m *
# cos(azimuth)`. Everything in the picture is a length in metres, divided by the depth ahead, times
# the focal length `0.5 / tan(fov / 2)`. Heights count from the camera, so subtract 1.5 m.
#
# </details>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell", "solution"]
# @title Solution
from math import cos, radians, sin, tan


def project_solution(azimuth_deg, range_m, width_m, height_m, base_m, fov_deg=90.0):
    """Return the corners (x0, y0, x1, y1) of an object in the picture, or None."""
    right, depth = range_m * sin(radians(azimuth_deg)), range_m * cos(radians(azimuth_deg))
    if depth <= 0.1:
        return None
    focal = 0.5 / tan(radians(fov_deg / 2))
    low, high = base_m - 1.5, base_m + height_m - 1.5
    return (
        0.5 + focal * (right - width_m / 2) / depth,
        0.5 - focal * high / depth,
        0.5 + focal * (right + width_m / 2) / depth,
        0.5 - focal * low / depth,
    )


_ = check_project(project_solution)

# %% [markdown]
# ## Write it: what is in view
#
# Clip a box that reaches beyond the picture at its edge. If less than a quarter of its area is
# left, the object is out of view: return `None`.


# %% tags=["attempt"]
def visible(corners):
    """Return the part of a box that lies in the picture, or None."""
    raise NotImplementedError


# %%
from spa2v_lab.labs.camera import check_visible

visible = check_visible(visible)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Clip every corner to [0, 1] and compare the two areas. A box that lies outside altogether has lost
# all of its area. `corners` may be `None`.
#
# </details>


# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell", "solution"]
# @title Solution
def visible_solution(corners):
    """Return the part of a box that lies in the picture, or None."""
    if corners is None:
        return None
    x0, y0, x1, y1 = (min(1.0, max(0.0, value)) for value in corners)
    whole = (corners[2] - corners[0]) * (corners[3] - corners[1])
    seen = (x1 - x0) * (y1 - y0)
    return (x0, y0, x1, y1) if seen >= 0.25 * whole else None


_ = check_visible(visible_solution)

# %% [markdown]
# ## Your own planner
#
# Twice a second, take the measured azimuth, and as distance the usual one of the class times the
# measured relative distance.

# %%
import numpy as np

from spa2v_lab.labs.camera import layout_of

keys = np.arange(0.0, 3.0, 0.5)
azimuth = np.interp(keys, cues.times_s, source.azimuth_deg)
distance = np.interp(keys, cues.times_s, source.relative_range)

# %%
boxes = []
for theta, relative in zip(azimuth, distance, strict=True):
    away = usual.range_m * relative
    corners = project(float(theta), away, usual.width_m, usual.height_m, usual.base_m)
    boxes.append(visible(corners))
mine = layout_of(LABEL, keys, boxes, 3.0)

# %%
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lib.video import Video
from spa2v_lib.viz import film_strip

film_strip(mine, Video(draw_scene(scene, width=128), mine.fps, mine))

# %% [markdown]
# *Your planner's boxes on the drawn scene, which the planner did not use. The direction is
# measured; the size is that of an average object of the class, and this one differs.*

# %%
from spa2v_lab import metrics
from spa2v_lab.scenes.scene import ground_truth_layout

true_layout = ground_truth_layout(scene)
planned = spa2v.plan(recording, cues)
for name, layout in {"mine": mine, "library": planned, "mirrored": mine.mirrored()}.items():
    overlap, off = (f(true_layout, layout) for f in (metrics.iou, metrics.x_center_error))
    print(f"{name:9s} IoU {overlap:.2f}, centres off by {off:.2f} picture widths")

# %% [markdown]
# ## How a box moves when the source moves
#
# Move an object around the camera at constant distance. In the picture it neither moves evenly
# nor keeps its size:

# %%
from spa2v_lab.viz.labs import curves_figure

turn = np.arange(-44, 45, 1)
raw = [project(float(t), usual.range_m, usual.width_m, usual.height_m, usual.base_m) for t in turn]
middle = [(corners[0] + corners[2]) / 2 for corners in raw]
width = [corners[2] - corners[0] for corners in raw]
curves_figure(
    {"middle of the box": (turn, middle), "width of the box": (turn, width)},
    "azimuth (°)",
    "share of the picture",
)

# %% [markdown]
# *One degree covers twice as much of the picture at the edge as in the middle. So an error of
# five degrees moves a box further there, but the box is also wider.*
#
# ## Go further
#
# 1. Plan with `fov_deg=60`. Which of the boxes leave the picture, and how does the overlap with
#    the true layout change?
# 2. The distance is the least certain input. Replace the usual distance of the class by half of
#    it and by twice of it. How do overlap and centres change?

# %% [markdown] tags=["solution"]
# <details><summary>What to expect</summary>
#
# A narrow field of view enlarges everything and pushes the sides out of the picture; the true
# layout was drawn with 90°, so the overlap falls. A wrong distance hardly moves the centres along
# x, which depend on direction alone. But the area falls with the square of the distance, and the
# overlap falls with it.
#
# </details>

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Direction gives x by a tangent, distance gives size by a division, and the ground gives y. Only
# the direction is measured well; size and distance are mostly prior knowledge about the class.
#
# </div>
