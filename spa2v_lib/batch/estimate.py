"""What planning with language models would take for many recordings, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.batch.tasks import Task
from spa2v_lib.errors import Spa2vError
from spa2v_lib.planning import parse_planner
from spa2v_lib.planning.cost import Estimate, estimate_plan, total
from spa2v_lib.runs import Settings
from spa2v_lib.runs.make import StageProgress, analyze_recording, read_recording

if TYPE_CHECKING:
    from spa2v_lib.batch.manifest import ManifestRow

__all__ = ["estimate_rows", "estimate_tasks", "hosted"]


def estimate_rows(
    rows: Sequence[ManifestRow],
    defaults: Mapping[str, Any],
    progress: StageProgress | None = None,
) -> Estimate:
    """Analyze recordings and estimate what a model would take to plan them; nothing is sent.

    Parameters
    ----------
    rows : sequence of ManifestRow
        Recordings are cut as a run cuts them.
    defaults : mapping
        Fields of `Settings` for rows that say nothing else, the planner among them.
    progress : callable, optional
        Called with "analyze", the recordings analyzed and how many there are.

    Raises
    ------
    Spa2vError
        If a recording cannot be analyzed, or a planner asks no model.

    See Also
    --------
    spa2v_lib.planning.cost.estimate_plan : Of one recording.

    Examples
    --------
    >>> estimate_rows([], {}).requests
    0
    """
    report_stage = progress or (lambda stage, done, count: None)
    estimates = []
    for number, row in enumerate(rows):
        report_stage("analyze", number, len(rows))
        estimates.append(_estimate(row.path, Settings.of({**defaults, **row.parameters})))
    report_stage("analyze", len(rows), len(rows))
    return total(estimates)


def hosted(tasks: Iterable[Task]) -> list[Task]:
    """Return the items of a batch that a model behind a server plans.

    Parameters
    ----------
    tasks : iterable of Task
        Items of a batch, from `make_tasks`.

    Returns
    -------
    list of Task
        In the order of `tasks`.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from spa2v_lib.batch.manifest import ManifestRow
    >>> from spa2v_lib.batch.tasks import end_to_end, make_tasks, read_template
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "a.wav", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(Path("/out"), [row], read_template(end_to_end()), {})
    >>> asking = replace(task, settings={"planner": "google:gemini-3.8-flash"})
    >>> [found.settings["planner"] for found in hosted([task, asking])]
    ['google:gemini-3.8-flash']
    """
    return [task for task in tasks if parse_planner(Settings.of(task.settings).planner).hosted]


def estimate_tasks(tasks: Iterable[Task]) -> Estimate | None:
    """Estimate what models would take to plan items of a batch; nothing is sent.

    Parameters
    ----------
    tasks : iterable of Task
        Recordings that cannot be analyzed are left out: their items are going to say why.

    Returns
    -------
    Estimate or None
        None if there is nothing to be planned.

    Examples
    --------
    >>> from spa2v_lib.batch.manifest import ManifestRow
    >>> from spa2v_lib.batch.tasks import end_to_end, make_tasks, read_template
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "a.wav", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(Path("/out"), [row], read_template(end_to_end()), {})
    >>> estimate_tasks([task]) is None  # the recording is missing, and nothing asks a model
    True
    """
    estimates = []
    for task in tasks:
        with suppress(Spa2vError):
            estimates.append(_estimate(Path(task.recording), Settings.of(task.settings)))
    return total(estimates) if estimates else None


def _estimate(path: Path, settings: Settings) -> Estimate:
    recording = read_recording(path, settings)
    cues = analyze_recording(recording, settings).cues
    return estimate_plan(recording, cues, **settings.planned_with())
