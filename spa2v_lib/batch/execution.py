"""One item of a batch: its notebook is executed, and its folder put in place as a whole."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from itertools import islice
from pathlib import Path
from typing import Any

from spa2v_lib import errors
from spa2v_lib.batch.store import ITEM, NOTEBOOK, THUMBNAIL, VERSION, Store, read_or_empty
from spa2v_lib.batch.tasks import Task, TaskResult
from spa2v_lib.files import displayed, write_json, writing
from spa2v_lib.runs.record import MARKER, file_hash

__all__ = ["changes", "execute", "record_failure"]

_THUMBNAIL_WIDTH = 240


def execute(task: Task) -> TaskResult:
    """Execute an item's notebook unless another process does, or has done it meanwhile.

    Whatever goes wrong in the notebook becomes the item's own failure.

    Returns
    -------
    TaskResult
        Its status is "busy" if another process works on it, and "broken" if its folder cannot be
        written, as on a full disk: then no other item can be either.

    Parameters
    ----------
    task : Task
        From `make_tasks`; its `root` is a folder that `Store.open` has made.

    See Also
    --------
    spa2v_lib.batch.workers.run_tasks : Has many executed.

    Examples
    --------
    >>> from spa2v_lib.batch.tasks import make_tasks
    >>> (task,) = make_tasks(store.root, [row], template, {"label": "car"})  # doctest: +SKIP
    >>> execute(task).status  # doctest: +SKIP
    'done'
    """
    store = Store(Path(task.root))
    try:
        with store.claim(task.name) as mine:
            if not mine:
                return TaskResult(task.name, "busy")
            if not changes(store, task):
                return TaskResult(task.name, "done")
            with store.staging(task.name) as place:
                return _execute(store, task, place)
    except errors.Spa2vError as error:
        return TaskResult(task.name, "broken", str(error))


def changes(store: Store, task: Task) -> list[str]:
    """Say why an item has to be worked on; nothing if its result is there and still holds.

    Returns
    -------
    list of str
        "missing", "failed", "incomplete", or which of input, parameters, weights, code and
        notebook changed.

    Parameters
    ----------
    store : Store
        The batch's folder.
    task : Task
        Its `sources` are compared with those of the result.

    See Also
    --------
    execute : Does what has changed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> from spa2v_lib.batch.store import Store
    >>> from spa2v_lib.batch.tasks import end_to_end, read_template
    >>> store = Store(folder / "runs")
    >>> store.open(read_template(end_to_end()), resume=False)
    >>> from spa2v_lib.batch.manifest import ManifestRow
    >>> from spa2v_lib.batch.tasks import make_tasks
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "a.wav", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(store.root, [row], read_template(end_to_end()), {})
    >>> changes(store, task)
    ['missing']
    """
    record = store.record(task.name)
    if not record:
        return ["missing"]
    if record.get("status") != "done":
        return ["failed"]
    if not store.is_complete(task.name, record):
        return ["incomplete"]
    was = record.get("sources", {})
    changed = [name for name, digest in task.sources.items() if was.get(name) != digest]
    if changed:
        return changed
    try:
        now = file_hash(Path(task.recording))
    except OSError:
        return ["input"]
    return [] if was.get("input") == now else ["input"]


def record_failure(task: Task, error: str) -> None:
    """Keep the notebook of an item whose worker died, with the reason at its top.

    Raises
    ------
    OutputError
        If it cannot be written.

    Parameters
    ----------
    task : Task
        Nothing is written where its result holds, or another process works on it.
    error : str
        The reason, in one line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> from spa2v_lib.batch.store import Store
    >>> from spa2v_lib.batch.tasks import end_to_end, read_template
    >>> store = Store(folder / "runs")
    >>> store.open(read_template(end_to_end()), resume=False)
    >>> from spa2v_lib.batch.manifest import ManifestRow
    >>> from spa2v_lib.batch.tasks import make_tasks
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "a.wav", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(store.root, [row], read_template(end_to_end()), {})
    >>> record_failure(task, "its worker died")
    >>> store.record(task.name)["status"], store.record(task.name)["error"]
    ('failed', 'its worker died')
    """
    store = Store(Path(task.root))
    with store.claim(task.name) as mine:
        if not mine or not changes(store, task):
            return
        with store.staging(task.name) as place, writing(place.parent):
            _write_unexecuted(store, task, place, error)
            _put(store, task, place, error, 0.0)


def _write_unexecuted(store: Store, task: Task, place: Path, error: str) -> None:
    """Write the notebook as it is, with the reason and the parameters at its top."""
    import nbformat

    notebook = nbformat.read(store.template(task.sources["notebook"]), as_version=4)
    parameters = "\n".join(f"{name} = {value!r}" for name, value in task.parameters.items())
    notebook.cells[:0] = [
        nbformat.v4.new_markdown_cell("**This notebook was not executed to its end.**"),
        nbformat.v4.new_raw_cell(f"{error}\n\nIts parameters:\n{parameters}"),
    ]
    nbformat.write(notebook, place / NOTEBOOK)


def _execute(store: Store, task: Task, place: Path) -> TaskResult:
    begin = time.monotonic()
    with writing(place.parent):
        error = _run_notebook(store, task, place)
        if not error and not (place / "run" / MARKER).is_file():
            error = f"the notebook made no run folder at OUT: there is no {MARKER} in it"
        _put(store, task, place, error, time.monotonic() - begin)
    return TaskResult(task.name, "failed" if error else "done", error)


def _run_notebook(store: Store, task: Task, place: Path) -> str:
    """Execute the notebook in `place`; return what went wrong, in one line."""
    import papermill

    from spa2v_lib.batch.shell import ENGINE

    if displayed(task.recording).encode() != os.fsencode(task.recording):
        error = f"the name of {task.written} is not UTF-8, as notebooks need it; rename the file"
        _write_unexecuted(store, task, place, error)
        return error
    logging.getLogger("papermill").setLevel(logging.ERROR)
    # Relative paths, so that the notebook still holds where the folder is moved with its parent.
    arguments = {**task.parameters, "RECORDING": _from(place, Path(task.recording)), "OUT": "run"}
    template = os.path.relpath(store.template(task.sources["notebook"]), place)
    try:
        with contextlib.chdir(place):
            papermill.execute_notebook(
                template,
                NOTEBOOK,
                arguments,
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
            )
    except papermill.PapermillExecutionError as failure:
        known = failure.ename.endswith("Error") and failure.ename in errors.__all__
        text = failure.evalue if known else f"{failure.ename}: {failure.evalue}"
        # The user knows the recording by the path that was written.
        return " ".join(text.replace(arguments["RECORDING"], task.written).split()) or failure.ename
    return ""


def _put(store: Store, task: Task, place: Path, error: str, seconds: float) -> None:
    """Gather the item's files in one folder and put it in its place."""
    folder = place / "failed" if error else place / "run"
    folder.mkdir(exist_ok=True)
    (place / NOTEBOOK).rename(folder / NOTEBOOK)
    summary: dict[str, Any] = {} if error else _summary(folder)
    if (folder / "video.mp4").is_file():
        _thumbnail(folder / "video.mp4", folder / THUMBNAIL)
    write_json(
        folder / ITEM,
        {
            "version": VERSION,
            "status": "failed" if error else "done",
            "error": error,
            "title": task.title,
            "number": task.number,
            "recording": task.written,
            "recording_from_here": displayed(_from(place, Path(task.recording))),
            "parameters": task.parameters,
            "sources": {**task.sources, "input": summary.pop("input", "")},
            "summary": {**summary, "seconds": round(seconds, 3)},
            "host": platform.node(),
            "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        },
    )
    store.put(folder, task.name)


def _summary(folder: Path) -> dict[str, Any]:
    """Return what the table of results says of a run."""
    record = read_or_empty(folder / MARKER)
    layout, cues = read_or_empty(folder / "layout.json"), read_or_empty(folder / "cues.json")
    sources = cues.get("sources", [])
    frames, given = record.get("frames", {}), record.get("input", {})
    return {
        "input": given.get("sha256", ""),
        "caption": layout.get("caption", ""),
        "sources": ", ".join(source.get("label") or "unknown" for source in sources),
        "motion": ", ".join(source.get("motion", "") for source in sources),
        "duration_s": given.get("duration_s"),
        **{name: frames.get(name) for name in ("width", "height", "fps")},
        "frames": frames.get("count"),
        "frames_sha256": frames.get("sha256", ""),
        "pipeline_s": round(sum(record.get("timings_s", {}).values()), 3),
        "notes": " ".join(record.get("notes", [])),
    }


def _thumbnail(video: Path, target: Path) -> None:
    """Keep the frame in the middle as a small picture; without one the index shows none."""
    import av

    with contextlib.suppress(av.error.FFmpegError, IndexError), av.open(str(video)) as container:
        stream = container.streams.video[0]
        frames = islice(container.decode(stream), (stream.frames or 1) // 2, None)
        for picture in (frame.to_image() for frame in islice(frames, 1)):
            width = min(_THUMBNAIL_WIDTH, picture.width)
            height = max(round(picture.height * width / picture.width), 1)
            picture.resize((width, height)).save(target, "WEBP", quality=80)


def _from(place: Path, path: Path) -> str:
    try:
        return os.path.relpath(path, place)
    except ValueError:  # another drive
        return str(path)
