"""What planning with language models would take for many recordings, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.batch.tasks import Task, settings_of
from spa2v_lib.errors import Spa2vError
from spa2v_lib.planning import parse_planner
from spa2v_lib.planning.cost import Estimate, estimate_batch, total
from spa2v_lib.runs import Settings
from spa2v_lib.runs.make import hear_recording, read_recording
from spa2v_lib.sampling import get_preset

if TYPE_CHECKING:
    from spa2v_lib.batch.manifest import Row

__all__ = ["COLUMNS", "estimate_rows", "estimate_tasks", "hosted"]

Progress = Callable[[str, int, int], None]

# A manifest's empty cells and zeros stand for None, as in the end-to-end notebook.
_NONE = {"label": "", "fps": 0.0, "steps": 0, "clip": 0}

COLUMNS: dict[str, Any] = {
    field.name: _NONE.get(field.name, field.default) for field in fields(Settings)
}
"""Columns that a manifest may have where no notebook says it: all that a run can be asked for."""


def estimate_rows(
    rows: Sequence[Row], told: Mapping[str, Any], progress: Progress | None = None
) -> Estimate:
    """Hear recordings and estimate what a model would take to plan them; nothing is sent.

    Parameters
    ----------
    rows : sequence of Row
        Recordings are cut as a run cuts them.
    told : mapping
        Parameters for rows that say nothing else, the planner among them.
    progress : callable, optional
        Called with "hear", the recordings heard and how many there are.

    Raises
    ------
    Spa2vError
        If a recording cannot be heard, or a planner asks no model.
    """
    asked = [(row.path, settings_of({**told, **row.parameters})) for row in rows]
    return total(_each(asked, progress))


def hosted(tasks: Iterable[Task]) -> list[Task]:
    """Return the items of a batch that a model behind a server plans."""
    return [task for task in tasks if parse_planner(_settings(task).planner).hosted]


def estimate_tasks(tasks: Iterable[Task]) -> Estimate | None:
    """Estimate what models would take to plan items of a batch; nothing is sent.

    Parameters
    ----------
    tasks : iterable of Task
        Recordings that cannot be heard are left out: their items are going to say why.

    Returns
    -------
    Estimate or None
        None if there is nothing to be planned.
    """
    asked = [(Path(task.recording), _settings(task)) for task in tasks]
    return total(_each(asked, None, broken=True)) if asked else None


def _settings(task: Task) -> Settings:
    return settings_of({name.lower(): value for name, value in task.parameters.items()})


def _each(
    asked: Sequence[tuple[Path, Settings]], progress: Progress | None, *, broken: bool = False
) -> Iterable[Estimate]:
    """Yield the estimate of each recording, without those that cannot be heard if `broken`."""
    tell = progress or (lambda stage, done, of: None)
    for number, (path, settings) in enumerate(asked):
        tell("hear", number, len(asked))
        try:
            yield _estimated(path, settings)
        except Spa2vError:
            if not broken:
                raise
    tell("hear", len(asked), len(asked))


def _estimated(path: Path, wanted: Settings) -> Estimate:
    recording = read_recording(path, wanted)
    width, height = get_preset(wanted.preset).size
    return estimate_batch(
        [(recording, hear_recording(recording, wanted))],
        wanted.planner,
        fps=8.0 if wanted.fps is None else wanted.fps,
        aspect=width / height,
        placement=wanted.placement,
        exemplars=wanted.exemplars,
        shots=wanted.shots,
        seed=wanted.seed,
    )
