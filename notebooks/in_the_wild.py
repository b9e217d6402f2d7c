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
# # In the wild
#
# Analyze recordings of the real world, and see where the library succeeds, where it fails, and
# why.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** where the ground truth of a real recording comes from, how to read an
# estimate without ground truth, and three ways in which real recordings mislead: an instrument
# that is not a point source, a note that decays, and an unknown capture format.
#
# **You need** the [quickstart](quickstart.ipynb).
#
# **It takes** ten minutes to read; to run, 2 minutes on two processor cores without bfloat16.
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
# `RECORDING` names the recording that becomes a video below: one of the files in the table, or
# the path of a recording of your own. `LABEL` is its class, and `CAPTURE` its capture format.

# %% tags=["parameters"]
RECORDING = "traffic_low.flac"
LABEL = "car"
CAPTURE = "panned"
SEED = 1

# %% [markdown]
# ## Where ground truth comes from
#
# In a simulated scene the program knows the position of every source, because it placed them. For a
# passing car nobody measured an angle. What is known about a real recording comes from people: who
# filmed it, who played, which string was struck. This chapter claims no more than that. Nineteen
# short recordings come with the library; their table states where the ground truth of each comes
# from, in the column `how_known`, whose entries are listed below it.

# %%
import csv

from IPython.display import Markdown

from spa2v_lib.resources import resource

with resource("in_the_wild", "in_the_wild.csv").open(encoding="utf-8", newline="") as stream:
    table = list(csv.DictReader(stream))
shown = ("file", "motion", "side", "author", "license")
lines = [" | ".join(row[name] or "unknown" for name in shown) for row in table]
Markdown("\n".join([" | ".join(shown), "|".join("---" for _ in shown), *lines]))

# %% [markdown]
# *The recordings. Where the table says "unknown", nobody noted in which direction the cars
# drove.*

# %%
for known in sorted({row["how_known"] for row in table} - {""}):
    print(f"- {known}")

# %% [markdown]
# ## A piano, note by note
#
# Two microphones hang above the strings of a grand piano. Bass strings lie on the left, treble
# strings on the right, so every note has a direction. Listen to the lowest, a middle and the
# highest note, with headphones if you can.

# %%
import spa2v_lib as spa2v

folder = resource("in_the_wild")
spa2v.read_audio(folder / "piano_c1.ogg")

# %%
spa2v.read_audio(folder / "piano_a4.ogg")

# %%
spa2v.read_audio(folder / "piano_c7.ogg")

# %% [markdown]
# Now let the library analyze all notes, without a label and without the capture format.

# %%
import numpy as np

from spa2v_lab.bench.real import known_recordings, loudest

pianos = [known for known in known_recordings() if known.label == "piano"]
heard = [spa2v.extract_cues(spa2v.read_audio(known.path)) for known in pianos]
names = [known.path.stem.removeprefix("piano_").upper() for known in pianos]


def typical(source) -> tuple[float, float, float]:
    """Return the median azimuth of the active frames, with its interval."""
    bounds = (source.azimuth_low_deg, source.azimuth_deg, source.azimuth_high_deg)
    frames = [f for f in zip(*bounds, source.active, strict=True) if f[3] and f[1] is not None]
    return tuple(np.median([frame[:3] for frame in frames], axis=0))


# %%
from spa2v_lab.viz.uncertainty import located_figure

located_figure(names, [typical(loudest(cues)) for cues in heard])

# %% [markdown]
# *Azimuth of each note, from bass to treble, with its 90 % interval.*
#
# Up to C3 every note is estimated on the left, and from A3 to A5 every note on the right, as the
# strings lie. Two of the highest are wrong: C6 and C7 are estimated on the left. The interval of
# C6 reaches far to the right, that of C7 does not. The error is in the recording itself, whose
# level difference points left:

# %%
for name, cues in zip(names, heard, strict=True):
    if name in ("C1", "A5", "C6", "C7"):
        level = np.mean([value for value in cues.ild_db if value is not None])
        print(f"{name}: right minus left {level:+.1f} dB")

# %% [markdown]
# A microphone does not record a string. It records the soundboard, which every string shakes as a
# whole, and the reflections from the lid. Close to a large source, the direction of arrival is
# that of the part that radiates most. **A 90 % interval covers only the errors that its model
# describes: noise and reverberation around one distant point source.** A piano at one metre is no
# point source.
#
# ## A note that decays
#
# No source in these recordings of instruments moves. Which motion does the library report?

# %%
from collections import Counter

at_rest = [known for known in known_recordings() if known.motion == "stationary"]
motions = Counter(
    loudest(spa2v.extract_cues(spa2v.read_audio(known.path))).motion for known in at_rest
)
for motion, count in motions.most_common():
    print(f"{count:2d} of {len(at_rest)}: {motion}")

# %% [markdown]
# Any answer but "stationary" would be wrong, and two effects suggest one. A struck note decays, as
# does the sound of a car that drives off. And where the partials of a note decay at different
# rates, the loudest part of the soundboard shifts: the azimuth of C4 moves from right to left. The
# library therefore compares the frequency bands: when a source crosses, the azimuth changes in
# every band; when a note decays, each partial keeps its azimuth. Where the library is wrong about a
# recording of yours, edit the boxes and captions of the layout, as in [From cues to a
# layout](cues_to_layout.ipynb).
#
# ## A car passes
#
# This recording of a road comes from a game whose authors share their sounds. Close your eyes: in
# which direction does the car drive?

