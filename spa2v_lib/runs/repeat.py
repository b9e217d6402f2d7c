"""A run once more: to check that it comes out the same, or with other parameters."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import RunError, SettingsError, Spa2vError
from spa2v_lib.files import read_json
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs.make import StageProgress, generate_run
from spa2v_lib.runs.record import code_hash, file_entry, file_hash, read_record, weights_of
from spa2v_lib.runs.settings import Settings, check_settings

__all__ = ["Difference", "Verification", "rerun", "verify"]

_SENTENCES = ("notes", "reasoning")
"""What is written for people and conditions nothing."""


@dataclass(frozen=True)
class Difference:
    """One point in which the repetition, or the folder, differs from the run's record.

    Attributes
    ----------
    category : {"file", "input", "version", "weights", "result"}
        "file": a file of the folder was changed. "result": cues, layout or frames came out
        different. The others may explain why, and change nothing by themselves.
    name : str
        Which file, package, weight file or result.
    recorded, actual : str
        What ``run.json`` has, and what is there now; "missing" where there is nothing.

    Examples
    --------
    >>> changed = Difference("file", "video.mp4", recorded="0" * 64, actual="missing")
    >>> f"{changed.category} {changed.name}: {changed.actual}"
    'file video.mp4: missing'
    """

    category: str
    name: str
    recorded: str
    actual: str


@dataclass(frozen=True)
class Verification:
    """What came of executing a run again.

    Attributes
    ----------
    differences : list of Difference
        Of every category; versions may differ without changing a frame.
    frames : str
        SHA-256 of the new frames.

    See Also
    --------
    verify : Makes it.

    Examples
    --------
    >>> newer = Difference("version", "torch", "2.6.0", "2.7.0")
    >>> Verification([newer], "0" * 64).reproduced
    True
    """

    differences: list[Difference]
    frames: str

    @property
    def reproduced(self) -> bool:
        """Whether the files are intact and cues, layout and frames came out the same."""
        return not any(one.category in ("file", "result") for one in self.differences)


def verify(
    run: str | os.PathLike[str],
    *,
    recording: str | os.PathLike[str] | None = None,
    progress: StageProgress | None = None,
) -> Verification:
    """Execute a run folder again from its ``run.json``, and say what differs.

    Nothing in the folder is changed. Of cues and layout everything is compared but notes and
    reasoning, which are sentences for people. Folders that earlier versions wrote are read as they
    would be written today.

    Parameters
    ----------
    run : path
        A folder that `generate_run` or a batch made.
    recording : path, optional
        The recording. If it is not given, it is looked for by name and hash: where the batch
        found it, beside the run folder, and in the current folder.
    progress : callable, optional
        As for `generate_run`.

    Returns
    -------
    Verification

    Raises
    ------
    RunError
        If `run` is not a run folder, or its recording is not found.
    Spa2vError
        If the run cannot be executed here at all.

    See Also
    --------
    rerun : Make a run again with other parameters.

    Examples
    --------
    >>> verify("no/such/run")
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.RunError: no/such/run is not a run folder: it has no run.json
    """
    from spa2v_lib.doctor import environment

    record = read_record(run)
    folder = Path(run).resolve()
    weights = weights_of(_settings(folder, record, {}))
    audio = _recording(folder, record, recording)
    given = {audio.name: record["input"].get("sha256")}
    differences = [
        *_files(folder, record),
        *_compare("input", given, {audio.name: file_hash(audio)}),
        *_compare("weights", record["weights"], weights),
        *_compare("version", _flat(record["environment"]), _flat(environment())),
        *_compare("version", {"code": record.get("code")}, {"code": code_hash()}),
    ]
    with tempfile.TemporaryDirectory(prefix="spa2v-verify-") as place:
        again = rerun(run, Path(place) / "run", recording=audio, progress=progress)
        made = read_record(again)
        differences += _results(folder, record, again, made)
    return Verification(differences, made["frames"]["sha256"])


def rerun(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    recording: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: StageProgress | None = None,
    **changes: Any,
) -> Path:
    """Make a run again with some parameters changed.

    Parameters
    ----------
    run : path
        The run folder whose ``run.json`` gives the recording and all other parameters.
    out : path
        The folder to make.
    recording : path, optional
        As for `verify`; here it may also be another one.
    overwrite, progress
        As for `generate_run`.
    **changes
        Fields of `Settings`. A run that was drawn from a given layout keeps it, unless a change
        concerns what comes before sampling.

    Returns
    -------
    pathlib.Path
        `out`, absolute.

    Raises
    ------
    Spa2vError
        As for `verify` and `generate_run`.

    See Also
    --------
    spa2v_lib.runs.verify : Whether a run is as it says.

    Examples
    --------
    >>> rerun("no/such/run", "out", seed=4)
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.RunError: no/such/run is not a run folder: it has no run.json
    """
    record = read_record(run)
    folder = Path(run).resolve()
    settings = _settings(folder, record, changes)
    replanned = set(changes) & set(Settings.of_stages("read", "cut", "analyze", "plan"))
    layout = None if replanned else _given_layout(folder, record)
    audio = _recording(folder, record, recording)
    return generate_run(
        audio,
        out,
        layout=layout,
        overwrite=overwrite,
        progress=progress,
        **settings.model_dump(),
    )


def _settings(folder: Path, record: dict[str, Any], changes: dict[str, Any]) -> Settings:
    """Return the recorded settings with some changed; what is recorded beside them is left out."""
    recorded = {k: v for k, v in record["parameters"].items() if k in Settings.model_fields}
    try:
        Settings.of(recorded)
    except SettingsError as error:
        raise RunError(f"the parameters in {folder / 'run.json'} do not fit: {error}") from error
    settings = Settings.of({**recorded, **changes})
    check_settings(settings)
    return settings


def _given_layout(folder: Path, record: dict[str, Any]) -> Path | None:
    return folder / "layout.json" if record["parameters"].get("layout_given") else None


def _recording(folder: Path, record: dict[str, Any], given: str | os.PathLike[str] | None) -> Path:
    if given is not None:
        if not Path(given).is_file():
            raise RunError(f"no recording {given}; give the file that the run was made from")
        return Path(given)
    name, digest = str(record["input"].get("name")), record["input"].get("sha256")
    for path in _places(folder, Path(name).name):
        if path.is_file() and file_hash(path) == digest:
            return path
    raise RunError(
        f"the recording {name} with SHA-256 {str(digest)[:16]}… is not beside the run nor in the "
        "current folder; name it (--recording FILE)"
    )


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Yield where the recording may be, the likeliest place first."""
    with suppress(RunError, KeyError, TypeError):  # not an item of a batch
        item = read_json(folder / "item.json", RunError)
        yield folder / item["recording_from_here"]
    yield from (place / name for place in (folder, folder.parent, Path.cwd()))


