"""How accurate the cues are: simulated and externally rendered scenes, against baselines.

Every scene of `hearing_scenes.test_scenes` is rendered and analyzed with its capture format given
and, where one source sounds, with the format to be recognized from the recording. Scenes rendered
by other code (`hearing_renderers`) have rows of their own. `hearing_scores` says how estimates are
matched and counted, `hearing_goals.STATISTICS` what each column is, `hearing_baselines` what they
are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spa2v_lab.bench import hearing_baselines as baselines
from spa2v_lab.bench.frame import Results, Row
from spa2v_lab.bench.hearing_codecs import CODECS, CodecScene, codec_scenes
from spa2v_lab.bench.hearing_cost import cost_rows
from spa2v_lab.bench.hearing_goals import KNOWN, STATISTICS, UNKNOWN, Scores, goals, pooled
from spa2v_lab.bench.hearing_renderers import RENDERERS, external_scenes, has_kemar
from spa2v_lab.bench.hearing_scenes import (
    CAPTURE_ORDER,
    ROOMS,
    SNR_ORDER_DB,
    HearingScene,
    single_recording_classes,
    test_scenes,
)
from spa2v_lab.bench.hearing_scores import (
    MISSED_DEG,
    NO_CLOSEST_MS,
    score_azimuths,
    score_cues,
    score_unknown_format,
)
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues, extract_cues
from spa2v_lib.resources import install_command
from spa2v_lib.runs import StageProgress

__all__ = ["KNOWN", "UNKNOWN", "SceneScores", "analyzed", "rows_of", "run"]

QUICK, FULL = 66, 660
_EXTERNAL_QUICK, _EXTERNAL_FULL = 33, 330


_BASELINE_SNR_DB = 20
_MOST_BASELINE_SOURCES = 2


@dataclass(frozen=True)
class SceneScores:
    """One scene and the scores of every method on it.

    See Also
    --------
    analyzed : returns them
    rows_of : pools them

    Examples
    --------
    >>> from spa2v_lab.bench.hearing_scenes import test_scenes
    >>> scores = {KNOWN: {"count": np.array([1.0])}}
    >>> SceneScores(test_scenes(1)[0], scores).item.capture
    'panned'
    """

    item: HearingScene
    scores: dict[str, Scores]


Scenes = Callable[[HearingScene], bool]
Condition = tuple[str, Scenes]


def run(*, quick: bool, seed: int, progress: StageProgress) -> Results:
    """Analyze every test scene; parameters as in `spa2v_lab.bench.frame.run_benchmark`.

    See Also
    --------
    spa2v_lab.bench.run_benchmark : writes the results, too

    Examples
    --------
    >>> run(quick=True, seed=0, progress=print).goals  # doctest: +SKIP
    """
    count = QUICK if quick else FULL
    outside = _EXTERNAL_QUICK if quick else _EXTERNAL_FULL
    notes = _notes()
    rows = []
    simulated = analyzed(test_scenes(count, seed), "scenes", progress)
    rows += rows_of(simulated, simulated_conditions(), seed)
    external: list[HearingScene] = [*codec_scenes(outside // 3, seed)]
    for renderer in RENDERERS:
        if renderer == "KEMAR" and not has_kemar():
            notes.append(f"KEMAR: not run, as slab is missing: {install_command('bench')}")
        else:
            external += external_scenes(renderer, outside, seed)
    rows += rows_of(analyzed(external, "external scenes", progress), external_conditions(), seed)
    costs, cost_notes = cost_rows(quick=quick, seed=seed, progress=progress)
    rows += costs
    found, worst = goals(rows)
    return Results("hearing", rows, found, notes + worst + cost_notes)


def analyzed(
    items: Sequence[HearingScene],
    name: str,
    progress: StageProgress,
    render: Callable[[HearingScene], Recording] = lambda item: item.rendered(),
) -> list[SceneScores]:
    """Render scenes and analyze them with every method.

    Parameters
    ----------
    items : sequence of HearingScene
    name : str
        For `progress`.
    progress : callable
        Called with `name`, the scenes done and the scenes in all.
    render : callable
        Gives the sound of a scene.

    See Also
    --------
    rows_of : pools the scores

    Examples
    --------
    >>> from spa2v_lab.bench.hearing_scenes import test_scenes
    >>> (outcome,) = analyzed(test_scenes(1), "scenes", print)  # doctest: +SKIP
    """
    outcomes = []
    for done, item in enumerate(items, start=1):
        outcomes.append(SceneScores(item, _scores(item, render(item))))
        progress(name, done, len(items))
    return outcomes


def _scores(item: HearingScene, recording: Recording) -> dict[str, Scores]:
    spacing = getattr(item, "spacing_m", None)
    cues = extract_cues(recording, capture=item.capture, spacing=spacing)
    times = np.array(cues.times_s)
    ground_truths = item.ground_truths(times)
    scores = {KNOWN: score_cues(ground_truths, cues)}
    scores[UNKNOWN] = score_unknown_format(ground_truths, extract_cues(recording), item.capture)
    if isinstance(item, CodecScene) and cues.sources:
        scores[KNOWN]["shift"] = _shift_deg(item, cues)
    if len(ground_truths) <= _MOST_BASELINE_SOURCES and item.snr_db == _BASELINE_SNR_DB:
        for method in baselines.METHODS:
            azimuths_deg = baselines.estimate(
                method, recording, item.capture, times, len(ground_truths)
            )
            if azimuths_deg is not None:
                scores[method] = score_azimuths(ground_truths, azimuths_deg)
    return scores


def _shift_deg(item: CodecScene, cues: SpatialCues) -> np.ndarray:
    """Return by how much the codec moves the source, frame by frame."""
    lossless = extract_cues(item.lossless(), capture=item.capture)
    pairs = [
        (before, after)
        for before, after, sounding in zip(
            lossless.sources[0].azimuth_deg,
            cues.sources[0].azimuth_deg,
            cues.sources[0].active,
            strict=False,
        )
        if sounding and before is not None and after is not None
    ]
    return np.array([abs(after - before) for before, after in pairs])


def rows_of(outcomes: list[SceneScores], conditions: list[Condition], seed: int) -> list[Row]:
    """Return a row for every method and condition with at least one scene.

    See Also
    --------
    analyzed : makes the outcomes

    Examples
    --------
    >>> from spa2v_lab.bench.hearing_scenes import test_scenes
    >>> scores = {KNOWN: {"azimuth": np.array([1.0, 2.0, 3.0])}}
    >>> outcome = SceneScores(test_scenes(1)[0], scores)
    >>> (row,) = rows_of([outcome], [("all", lambda item: True)], seed=0)
    >>> row.measures["azimuth median °"].mean
    2.0
    """
    rows = []
    for method in (KNOWN, UNKNOWN, *baselines.METHODS):
        for name, holds in conditions:
            chosen = [o.scores[method] for o in outcomes if method in o.scores and holds(o.item)]
            if not chosen or (method in baselines.METHODS and not _compared(name)):
                continue
            measures = {
                title: pooled(chosen, values, statistic, seed)
                for title, (values, statistic) in STATISTICS.items()
                if any(len(scores.get(values, ())) for scores in chosen)
            }
            rows.append(Row(method, name, len(chosen), measures))
    return rows


def _compared(condition: str) -> bool:
    """Whether the baselines, which are given 20 dB alone, have a row there: no single cells."""
    cell = condition.startswith("1 source") and condition.count(",") == 3
    return "20 dB" in condition and not cell and not condition.startswith("any")


def _where(count: int | None = None, motion: str = "", **wanted: object) -> Scenes:
    """Choose scenes by the number of sources, the first one's motion, and the scene's fields."""
    return lambda item: (
        (count is None or len(item.motions) == count)
        and item.motions[0].endswith(motion)
        and all(getattr(item, name) == value for name, value in wanted.items())
    )


def _sources(count: int) -> str:
    return f"{count} source{'s'[: count > 1]}"


def simulated_conditions() -> list[Condition]:
    """Return the marginals for each number of sources, and the cells that the goals name."""
    conditions: list[Condition] = []
    for count in (1, 2, 3):
        name = _sources(count)
        conditions += [(name, _where(count)), (f"{name}, 20 dB", _where(count, snr_db=20))]
        conditions += [
            (f"{name}, 20 dB, {value}", _where(count, snr_db=20, **{field: value}))
            for field, values in (("capture", CAPTURE_ORDER), ("room", ROOMS))
            for value in values
        ]
        conditions += [
            (f"{name}, {snr} dB", _where(count, snr_db=snr))
            for snr in sorted(set(SNR_ORDER_DB) - {20})
        ]
    conditions += [
        (f"1 source, 20 dB, {capture}, {room}", _where(1, snr_db=20, capture=capture, room=room))
        for capture in CAPTURE_ORDER
        for room in ROOMS
    ]
    conditions += [
        (f"1 source, 20 dB, {motion.replace('_', '-')}", _where(1, motion, snr_db=20))
        for motion in ("stationary", "crossing", "approaching", "receding", "pass_by")
    ]
    return [*conditions, ("any number, 20 dB", _where(snr_db=20))]


def external_conditions() -> list[Condition]:
    """Return rows by renderer and number of sources, motion, microphones or room, and by codec."""
    conditions: list[Condition] = []
    for renderer in RENDERERS:
        conditions += [
            (f"{renderer}, {_sources(count)}, 20 dB", _where(count, renderer=renderer))
            for count in (1, 2, 3)
        ]
        conditions += [
            (f"{renderer}, 1 source, 20 dB, {motion}", _where(1, motion, renderer=renderer))
            for motion in ("stationary", "crossing", "approaching", "receding")
        ]
    simulated = {"renderer": "pyroomacoustics"}
    conditions += [
        (
            f"pyroomacoustics, {_sources(count)}, 20 dB, {room}",
            _where(count, room=room, **simulated),
        )
        for count in (1, 2, 3)
        for room in ROOMS
    ]
    conditions += [
        (
            f"pyroomacoustics, 1 source, 20 dB, {capture}, {room}",
            _where(1, capture=capture, room=room, **simulated),
        )
        for capture in ("xy", "ms", "ortf", "ab")
        for room in ROOMS
    ]
    return conditions + [(f"{codec}, 20 dB", _where(renderer=codec)) for codec in CODECS]


def _notes() -> list[str]:
    single = ", ".join(single_recording_classes())
    return [
        f"classes whose one recording serves tuning and test alike: {single}",
        f"a source that was not detected counts {MISSED_DEG:g}° in all its frames; a v/d or speed "
        f"that was not claimed counts 100 %, a closest approach {NO_CLOSEST_MS:g} ms",
        "the baselines are given the number of sources, and may estimate them anew in every frame",
        "front assumed, except with foa: true directions are ahead of the microphones there",
    ]
