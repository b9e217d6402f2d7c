"""``run.json``: what a run was made from and with, enough to know and to repeat it."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import RunError
from spa2v_lib.files import read_json, write_json

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.runs.settings import Settings
    from spa2v_lib.video import Video

__all__ = [
    "MARKER",
    "VERSION",
    "bare_code",
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

VERSION = "spa2v.run/2"
"""Written today; ``spa2v.run/1`` is read, too."""

_PACKAGE = Path(__file__).resolve().parent.parent
_DECISIVE = ("audio", "layout", "cues", "planning", "sampling", "video.py")
_DECISIVE_OF_RUNS = ("make.py", "settings.py")
_TAGGER = ("embedding.safetensors", "tagger.safetensors")
_FIRST_DEFAULTS = {"tagger": "embedded", "guidance_start": 0.0, "guidance_stop": 1.0}
"""What runs of the first version did, though it was no parameter yet."""
_TABLES = {"input", "parameters", "frames", "weights", "environment", "files"}


def describe(
    settings: Settings,
    recording: Recording,
    input_hash: str,
    cues: SpatialCues,
    video: Video,
    layout_given: bool,
) -> dict[str, Any]:
    """Gather what is needed to know a run and to repeat it.

    Parameters
    ----------
    settings : Settings
        Parameters of the run.
    recording : Recording
        What was analyzed.
    input_hash : str
        SHA-256 of the recording's file.
    cues : SpatialCues
        What was measured in it.
    video : Video
        What was sampled.
    layout_given : bool
        Whether the layout was given instead of planned.

    Returns
    -------
    dict
        The content of ``run.json`` but for timings and files.

    See Also
    --------
    read_record : Reads what was written.

    Examples
    --------
    >>> import numpy as np
    >>> from spa2v_lib.audio import Recording
    >>> from spa2v_lib.cues import analyze
    >>> from spa2v_lib.layout.scene_layout import VideoSceneLayout
    >>> from spa2v_lib.runs.settings import Settings
    >>> from spa2v_lib.video import Video
    >>> noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    >>> recording = Recording.from_samples(noise, 16000, name="rain")
    >>> analysis = analyze(recording, label="rain")
    >>> layout = VideoSceneLayout(
    ...     caption="rain", frame_captions=["rain"], key_times_s=[0.0], objects=[], duration_s=1.0
    ... )
    >>> video = Video(np.zeros((8, 16, 16, 3), np.uint8), 8.0, layout)
    >>> record = describe(Settings(seed=3), recording, "0" * 64, analysis.cues, video, False)
    >>> record["seed"], record["frames"]["count"], record["input"]["duration_s"]
    (3, 8, 1.0)
    """
    from spa2v_lib.doctor import environment
    from spa2v_lib.sampling.image_layout import image_note

    count, height, width, _ = video.frames.shape
    of_image = image_note(settings.sampled_with(), video.layout)
    return {
        "version": VERSION,
        "input": {
            "name": recording.name,
            "sha256": input_hash,
            "duration_s": round(recording.duration_s, 4),
            "rate": recording.rate,
            "channels": recording.channels,
        },
        "parameters": {**settings.model_dump(), "fps": video.fps, "layout_given": layout_given},
        "seed": settings.seed,
        "frames": {
            "count": count,
            "width": width,
            "height": height,
            "fps": video.fps,
            "sha256": video.sha256(),
        },
        "weights": weights_of(settings),
        "code": code_hash(),
        "environment": environment(),
        "notes": list(
            dict.fromkeys(
                [
                    *recording.notes,
                    *cues.notes,
                    *_drawn_instead(video, settings),
                    *([of_image] if of_image else []),
                ]
            )
        ),
    }


def _drawn_instead(video: Video, settings: Settings) -> list[str]:
    from spa2v_lib.sampling.vocabulary import substitutions

    labels = [item.label for item in video.layout.objects]
    drawn = substitutions(labels, settings.sampled_with())
    return [
        f"preset {settings.preset!r} cannot draw {label!r}: it draws {instead!r}, the nearest class"
        for label, instead in drawn.items()
    ]


def weights_of(settings: Settings) -> dict[str, str]:
    """Return what identifies every weight file that a run reads: the preset's and the tagger's.

    Raises
    ------
    Spa2vError
        If there is no such preset, or shipped weights are missing.

    Parameters
    ----------
    settings : Settings
        Preset, base, LoRA and speed of the run.

    Returns
    -------
    dict of str to str
        A SHA-256 or a revision on the hub, by the name of the file or repository.

    Examples
    --------
    >>> from spa2v_lib.runs.settings import Settings
    >>> len(weights_of(Settings())["tagger/tagger.safetensors"])
    64
    """
    from spa2v_lib.resources import resource
    from spa2v_lib.sampling import weight_hashes

    drawing = weight_hashes(settings.sampled_with())
    naming = {f"tagger/{file}": file_hash(resource("models", "tagger", file)) for file in _TAGGER}
    return {**drawing, **naming}


@cache
def code_hash() -> str:
    """Return the SHA-256 of the code that cues, layout and frames follow from.

    That is the code of the stages with their tables, and of the run that joins them, without
    docstrings and comments. Pages, figures, batches and the command line change no result, and are
    left out.

    See Also
    --------
    bare_code : What is hashed of a file.

    Examples
    --------
    >>> len(code_hash())
    64
    """
    digest = hashlib.sha256()
    places = [*(_PACKAGE / part for part in _DECISIVE)]
    places += [_PACKAGE / "runs" / name for name in _DECISIVE_OF_RUNS]
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix not in (".py", ".csv"):
                continue
            text = path.read_text(encoding="utf-8")
            code = bare_code(text) if path.suffix == ".py" else text
            digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\n{code}\n".encode())
    return digest.hexdigest()


def bare_code(source: str) -> str:
    r"""Return Python code without comments, docstrings and its author's line breaks.

    Parameters
    ----------
    source : str
        Python source text.

    Examples
    --------
    >>> bare_code("def double(x):\n    'Twice.'\n    return 2*x  # simple")
    'def double(x):\n    return 2 * x'
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a string alone, as docstrings are."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def read_record(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the ``run.json`` of a run folder; one of an earlier version as it would be today.

    Parameters
    ----------
    folder : path
        A run folder.

    Raises
    ------
    RunError
        If there is none, or it was not written by this library.

    See Also
    --------
    write_record : Writes it.

    Examples
    --------
    >>> read_record("no/such/run")
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.RunError: no/such/run is not a run folder: it has no run.json
    """
    path = Path(folder) / MARKER
    if not path.exists():
        raise RunError(f"{folder} is not a run folder: it has no {MARKER}")
    record = read_json(path, RunError)
    if record.get("version") not in (VERSION, "spa2v.run/1"):
        raise RunError(f"{path} is not the record of a run; its version must be {VERSION!r}")
    if missing := sorted((_TABLES | {"seed"}) - set(record)):
        raise RunError(f"{path} lacks {', '.join(missing)}")
    if wrong := sorted(key for key in _TABLES if not isinstance(record[key], dict)):
        raise RunError(f"{path} is damaged: {', '.join(wrong)} should be tables")
    return record if record["version"] == VERSION else _upgraded(record)


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 1 under today's names."""
    timings = record.get("timings_s")
    if isinstance(timings, dict):
        timings = {("analyze" if k == "hear" else k): v for k, v in timings.items()}
    parameters = {**_FIRST_DEFAULTS, **record["parameters"]}
    if parameters.get("steps") is None:  # the preset's, then
        parameters["steps"] = 30 if parameters.get("preset") == "wan-vace" else 25
    grounding = parameters.get("grounding")
    if isinstance(grounding, str):
        parameters = {**parameters, "grounding": re.sub(r"\bactive=", "stop=", grounding)}
    return {**record, "version": VERSION, "timings_s": timings or {}, "parameters": parameters}


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``run.json``, with the size and hash of every other file that is in the folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where the run's other files are already.
    record : dict
        From `describe`; its "files" are set.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "cues.json").write_text("{}")
    >>> write_record(folder, {"seed": 3})
    >>> read_json(folder / "run.json", RunError)["files"]["cues.json"]["bytes"]
    2
    """
    record["files"] = {path.name: file_entry(path) for path in sorted(folder.iterdir())}
    write_json(folder / MARKER, record)


def file_entry(path: Path) -> dict[str, Any]:
    """Return a file's size and hash.

    Parameters
    ----------
    path : pathlib.Path
        A file that can be read.

    Returns
    -------
    dict
        "bytes" and "sha256".

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("abc")
    >>> entry = file_entry(path)
    >>> entry["bytes"], entry["sha256"][:8]
    (3, 'ba7816bf')
    """
    return {"bytes": path.stat().st_size, "sha256": file_hash(path)}


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Parameters
    ----------
    path : pathlib.Path
        A file that can be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("abc")
    >>> file_hash(path)[:8]
    'ba7816bf'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
