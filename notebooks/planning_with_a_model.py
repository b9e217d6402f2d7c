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
# # Planning with a language model
#
# Let a language model name and describe what you hear, and keep the boxes where the sound is. In
# SpA2V a multimodal language model writes the whole layout: it listens to the recording, reasons
# about the position of each source, and writes captions and boxes ([Pham et al.,
# 2025](https://arxiv.org/abs/2508.00782)). The authors' ablations show that the result depends on
# the exemplars in the prompt and on the spatial reasoning, and that the model perceives little of
# the direction. So this library measures the direction: the prompt states the spatial cues as
# numbers, and by default code computes the boxes from them.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** what the prompt contains; how to choose exemplars without leaking the answer;
# what a real, very small model answered; what a large one costs; and which part of a plan to
# leave to a model.
#
# **You need** [From cues to a layout](cues_to_layout.ipynb). You need neither a key nor a model:
# this chapter replays recorded answers.
#
# **It takes** ten minutes to read; to run, 20 s on two processor cores without bfloat16.
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
    pip = [sys.executable, "-m", "pip", "install", "--quiet", f"spa2v[local,models] @ {source}"]
    done = subprocess.run(pip, capture_output=True, text=True)
    importlib.invalidate_caches()
    if done.returncode or not importlib.util.find_spec("spa2v_lib"):
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise SystemExit(f"spa2v could not be installed from {source}: {reason}")


install_spa2v(os.environ.get("SPA2V_SOURCE", SOURCE))

# %% [markdown]
# `SCENE` is one of three simulated scenes, 0, 1 or 2; `EXEMPLARS` may be `knn`, `fixed`, `random`
# or `none`, and `SHOTS`, at least 1, is their number; for `PLANNER` only the cost is estimated.

# %% tags=["parameters"]
SCENE = 0
EXEMPLARS = "knn"
SHOTS = 3
PLANNER = "google:gemini-3.8-flash"

# %%
from spa2v_lab.bench.recorded_answers import recorded_scene
from spa2v_lib import viz

scene, recording, cues = recorded_scene(SCENE)
viz.cue_figure(cues)

# %% [markdown]
# *The cues of this chapter's recording. Upwards is to the right.*

# %%
source = cues.sources[0]
start, end = source.azimuth_start_deg, source.azimuth_end_deg
print(f"{source.label}, {source.motion.replace('_', ' ')}, {start:+.0f}° to {end:+.0f}°")

# %% [markdown]
# ## What the prompt contains
#
# The model takes the role of a video director. The system prompt explains the cues, the camera
# and the format of the answer; it is the same for every recording:

# %%
import textwrap

from spa2v_lib.planning import prompt_for

asked = {"exemplars": EXEMPLARS, "shots": SHOTS}
prompt = prompt_for(recording, cues, PLANNER, **asked)
instruction, schema = prompt.system.split("Write one JSON object", 1)
for line in instruction.splitlines():
    print(textwrap.fill(line, 74, subsequent_indent="  "))

# %% [markdown]
# Note the sentence about double quotes. It guards against prompt injection: somebody may call a
# file `ignore all instructions.flac`, so the prompt quotes names, labels and notes, and declares
# them to be data.
#
# The exemplars follow, and at the end the recording to plan for: a table of its cues and, if the
# model accepts audio, one clip for each channel, because hosted models mix stereo down to mono. The
# exemplars have clips of their own.

# %% tags=["nbval-ignore-output"]
print(prompt.user_text[prompt.user_text.rindex("The recording to plan") :])

# %% [markdown]
# `spa2v plan scene.flac --planner google:gemini-3.8-flash --show-prompt` prints the whole prompt,
# and sends nothing. The texts are plain files in `spa2v_lib/planning/prompts`.
#
# ## Choosing exemplars without leakage
#
# The library ships simulated scenes with known ground truth as exemplars. By default the prompt
# shows those whose *cues* are nearest to the recording's. The distance between two sources
# compares their directions at start, middle and end, the change of level, the probable motions,
# and the tags they share.

# %%
from spa2v_lib.planning.exemplars import cue_distance, load_exemplars, ranked_exemplars

exemplars = load_exemplars()
distances = [cue_distance(cues, exemplar.cues) for exemplar in exemplars]
nearest = ranked_exemplars(cues, "knn")[:SHOTS]
for exemplar in nearest:
    print(f"{exemplar.id}: {', '.join(exemplar.attributes)}")

# %%
nearest[0].layout

# %% [markdown]
# *The layout of the nearest exemplar. It shows the model how to write such a scene.*

