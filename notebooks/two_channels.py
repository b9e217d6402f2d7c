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
# # How two channels say where
#
# Close your eyes while somebody claps, and you can point at the hands. All your brain has to go
# by is the air pressure at two ears and the small differences between them. In this chapter you
# measure these differences, turn them into a direction, and see which directions they leave
# ambiguous.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this chapter</b></p>
#
# **You will learn** how direction causes level and time differences; how six stereo capture
# formats look, sound and differ; why reverberation biases directions towards the middle, and how
# to remove that bias; and which directions two channels cannot distinguish.
#
# **You need** some trigonometry, and headphones, because you can listen to every effect described
# here.
#
# **It takes** twenty minutes to read; to run, 30 s on two processor cores without bfloat16.
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
# `RECORDING` may be any file of `data/recordings`, `AZIMUTH` any direction (degrees from straight
# ahead, positive to the right), `CAPTURE` one of `panned`, `xy`, `ms`, `ortf`, `ab` and
# `binaural`.

# %% tags=["parameters"]
RECORDING = "drum_roll_01.flac"
AZIMUTH = 40
CAPTURE = "ortf"

# %% [markdown]
# ## Drag a source around a head
#
# Before any formula, move the source, listen with headphones, and watch which numbers change. The
# shaded directions give the same two numbers; which directions these are depends on the capture
# format.

# %%
from spa2v_lab.explorers.page import PageExplorer

PageExplorer("around_head")

# %% [markdown]
# ## Two differences
#
# Start with a real recording of a drum roll, made with one microphone, and place it outdoors, two
# metres from two simulated microphones and 40° to their right. Sound travels at $c = 343$ m/s,
# loses level with distance, and reaches each microphone at its own time and level.

# %%
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage

scene = stage(Trajectory(RECORDING, AZIMUTH, from_m=2.0), capture=CAPTURE, seconds=2.0)
recording = render_sound(scene)
recording

# %% [markdown]
# The **level difference** compares the power of the right channel $r(t)$ and the left channel
# $l(t)$, in decibels. It is called *interaural* level difference (ILD) even where microphones
# take the place of ears:
#
# $$
# \mathrm{ILD} = 10 \log_{10} \frac{\overline{r(t)^2}}{\overline{l(t)^2}} .
# $$

# %%
import numpy as np

left, right = recording.samples
ild_db = 10 * np.log10(np.mean(right**2) / np.mean(left**2))
print(f"the right channel is louder by {ild_db:+.1f} dB")

# %% [markdown]
# The **time difference** (ITD) is the delay at which the two channels are most similar. Shift one
# channel against the other, multiply, and add up: this is their cross-correlation, and its peak
# is the delay.
#
# $$
# \mathrm{ITD} = \arg\max_\tau \sum_t l(t)\, r(t - \tau).
# $$

# %%
reach = round(0.0016 * recording.rate)
middle = slice(reach, -reach)
shifts = np.arange(-reach, reach + 1)
alike = [np.dot(left[middle], np.roll(right, shift)[middle]) for shift in shifts]
itd_us = 1e6 * shifts[np.argmax(alike)] / recording.rate
print(f"the right channel is earlier by {itd_us:+.0f} µs")

