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
# # Measuring it
#
# Learn to read a benchmark of spatially grounded video, and to run one on your own clips. The
# authors of SpA2V ([Pham et al., 2025](https://arxiv.org/abs/2508.00782)) evaluated their method
# on 7,274 recordings that they annotated and did not release. Here you ask the same questions of
# clips that anyone can render from a seed.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** what a benchmark needs besides a score: chance, a ceiling, baselines without
# spatial cues, and confidence intervals; how to read the two tables of this one; and what you may
# compare with the paper's tables.
#
# **You need** [From cues to a layout](cues_to_layout.ipynb); [Diffusion that follows
# boxes](diffusion.ipynb) for the second table.
#
# **It takes** a quarter of an hour to read; to run, 10 s on two processor cores without bfloat16.
# The benchmark was run before; its raw results come with the library.
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

# %% tags=["parameters"]
CLIP = 7  # which clip of the benchmark is shown
SEED = 0
CONDITION = "all"  # or one of the scene types

# %% [markdown]
# ## A clip
#
# Every clip is one description, a *scene*, rendered three times: as sound, as the ground-truth
# layout, and as a drawn video. The seed also determines what makes it difficult: noise, a room,
# and a capture format that no method is given.

# %%
from spa2v_lab.scenes.benchmark import draw

clip = draw(SEED, CLIP)
scene, truth = clip.scene, clip.ground_truth
print(f"{clip.scene_type}: {truth.caption}")
print(f"captured as {scene.receiver}, noise {scene.noise_db:.0f} dB")

# %%
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lib.video import Video
from spa2v_lib.viz import film_strip

film_strip(truth, Video(draw_scene(scene, width=128), truth.fps, truth))

# %% [markdown]
# *The clip's drawn video with the ground-truth boxes: what a perfect pipeline would show.*

# %%
from IPython.display import Audio

from spa2v_lab.scenes.sound import render_sound

sound = render_sound(scene)
Audio(sound.resampled(16_000).samples[:2], rate=16_000)

# %% [markdown]
# *The clip's sound, the only input of the pipeline.*
#
# ## Proportions and splits
#
# The scene types have the proportions of the paper's clips. Recordings and rooms differ from
# those of the exemplars in the planner's prompt, as far as a class has several recordings. `spa2v
# scenes --benchmark` writes a data card with the counts beside the clips:

# %%
from IPython.display import Markdown

from spa2v_lab.scenes.benchmark_card import card

text = card([draw(SEED, number) for number in range(200)], SEED)
Markdown(text[text.index("| type") : text.index("Objects:")])

# %%
Markdown(text[text.index("## What it cannot") :].replace("## ", "#### "))

# %% [markdown]
# ## From raw results to tables
#
# `spa2v bench run --out bench` plans 200 clips with every method, samples the first of them in
# nine ways, and keeps all scores in one file. When interrupted, it resumes. This file contains
# all you need to make the tables:

# %%
import json

from spa2v_lab.bench.run_tables import results_of
from spa2v_lib.resources import resource

raw = json.loads(resource("results", "run.json").read_text(encoding="utf-8"))
results = results_of(raw, SEED)
print(f"{len(raw['stage1'])} clips planned, {len(raw['stage2'])} of them sampled")

# %% [markdown]
# ## Stage 1: from sound to layout

# %%
from spa2v_lab.bench.tables import chosen_rows, results_figure, results_table

layouts = chosen_rows(results.rows, "layouts", CONDITION)
results_figure(layouts, ["MaxIoU", "LTSim", "mirror gap"])

