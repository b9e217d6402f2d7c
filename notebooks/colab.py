# ---
# jupyter:
#   accelerator: GPU
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Published weights on a Colab GPU
#
# The embedded suite shows that the method works. For pictures of the real world one takes published
# weights: Stable Diffusion with AnimateDiff's motion modules and MIGC's or GLIGEN's layers, or Wan
# 2.1 VACE. This chapter is the way there, on a borrowed graphics card.
#
# <div class="admonition warning" style="border-left: 4px solid #d98200; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Not yet run by us with published weights</b></p>
#
# Where this project is made and tested there is no way to the Hugging Face hub. So this notebook is
# **executed here with `PRESET = "tiny"`**, which takes the same functions in the same order. The
# other presets are tested with the real classes at small width and random weights, and at full
# width for the shapes and names of all weights. **Nobody has yet confirmed a picture made with the
# published weights.** If you have a GPU, you can be the first: the self-check below takes a few
# minutes and ends with two numbers. Please report them.
#
# </div>
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** which presets there are, what they need and what their weights' licences allow;
# how to check that one works; and how to make a video of your own with it.
#
# **You need** a GPU for everything but `tiny`: on Colab, *Runtime → Change runtime type → T4 GPU*.
# The [quickstart](quickstart.ipynb) explains what the steps do.
#
# **It takes** half a minute with `tiny`; with published weights, most of the first run is the
# download of some gigabytes.
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
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"spa2v[wan] @ {source}"]
    done = subprocess.run(pip, capture_output=True, text=True)
    importlib.invalidate_caches()
    if done.returncode or not importlib.util.find_spec("spa2v_lib"):
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise SystemExit(f"spa2v could not be installed from {source}: {reason}")


install_spa2v(os.environ.get("SPA2V_SOURCE", SOURCE))

# %% [markdown]
# Choose a preset from the table below, and leave `STEPS = 0` for its own number of steps.

# %% tags=["parameters"]
PRESET = "tiny"
DEVICE = "auto"
STEPS = 8
SECONDS = 2.0
SEED = 3

# %% [markdown]
# ## What there is

# %%
from spa2v_lib.sampling import PRESETS

for name, preset in PRESETS.items():
    width, height = preset.size
    memory = f"{preset.gpu_gb:g} GB, {preset.offload_gb:g} with offload" if preset.gpu_gb else "any"
    print(f"{name}: {width}×{height}, {preset.steps} steps, {preset.guidance_scale:g} guidance")
    print(f"    {preset.summary}")
    print(f"    methods: {', '.join(preset.groundings)}; memory: {memory}")

# %% [markdown]
# The memory is an estimate from the weights' sizes, not a measurement. With `DEVICE = "auto"` the
# library looks how much is free: if everything fits, everything goes to the GPU, in half precision.
# If not, parts wait in main memory until it is their turn (diffusers' `enable_model_cpu_offload`),
# which is slower and needs less. If even that does not fit, you are told before anything is
# downloaded. A free Colab T4 has 15 GB, enough for `sd15-migc` and `sd15-gligen` as a whole and for
# `wan-vace` with offload.
#
# ## What you may do with the weights
#
# Nothing is fetched before you ask for it, and each part comes from where its authors put it:

# %%
chosen = PRESETS[PRESET]
for what, source in chosen.sources.items():
    print(f"{what}: {source.repository}, revision {source.revision or 'by hand'}")
    if source.hint:
        print(f"    {source.hint}")
print("" if chosen.sources else "the embedded suite needs nothing from elsewhere: Apache-2.0")

# %% [markdown]
# | weights | licence | in short |
# |---|---|---|
# | Stable Diffusion 1.5 | CreativeML OpenRAIL-M | commercial use too; some uses are forbidden |
# | AnimateDiff motion adapter | Apache-2.0 (its authors' `guoyww/animatediff`) | free |
# | GLIGEN text and box | CreativeML OpenRAIL-M | as Stable Diffusion |
# | MIGC | "for non-commercial research purposes only" | no commercial use |
# | Wan 2.1 VACE 1.3B | Apache-2.0 | free |
# | OWL-ViT (the judge below) | Apache-2.0 | free |
#
# Read the licences themselves before you rely on this table.
#
# MIGC's file is not on the hub. Fetch `MIGC_SD14.ckpt` from its authors' page,
# `github.com/limuloo/MIGC`, put it at `WEIGHTS/limuloo/MIGC/MIGC_SD14.ckpt`, and say where that
# folder is:
#
# ```python
# os.environ["SPA2V_WEIGHTS"] = "WEIGHTS"
# ```
#
# Everything else may lie there too, as `WEIGHTS/owner/repository/…`, for machines without a
# network. The MIGC file is a pickle; it is read with `weights_only=True`, so that it cannot run
# code.
#
# ## Will it run here?
#
# What is refused is refused now, and not after the download:

# %%
import spa2v_lib as spa2v
from spa2v_lib.errors import Spa2vError
from spa2v_lib.sampling import check
from spa2v_lib.sampling.selfcheck import known_layout

layout = known_layout(chosen.size[0] / chosen.size[1])

# %%
try:
    print(f"{check(layout, PRESET, device=DEVICE).name} can be sampled on this machine")
except Spa2vError as error:
    print(f"not here: {error}")

