"""Why a layout looks as it does, in sentences that quote the numbers it rests on."""

from __future__ import annotations

import numpy as np

from spa2v_lib.camera import Camera
from spa2v_lib.classes import CLASSES, SoundClass
from spa2v_lib.cues.types import SourceTrack, SpatialCues

__all__ = ["explain"]

_COUNT = {1: "One source is", 2: "Two sources are", 3: "Three sources are"}


def explain(cues: SpatialCues, placed: list[tuple[SourceTrack, SoundClass]], camera: Camera) -> str:
    """Explain the placing of every source.

    Parameters
    ----------
    cues : SpatialCues
    placed : list of (SourceTrack, SoundClass)
        The sources that are shown; others are said to be left out.
    camera : Camera
    """
    if not cues.sources:
        return f"Nothing sounds in {cues.duration_s:.1f} s: the scene is empty."
    count = _COUNT.get(len(cues.sources), f"{len(cues.sources)} sources are")
    sentences = [f"{count} heard in {cues.duration_s:.1f} s; capture read as {_capture(cues)}."]
    for source, kind in placed:
        sentences += [_what(source, kind), _how(source), _size(source, kind, camera)]
    shown = {source.id for source, _ in placed}
    sentences += [
        f"{source.id} is left out: what it is, is not known."
        for source in cues.sources
        if source.id not in shown
    ]
    return " ".join(sentences)


def _capture(cues: SpatialCues) -> str:
    return f"{cues.capture.format} ({cues.capture.confidence:.2f}; {cues.capture.note})"


def _what(source: SourceTrack, kind: SoundClass) -> str:
    return f"{source.id} is {kind.with_article} (confidence {source.label_confidence:.2f})."


def _how(source: SourceTrack) -> str:
    change = source.level_change_db
    level = f"{'rises' if change >= 0 else 'falls'} by {abs(change):.1f} dB"
    word = source.motion.replace("_", " ")
    sure = f"{word} (confidence {source.motion_confidence:.2f})"
    if None in source.azimuth_deg:
        return f"No direction is known: it is placed in the centre. The level {level}: {sure}."
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    if "crossing" in source.motion:
        # A leap from one side to the other fits no straight path, and has no closest moment.
        near = "" if source.closest_s is None else f", closest at {source.closest_s:.1f} s"
        return f"The azimuth sweeps from {start:+.0f}° to {end:+.0f}°{near}: {sure}."
    track = np.array(source.azimuth_deg, float)[np.array(source.active)]
    low = np.array(source.azimuth_low_deg, float)[np.array(source.active)]
    high = np.array(source.azimuth_high_deg, float)[np.array(source.active)]
    middle, spread = float(np.median(track)), float(np.ptp(track))
    return (
        f"The level {level} while the azimuth stays within {max(1.0, spread):.0f}° of "
        f"{middle:+.0f}° (90 % interval {np.median(low):+.0f}° to {np.median(high):+.0f}°): {sure}."
    )


def _size(source: SourceTrack, kind: SoundClass, camera: Camera) -> str:
    known = [r for r in source.relative_range if r is not None]
    ratio = max(known, default=1.0)
    course = "" if ratio < 1.05 else f", up to {ratio:.1f} times as far at its farthest"
    place = {
        "ground": "on the ground",
        "water": "on the water",
        "air": f"in the air, {kind.base_m:.3g} m up{_learnt(kind)}",
        "held": f"held {kind.base_m:.3g} m above the ground{_learnt(kind)}",
    }[kind.place]
    where = f"{place}, with the horizon at y = {camera.horizon_y():.2f}."
    size = f"{kind.width_m:g} m by {kind.height_m:g} m"
    if source.pass_by is None or source.pass_by.distance_m is None:
        return (
            f"Its size and distance are those usual for {kind.with_article}, not measured: {size}, "
            f"{kind.range_m:g} m away at its closest{course}; {where}"
        )
    distance, speed = source.pass_by.distance_m, source.pass_by.speed_m_s
    return (
        f"Its Doppler shift tells that it passes {distance.value:.0f} m away (90 % interval "
        f"{distance.low:.0f} to {distance.high:.0f} m) at {speed.value:.0f} m/s; this is averaged "
        f"with the {kind.range_m:g} m usual for {kind.with_article}{course}. Its size is the usual "
        f"one, not measured: {size}; {where}"
    )


def _learnt(kind: SoundClass) -> str:
    return "" if kind.base_m == CLASSES[kind.name].base_m else ", as examples show it"
