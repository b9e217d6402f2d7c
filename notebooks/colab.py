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
# Generate realistic videos with published weights, on a Colab GPU: Stable Diffusion with
# AnimateDiff's motion modules and MIGC's or GLIGEN's layers, or Wan 2.1 VACE.
#
# <div class="admonition warning" style="border-left: 4px solid #d98200; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Not yet run by us with published weights</b></p>
#
# This project is tested without access to the Hugging Face hub. So the outputs on this page come
# **from `PRESET = "tiny"`**, which calls the same functions in the same order. The other presets
# are tested with the real classes at small width and random weights, and at full width for the
# shapes and names of all weights. **Nobody has yet confirmed a picture made with the published
# weights.** If you have a GPU, you can be the first: the self-check below takes a few minutes and
# ends with two numbers. Please report them.
#
# </div>
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** which presets there are, what they need and what their weights' licences
# permit; how to check that a preset works; and how to make a video of your own with it.
#
# **You need** a GPU for everything but `tiny`: on Colab, *Runtime → Change runtime type → T4
# GPU*. The [quickstart](quickstart.ipynb) explains what the steps do.
#
# **It takes** no download with `tiny`; with published weights, most of the first run is the
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
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"spa2v[wan,lora] @ {source}"]
    done = subprocess.run(pip, capture_output=True, text=True)
    importlib.invalidate_caches()
    if done.returncode or not importlib.util.find_spec("spa2v_lib"):
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise SystemExit(f"spa2v could not be installed from {source}: {reason}")


install_spa2v(os.environ.get("SPA2V_SOURCE", SOURCE))

# %% [markdown]
# Choose a preset from the list below. `STEPS = 0` takes the preset's own number of steps.

# %% tags=["parameters"]
PRESET = "tiny"
DEVICE = "auto"
STEPS = 8
SECONDS = 2.0
SEED = 3

# %% [markdown]
# ## The presets

# %%
from spa2v_lib.sampling import PRESETS

for name, preset in PRESETS.items():
    width, height = preset.size
    memory = "any"
    if preset.gpu_gb:
        memory = f"{preset.gpu_gb:.1f} GB, {preset.offload_gb:.1f} with offload"
    print(f"{name}: {width}×{height}, {preset.steps} steps, guidance {preset.guidance_scale:g}")
    print(f"    {preset.summary}")
    print(f"    methods: {', '.join(preset.groundings)}; memory: {memory}")

# %% [markdown]
# With `DEVICE = "auto"` the library checks how much GPU memory is free. If all parts fit, it loads
# them to the GPU in half precision. If not, parts wait in main memory until they are needed
# (diffusers' `enable_model_cpu_offload`), which is slower and needs less memory. If even that does
# not fit, you get an error before the download. The requirements that it checks against:

# %%
from IPython.display import Markdown

from spa2v_lab.bench.memory_table import memory_table

Markdown(memory_table())

# %% [markdown]
# The numbers are computed from the sizes and shapes of the weights, not measured on a GPU, and
# assume that 95 % of a card is free. Autoencoders decode a few frames at a time, and in tiles where
# parts wait in main memory.
#
# **A free Colab T4** (16 GB) suffices for `sd15-migc` and `sd15-gligen`, but not for `wan-vace`:
# its weights are 16.2 GB (5.68 billion in the text encoder and 2.15 billion in the transformer, of
# two bytes each, 0.13 billion in the autoencoder of four). They pass through main memory, of which
# Colab's free machine has 12.7 GB, and its attention needs bfloat16, in which a T4 does not
# compute. The check stops you before the 19 GB are downloaded. Stored in eight bits (diffusers'
# layerwise casting), the text encoder would take 5.7 GB, and the weights would fit a T4 with 10.5
# GB. But bfloat16 would still be missing, and without the weights we cannot test whether the
# transformer's values stay within float16. From GGUF files diffusers reads transformers, but not
# this text encoder. So the library offers neither. On a **Mac** the library uses the Apple GPU,
# which shares main memory.
#
# ## The weights and their licences
#
# The library downloads nothing before you ask for it. Each part comes from its own source:

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
# | OWL-ViT (the detector below) | Apache-2.0 | free |
# | LCM-LoRA (`--speed fast`) | OpenRAIL++ | as Stable Diffusion |
# | IP-Adapter and its image encoder (`--image`) | Apache-2.0 | free |
#
# Read the licences themselves before you rely on this table.
#
# MIGC's file is not on the hub. Download `MIGC_SD14.ckpt` from its authors' page,
# `github.com/limuloo/MIGC`, put it at `WEIGHTS/limuloo/MIGC/MIGC_SD14.ckpt`, and set the path of
# that folder:
#
# ```python
# os.environ["SPA2V_WEIGHTS"] = "WEIGHTS"
# ```
#
# The downloads are 3.8 GB for `sd15-migc` (and MIGC's file), 5.9 GB for `sd15-gligen`, 19 GB for
# `wan-vace`; 0.13 GB more for few steps and 2.6 GB for an image prompt. `spa2v fetch sd15-migc`
# announces files, sizes and free disk, downloads and checks (with `--speed fast`, `--base`,
# `--lora` or `--image` theirs, too); `spa2v doctor` lists what is installed already, and what fits
# this machine. An interrupted download resumes where it left off.
#
# On machines without a network, put all other weights there, too, as
# `WEIGHTS/owner/repository/…`. The MIGC file is a pickle; the library reads it with
# `weights_only=True`, so that it cannot run code.
#
# ## Does this machine suffice?
#
# `check` reports before the download whether a preset can run on this machine:

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
# The self-check samples one known layout, a car that drives from left to right, and measures
# whether the car follows it.

