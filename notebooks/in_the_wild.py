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
# Recordings of the real world: what is known of them, what the library hears, where it fails, and
# why.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how the ground truth of a real recording is known, how to read an estimate
# that has none, and three ways in which real recordings mislead: an
# instrument that is no point, a note that dies away, and a capture format that is guessed.
#
# **You need** the [quickstart](quickstart.ipynb).
#
# **It takes** ten minutes to read and half a minute to run on two processor cores.
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
# `RECORDING` names the recording that becomes a video below: one of the files in the table, or the
# path of a recording of your own. `LABEL` says what it is, and `CAPTURE` how it was recorded.

# %% tags=["parameters"]
RECORDING = "traffic_low.flac"
LABEL = "car"
CAPTURE = "panned"
SEED = 1

# %% [markdown]
# ## Where ground truth comes from
#
# In a simulated scene the program knows where everything is, because it put it there. Nobody
# measured the angle of a passing car. What is known of a real recording is less, and has a source:
# who filmed it, who played it, which string was struck. This chapter claims no more than that.
# Nineteen short recordings come with the library; `how_known` is the source.

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
# *The recordings. "Unknown" means just that: nobody wrote down which way the cars drove.*

# %%
for known in sorted({row["how_known"] for row in table} - {""}):
    print(f"- {known}")

# %% [markdown]
# ## A piano, note by note
#
# Two microphones hang above the strings of a grand piano. Bass strings lie on the left, treble
# strings on the right: every note has a place. Listen to the lowest, a middle and the highest
# note; headphones help.

# %%
import spa2v_lib as spa2v

folder = resource("in_the_wild")
spa2v.read_audio(folder / "piano_c1.ogg")

# %%
spa2v.read_audio(folder / "piano_a4.ogg")

# %%
spa2v.read_audio(folder / "piano_c7.ogg")

# %% [markdown]
# Now the library listens, without a label and without the capture format.

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
# Up to C3 every note is placed on the left, and from A3 to A5 every note on the right, as the
# strings lie. Two of the highest are wrong: C6 and C7 are placed on the left. The interval of C6
# reaches far to the right, that of C7 does not. The library did not invent that. The level
# difference of the recording itself points left:

# %%
for name, cues in zip(names, heard, strict=True):
    if name in ("C1", "A5", "C6", "C7"):
        level = np.mean([value for value in cues.ild_db if value is not None])
        print(f"{name}: right minus left {level:+.1f} dB")

# %% [markdown]
# A microphone does not hear a string. It hears the soundboard, which every string shakes as a
# whole, and the lid above it. Close to a large source, "the direction" is that of the part that
# radiates most. **A 90 % interval covers the errors that its model knows: noise and reverberation
# around one distant point.** A source as wide as a piano, a metre away, is no such point.
#
# ## A note that dies away
#
# Nothing in these recordings of instruments moves. What does the library say?

# %%
from collections import Counter

at_rest = [known for known in known_recordings() if known.motion == "stationary"]
motions = Counter(
    loudest(spa2v.extract_cues(spa2v.read_audio(known.path))).motion for known in at_rest
)
for motion, count in motions.most_common():
    print(f"{count:2d} of {len(at_rest)}: {motion}")

# %% [markdown]
# Whatever is not "stationary" here is wrong. A note that is struck dies away, and so does a car
# that drives off: what falls in level may have left, and two channels cannot always tell. And
# where the partials of a note die away at different speeds, the soundboard's loudest part wanders,
# and a crossing is claimed. If you know better, say so: boxes and captions of a layout can be
# edited, see [From cues to a layout](cues_to_layout.ipynb).
#
# ## A car passes
#
# A road, from a game whose authors share their recordings. Close your eyes: where does the car
# go?

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
# The capture format was guessed, and the confidence says how poor a guess it is. A pair that stands
# apart, or a head, delays one channel; this recording has almost no delays, only level
# differences. So the delays say "straight ahead", and with the wrong format they are believed.
# A coincident pair, or a mixing desk, makes directions from level alone. Say so:

# %%
from spa2v_lib import viz

cues = spa2v.extract_cues(recording, label=LABEL, capture=CAPTURE)
viz.cue_figure(cues)

# %% [markdown]
# *Azimuth and level over time, with the capture format given. Right is up.*