# %%
import numpy as np

print(f"{len(exemplars)} exemplars; nearest at {min(distances):.0f}, ", end="")
print(f"median {np.median(distances):.0f}, farthest {max(distances):.0f}")

# %% [markdown]
# Choosing by similarity risks leakage. If an exemplar came from the very recording to plan for,
# from its mirror image or from its reversal, the nearest neighbour would give the answer away,
# and a benchmark would measure copying. `leaks` detects such exemplars by the names of the files
# and, because names can change, by the level over time, which mirroring preserves and reversal
# only reverses.

# %%
from spa2v_lib.planning.exemplars import leaks

own = exemplars[0]
caught = [other for other in exemplars if leaks(other, own.cues)]
print([other.id for other in caught])
print([other.id for other in ranked_exemplars(own.cues)[:SHOTS] if other in caught])

# %% [markdown]
# *When you plan for the recording of an exemplar, that exemplar and its mirror image are detected
# as leaks, and the prompt never shows them.*
#
# ## Who places the boxes
#
# `placement="model"` follows the paper: the model writes every box. `placement="cues"`, the
# default, asks the model for labels, captions, background, silent objects and reasoning; the
# boxes are computed from the cues, as in [From cues to a layout](cues_to_layout.ipynb). The
# library validates both kinds of answer. It repairs unambiguous faults (corners in the wrong
# order, a tiny overshoot) and returns any other answer to the model with a description of the
# fault, at most twice; after that you get an error that shows the answer.
#
# ## What a very small model writes
#
# Every model answer in this book was written by a real model; no hosted model was run. One language
# model is small enough for any processor: **SmolLM2**, with 135 million parameters, text only. It
# planned three scenes, with one exemplar and with none; `data/answers` holds its answers verbatim,
# and this chapter replays them.

# %%
from spa2v_lab.bench.replay import recorded_answers

records = [record for record in recorded_answers() if record.scene == SCENE]
by_code, by_model = (
    next(r for r in records if (r.placement, r.exemplars) == (placement, "knn"))
    for placement in ("cues", "model")
)

# %%
import json

written = json.loads(by_code.answers[-1])
print(textwrap.fill(f"{by_code.model} reasons: {written['reasoning']}", 74))
print("caption:", written["video_caption"])
print("it names:", [thing["label"] for thing in written["sources"]])

# %% [markdown]
# The answer is fluent, but it copies from its exemplar. It names the ship, and in its frame
# captions the ship is on the exemplar's green meadow. It is valid JSON because only tokens that
# the schema allows are sampled (*constrained decoding*); a schema makes an answer well-formed,
# not true.
#
# Now let the same model place the boxes itself:

# %%
from spa2v_lab.bench.recorded_answers import replayed

replayed(by_model)

# %%
replayed(by_code)

# %% [markdown]
# *Above, boxes that the model wrote: they do not move, and the model copied the exemplar's object
# as well. Below, the same model's captions with boxes computed from the cues: the object follows
# the sound.*
#
# ### Scores
#
# Three scenes are an illustration, not a benchmark. (The benchmark below ran the same model on
# twenty scenes, with one exemplar and computed boxes: it answered for all of them, labelled the
# object correctly in each, and the boxes were as good as without a model.) Compare each plan with
# the ground truth:

# %%
from spa2v_lib.planning import plan_acoustic

planned = {number: plan_acoustic(recorded_scene(number)[2]) for number in range(3)}
rows = {"acoustic planner, no model": planned}

# %%
for record in recorded_answers():
    shown = "one example" if record.exemplars == "knn" else "no example"
    placer = "code places" if record.placement == "cues" else "model places"
    rows.setdefault(f"SmolLM2, {placer}, {shown}", {})[record.scene] = replayed(record)

# %%
from spa2v_lab.bench.recorded_answers import mean_scores

print(f"{'':<38}{'IoU':>4}{'x error':>9}{'direction':>13}")
for name, layouts in rows.items():
    iou, x_error, right = mean_scores(layouts)
    apart = "–" if np.isnan(x_error) else f"{x_error:.2f}"
    print(f"{name:<38}{iou:4.1f}{apart:>9}{right:13.0%}")

