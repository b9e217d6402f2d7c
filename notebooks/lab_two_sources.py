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
# # Lab 2: two sources by expectation maximization
#
# Localize two sources that sound at once, from only two channels. This is possible because sounds
# are sparse: at one moment and one frequency, one of them is nearly always far louder than the
# other. So every such **time–frequency bin** is evidence for one direction. You write the
# algorithm that assigns the bins to the sources.
#
# <div class="admonition note" style="border-left: 4px solid #2962ff; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>About this lab</b></p>
#
# **You will be able to** write expectation maximization for a mixture of two directions; check it
# by its likelihood; and explain when it ends in a wrong local maximum.
#
# **You need** [Hearing a scene](hearing.ipynb), Bayes' theorem, NumPy and headphones.
#
# **It takes** an hour to write; to run, 10 s on two processor cores without bfloat16.
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
# The sources `FIRST` at `FIRST_DEG` and `SECOND` at `SECOND_DEG` are three metres away, outdoors,
# recorded in the capture format `CAPTURE`.

# %% tags=["parameters"]
FIRST = "bird_01.flac"
FIRST_DEG = -35
SECOND = "truck_01.flac"
SECOND_DEG = 25
CAPTURE = "ortf"

# %% [markdown]
# ## Listen first

# %%
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage

both = [Trajectory(FIRST, FIRST_DEG), Trajectory(SECOND, SECOND_DEG)]
recording = render_sound(stage(*both, capture=CAPTURE, seconds=3.0, noise_db=-25))
recording

# %% [markdown]
# ## The evidence of each bin
#
# The library converts level and phase difference of each bin into a density over directions. A
# density of 1 in every direction means that the bin may come from anywhere; loud bins have a
# larger weight than weak ones.

# %%
from spa2v_lab.labs.two_sources import read_votes

votes = read_votes(recording, CAPTURE)
bins, directions = votes.density.shape
print(f"{bins} bins, {directions} directions from {votes.azimuth_deg[0]:.0f}° on")

# %%
import numpy as np

from spa2v_lab.viz.labs import curves_figure

weight = votes.weight / votes.weight.sum()
truth = {f"{azimuth:+d}°": azimuth for azimuth in (FIRST_DEG, SECOND_DEG)}
all_votes = {"all votes": (votes.azimuth_deg, weight @ votes.density)}
curves_figure(all_votes, "azimuth (°)", "mean density", marks=truth)

# %% [markdown]
# *The weighted mean over all bins. One source has most of the weight; the other is a small
# maximum, hardly higher than the ripples beside the first.*
#
# ## The model
#
# Bin $n$ belongs to no source ($k = 0$, diffuse sound), to the first or to the second. Let
# $\pi_k$ be the share of owner $k$, $\theta_k$ its direction, and $p_n(\theta)$ the bin's
# density, with $p_n = 1$ for diffuse sound. If you knew the owners, you could compute directions
# and shares; if you knew directions and shares, you could compute the owners. Expectation
# maximization alternates between the two:
#
# $$
# \begin{aligned}
# \gamma_{kn} &= \frac{\pi_k\, p_n(\theta_k)}{\sum_j \pi_j\, p_n(\theta_j)}, \\[1ex]
# \pi_k &= \frac{\sum_n w_n \gamma_{kn}}{\sum_n w_n}, \\[1ex]
# \theta_k &= \arg\max_\theta \sum_n w_n \gamma_{kn} \log p_n(\theta).
# \end{aligned}
# $$
#
# The first line is the expectation step: the probability $\gamma_{kn}$ that owner $k$ produced
# bin $n$. The other two are the maximization step, with each bin counted by its weight $w_n$. No
# round can lower the likelihood of all bins (Dempster, Laird and Rubin, 1977).
#
# ## Write it
#
# Start with equal shares. `start` holds two indices into the directions. Return the two indices at
# the end, the three shares, and $\gamma$ as `owner`, with rows for diffuse, first and second.


