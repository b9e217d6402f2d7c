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
# # Lab 1: the delay between two channels
#
# Somebody plays a drum to your right. The sound reaches your right ear a few ten-thousandths of a
# second before the left one, and that delay is enough to point at it. In a room the echoes bury
# that delay, unless you know a method from 1976. You write it here, in ten lines.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this lab</b></p>
#
# **You will be able to** write GCC-PHAT yourself; find its peak between two samples; and explain
# why the phase transform is robust to reverberation.
#
# **You need** [How two channels say where](two_channels.ipynb), the Fourier transform, NumPy and
# headphones.
#
# **It takes** three quarters of an hour to write; to run, 8 s on two processor cores without
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
# A source moves from `FROM_DEG` to `TO_DEG` past an ORTF pair, two microphones 17 cm apart, in a
# room with the reverberation time `RT60_S`, in weak diffuse noise.

# %% tags=["parameters"]
RECORDING = "drum_roll_01.flac"
FROM_DEG = -60
TO_DEG = 60
RT60_S = 0.6

# %% [markdown]
# ## Listen first

# %%
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage

way = Trajectory(RECORDING, FROM_DEG, TO_DEG, from_m=1.5)
scene = stage(way, capture="ortf", seconds=4.0, rt60_s=RT60_S, noise_db=-25)
recording = render_sound(scene)
recording

# %% [markdown]
# Work on excerpts of a tenth of a second, in which the source hardly moves. Here is one of them,
# with the plain cross-correlation of its channels: how similar they are when you shift the right
# one.

# %%
from spa2v_lab.labs.delay import cross_correlation, excerpts

MOST_S = 0.001
times_s, pieces = excerpts(recording)
left, right = pieces[5]
plain = cross_correlation(left, right, recording.rate, MOST_S)
print(f"{len(pieces)} excerpts of {len(left)} samples")

# %%
import numpy as np

from spa2v_lab.bench.hearing_scores import ground_truths
from spa2v_lab.viz.labs import curves_figure

(truth,) = ground_truths(scene, times_s)
true_lead = 0.17 * np.sin(np.radians(truth.azimuth_deg)) / 343
true = {"true lead": 1e6 * true_lead[5]}
curve = {"plain": (1e6 * plain[0], plain[1])}
curves_figure(curve, "lead of the right channel (µs)", "correlation", marks=true)

# %% [markdown]
# *A broad maximum instead of a peak, and at the wrong lag. Neighbouring samples of a sound are
# similar, so the channels still match when the shift is slightly wrong, and every echo adds a
# maximum of its own.*
#
# ## Write it: GCC-PHAT
#
# Knapp and Carter (1976) keep the phases of the cross-spectrum, which contain the delay, and
# divide by its magnitudes, which contain the spectrum of the sound. With $L(f)$ and $R(f)$ the
# spectra of the channels, the correlation at lag $\tau$ is
#
# $$
# \phi(\tau) = \mathcal F^{-1}\!\left[\frac{L^*(f)\,R(f)}{|L(f)\,R(f)|}\right]\!(\tau).
# $$
#
# Take two precautions. A **Hann window** fades the excerpt in and out; without it the loudest
# frequency leaks into all others and corrupts their phases. **Zero padding** doubles the length,
# so that the correlation does not wrap around from the end of one channel to the beginning of the
# other.
#
# If the right channel is *later* by $\tau$, the peak is at $+\tau$. You want its *lead*, so
# reverse the axis. Return the leads from `-most_s` to `most_s`, rising, and the value at each.


# %% tags=["attempt"]
def gcc_phat(left, right, rate, most_s):
    """Return the leads of the right channel in seconds, and the correlation at each."""
    raise NotImplementedError


# %%
from spa2v_lab.labs.delay import check_gcc_phat

gcc_phat = check_gcc_phat(gcc_phat, recording)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `np.hanning` is the window, and `np.fft.rfft(left, 2 * len(left))` pads with zeros. The inverse
# transform has lag 0 first and negative lags at its end: `np.roll` brings them to the front. Add
# something tiny to the magnitude before you divide.
#
# </details>


# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell", "solution"]
# @title Solution
def gcc_phat_solution(left, right, rate, most_s):
    """Return the leads of the right channel in seconds, and the correlation at each."""
    window, size = np.hanning(len(left)), 2 * len(left)
    cross = np.conj(np.fft.rfft(window * left, size)) * np.fft.rfft(window * right, size)
    correlation = np.fft.irfft(cross / (np.abs(cross) + 1e-12), size)
    reach = round(most_s * rate)
    lags = np.roll(correlation, reach)[: 2 * reach + 1]  # from -reach to +reach
    return np.arange(-reach, reach + 1) / rate, lags[::-1]  # a lead is a negative lag


