"""The benchmark as files, with a card that says what it measures and what it cannot."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from spa2v_lab.scenes import benchmark
from spa2v_lab.scenes.benchmark import Clip, draw, exemplar_pool, shared_classes, test_recordings
from spa2v_lab.scenes.export import MARKER, write_list, write_scene
from spa2v_lib.folders import result_folder

__all__ = ["card", "write_benchmark"]

CARD = "README.md"


def write_benchmark(
    out: str | os.PathLike[str],
    *,
    count: int = 200,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Render the benchmark's clips and write their card.

    For every clip there are ``NNN.wav``, ``NNN.json`` (true layout), ``NNN.mp4`` (drawn reference
    video with sound) and ``NNN.png`` (some frames with the true boxes); ``scenes.json`` lists them,
    ``manifest.csv`` is what ``spa2v bench run --clips`` reads, and ``README.md`` is the card.

    Parameters
    ----------
    out : path
        The folder to make.
    count : int
        How many clips.
    seed : int
    overwrite : bool
        Replace the scenes of an earlier call.
    progress : callable, optional
        Called with "clips", the clips done and the clips in all.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        Before anything is rendered, if `out` cannot be used.

    See Also
    --------
    card : its README.md
    spa2v_lab.scenes.export.write_scenes : other scenes as files

    Examples
    --------
    >>> write_benchmark("clips", count=200)  # doctest: +SKIP
    """
    rows, clips = [], []
    with result_folder(out, MARKER, overwrite=overwrite) as folder:
        for number in range(count):
            clip = draw(seed, number)
            rows.append(write_scene(clip.scene, folder, f"{number:03d}") | _described(clip))
            clips.append(clip)
            if progress is not None:
                progress("clips", number + 1, count)
        lines = ["recording,layout", *(f"{n:03d}.wav,{n:03d}.json" for n in range(count))]
        (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / CARD).write_text(card(clips, seed), encoding="utf-8")
        write_list(folder, {"scenes": rows, "seed": seed})
    return Path(out).resolve()


def _described(clip: Clip) -> dict[str, Any]:
    scene = clip.scene
    return {
        "scene_type": clip.scene_type,
        "labels": [obj.label for obj in scene.objects],
        "motions": list(clip.plan.motions),
        "sides": list(clip.plan.sides),
        "recordings": clip.recordings,
        "rt60_s": round(scene.rt60_s, 3),
        "noise_db": round(scene.noise_db or 0.0, 2),
    }


def card(clips: Sequence[Clip], seed: int) -> str:
    """Write the card of these clips, in Markdown.

    See Also
    --------
    write_benchmark : writes it beside the clips

    Examples
    --------
    >>> card([draw(0, 0)], seed=0).splitlines()[0]
    '# Benchmark: 1 simulated clips, seed 0'
    """
    objects = [obj for clip in clips for obj in clip.scene.objects]
    indoors = sum(clip.scene.rt60_s > 0 for clip in clips)
    tested = test_recordings()
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    return text.format(
        count=len(clips),
        seed=seed,
        types=_table("clips", "type", (clip.scene_type for clip in clips), benchmark.SCENE_TYPES),
        sides=_table(
            "stationary objects",
            "side",
            (side for clip in clips for side in clip.plan.sides if side),
            benchmark.SIDES,
        ),
        moves=_table(
            "moving objects",
            "motion",
            (m for clip in clips for m in clip.plan.motions if m != "stationary"),
            benchmark.MOVES,
        ),
        labels=_listed(Counter(obj.label for obj in objects)),
        receivers=_listed(Counter(clip.scene.receiver for clip in clips)),
        indoors=indoors,
        exemplars=len(exemplar_pool()),
        shared=", ".join(shared_classes()),
        held_out="; ".join(
            f"{label}: {', '.join(files)}"
            for label, files in sorted(tested.items())
            if label not in shared_classes()
        ),
        style=benchmark.STYLE,
        seconds=f"{benchmark.SECONDS:g}",
        fps=f"{benchmark.FPS:g}",
    )


def _table(title: str, column: str, names: Iterable[str], paper: dict[str, int]) -> str:
    counts = Counter(names)
    total, published = sum(counts.values()) or 1, sum(paper.values())
    lines = [f"| {column} | {title} | share | share in the paper |", "|---|---|---|---|"]
    for name, number in paper.items():
        own, theirs = counts[name] / total, number / published
        lines.append(f"| {name.replace('_', ' ')} | {counts[name]} | {own:.1%} | {theirs:.1%} |")
    return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
