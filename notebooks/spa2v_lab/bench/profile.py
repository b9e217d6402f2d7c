"""Where the seconds of a whole run go: ``spa2v generate`` in a fresh process, stage by stage."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from spa2v_lab.bench.processes import printed

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["PARTS", "profile_figure", "profile_run"]

PARTS = (
    "start, and reading",
    "analysis",
    "planning",
    "libraries",
    "weights",
    "estimate",
    "steps",
    "decoding",
    "report and files",
)
"""What a run consists of, in its order."""

_BOUNDARIES = {  # what is reported when a part ends
    ("analyze", 0): "start, and reading",
    ("analyze", 1): "analysis",
    ("load", 0): "planning",
    ("load", 3): "libraries",
    ("load", 4): "weights",
    ("sample", 0): "estimate",
    ("sample", "last"): "steps",
    ("decode", "last"): "decoding",
    ("write", 1): "report and files",
}
_RUN = """
import json, sys, time
from spa2v_lib.cli import app
from spa2v_lib.runs import generate_run

told = []
settings = json.loads(sys.argv[3])
generate_run(sys.argv[1], sys.argv[2], **settings, progress=lambda stage, done, total, *_: told.append(
    (stage, done, total, time.time())
))
print(json.dumps(told))
"""


def profile_run(audio: str | os.PathLike[str], **settings) -> dict[str, float]:
    """Make a video of a recording in a fresh process, and time its parts.

    Parameters
    ----------
    audio : path
        A recording.
    **settings
        Of `spa2v_lib.runs.settings.Settings`.

    Returns
    -------
    dict of str to float
        Seconds of wall time of each of `PARTS`; together, the whole run from the start of the
        process to its last file.

    Raises
    ------
    Spa2vError
        If the run fails; the message ends with what it said.

    See Also
    --------
    profile_figure : shows it

    Examples
    --------
    >>> profile = profile_run("../data/recordings/car_horn_01.flac", steps=1)  # doctest: +SKIP
    >>> max(profile, key=profile.get)  # doctest: +SKIP
    'libraries'
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(Path(audio).resolve()), str(Path(folder) / "run"), json.dumps(settings)]
        began = time.time()
        found = printed(_RUN, *arguments, failure="the run failed")
    return parts_between(began, json.loads(found.splitlines()[-1]))


def parts_between(began: float, told: list[tuple[str, int, int, float]]) -> dict[str, float]:
    """Return the seconds from each boundary to the next."""
    found, last = dict.fromkeys(PARTS, 0.0), began
    for stage, done, total, now in told:
        part = _BOUNDARIES.get((stage, done))
        if stage in ("sample", "decode") and done == total:
            part = _BOUNDARIES[stage, "last"]
        if part is not None:
            found[part] += now - last
            last = now
    return found


def profile_figure(profile: dict[str, float]) -> go.Figure:
    """Draw the parts of a run as bars, from its first to its last.

    Parameters
    ----------
    profile : dict of str to float
        From `profile_run`.

    Returns
    -------
    plotly.graph_objects.Figure

    See Also
    --------
    profile_run : measures it

    Examples
    --------
    >>> figure = profile_figure({"steps": 3.0, "decoding": 0.5})
    >>> list(figure.data[0].y)
    ['steps', 'decoding']
    """
    import plotly.graph_objects as go

    from spa2v_lib.viz.style import styled

    names, seconds = list(profile), list(profile.values())
    starts = [sum(seconds[:k]) for k in range(len(seconds))]
    bars = go.Bar(
        y=names,
        x=seconds,
        base=starts,
        orientation="h",
        text=[f"{s:.1f} s" for s in seconds],
        textposition="outside",
        cliponaxis=False,
        marker_color="#2962ff",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title="seconds since the start", rangemode="tozero")
    words = "seconds of each part of a run: " + ", ".join(
        f"{name} {seconds:.1f}" for name, seconds in profile.items()
    )
    return styled(figure, height=340, alt=words).update_layout(
        margin={"l": 10, "r": 50, "t": 20, "b": 40}
    )