# %%
own = folder / RECORDING
recording = spa2v.read_audio(own if own.is_file() else RECORDING)
recording

# %%
guessed = spa2v.extract_cues(recording, label=LABEL)
source = loudest(guessed)
print(f"{source.label}, {source.motion}")
print(f"captured as {guessed.capture.format}, confidence {guessed.capture.confidence:.2f}")

# %% [markdown]
# The library estimated the capture format, with a low confidence. A spaced pair or a head delays
# one channel; this recording has almost no delays, only level differences. If you assume a head,
# missing delays mean "straight ahead". A coincident pair or a mixing desk encodes direction in the
# level alone. Pass that format:

# %%
from spa2v_lib import viz

cues = spa2v.extract_cues(recording, label=LABEL, capture=CAPTURE)
viz.cue_figure(cues)

# %% [markdown]
# *Azimuth and level over time, with the capture format given. Upwards is to the right.*

# %%
source = loudest(cues)
print(f"{source.label}, {source.motion}, confidence {source.motion_confidence:.2f}")
print(f"from {source.azimuth_start_deg:+.0f}° to {source.azimuth_end_deg:+.0f}°")

# %% [markdown]
# **Pass the capture format when you know it.** Whoever made a recording often knows it; from the
# samples alone it can hardly be determined.

# %%
layout = spa2v.plan(recording, cues)
video = spa2v.generate(layout, preset="tiny", seed=SEED)
viz.layout_figure(layout, video)

# %% [markdown]
# *Generated frames with the planned boxes; move the slider.*

# %%
from spa2v_lab.viz.film import Film

Film(video, layout, recording, cues)

# %% [markdown]
# ## Count over all recordings
#
# `spa2v bench real` analyzes every recording of a table and counts correct answers. The baseline
# is the simplest estimate there is, the sign of the level difference.

# %%
from spa2v_lab.bench.real import run

results = run(quick=False, seed=0, progress=lambda *_: None)
for row in results.rows:
    for measure, share in row.measures.items():
        right = round(share.mean * share.count)
        print(f"{row.method}, {row.condition}: {measure} {right} of {share.count}")

# %% [markdown]
# How to read the counts:
#
# - **Sides** ("on the right side" means on the correct one, left or right) are mostly correct, and
#   where they are wrong the level difference is, too.
# - **Motion** is correct for all of them, but the comparison of bands was developed on these very
#   recordings, so expect some errors on others. The baseline answers "stationary" for nearly every
#   recording, which is wrong whenever a source moves.
# - **Classes** are right for two guitars and a bell only, and these three recordings are among those
#   on which the embedded tagger was trained. It takes a single piano note for a guitar, a clarinet or
#   a bell, which is an instrument but not the right one. A label that you pass replaces the tagger's
#   answer.
# - **Nineteen recordings are few.** With 7 of 9 sides correct, the 95 % interval reaches from 44 to
#   100 %.
#
# ## Vehicles that pass
#
# The data set IDMT-Traffic (Abeßer et al., 2021) has thousands of vehicles that pass two pairs of
# microphones, with their directions. Its licence does not allow us to play them here. The same
# command, `spa2v bench real --clips TABLE`, analyzed eight of its recordings and two of cars on
# another road:

# %%
from spa2v_lab.bench import Results

passes = Results.read(resource("results", "real_passes.json"))
for row in passes.rows:
    for measure, share in row.measures.items():
        right = round(share.mean * share.count)
        print(f"{row.method}, {row.condition}: {measure} {right} of {share.count}")

# %% [markdown]
# Every direction of travel is correct. The level difference alone gets two right: those on the
# other road, whose ground truth was derived from the level difference itself. Two omnidirectional
# microphones record a passing car at equal levels, so that only the delay gives its direction. The
# class of the vehicle is recognized far less often.
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Analyze `traffic_high.flac` with every capture format. Which conclusions hold in all of them?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: conclusions that hold for every format come from the recording, not from the assumption.
busy = spa2v.read_audio(folder / "traffic_high.flac")
for capture in ("panned", "xy", "ms", "ortf", "ab", "binaural"):
    track = loudest(spa2v.extract_cues(busy, label="car", capture=capture))
    print(f"{capture:9s}{track.motion}, {track.azimuth_start_deg:+.0f}° at first")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Keep only the first half second of each piano note. Which motion does the library report now?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: in an excerpt this short the level hardly decays.
short = [spa2v.read_audio(known.path).cut(0.0, 0.5) for known in pianos]
said = Counter(loudest(spa2v.extract_cues(part)).motion for part in short)
for motion, count in said.most_common():
    print(f"{count:2d} of {len(short)}: {motion}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# Make a recording: a phone held sideways records two channels. Walk past it while you talk, write
# one line of a table (`file,label,count,motion`), and measure it with `spa2v bench real --clips
# table.csv --out mine`.
#
# </div>

# %% [markdown]
# Or drop a recording here: your browser analyzes it with GCC-PHAT and levels alone, and nothing
# leaves it. The library localizes more precisely, as this chapter and [Hearing a
# scene](hearing.ipynb) show.

# %%
from spa2v_lab.explorers.page import PageExplorer

PageExplorer("stereo_file")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# State where the ground truth of a real recording comes from, or that it is unknown. An interval
# covers the errors of its model and no others. Pass what you know about a recording, its capture
# format above all.
#
# </div>