# %% [markdown]
# And the others?

# %% tags=["nbval-ignore-output"]
for name in PRESETS:
    try:
        check(layout, name, device=DEVICE)
        print(f"{name}: yes, if its weights are here or can be fetched")
    except Spa2vError as error:
        print(f"{name}: {error}")

# %% [markdown]
# ## The self-check
#
# One known layout: a car that drives from left to right.

# %%
layout

# %% [markdown]
# *What is asked for.* The whole check is one command,
#
# ```sh
# spa2v doctor --preset sd15-migc --video check.mp4
# ```
#
# or, here, step by step, so that you see what it does. First the video:

# %%
steps = STEPS or None
video = spa2v.generate(layout, PRESET, SEED, steps=steps, device=DEVICE)

# %%
from spa2v_lib import viz

viz.layout_figure(layout, video)

# %% [markdown]
# *The car and its box; move the slider.* Then a detector says where it sees a car. For published
# weights that is OWL-ViT ([Minderer et al., 2022](https://arxiv.org/abs/2205.06230)), which finds what words name; the drawn world
# has a judge of its own.

# %%
from spa2v_lib.sampling.detection import OwlVit
from spa2v_lib.sampling.tiny_detector import detect

found = detect(video.frames) if chosen.labels else OwlVit().detect(video.frames, ["car"])
cars = [[d.box for d in row if d.label == "car"][:1] for row in found]
asked = [row[0] for row in layout.frame_boxes()]

# %%
import numpy as np

for name, boxes in (("asked", asked), ("mirrored", [box.mirrored() for box in asked])):
    pairs = zip(boxes, cars, strict=True)
    overlap = [max((box.iou(car) for car in seen), default=0.0) for box, seen in pairs]
    print(f"overlap with the {name} boxes: {np.mean(overlap):.1f}")

# %% [markdown]
# A preset works if the first number is at least 0.4 and more than twice the second: a car that
# stands still, or drives the other way, cannot reach that. `spa2v doctor` says so in words and ends
# with an exit code.
#
# <div class="admonition important" style="border-left: 4px solid #a8328c; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Please tell us</b></p>
#
# If you ran this with published weights, open an issue with the preset, the two numbers, the GPU's
# name, `spa2v doctor`'s output and the video, whatever came out. It is the one thing that we could
# not do ourselves.
#
# </div>
#
# ## A video of your own
#
# From here on nothing differs from the quickstart but the preset. Upload a stereo recording with
# Colab's file panel, and write its name instead of the example's. The motion modules see 16 frames,
# two seconds, at a time; longer videos are covered by windows that overlap, and take longer. This
# one is cut to its first `SECONDS` seconds.

# %%
import tempfile

from spa2v_lab.demo import example_recording

whole = spa2v.read_audio(example_recording(tempfile.mkdtemp()))
recording = whole.cut(0.0, SECONDS)
cues = spa2v.extract_cues(recording)
print(f"{cues.sources[0].label}, {cues.sources[0].motion.replace('_', ' ')}")

# %% [markdown]
# The plan is made for the preset's picture, so that boxes are where the wider one has them.

# %%
plan = spa2v.plan(recording, cues, aspect=chosen.size[0] / chosen.size[1])
plan

# %%
video = spa2v.generate(plan, PRESET, SEED, steps=steps, device=DEVICE)
viz.film_strip(plan, video)

# %% [markdown]
# *The plan's boxes, and what was drawn.* With its sound:

# %%
from IPython.display import HTML

HTML(video.html(recording))

# %%
frames, height, width = video.frames.shape[:3]
print(f"{frames} frames of {width}×{height} from {PRESET}")

# %% [markdown]
# ## When something goes wrong
#
# | what you see | what helps |
# |---|---|
# | "needs … GB of GPU memory" | close other notebooks, or take a smaller preset |
# | "neither in … nor to be had from the hub" | a network, `hf auth login`, or `SPA2V_WEIGHTS` |
# | "… does not fit this UNet" | the right file; the message names a weight that is missing |
# | a broken picture, full of patches | `new_grounding("attention", strength=0.1)`: less guidance |
# | colours and edges too hard | `new_grounding("migc", stop=0.3)`: fewer grounded steps |
# | the right thing, not in its box | more grounded steps, up to `stop=1.0` |
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Which parts take how much of the memory? Count the parameters of the loaded pipeline's parts; in
# half precision each takes two bytes.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution; the motion adapter's weights are also among those of the UNet that it was put into.
from spa2v_lib.sampling.loading import load

for name, part in load(PRESET, DEVICE).components.items():
    if hasattr(part, "parameters"):
        count = sum(p.numel() for p in part.parameters())
        print(f"{name}: {count / 1e6:.1f} million, {2 * count / 1e6:.0f} MB in half precision")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Somebody's check of another preset says: overlap 0.45, mirrored 0.31. Would you call it working?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: no. The car is hardly more often on the side that was asked for than on the other.
from spa2v_lib.sampling.selfcheck import Verdict

verdict = Verdict(iou=0.45, mirrored_iou=0.31, detected=1.0, video=video)
print(f"good: {verdict.good}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Another preset is another word in one place; layout, methods and checks stay the same. What nobody
# has confirmed yet says so, and confirming it takes one command and a GPU.
#
# </div>