_ = check_gcc_phat(gcc_phat_solution, recording)

# %%
lead_s, values = gcc_phat(left, right, recording.rate, MOST_S)
both = curve | {"GCC-PHAT": (1e6 * lead_s, values / values.max())}
curves_figure(both, "lead of the right channel (µs)", "correlation", marks=true)

# %% [markdown]
# *The same excerpt. All frequencies now agree on one delay, which gives a single sharp peak.*
#
# ## Write it: the peak between two samples
#
# At 44.1 kHz one sample is 23 µs, with an ORTF pair about three degrees. The top of the curve
# rarely falls on a sample. Fit a parabola through the highest value $y_0$ and its neighbours
# $y_{-1}$ and $y_1$; its top lies, in samples from the highest, at
#
# $$
# \delta = \frac{1}{2}\,\frac{y_{-1} - y_1}{y_{-1} - 2y_0 + y_1}.
# $$


# %% tags=["attempt"]
def peak(lead_s, values):
    """Return the lead at the top of the curve, in seconds."""
    raise NotImplementedError


# %%
from spa2v_lab.labs.delay import check_peak

peak = check_peak(peak)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `np.argmax` finds the highest value. At the first or the last lead one neighbour is missing:
# return that lead as it is.
#
# </details>


# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell", "solution"]
# @title Solution
def peak_solution(lead_s, values):
    """Return the lead at the top of the curve, in seconds."""
    top = int(np.argmax(values))
    if top in (0, len(values) - 1):
        return lead_s[top]
    before, highest, after = values[top - 1 : top + 2]
    beside = 0.5 * (before - after) / (before - 2 * highest + after)
    return lead_s[top] + beside * (lead_s[1] - lead_s[0])


_ = check_peak(peak_solution)

# %% [markdown]
# ## From delay to direction
#
# Sound from azimuth $\theta$ travels $d \sin\theta$ farther to the farther microphone, so that
# $\theta = \arcsin(c\,\tau / d)$ with $d = 17$ cm and $c = 343$ m/s.


# %%
def azimuths(correlate):
    """Return the azimuth of every excerpt by a correlation, in degrees."""
    leads = [peak(*correlate(*piece, recording.rate, MOST_S)) for piece in pieces]
    return np.degrees(np.arcsin(np.clip(343 * np.array(leads) / 0.17, -1, 1)))


found = {"plain correlation": azimuths(cross_correlation), "GCC-PHAT": azimuths(gcc_phat)}

# %%
import spa2v_lib as spa2v
from spa2v_lab.viz.labs import tracks_figure

cues = spa2v.extract_cues(recording, capture="ortf", label="source")
library = cues.times_s, cues.sources[0].azimuth_deg
tracks_figure(times_s, found, {"truth": (times_s, truth.azimuth_deg), "library": library})

# %% [markdown]
# *Each dot is the estimate from one excerpt. The line of the library also uses level, and all
# excerpts together.*

# %%
for name, values in found.items():
    off = np.abs(values - truth.azimuth_deg)[truth.sounding]
    print(f"{name:18s} {np.median(off):.0f}° off in the median, {np.mean(off > 15):.0%} over 15°")

# %% [markdown]
# Ten lines get most directions right. The rest of this book adds what they lack: tracking from
# one excerpt to the next, the level difference, an interval, and a second source.
#
# ## Go further
#
# 1. Leave out the window, and count again. Why does a room make its absence worse?
# 2. Raise the noise: `noise_db=-10`, then `noise_db=0`. Which frequencies dominate GCC-PHAT when
#    most of them contain only noise? How would you weight them?

# %% [markdown] tags=["solution"]
# <details><summary>What to expect</summary>
#
# In the open, hardly anything changes without the window. In the room the echoes of one excerpt
# reach into the next, so that each begins and ends in the middle of a loud sound, and one excerpt
# in five goes astray. When the noise is as loud as the source, both correlations fail: the phase
# transform gives a frequency that holds only noise the same weight as any other. Weighting by
# coherence helps, and so does tracking through many excerpts.
#
# </details>

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# The delay is in the phases. Whitening gives all frequencies the same weight, zero padding avoids
# wrap-around, and a parabola locates the peak between samples.
#
# </div>