# %% [markdown]
# *Layouts of every method, scored against the ground truth, with 95 % confidence intervals over
# clips.*
#
# A frame shows $N$ true boxes $b_i$ and $\hat N$ estimated boxes $\hat b_j$, each with a class.
# **MaxIoU** (Kikuchi et al., 2021) pairs them within classes so that their mean [intersection over
# union](cues_to_layout.ipynb) is largest, and is 0 where the two sides differ in their classes or
# how many there are of each:
#
# $$
# \mathrm{MaxIoU} = \max_\sigma \frac{1}{N} \sum_{i=1}^{N} \mathrm{IoU}\bigl(b_i, \hat b_{\sigma(i)}\bigr),
# $$
#
# over all pairings $\sigma$ of equal classes. **LTSim** (Otani et al., 2024) is a soft version,
# by optimal transport. Moving box $\hat b_j$ onto $b_i$ costs $C_{ij}$, and a transport plan
# $\Gamma$ moves all boxes at the lowest total cost, where every true box weighs $1/N$ and every
# estimated one $1/\hat N$:
#
# $$
# \begin{aligned}
# \mathrm{LTSim} &= \exp\Bigl(-\min_\Gamma \sum_{ij} \Gamma_{ij} C_{ij}\Bigr), \\
# C_{ij} &= \tfrac14\bigl(1 - \mathrm{gIoU}(b_i, \hat b_j)\bigr) \\
# &\quad + \tfrac12\,[\text{classes differ}].
# \end{aligned}
# $$
#
# The generalized IoU, $\mathrm{gIoU} = \mathrm{IoU} - 1 + |b \cup \hat b|\,/\,|\text{hull}|$,
# also measures how far apart two disjoint boxes are; the hull is the smallest box around both.
# Both measures are means over frames: a frame that is empty on both sides scores 1, and where one
# side is empty MaxIoU is 0 and the cost is 1.
#
# The **mirror gap** of a measure $s$ is its value against the true layout $T$ minus that against the
# mirror image of $T$,
#
# $$
# s(T, \hat T) - s(\mathrm{mirror}(T), \hat T),
# $$
#
# for the estimate $\hat T$. A method without spatial cues has an expected gap of 0. In [Lab
# 5](lab_metric.ipynb) you write MaxIoU and find its chance.
#
# How to read the figure:
#
# - **another clip** is chance: ground-truth boxes of another clip. **ground truth** is the
#   ceiling.
# - **captions + LVD**, **neither** and **without spatial reasoning** use the class but not the
#   direction. Their mirror gap is zero up to rounding. Their LTSim is high all the same: disjoint
#   boxes of the right class score 0.61 to 0.78. MaxIoU is stricter. A measure that is high for
#   methods without spatial cues does not measure localization.
# - **full** and **without exemplars**: exemplars teach how high objects appear in the picture,
#   and nothing about directions; which of them are shown hardly matters.
# - **full, true labels** and **full**: their difference is what the tagger's errors cost. An
#   earlier tagger, which knew fewer classes, labelled these clips.

# %%
from IPython.display import HTML

columns = ["MaxIoU", "LTSim", "DocSim, of best", "motion direction", "mirror gap"]
HTML(results_table(layouts, columns))

# %% [markdown]
# *The same in numbers, with two more measures; `n` counts clips, brackets hold the intervals.*

# %%
for row in layouts:
    print(f"{row.method:36s} MaxIoU {row.measures['MaxIoU'].mean:.2f}")

# %% [markdown]
# ### One object and several
#
# The mean hides a difference between clips with one object and clips with several:

# %%
from spa2v_lab.scenes.benchmark import SCENE_TYPES

for row in results.rows:
    if row.method == "layouts: full" and row.condition in SCENE_TYPES:
        score = row.measures["MaxIoU"].mean
        print(f"{row.condition:24s}{row.count:3d} clips, MaxIoU {score:.2f}")

# %% [markdown]
# With several objects, the estimated number of sources is often wrong, above all in rooms, and
# MaxIoU is 0 for every frame in which the number differs. Separated signals are also harder to tag.
# The pipeline has most to gain from these two.
#
# ## Stage 2: from layout to video
#
# A detector that shares nothing with the diffusion suite locates the objects in every frame. Its
# detections are compared with the *ground-truth* layout, whatever layout the video was generated
# from.

# %%
videos = chosen_rows(results.rows, "videos")
results_figure(videos, ["LTSim", "IoU", "consistency"])