# %% [markdown]
# Both are small: sound travels three centimetres in a tenth of a millisecond, and a step from one
# metre to two costs only six decibels. Yet these two numbers are all that localization can use.
#
# ## Where the differences come from
#
# A distant source at azimuth $\theta$ sends a plane wave. It reaches two microphones, spaced $d$
# apart from left to right, one after the other: the path to the farther one is longer by $d
# \sin\theta$, so
#
# $$
# \mathrm{ITD} = \frac{d \sin\theta}{c}.
# $$
#
# Levels differ when the microphones are directional. A **cardioid** has a gain of $g(\varphi) =
# \tfrac12(1 + \cos\varphi)$ at the angle $\varphi$ from its axis: 1 in front, a half at the side,
# 0 behind. Two of them, turned by $\mp\alpha$, give
#
# $$
# \mathrm{ILD} = 20 \log_{10} \frac{1 + \cos(\theta - \alpha)}{1 + \cos(\theta + \alpha)}.
# $$
#
# Spacing $d$ and angle $\alpha$ describe each capture format in one line:
#
# | format | spacing | angle | cue |
# |---|---|---|---|
# | XY | 0 | cardioids at ±45° | level |
# | M/S | 0 | an omni and a sideways figure of eight; decoded, cardioids at ±90° | level |
# | ORTF | 17 cm | cardioids at ±55° | level and time |
# | AB | 50 cm | omnidirectional microphones | time |
# | binaural | a head between | two ears | time, and level at high frequencies |
# | panned | no microphones: a mixing desk | loudspeakers at ±45° | level |
#
# A mixing desk pans with two gains, $g_L$ and $g_R$. The **tangent law** (Pulkki, 1997) gives the
# azimuth at which the image appears between loudspeakers at $\pm\theta_0$:
#
# $$
# \frac{\tan\theta}{\tan\theta_0} = \frac{g_R - g_L}{g_R + g_L}.
# $$

# %%
from spa2v_lab.viz.captures import differences_figure, microphones_figure

microphones_figure()

# %% [markdown]
# *A capture format from above (ahead is up; blue is the left channel, orange the right). The
# outline is each microphone's gain by direction; the curves beside it are the level and time
# difference. Move the slider through the six formats.*
#
# Now draw all curves into one figure, and move a source instead:

# %%
differences_figure(range(-90, 91, 15))

# %% [markdown]
# *Level and time difference by direction, for all formats (level differences are cut at 30 dB;
# that of the head is at 2 kHz). Move the slider: the dots are what each format measures of this
# source.*

# %%
from spa2v_lab.viz.captures import NAMES, differences

print("at 30° and at 60°:")
for capture, name in NAMES.items():
    made = differences(capture, (30, 60))
    level = ", ".join(f"{value:4.1f}" for value in made.ild_db)
    time = ", ".join(f"{1e6 * value:4.0f}" for value in made.itd_s)
    print(f"{name:8}  {level} dB   {time} µs")

# %% [markdown]
# The same direction gives 4 dB in one format, 11 dB in another and 0 dB in a third (30 dB stand
# for a silent channel). **A level difference is not a direction**: to convert one into the other
# you must know, or estimate, how the recording was made.
#
# ## The same trajectory, six times
#
# Here the source moves from 60° left to 60° right, recorded in each format. Put on headphones. AB
# jumps from ear to ear, because half a metre causes longer delays than any head; the coincident
# pairs glide; the binaural recording is closest to what your own ears would receive.

# %%
from IPython.display import HTML

from spa2v_lib.viz.player import sound_player

way = Trajectory(RECORDING, -60, 60, from_m=4.0)
swept = {c: render_sound(stage(way, capture=c, seconds=4.0), 32_000) for c in NAMES}
HTML("".join(sound_player(swept[c], name).html() for c, name in NAMES.items()))

# %% [markdown]
# *The same drum roll on the same trajectory, in six capture formats.*
#
# In a running notebook you can move the source yourself:

# %% tags=["nbval-ignore-output"]
from spa2v_lab.explorers.captures import SoundExplorer

SoundExplorer(RECORDING)

# %% [markdown]
# *The rocket at the top of the page opens this notebook on Colab or Binder. There you have
# controls for direction, format and room, and each change renders a new recording.*
#
# ## A head between the ears
#
# Your own two microphones have a head between them, and sound must travel around it. For a sphere
# of radius $a$, the path to the farther ear is longer by a straight part, $a\sin\theta$, and an
# arc along the sphere, $a\theta$. This is Woodworth's formula (Woodworth, 1938), with $\theta$ in
# radians:
#
# $$
# \mathrm{ITD} = \frac{a}{c}\,(\theta + \sin\theta), \qquad a = 8.75\ \text{cm},
# $$
#
# which is 0.66 ms at the side. (The formula treats sound as rays, so it holds at high frequencies.
# For waves longer than the head the delay is up to half as long again (Kuhn, 1977); the library
# takes this into account.) The head also casts an acoustic shadow, but only for waves shorter than
# itself (Brown and Duda, 1998):

