"""Whether sampled videos follow layouts that somebody else wrote: any folder of them is scored.

A folder holds layouts as `VideoSceneLayout.save` writes them, LVD's answers as ``.txt``, or LVD's
caches, a JSON of answers by prompt. Those that the ``tiny`` preset has a class for are sampled with
its default grounding and without, and scored as in `spa2v_lab.bench.sampling`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spa2v_lab.bench.frame import Goal, Results, Row
from spa2v_lib.errors import LayoutError, Spa2vError
from spa2v_lib.layout.classes import get_class
from spa2v_lib.layout.lvd import from_lvd
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs import StageProgress
from spa2v_lib.sampling import generate, get_preset
from spa2v_lib.sampling.tiny_detector import detect
from spa2v_lib.sampling.vocabulary import as_drawable

__all__ = ["drawable", "read_layouts", "run"]

QUICK, FULL = 6, 30
Score = Callable[..., dict[str, float]]


def read_layouts(folder: Path) -> list[VideoSceneLayout]:
    """Read every layout of a folder, in the order of its files' names.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of VideoSceneLayout

    Raises
    ------
    LayoutError
        If the folder holds none, or one cannot be read; the message names the file.

    Examples
    --------
    >>> import tempfile
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = known_layout(1.0).save(folder / "car.json")
    >>> cache = {"a kite": ["Frame 1: [{'id': 0, 'name': 'kite', 'box': [0, 0, 64, 64]}]"]}
    >>> _ = (folder / "lvd.json").write_text(json.dumps(cache))
    >>> [layout.objects[0].label for layout in read_layouts(folder)]
    ['car', 'kite']
    """
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".json", ".txt"))
    layouts = []
    for path in paths:
        try:
            layouts += _layouts_of(path)
        except Spa2vError as error:
            raise LayoutError(f"{path.name}: {error}") from error
    if not layouts:
        raise LayoutError(f"{folder} holds no layouts (.json, .txt)")
    return layouts


def drawable(layouts: list[VideoSceneLayout]) -> list[VideoSceneLayout]:
    """Keep the layouts whose objects all have a class of their own that ``tiny`` draws.

    Parameters
    ----------
    layouts : list of VideoSceneLayout

    Returns
    -------
    list of VideoSceneLayout
        In the preset's words; a label that only has a nearest class is left out.

    Examples
    --------
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> len(drawable([known_layout(1.0)]))
    1
    """
    preset = get_preset("tiny")
    kept = []
    for layout in layouts:
        names = [get_class(item.label).name for item in layout.objects]
        if names and set(names) <= set(preset.labels or ()):
            kept.append(as_drawable(layout, preset))
    return kept


def run(folder: Path, score: Score, *, quick: bool, seed: int, progress: StageProgress) -> Results:
    """Sample and score the layouts of `folder`.

    Parameters
    ----------
    folder : pathlib.Path
        See `read_layouts`.
    score : callable
        `spa2v_lab.bench.sampling.score`.
    quick, seed, progress
        As in `spa2v_lab.bench.frame.run_benchmark`.

    Examples
    --------
    >>> from spa2v_lab.bench import run_benchmark
    >>> run_benchmark("sampling", "out", layouts="lvd").goals  # doctest: +SKIP
    """
    read = read_layouts(folder)
    fitting = drawable(read)
    if not fitting:
        raise LayoutError(f"none of the {len(read)} layouts holds only what the tiny preset draws")
    order = np.random.default_rng(seed).permutation(len(fitting))
    chosen = [fitting[i] for i in sorted(order[: QUICK if quick else FULL])]
    method = next(iter(get_preset("tiny").groundings))
    scores: dict[str, list[dict[str, float]]] = {}
    for number, layout in enumerate(chosen, start=1):
        for name in (method, "none"):
            video = generate(layout, grounding=name)
            seen = detect(video.frames)
            scores.setdefault(name, []).append(score(layout, video.frames, seen))
            if name == method:
                mirrored = score(layout.mirrored(), video.frames, seen)
                scores.setdefault("mirrored layout", []).append(mirrored)
        progress("layouts", number, len(chosen))
    counts = [len(layout.objects) for layout in chosen]
    rows = [
        Row.of(name, condition, kept, seed)
        for name, found in scores.items()
        for condition, least, most in (("all", 1, 99), ("one object", 1, 1), ("several", 2, 99))
        if (kept := [s for s, n in zip(found, counts, strict=True) if least <= n <= most])
    ]
    means = rows[0].measures
    goals = [
        Goal("given layouts: IoU", ">=", 0.5, means["IoU"].mean),
        Goal("given layouts: right class", ">=", 0.8, means["right class"].mean),
    ]
    return Results("sampling", rows, goals)


def _layouts_of(path: Path) -> Iterator[VideoSceneLayout]:
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() == ".txt":
        yield from_lvd(text)
        return
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise LayoutError(f"no JSON: {error}") from error
    answers = isinstance(stored, dict) and all(isinstance(v, list) for v in stored.values())
    if not answers:
        yield VideoSceneLayout.load(path)
        return
    for prompt, written in stored.items():
        for answer in written:
            yield from_lvd(answer, caption=prompt)