def _files(folder: Path, record: dict[str, Any]) -> Iterator[Difference]:
    for name, entry in record["files"].items():
        path = folder / Path(name).name
        if not path.is_file():
            yield Difference("file", name, _digest(entry), "missing")
        elif (now := file_entry(path)) != entry:
            yield Difference("file", name, _digest(entry), _digest(now))


def _digest(entry: Any) -> str:
    return str(entry.get("sha256", "?")) if isinstance(entry, dict) else "?"


def _flat(made: dict[str, Any]) -> dict[str, Any]:
    """Return versions and device by name; how many cores there are decides nothing."""
    packages = made.get("packages")
    rest = {key: made.get(key) for key in ("spa2v", "commit", "python", "system", "device")}
    return {**rest, **(packages if isinstance(packages, dict) else {})}


def _compare(category: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            recorded, actual = str(was.get(name) or "missing"), str(now.get(name) or "missing")
            yield Difference(category, name, recorded, actual)


def _results(
    folder: Path, record: dict[str, Any], again: Path, made: dict[str, Any]
) -> Iterator[Difference]:
    for name, form in (("cues.json", SpatialCues), ("layout.json", VideoSceneLayout)):
        try:
            before = form.load(folder / name)
        except Spa2vError:
            continue  # `_files` names it
        was, now = before.model_dump(exclude_unset=True), form.load(again / name).model_dump()
        changed = [key for key in was if key not in _SENTENCES and not _same(was[key], now[key])]
        changed = [key for key in changed if key != "recording"]  # its name, which may be another
        if changed:
            yield Difference("result", name, ", ".join(changed), "another content")
    frames = ({"frames": one["frames"].get("sha256")} for one in (record, made))
    yield from _compare("result", *frames)


def _same(was: Any, now: Any) -> bool:
    """Whether all that was recorded came out the same; later versions may record more."""
    if isinstance(was, dict) and isinstance(now, dict):
        return all(key in now and _same(value, now[key]) for key, value in was.items())
    if isinstance(was, list | tuple) and isinstance(now, list | tuple):
        return len(was) == len(now) and all(map(_same, was, now))
    return was == now