# %%
from spa2v_lab.viz.captures import head_figure

head_figure()

# %% [markdown]
# *Level difference between the ears of a spherical head. At 250 Hz, whose waves are 1.4 m long,
# the head hardly matters; at 4 kHz it attenuates by more than 10 dB.*

# %%
for hz in (250, 1000, 4000):
    side = differences("binaural", 60, hz).ild_db[0]
    print(f"{hz:4} Hz, wave {343 / hz:4.2f} m long: {side:4.1f} dB at 60°")

# %% [markdown]
# So the two cues complement each other. Low tones have hardly any level difference, but their
# phase shows which ear leads. High tones have a level difference, but their waves are so short
# that a lead of one period cannot be distinguished from a lead of two. Lord Rayleigh proposed
# this **duplex theory** after experiments with tuning forks (Rayleigh, 1907). For the same reason
# the library measures every frequency band separately, and never relies on the phase of a single
# band above $c / 2d$ (1 kHz for ORTF, 343 Hz for AB), where it is ambiguous (**spatial
# aliasing**).
#
# ## Rooms bias directions
#
# So far a single wave reached the microphones. A room adds hundreds of reflections from all
# directions. Take an XY pair, which has level differences only, and plot one channel against the
# other, sample by sample. A single wave gives a line, whose slope is the ratio of the gains,
# $g_R/g_L$.

# %%
rooms = {"in the open": 0.0, "RT60 0.3 s": 0.3, "RT60 0.6 s": 0.6}
near = Trajectory(RECORDING, AZIMUTH, from_m=1.0)
pairs = {
    name: render_sound(stage(near, capture="xy", seconds=2.0, rt60_s=rt60_s), 22_050)
    for name, rt60_s in rooms.items()
}

# %% [markdown]
# In a room the line becomes a cloud: the direct sound, and around it the reflections, with about
# equal power in both channels. They **bias a raw level difference towards zero**, and so the
# direction towards the middle: the more reverberant the room, the stronger the bias.
#
# You can remove this bias. Model the covariance of the two channels as the sum of a direct wave
# of power $P$ and a diffuse field of power $Q$, the **direct-plus-diffuse model**:
#
# $$
# \begin{pmatrix} S_{LL} & S_{LR} \\ S_{LR} & S_{RR} \end{pmatrix}
# = P \begin{pmatrix} g_L^2 & g_L g_R \\ g_L g_R & g_R^2 \end{pmatrix}
# + Q \begin{pmatrix} 1 & \rho \\ \rho & 1 \end{pmatrix}.
# $$
#
# On the left are the measured powers of the channels, $S_{LL}$ and $S_{RR}$, and the real part of
# their cross-power, $S_{LR}$. Only the ratio of the gains matters, so let $g_L^2 + g_R^2 = 1$.
# The first matrix has rank one: it is the line. The second is known, because diffuse sound
# reaches both channels with equal power and a coherence $\rho$ that depends on the microphones
# alone. For coincident cardioids at $\pm\alpha$ it is $\rho = \tfrac34\left(1 + \tfrac13\cos
# 2\alpha\right)$, which is 0.75 for XY. Subtract as much of the second matrix as leaves no
# negative eigenvalue, that is, until the determinant of the rest is zero. This $Q$ is the smaller
# root of
#
# $$
# \begin{aligned}
# (1 - \rho^2)\, Q^2 - (S_{LL} + S_{RR} - 2\rho S_{LR})\, Q & \\
# {} + S_{LL} S_{RR} - S_{LR}^2 &= 0 .
# \end{aligned}
# $$
#
# What remains has rank one, and its slope gives the direction: one quadratic equation per frame
# and band, without iteration.