# %% [markdown]
# *Videos of every method, with 95 % confidence intervals over clips.*
#
# - **drawn from the true layout** is the ceiling: with a real detector not even a perfect video
#   scores 1. **true layout, against its mirror** is chance.
# - **full** and **true layout**: their difference is what errors of analysis and planning cost.
#   **true layout, no grounding** and the other rows show what grounding adds.
# - Global, frame and mixed captions score alike here, because grounding decides where objects
#   are.

# %%
measures = ["LTSim", "IoU", "AV-Align", "AV-Align by chance", "Spatial AV-Align"]
HTML(results_table(videos, measures))

# %% [markdown]
# *The same videos in numbers, with measures of how well they match their sound.*
#
# AV-Align (Yariv et al., 2024) measures whether motion peaks when sounds begin. Beside it stands
# chance: the same videos with the sound of other clips. Here objects move evenly and sounds are
# continuous, so there is little to align, and the values do not differ from chance. Spatial
# AV-Align is a recall: how often an object is detected in the direction of its sound.
#
# ## Beside the paper's table
#
# The paper reports for its stationary and translational clips MaxIoU of 19.5 and 22.2, LTSim of
# 75.7 and 77.2, in percent, with Gemini 2.0 Flash; 3.0 and 5.0 without exemplars; 12.0 and 16.9
# without spatial reasoning; 0.9 and 1.8 for captions with LVD.
#
# **You may compare** the order of rows within a table. In both, methods without spatial cues lose
# most of MaxIoU and little of LTSim, and exemplars help.
#
# **You may not compare** numbers across tables. The clips differ (simulated sound, drawn
# pictures), classes are fewer, and the tagger was trained on these recordings; the paper's scale
# of LTSim may be another; its FVD and ours are distances in different feature spaces. And the
# paper's model writes the boxes, whereas here code places them. With a key you can measure the
# same rows for a hosted model:

# %%
print("\n".join(note for note in results.notes if "not run" in note))

# %% [markdown]
# ## Your own clips
#
# Measure your own clips with `spa2v bench run --clips own.csv --out bench`. The table has the
# columns `recording`, and `layout` or `video` with `label`; in a reference video, OWL-ViT detects
# the object that the label names. The benchmark's own clips are such a table, too: `spa2v scenes
# --benchmark --out clips` writes `clips/manifest.csv`.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Is "full" significantly better than "copy nearest exemplar"? Both were scored on the same clips,
# so compute the paired differences, clip by clip.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: the paired difference has a smaller standard error than the two means.
import numpy as np

scores = [one["scores"] for one in raw["stage1"].values()]
gain = [s["full"]["MaxIoU"] - s["copy nearest exemplar"]["MaxIoU"] for s in scores]
error = np.std(gain) / np.sqrt(len(gain))
print(f"gain {np.mean(gain):.2f}, standard error {error:.2f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# With which capture format are the errors largest? The raw results state the format of each clip.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: level alone cannot distinguish an XY or M/S pair from panning.
by_format: dict[str, list[float]] = {}
for one in raw["stage1"].values():
    error = one["scores"]["full"]["x-centre error"]
    if error is not None:
        by_format.setdefault(one["clip"]["receiver"], []).append(error)
for name, errors in sorted(by_format.items(), key=lambda item: np.mean(item[1])):
    print(f"{name:9s} centres off by {np.mean(errors):.2f} picture widths")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# Invent a method without spatial cues that gets a high LTSim. What does its mirror gap say?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: one large box in the middle, of the right class.
from spa2v_lab import metrics
from spa2v_lib.layout.box import Box

large = Box(x0=0.2, y0=0.2, x1=0.8, y1=0.8)
things = [t.model_copy(update={"boxes": [large] * len(t.boxes)}) for t in truth.objects]
deaf = truth.model_copy(update={"objects": things})
gap = metrics.mirror_gap(truth, deaf, metrics.ltsim)
print(f"LTSim {metrics.ltsim(truth, deaf):.1f}, mirror gap {abs(gap):.1f}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# A score means nothing by itself. Report chance, a ceiling and a method without spatial cues from
# the same run beside it; prefer measures on which that method fails; and keep the raw results, so
# that you can ask new questions later.
#
# </div>