# %% tags=["attempt"]
def two_sources(density, weight, start, steps=20):
    """Return two directions (indices), three shares, and the owner of every bin [3, bins]."""
    raise NotImplementedError


# %%
from spa2v_lab.labs.two_sources import check_two_sources

two_sources = check_two_sources(two_sources, votes)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `density[:, where[0]]` is every bin's density in the first source's direction. Stack it below a row
# of ones and multiply by the shares, and the expectation is one division. The sum over bins for all
# directions at once is a matrix product: `(weight * owner[1]) @ np.log(density)`.
#
# </details>


# %% cellView="form" jupyter={"source_hidden": true} tags=["hide-cell", "solution"]
# @title Solution
def two_sources_solution(density, weight, start, steps=20):
    """Return two directions (indices), three shares, and the owner of every bin [3, bins]."""
    where, share = list(start), np.full(3, 1 / 3)
    anywhere, log_density = np.ones(len(weight)), np.log(density + 1e-12)
    for _ in range(steps):
        likely = np.stack([anywhere, density[:, where[0]], density[:, where[1]]])
        owner = share[:, None] * likely
        owner /= owner.sum(0)
        share = owner @ weight / weight.sum()
        where = [int(np.argmax((weight * part) @ log_density)) for part in owner[1:]]
    return where, share, owner


_ = check_two_sources(two_sources_solution, votes)

# %% [markdown]
# ## Try it

# %%
where, share, owner = two_sources(votes.density, votes.weight, votes.nearest(-60, 60), 20)
for k in (0, 1):
    print(f"source {k + 1}: {votes.azimuth_deg[where[k]]:+.0f}°, {share[k + 1]:.0%} of the weight")

# %%
each = {
    f"source {k}": (votes.azimuth_deg, (weight * owner[k]) @ votes.density / share[k])
    for k in (1, 2)
}
curves_figure(each, "azimuth (°)", "mean density", marks=truth)

# %% [markdown]
# *The same bins, each counted for its owner. The small maximum is a source of its own.*

# %%
from spa2v_lab.viz.labs import owners_figure

owners_figure(owner, votes.shape, votes.band_hz, ["diffuse", "source 1", "source 2"])

# %% [markdown]
# *The probability that each bin belongs to each owner. The algorithm uses no model of either
# sound. To separate the sources, keep the bins of one and attenuate the others.*
#
# The library extends this algorithm: its sources are trajectories instead of directions, each
# band has shares of its own, and the result is a signal for each source.

# %%
import spa2v_lib as spa2v

cues = spa2v.extract_cues(recording, capture=CAPTURE)
found = ", ".join(f"{np.nanmedian(np.array(s.azimuth_deg, float)):+.0f}°" for s in cues.sources)
print(f"the library finds {len(cues.sources)} sources: {found}")

# %% [markdown]
# ## Go further
#
# 1. Start from −5° and +5°. Where do the two directions end, and how do the likelihoods of the
#    two solutions compare? Write a version that tries several starts and keeps the most likely.
# 2. Move the sources closer together until both directions coincide. At what angle does that happen
#    for `CAPTURE = "ab"`, and why not at the same one?

# %% [markdown] tags=["solution"]
# <details><summary>What to expect</summary>
#
# From −5° and +5° both directions end at the louder source: the two share its bins, and no step
# away improves the likelihood. It is lower than that of the correct solution, which only another
# start can reach. Expectation maximization climbs the hill on which it starts. The library
# therefore adds one source at a time, where the others explain least, and tries several starts.
#
# </details>

# %% [markdown]
# <div class="admonition tip" style="border-left: 4px solid #00a878; padding: 0.2em 1em; margin: 1em 0">
# <p class="admonition-title"><b>Take away</b></p>
#
# Where owners and directions are both unknown, alternate: estimate one given the other. The
# likelihood never falls, which tests your code; it may still end in a wrong local maximum, so try
# several starts.
#
# </div>