# %%
from spa2v_lib.cues.features import extract_features
from spa2v_lib.cues.formats import FORMATS, direct_sound


def fitted(pair):
    """Fit direct and diffuse sound in every cell; count what is mostly direct."""
    features = extract_features(pair)
    split = direct_sound(features.left, features.right, features.cross, diffuse_coherence=0.75)
    weight = (features.left + features.right) * split.share**2
    return np.average(split.pan_deg, weights=weight)


# %%
def raw(pair):
    """Take all power for direct sound."""
    return np.degrees(np.arctan2(*np.sqrt(np.mean(pair.samples[::-1] ** 2, axis=1))))


true_angle = raw(pairs["in the open"])
angles = {
    name: {"truth": true_angle, "raw": raw(pair), "direct + diffuse": fitted(pair)}
    for name, pair in pairs.items()
}

# %%
from spa2v_lab.viz.uncertainty import bias_figure, cloud_figure

cloud_figure(pairs, angles)

# %% [markdown]
# *Right against left channel of an XY pair. Outdoors the samples lie on a line. In rooms they
# spread, and the powers alone (raw) give a line near the diagonal, which means straight ahead.
# The fit turns it back towards the true direction.*

# %%
for name in rooms:
    read = {how: FORMATS["xy"].azimuth_from_pan(a) for how, a in angles[name].items()}
    print(f"{name:11}: " + ", ".join(f"{how} {deg:.0f}°" for how, deg in read.items()))

# %% [markdown]
# The library does the same in ten bands every tenth of a second, weights each band by its
# direct-to-total ratio, and tracks the source over time. Compare it with the raw level difference
# in seven directions. The third panel is an ORTF pair in the more reverberant room, where the
# time difference helps as well. It is measured by the phase-transformed cross-correlation
# GCC-PHAT (Knapp and Carter, 1976), in which later reflections do not shift the peak of the
# direct sound.

# %%
import spa2v_lib as spa2v
from spa2v_lab.bench.hearing_baselines import estimate


# %%
def both(capture, rt60_s, azimuth):
    """Return the direction by raw level difference, and by the library."""
    room = {"capture": capture, "rt60_s": rt60_s, "seconds": 2.0}
    pair = render_sound(stage(Trajectory(RECORDING, azimuth, from_m=1.0), **room), 22_050)
    plain = estimate("raw ILD", pair, capture, np.arange(0.2, 1.8, 0.1), sources=1)
    source = spa2v.extract_cues(pair, capture=capture, label="source").sources[0]
    ours = np.array(source.azimuth_deg)[source.active]
    return np.nanmedian(plain), np.median(ours)


# %%
truth = range(-60, 61, 20)
found, methods = {}, ("raw level difference", "this library")
for capture, rt60_s in (("xy", 0.3), ("xy", 0.6), ("ortf", 0.6)):
    title = f"{NAMES[capture]}, RT60 {rt60_s} s"
    columns = np.transpose([both(capture, rt60_s, azimuth) for azimuth in truth])
    found[title] = dict(zip(methods, columns, strict=True))

# %%
bias_figure(truth, found)

# %% [markdown]
# *Estimated against true azimuth, at one metre. The raw level difference stays near the middle.
# The fit follows the ground truth, except at the far sides; with time differences hardly any
# error remains.*

# %%
for title, by_method in found.items():
    raw_off, own_off = (np.mean(np.abs(values - truth)) for values in by_method.values())
    print(f"{title}: raw {raw_off:.0f}° off, this library {own_off:.0f}° off")

# %% [markdown]
# The error that remains with XY has a physical cause: the first reflections are not diffuse but
# come from a few directions of their own, and the fit attributes part of them to the source. The
# next chapter has errors and intervals over hundreds of scenes.
#
# ## What two channels cannot distinguish
#
# Two numbers cannot identify every direction. Draw each direction of each format as a point, with
# its time difference across and its level difference up:

# %%
from spa2v_lab.viz.captures import plane_figure

plane_figure()

# %% [markdown]
# *Each format draws a curve as the source moves from left to right; dots are 15° apart. Panned,
# XY and M/S coincide on the vertical line, where there is no time difference.*
#
# The figure shows two limits of stereo recordings.
#
# **Formats can be distinguished only where their curves differ.** ORTF, AB and a head draw
# different curves, so the library recognizes them from the recording itself. Panned, XY and M/S
# coincide: 4 dB means 12°, 13° or 30°, and *nothing in the recording* shows which. Unless you pass
# the format, as `capture="xy"`, the library therefore reports the position of the image between two
# loudspeakers, with an interval that covers the other formats.
#
# **Front and back are ambiguous.** For a head or an AB pair, 150° gives the very same differences
# as 30°: both lie on the **cone of confusion**. For XY, the direction behind that matches 30° is
# 175°. With ORTF, level and time would disagree about a source behind, but only by a few
# decibels, too little to rely on in a room.

# %%
from spa2v_lab.explorers.captures import describe_matches

for capture in ("xy", "ortf", "binaural"):
    print(f"{NAMES[capture]} at 30°:")
    for line in describe_matches(capture, 30):
        print("   the same as", line)

# %% [markdown]
# You resolve this ambiguity by turning your head, and because your outer ears filter sound from
# behind differently; two microphones do neither. The library assumes that sources are in front, and
# every result says so. (First-order ambisonics, with four channels, does distinguish front from
# back; the library reads it, too.)

# %% tags=["nbval-ignore-output"]
from spa2v_lab.explorers.captures import CaptureExplorer

CaptureExplorer("xy", 30)

# %% [markdown]
# *In a running notebook you can choose format and direction here. Rings mark the directions that
# these microphones cannot distinguish; the list names matching directions in other formats. The
# explorer at the top of this chapter shades them, too.*
#
# ## Exercises
#
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 1</b></p>
#
# Let the library estimate the capture format of the six recordings above. Which does it
# recognize, and what does it report about the others?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: it recognizes those with time differences, and reports that the others are ambiguous.
for capture, pair in swept.items():
    guess = spa2v.extract_cues(pair, label="drum").capture
    print(f"{NAMES[capture]:8} read as {guess.format}: {guess.note}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 2</b></p>
#
# You take a recording by an XY pair for M/S. How large is the error at 10°, 30° and 60°? And if
# you take M/S for XY?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: turn directions into differences by one format, and back by the other.
for meant, read in (("xy", "ms"), ("ms", "xy")):
    gains = [np.interp(a, np.arange(-90, 91), FORMATS[meant].pan_deg) for a in (10, 30, 60)]
    wrong = ", ".join(f"{FORMATS[read].azimuth_from_pan(gain):.0f}°" for gain in gains)
    print(f"{NAMES[meant]} read as {NAMES[read]}: 10°, 30°, 60° become {wrong}")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Exercise 3</b></p>
#
# In one band of an AB pair, at 1 kHz, the right channel leads by a quarter of a period. From
# which directions may the sound come?
#
# </div>

# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell"]
# @title Solution: a quarter of a wave, or one and a quarter, or three quarters behind: three directions.
# Every other band allows others; the true one is allowed by all of them. GCC-PHAT adds bands up.
waves = 0.25 + np.arange(-3, 4)
sines = 343 * waves / 1000 / 0.5
for wave, sine in zip(waves, sines, strict=True):
    if abs(sine) <= 1:
        print(f"{wave:+.2f} waves ahead: {np.degrees(np.arcsin(sine)):+.0f}°")

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Direction causes level and time differences, and the capture format decides how large they are.
# To estimate a direction you must know the format and remove the room's bias. Two channels cannot
# distinguish front from back, nor one coincident pair from another.
#
# </div>
