"""``run.json``: what a run was made from and with, enough to know and to repeat it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import RunError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.runs.settings import Settings
    from spa2v_lib.video import Video

__all__ = [
    "MARKER",
    "VERSION",
    "code_hash",
    "describe",
    "file_entry",
    "file_hash",
    "read_record",
    "weights_of",
    "write_record",
]

MARKER = "run.json"
"""The file that marks a run folder."""

VERSION = "spa2v.run/1"

_PACKAGE = Path(__file__).resolve().parent.parent
_NO_PART = {"_data", "__pycache__", "batch", "bench", "cli", "demo.py", "metrics", "scenes", "tiny"}
_TAGGER = ("models", "tagger", "tagger.safetensors")
_KEYS = {"version", "input", "parameters", "seed", "frames", "weights", "environment", "files"}


def describe(
    wanted: Settings,
    recording: Recording,
    input_hash: str,
    cues: SpatialCues,
    video: Video,
    layout_given: bool,
) -> dict[str, Any]:
    """Gather what is needed to know, and to repeat, a run."""
    from spa2v_lib.doctor import environment

    count, height, width, _ = video.frames.shape
    return {
        "version": VERSION,
        "input": {
            "name": recording.name,
            "sha256": input_hash,
            "duration_s": round(recording.duration_s, 4),
            "rate": recording.rate,
            "channels": recording.channels,
        },
        "parameters": {**asdict(wanted), "fps": video.fps, "layout_given": layout_given},
        "seed": wanted.seed,
        "frames": {
            "count": count,
            "width": width,
            "height": height,
            "fps": video.fps,
            "sha256": video.sha256(),
        },
        "weights": weights_of(wanted.preset),
        "code": code_hash(),
        "environment": environment(),
        "notes": list(dict.fromkeys([*recording.notes, *cues.notes])),
    }


def weights_of(preset: str) -> dict[str, str]:
    """Return what identifies every weight file that a run reads: the preset's and the tagger's.

    Raises
    ------
    Spa2vError
        If there is no such preset, or shipped weights are missing.
    """
    from spa2v_lib.resources import resource
    from spa2v_lib.sampling import preset_info

    drawing: dict[str, str] = preset_info(preset)["weights"]  # type: ignore[assignment]
    return {**drawing, "/".join(_TAGGER[1:]): file_hash(resource(*_TAGGER))}


@cache
def code_hash() -> str:
    """Return the SHA-256 of the library's files that decide what a run makes.

    Simulated scenes, benchmarks, training and the command line are left out: they change nothing
    in a run folder.
    """
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        within = path.relative_to(_PACKAGE)
        if path.is_file() and not _NO_PART & set(within.parts) and path.suffix != ".pyc":
            digest.update(f"{within.as_posix()}\n{file_hash(path)}\n".encode())
    return digest.hexdigest()


def read_record(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the ``run.json`` of a run folder.

    Raises
    ------
    RunError
        If there is none, or it was not written by this library.
    """
    path = Path(folder) / MARKER
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{folder} is not a run folder: {MARKER}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(record, dict) or record.get("version") != VERSION:
        raise RunError(f"{path} is not a record of this kind; its version must be {VERSION!r}")
    if missing := sorted(_KEYS - set(record)):
        raise RunError(f"{path} lacks {', '.join(missing)}")
    if wrong := sorted(
        key for key in _KEYS - {"version", "seed"} if not isinstance(record[key], dict)
    ):
        raise RunError(f"{path} is damaged: {', '.join(wrong)} should be tables")
    return record


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``run.json``, with the size and hash of every other file that is in the folder."""
    record["files"] = {path.name: file_entry(path) for path in sorted(folder.iterdir())}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / MARKER).write_text(text, encoding="utf-8")


def file_entry(path: Path) -> dict[str, Any]:
    """Return a file's size and hash."""
    return {"bytes": path.stat().st_size, "sha256": file_hash(path)}


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