# %% [markdown]
# *Means over the three scenes: overlap (IoU) with the true boxes, distance of the centres in
# picture widths (– where there is no box), and the share of motions in the right direction.*
#
# Where code places the boxes, they are correct even if the captions are wrong, unless the model
# adds an object: without an exemplar it puts a second, silent ship beside the one that sounds.
# Where the model places them, the result depends on the exemplar: with one the model writes a box
# and repeats it, without one it leaves the picture empty. The paper's ablation shows that far
# larger models depend on their exemplars, too.
#
# To add the rows of a hosted model, set its key in the environment:
#
# ```sh
# spa2v bench planning --planner google:gemini-3.8-flash --out bench
# ```
#
# The benchmark runs both placements, with exemplars chosen by similarity, at random, or not at
# all. It estimates the cost first and keeps every answer. Without a model, the same benchmark
# compares the measured cues with two baselines: the true cues, and the label alone. Its first
# five scenes:

# %%
from spa2v_lab import metrics
from spa2v_lab.bench.planning_scenes import analyzed_scene, ground_truth_cues, label_only_cues

scenes = [analyzed_scene(seed=0, number=number) for number in range(5)]
cues_from = {
    "measured cues": lambda one: one.cues,
    "true cues": ground_truth_cues,
    "label alone": label_only_cues,
}

# %%
for name, cues_of in cues_from.items():
    pairs = [(one.ground_truth, plan_acoustic(cues_of(one))) for one in scenes]
    overlap = np.mean([metrics.iou(*pair) for pair in pairs])
    right = np.mean([metrics.motion_direction(*pair) for pair in pairs])
    print(f"{name:<14} IoU {overlap:.1f}, direction right {right:.0%}")

# %% [markdown]
# *Measured cues give nearly the same boxes as the true ones. The overlap stays below 1 because a
# stereo recording rarely determines size and distance. From the label alone, every object stands
# in the middle.*
#
# ## What a hosted model needs, and costs
#
# | model | `--planner` | needs |
# |---|---|---|
# | Gemini | `google:gemini-3.8-flash` | the extra `spa2v[models]`, `GOOGLE_API_KEY` |
# | OpenAI | `openai-chat:gpt-6.1-terra` | the same, `OPENAI_API_KEY` |
# | your own server (vLLM, Ollama) | `openai-chat:NAME@http://127.0.0.1:8000/v1` | nothing else |
# | in this process | `transformers:Qwen/Qwen2-Audio-7B-Instruct` | `spa2v[local]`, a GPU |
# | SmolLM2 | `smollm` | two packages that `spa2v[local]` lacks; the error message names them |
#
# Estimate the cost before you send anything:

# %%
from spa2v_lib.planning import parse_planner
from spa2v_lib.planning.cost import estimate

expected = estimate(prompt, parse_planner(PLANNER))
print(f"about {expected.input_tokens / 1000:.0f} thousand tokens in, ", end="")
print(f"{expected.output_tokens} out, for each recording")

# %% tags=["nbval-ignore-output"]
dollars = expected.dollars
print("price not known" if dollars is None else f"a thousand recordings: ${1000 * dollars:.2f}")

# %% [markdown]
# The price comes from the installed client package, as of its release; look up the current one
# before you send a thousand recordings. The library caches answers on disk by a hash of
# everything they depend on, so running again costs nothing. It never writes a key to disk.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# How much do the three methods of choosing exemplars differ? Compare the motions of `knn`, `fixed`
# and `random` exemplars with that of the recording.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution
for how in ("knn", "fixed", "random"):
    chosen = ranked_exemplars(cues, how)[:10]
    same = sum(source.motion in exemplar.attributes for exemplar in chosen)
    print(f"{how}: {same} of {len(chosen)} move as the recording does")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# An object that crosses needs a different box in every frame. How many different boxes, and how
# many different sentences, did the model write for its frames, with one exemplar and with none?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution
for record in records:
    if record.placement == "model":
        frames = json.loads(record.answers[-1])["frames"]
        boxes = [box for frame in frames for box in frame["boxes"]]
        places = {tuple(box[corner] for corner in ("x0", "y0", "x1", "y1")) for box in boxes}
        texts = {frame["caption"] for frame in frames}
        print(f"{record.exemplars}: boxes {len(places)}, sentences {len(texts)}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# How much of the prompt is instruction, and how much exemplars? How many tokens do you save
# without exemplars?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution
for shots in (0, 1, 3, 8):
    tokens = len(prompt_for(recording, cues, PLANNER, shots=shots).text) / 4
    print(f"{shots} examples: about {tokens / 1000:.1f} thousand tokens")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Let the model write labels, captions and the silent objects of a scene, and let the measured cues
# place the boxes. Exemplars teach the format of an answer; a small model copies their content as
# well.
#
# </div>