# %%
source = loudest(cues)
print(f"{source.label}, {source.motion}, confidence {source.motion_confidence:.2f}")
print(f"from {source.azimuth_start_deg:+.0f}° to {source.azimuth_end_deg:+.0f}°")

# %% [markdown]
# **Give the capture format when you know it.** It is the one thing about a recording that its owner
# often knows and its samples hardly tell.

# %%
layout = spa2v.plan(recording, cues)
video = spa2v.generate(layout, preset="tiny", seed=SEED)
viz.layout_figure(layout, video)

# %% [markdown]
# *Frames and planned boxes; move the slider.*

# %%
from spa2v_lab.viz.film import Film

Film(video, layout, recording, cues)

# %% [markdown]
# ## All of them, counted
#
# One command hears every recording of a table and compares: `spa2v bench real`. Beside it stands
# the simplest reading there is, the sign of the level difference.

# %%
from spa2v_lab.bench.real import run

results = run(quick=False, seed=0, progress=lambda *_: None)
for row in results.rows:
    for measure, share in row.measures.items():
        right = round(share.mean * share.count)
        print(f"{row.method:17s}{row.condition:31s}{measure:23s}{right:3d} of {share.count}")

# %% [markdown]
# How to read the counts:
#
# - **Sides** are mostly right, and where they are wrong the level difference is, too.
# - **Motion** is where the library fails on these recordings: sounds that die away, and sources
#   as wide as a piano. The simplest reading does better here, because it says "stationary" of
#   nearly everything.
# - **Classes** fail more often than not: the embedded tagger takes a single note of a piano for a
#   guitar, a clarinet or a bell, that is, for an instrument, but not for the right one. With a label
#   of your own nothing is guessed.
# - **Nineteen recordings are few.** An interval from 44 to 100 % says "more often than not", no
#   more.
#
# ## Vehicles that pass
#
# The data set IDMT-Traffic (Abeßer et al., 2021) has thousands of vehicles that pass two pairs of
# microphones, with their direction. Its recordings may not be passed on, so they are not played
# here. The same command, `spa2v bench real --clips TABLE`, measured eight of its recordings and two
# of cars on another road:

# %%
from spa2v_lab.bench import Results

passes = Results.read(resource("results", "real_passes.json"))
for row in passes.rows:
    for measure, share in row.measures.items():
        right = round(share.mean * share.count)
        print(f"{row.method:17s}{row.condition:31s}{measure:23s}{right:3d} of {share.count}")

# %% [markdown]
# Every direction is right. The level difference alone finds two of them, those on the other road,
# whose truth was read from the level difference itself: two microphones that hear in all
# directions get a passing car equally loud, and only its delay tells where it is. What drives past
# is recognized far less often.
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
# @title Solution: what holds whatever was assumed is what the recording itself says.
busy = spa2v.read_audio(folder / "traffic_high.flac")
for capture in ("panned", "xy", "ms", "ortf", "ab", "binaural"):
    track = loudest(spa2v.extract_cues(busy, label="car", capture=capture))
    print(f"{capture:9s}{track.motion}, {track.azimuth_start_deg:+.0f}° at first")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# Keep only the first half second of each piano note. What is said of its motion now?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: in an excerpt this short there is little that fades.
short = [spa2v.read_audio(known.path).cut(0.0, 0.5) for known in pianos]
said = Counter(loudest(spa2v.extract_cues(part)).motion for part in short)
for motion, count in said.most_common():
    print(f"{count:2d} of {len(short)}: {motion}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# Record something yourself: a phone that is held sideways records two channels. Walk past it while
# you talk, write one line of a table (`file,label,count,motion`), and measure it with
# `spa2v bench real --clips table.csv --out mine`.
#
# </div>

# %% [markdown]
# Or drop a recording here: your browser analyzes it with GCC-PHAT and levels alone, and nothing
# leaves it. The library does it better, as this chapter and [Hearing](hearing.ipynb) show.

# %%
from spa2v_lab.explorers.page import PageExplorer

PageExplorer("stereo_file")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Truth in the wild has a source, or it is not known. An interval covers the errors of its model and
# no others. What you know about a recording, its capture format above all, is worth more than any
# guess.
#
# </div>
