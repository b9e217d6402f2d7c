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
# # End to end
#
# Make a video of your own recording, and get a folder that documents how. This notebook is the
# whole pipeline as a form: set the parameters or upload a recording, and run it. `spa2v batch`
# executes this very notebook once for every recording of a list.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how to generate a video for a recording of your own, what a run folder
# contains, and where to look when the result surprises you.
#
# **You need** the [quickstart](quickstart.ipynb), and a stereo recording if you have one.
#
# **It takes** three minutes to read; to run, 50 s on two processor cores without bfloat16.
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
# ## What to run
#
# | parameter | meaning |
# |---|---|
# | `RECORDING` | path of a sound or video file; empty for the example below |
# | `SETTINGS` | any of the parameters in the next table: `{"label": "bus", "seed": 3}` |
# | `OUT` | the run folder to make; if empty, a temporary one, removed when the notebook is closed |

# %% tags=["parameters"]
RECORDING = ""
SETTINGS = {}
OUT = ""

# %% tags=["nbval-ignore-output", "lesson"]
from IPython.display import Markdown

from spa2v_lib.runs import settings_table

Markdown(settings_table())

# %% [markdown]
# ## The recording
#
# In a running notebook there is a button here for a recording of your own: choose a file and run the
# cells below. The file stays on the machine that runs the notebook.

# %% tags=["nbval-ignore-output"]
from ipywidgets import FileUpload

upload = FileUpload(accept="audio/*,video/*", multiple=False)
upload

# %% [markdown]
# Without a file of yours, the notebook uses an example: a truck that drives past from left to
# right, a real recording moved through simulated space.

# %%
import tempfile
from pathlib import Path

from spa2v_lab.demo import example_recording
from spa2v_lab.explorers.widgets import save_upload

scratch = tempfile.TemporaryDirectory(prefix="spa2v-")  # removed when the notebook is closed
work = Path(scratch.name)
audio = RECORDING or save_upload(upload.value, work) or example_recording(work)

# %% [markdown]
# ## The run
#
# One call analyzes, plans, samples, and writes the folder. A mistake in the parameters raises an
# error before the computation starts, and a failed run leaves no folder behind.

# %%
from spa2v_lib.runs import generate_run

run = generate_run(audio, OUT or work / "run", overwrite=not OUT, **SETTINGS)
print("\n".join(sorted(path.name for path in run.iterdir())))

# %% [markdown]
# `report.html` shows everything below on one page that works offline: send it to whoever wants to
# see the result.
#
# ## The cues

# %%
import spa2v_lib as spa2v
from spa2v_lib import viz

cues = spa2v.SpatialCues.load(run / "cues.json")
viz.cue_figure(cues)

# %% [markdown]
# *Azimuth with its 90 % interval, and level, over time. Upwards is to the right.*

# %%
for source in cues.sources:
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    where = "direction unknown" if start is None else f"from {start:+.0f}° to {end:+.0f}°"
    print(f"{source.label or 'unknown'}: {source.motion.replace('_', ' ')}, {where}")

# %% [markdown]
# Is a label wrong? In a running notebook, choose another one here and run the cells below to repeat
# the run with it. The tagger's candidates are on top, with their probabilities; every class with a
# known size follows, and you can type any other word.

# %% tags=["nbval-ignore-output"]
from spa2v_lab.explorers.labels import LabelChoice

choice = LabelChoice(cues)
choice

# %%
if choice.changed:
    run = generate_run(audio, run, overwrite=True, **{**SETTINGS, "label": choice.label})

# %% [markdown]
# ## The layout

# %%
layout = spa2v.VideoSceneLayout.load(run / "layout.json")
layout

# %% [markdown]
# *The boxes in the key frames, and the reasoning. If no class is certain, the planner uses the
# tagger's best candidate, and the reasoning says so. To name the object, choose a label above or
# set `label` to any word; several words with commas also set the number of sources. To correct a
# box, edit `layout.json`, by hand or with the editor of [From cues to a
# layout](cues_to_layout.ipynb), and run again with it: `generate_run(audio, out,
# layout="layout.json")`.*
#
# ## The video

# %%
from dataclasses import replace

from IPython.display import Video

from spa2v_lib.video import read_video

video = replace(read_video(run / "video.mp4"), layout=layout)
attributes = f'controls loop playsinline poster="{video.poster()}"'
Video(run / "video.mp4", embed=True, html_attributes=attributes)

# %% [markdown]
# *The video, with the recording as its sound.* Compare its frames with the planned boxes:

# %%
viz.film_strip(layout, video)

# %% [markdown]
# *Six frames, from the first to the last, with the boxes that the objects should follow.*

# %%
import json
import textwrap

record = json.loads((run / "run.json").read_text(encoding="utf-8"))
frames = record["frames"]
print(f"{frames['count']} frames, {frames['fps']:g} a second, seed {record['seed']}")
for note in record["notes"]:
    print(textwrap.fill(f"note: {note}", 74))

# %% [markdown] tags=["lesson"]
# `run.json` records what you need to reproduce the frames: the recording's hash, every parameter,
# the hashes of the weights, and the versions of the software.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Which stage takes longest? And does the analysis take less than a third of the time? `run.json`
# holds the timings.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["lesson", "hide-cell"]
# @title Solution
seconds = record["timings_s"]
print("longest:", max(seconds, key=seconds.get))
print("analysis takes less than a third:", seconds["analyze"] < sum(seconds.values()) / 3)

# %% [markdown] tags=["lesson"]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Does the planned object move as the source does? `box.motion_of` classifies the motion of a row
# of boxes.
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["lesson", "hide-cell"]
# @title Solution
from spa2v_lib.layout.box import motion_of

for source, row in zip(cues.sources, zip(*layout.frame_boxes(), strict=True), strict=False):
    print(f"measured {source.motion}, planned {motion_of(list(row))}")

# %% [markdown] tags=["lesson"]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# One call writes a folder with the video, its cues and layout, and a page that explains it. The
# same recording, parameters, weights and machine give the same frames again.
#
# </div>
