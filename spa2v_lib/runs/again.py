"""A run once more: to check that it comes out the same, or with other parameters."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spa2v_lib.errors import RunError
from spa2v_lib.runs.make import generate_run
from spa2v_lib.runs.record import code_hash, file_entry, file_hash, read_record, weights_of
from spa2v_lib.runs.settings import Settings, check_settings

__all__ = ["Difference", "Verification", "rerun", "verify"]

_PLANNING = {
    *("label", "capture", "clip", "max_seconds", "fps"),
    *("planner", "placement", "exemplars", "shots"),
}
"""What a layout follows from; when one of these changes, a layout that was given holds no more."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the run's record has it.

    Attributes
    ----------
    kind : {"file", "input", "version", "weights", "result"}
    name : str
    recorded, found : str
        "missing" where there is nothing.
    """

    kind: str
    name: str
    recorded: str
    found: str


@dataclass(frozen=True)
class Verification:
    """What came of executing a run again.

    Attributes
    ----------
    differences : list of Difference
        Of every kind; versions may differ without changing a frame.
    frames : str
        SHA-256 of the new frames.
    """

    differences: list[Difference]
    frames: str

    @property
    def reproduced(self) -> bool:
        """Whether the files are intact and cues, layout and frames came out the same."""
        return not any(found.kind in ("file", "result") for found in self.differences)


def verify(
    run: str | os.PathLike[str],
    *,
    recording: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Execute a run folder again from its ``run.json``, and say what differs.

    Nothing in the folder is changed.

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
    """
    folder = Path(run).resolve()
    record = read_record(folder)
    settings = _settings(folder, record)
    audio = _recording(folder, record, recording)
    found = [*_files(folder, record), *_input(audio, record), *_made_with(record, settings)]
    with tempfile.TemporaryDirectory() as place:
        again = Path(place) / "run"
        layout = _layout(folder, record, settings)
        generate_run(audio, again, layout=layout, progress=progress, **vars(settings))
        made = read_record(again)
        found += _results(folder, record, again, made)
    return Verification(found, made["frames"]["sha256"])


def rerun(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    recording: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
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
        concerns hearing or planning.

    Returns
    -------
    pathlib.Path
        `out`, absolute.

    Raises
    ------
    Spa2vError
        As for `verify` and `generate_run`.
    """
    folder = Path(run).resolve()
    record = read_record(folder)
    settings = _settings(folder, record, changes)
    layout = None if _PLANNING & set(changes) else _layout(folder, record, settings)
    audio = _recording(folder, record, recording)
    return generate_run(
        audio, out, layout=layout, overwrite=overwrite, progress=progress, **vars(settings)
    )


def _settings(folder: Path, record: dict[str, Any], changes: dict[str, Any] | None = None) -> Any:
    names = {field.name for field in fields(Settings)}
    given = {key: value for key, value in record["parameters"].items() if key in names}
    try:
        settings = Settings(**{**given, **(changes or {})})
        check_settings(settings)
    except (TypeError, AttributeError) as error:
        raise RunError(f"the parameters in {folder / 'run.json'} do not fit: {error}") from error
    return settings


def _layout(folder: Path, record: dict[str, Any], settings: Settings) -> Path | None:
    return folder / "layout.json" if record["parameters"].get("layout_given") else None


def _recording(folder: Path, record: dict[str, Any], given: str | os.PathLike[str] | None) -> Path:
    if given is not None:
        if not Path(given).is_file():
            raise RunError(f"no recording {given}; give the file that the run was made from")
        return Path(given)
    name, wanted = str(record["input"].get("name")), record["input"].get("sha256")
    for path in _places(folder, Path(name).name):
        if path.is_file() and file_hash(path) == wanted:
            return path
    raise RunError(
        f"the recording {name} with SHA-256 {str(wanted)[:16]}… is not beside the run nor in the "
        "current folder; name it (--recording FILE)"
    )


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Yield where the recording may be, the likeliest place first."""
    try:
        item = json.loads((folder / "item.json").read_text(encoding="utf-8"))
        yield folder / item["recording_from_here"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not an item of a batch
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


def _input(audio: Path, record: dict[str, Any]) -> Iterator[Difference]:
    now = file_hash(audio)
    if now != record["input"].get("sha256"):
        yield Difference("input", audio.name, str(record["input"].get("sha256")), now)


def _made_with(record: dict[str, Any], settings: Settings) -> Iterator[Difference]:
    """Compare versions, device, code and weights."""
    from spa2v_lib.doctor import environment

    yield from _compare("weights", record["weights"], weights_of(settings.preset))
    yield from _compare("version", _flat(record["environment"]), _flat(environment()))
    yield from _compare("version", {"code": record.get("code")}, {"code": code_hash()})


def _flat(made: dict[str, Any]) -> dict[str, Any]:
    """Return versions and device by name; how many cores there are decides nothing."""
    packages = made.get("packages")
    rest = {key: made.get(key) for key in ("spa2v", "commit", "python", "system", "device")}
    return {**rest, **(packages if isinstance(packages, dict) else {})}


def _compare(kind: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield Difference(
                kind, name, str(was.get(name) or "missing"), str(now.get(name) or "missing")
            )


def _results(
    folder: Path, record: dict[str, Any], again: Path, made: dict[str, Any]
) -> Iterator[Difference]:
    for name in ("cues.json", "layout.json"):
        before, after = _content(folder / name), _content(again / name)
        if before != after and before is not None:
            yield Difference("result", name, "another content", "another content")
    was, now = str(record["frames"].get("sha256")), made["frames"]["sha256"]
    if was != now:
        yield Difference("result", "frames", was, now)


def _content(path: Path) -> Any:
    """Return what a JSON file says, without the recording's name; None if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(content, dict):
        content.pop("recording", None)
    return content