# %%
layout

# %% [markdown]
# *The layout to follow.* The whole check is one command,
#
# ```sh
# spa2v doctor --preset sd15-migc --video check.mp4
# ```
#
# or, step by step as here, so that you see what it does. First the video:

# %%
steps = STEPS or None
video = spa2v.generate(layout, PRESET, SEED, steps=steps, device=DEVICE)

# %%
from spa2v_lib import viz

viz.layout_figure(layout, video)

# %% [markdown]
# *The car and its box; move the slider.* Then a detector locates the car. For published weights
# that is OWL-ViT ([Minderer et al., 2022](https://arxiv.org/abs/2205.06230)), an open-vocabulary
# detector; the embedded suite has a detector of its own.

# %%
from spa2v_lib.sampling.detection import OwlVit
from spa2v_lib.sampling.tiny_detector import detect

found = detect(video.frames) if chosen.labels else OwlVit().detect(video.frames, ["car"])
cars = [[d.box for d in row if d.label == "car"][:1] for row in found]
planned = [row[0] for row in layout.frame_boxes()]

# %%
import numpy as np

for name, boxes in (("planned", planned), ("mirrored", [box.mirrored() for box in planned])):
    pairs = zip(boxes, cars, strict=True)
    overlap = [max((box.iou(car) for car in seen), default=0.0) for box, seen in pairs]
    print(f"overlap with the {name} boxes: {np.mean(overlap):.1f}")

# %% [markdown]
# A preset works if the first number is at least 0.4 and more than twice the second. A car that
# stands still or drives in the other direction does not pass. `spa2v doctor` prints the verdict,
# and its exit code states it.
#
# <div class="admonition important" style="border-left: 4px solid #a8328c; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Please tell us</b></p>
#
# If you ran this with published weights, open an issue with the preset, the two numbers, the GPU's
# name, the output of `spa2v doctor`, and the video, whatever the result. It is the one test that we
# cannot run ourselves.
#
# </div>
#
# ## A video of your own
#
# From here on only the preset differs from the quickstart. Upload a stereo recording with Colab's
# file panel, and enter its name instead of the example's. The motion modules process 16 frames, two
# seconds, at a time; longer videos are sampled in overlapping windows and take longer. To save
# memory, layers that do not mix frames and the motion modules' feed-forward layers process as much
# at a time as one window takes, and frames are decoded 16 at a time. Cross-attention and the features
# between the layers still grow with the length: with the embedded suite in single precision, one
# process peaks at 0.73 GB for 16 frames and 1.10 GB for 128, with GLIGEN's layers at 0.78 and
# 1.36 GB. Here the recording is cut to its first `SECONDS` seconds.

# %%
import tempfile

from spa2v_lab.demo import example_recording

whole = spa2v.read_audio(example_recording(tempfile.mkdtemp()))
recording = whole.cut(0.0, SECONDS)
cues = spa2v.extract_cues(recording)
print(f"{cues.sources[0].label}, {cues.sources[0].motion.replace('_', ' ')}")

# %% [markdown]
# Plan for the preset's aspect ratio, so that the boxes fit its picture, which need not be square.

# %%
plan = spa2v.plan(recording, cues, aspect=chosen.size[0] / chosen.size[1])
plan

# %%
video = spa2v.generate(plan, PRESET, SEED, steps=steps, device=DEVICE)
viz.film_strip(plan, video)

# %% [markdown]
# *The plan's boxes on the sampled frames.* With the sound:

# %%
from IPython.display import HTML

HTML(video.html(recording))

# %%
frames, height, width = video.frames.shape[:3]
print(f"{frames} frames of {width}×{height} from {PRESET}")

# %% [markdown]
# ## Another base, LoRA, few steps
#
# You can replace the base with any Stable Diffusion 1.5 model and add LoRA, also motion LoRA.
# `variant` describes the change; pass it to `generate` instead of the preset's name:

# %%
from spa2v_lib.sampling import variant

asked = variant(
    "sd15-gligen",
    base="owner/another-base",  # or a folder, or FILE.safetensors
    lora=["owner/clay-style:0.8"],  # or FILE.safetensors, with its weight
    speed="fast",
    size="576x320",
)
print(f"{asked.steps} steps, guidance {asked.guidance_scale:g}, {asked.size}, LoRA {asked.loras}")

# %% [markdown]
# On the command line these are options, and so are columns of a batch:
#
# ```sh
# spa2v generate train.flac --out out/train --preset sd15-gligen --speed fast \
#     --base owner/another-base --lora owner/clay-style:0.8 --lora zoom.safetensors --size 576x320
# ```
#
# - A repository may be pinned, as `owner/name@COMMIT`. `run.json` holds the hash of every file that
#   was read, and `spa2v verify` compares them.
# - Weights for another architecture (Stable Diffusion 2 or XL, an inpainting base) and pickles are
#   refused before anything is loaded, by their shapes alone.
# - Most motion LoRA were made for the adapter `guoyww/animatediff-motion-adapter-v1-5-2`. Choose it
#   with `--motion`; with another adapter their extra layers are refused.
# - `speed="fast"` fuses [LCM-LoRA](https://arxiv.org/abs/2311.05556) and samples 6 steps instead of
#   25 or 50, with guidance from 1 to 2: a quarter or an eighth of the denoiser's work. **We have
#   not measured what this costs in quality**; grounding acts in only two or three of the steps.
#
# ### A picture to start from
#
# `--image photo.jpg` conditions every frame on a picture, through diffusers'
# [IP-Adapter](https://arxiv.org/abs/2308.06721): the video resembles it in content and colours. The
# picture does not become the first frame; the image encoder sees it scaled to a small square.
#
# ```sh
# spa2v generate train.flac --out out/train --preset sd15-gligen --image photo.jpg:0.6
# ```
#
# The number is the picture's weight beside the text, from 0 to 1, 0.5 if it is left out. Boxes act
# on what the text names, so plan boxes that agree with the picture: a note of the run says which of
# the layout's objects the self-check's detector did not detect in its first box there, and where
# instead; where that detector is not installed, that nothing was compared. The file's hash stands
# in `run.json` beside those of the weights. It works with `sd15-migc` and `sd15-gligen`.
#
# ### Alternatives
#
# Does another video pipeline of diffusers 0.42 follow boxes or trajectories? CogVideoX Fun Control,
# EasyAnimate Control, LTX-2's control LoRA and Cosmos Transfer follow control videos of poses,
# edges or depth, LTX's conditions are pictures at given frames, Wan 2.2's animation follows a
# person, and the trajectories that SANA-WM takes are the camera's. None takes a layout. VACE's
# pipeline does; it also runs the VACE variant of Wan 2.2, whose 14 billion weights exceed the cards
# above.
#
# ## When something goes wrong
#
# | what you see | what helps |
# |---|---|
# | "needs … GB of GPU memory" | a shorter or smaller video, other notebooks closed |
# | "memory ran out while sampling" | the same; the table above says what should fit |
# | "… does not fit" | weights for Stable Diffusion 1.5 |
# | "neither in … nor to be had from the hub" | a network, `hf auth login`, or `SPA2V_WEIGHTS` |
# | "… does not fit this UNet" | the right file; the message names a weight that is missing |
# | a broken picture, full of patches | `new_grounding("attention", strength=0.1)`: weaker grounding |
# | colours and edges too hard | `new_grounding("migc", stop=0.3)`: fewer grounded steps |
# | the right object, outside its box | more grounded steps, up to `stop=1.0` |
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# How much memory does each part take? Count the parameters of the loaded pipeline's parts; in
# half precision each takes two bytes.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: count them; the UNet's number includes the motion adapter, which is part of it.
from spa2v_lib.sampling.loading import load

for name, part in load(PRESET, DEVICE).components.items():
    if hasattr(part, "parameters"):
        count = sum(p.numel() for p in part.parameters())
        print(f"{name}: {count / 1e6:.1f} million, {2 * count / 1e6:.0f} MB in half precision")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# A check of another preset gives an overlap of 0.45, and of 0.31 with the mirrored boxes. Does
# the preset work?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: no. The car follows the boxes hardly better than their mirror image.
from spa2v_lib.sampling.selfcheck import Verdict

verdict = Verdict(iou=0.45, mirrored_iou=0.31, detected=1.0, video=video)
print(f"good: {verdict.good}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# To use published weights you change one word; layout, methods and checks stay the same. Nobody has
# confirmed a picture made with these weights yet. With a GPU you can, with one command.
#
# </div>
