"""Where a preset's weights lie: shipped, in a folder of the user's, or on the Hugging Face hub.

Published weights are looked for in the folder that the environment variable ``SPA2V_WEIGHTS``
names, as ``<folder>/<owner>/<repository>/...``; what is not there comes from the hub, into the
hub's own cache, and only because a preset that needs it was asked for.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource
from spa2v_lib.sampling.presets import Preset, Source

__all__ = [
    "FOLDER_VARIABLE",
    "check_weights",
    "locate",
    "weight_files",
    "weight_hashes",
    "whereabouts",
]

FOLDER_VARIABLE = "SPA2V_WEIGHTS"

_SHIPPED = {"vae", "unet", "text_encoder", "motion_adapter", "grounding"}


def check_weights(preset: Preset) -> None:
    """Refuse a preset whose weights are not at hand and cannot be fetched.

    The hub is not asked; whether it answers shows when the weights are loaded. Where
    ``HF_HUB_OFFLINE`` forbids to ask it, what is not here already is refused.

    Raises
    ------
    DataError
    """
    if preset.folder:
        weight_files(preset)
    for what, source in preset.sources.items():
        if source.revision is None and _in_folder(source) is None:
            raise DataError(
                f"preset {preset.name!r} needs {what}, which the hub does not hold: {source.hint}; "
                f"put {', '.join(source.files)} into {_wanted(source)}"
            )
        if source.revision and _offline() and not _is_here(source):
            raise DataError(
                f"preset {preset.name!r} needs {what}: the weights of {source.repository} are "
                f"neither in {_wanted(source)} nor to be had from the hub: they are not in its "
                "cache, and HF_HUB_OFFLINE forbids to fetch them; unset it, or put them there"
            )


def whereabouts(preset: Preset) -> dict[str, str]:
    """Say where every part of published weights is; the hub is not asked.

    Returns
    -------
    dict of str to str
        "on disk", "in the hub's cache", "to be fetched" or "to be put there by hand", by what the
        part is; nothing for shipped weights.
    """
    return {what: _whereabouts(source) for what, source in preset.sources.items()}


def _whereabouts(source: Source) -> str:
    if _in_folder(source) is not None:
        return "on disk"
    if source.revision is None:
        return "to be put there by hand"
    return "in the hub's cache" if _in_cache(source) else "to be fetched"


def locate(source: Source) -> Path:
    """Return the folder that holds a source's files, fetching them if need be.

    Raises
    ------
    DataError
        If they are neither in the user's folder nor to be had from the hub.
    """
    found = _in_folder(source)
    if found is not None:
        return found
    if source.revision is None:
        raise DataError(f"{source.repository} is missing: {source.hint}; put it where it is sought")
    return _from_hub(source)


def weight_files(preset: Preset) -> list[Path]:
    """Return the shipped weight files that sampling reads; none for published weights.

    Raises
    ------
    DataError
        If some are missing.
    """
    if preset.folder is None:
        return []
    files = sorted(resource(*preset.folder).rglob("*.safetensors"))
    found = {path.parent.name for path in files}
    if missing := sorted(_SHIPPED - found):
        raise DataError(
            f"preset {preset.name!r} lacks weights in {'/'.join(('data', *preset.folder))}: "
            f"{', '.join(missing)}; reinstall spa2v or train them "
            "(python -m spa2v_lab.training.train)"
        )
    return [path for path in files if path.parent.name in _SHIPPED]


def weight_hashes(preset: Preset) -> dict[str, str]:
    """Return what identifies the weights: SHA-256 by file if shipped, revision by repository.

    Raises
    ------
    DataError
        If shipped weights are missing.
    """
    published = {
        s.repository: s.revision or "a file of the user's" for s in preset.sources.values()
    }
    if preset.folder is None:
        return published
    folder = resource(*preset.folder)
    return published | {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in weight_files(preset)
    }


def _wanted(source: Source) -> str:
    chosen = os.environ.get(FOLDER_VARIABLE)
    root = chosen or f"the folder that {FOLDER_VARIABLE} names"
    return f"{root}/{source.repository}"


def _in_folder(source: Source) -> Path | None:
    """Return the user's folder of a source if it holds a file for every pattern."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    folder = Path(chosen) / source.repository if chosen else None
    return folder if folder is not None and _holds(folder, source) else None


def _holds(folder: Path, source: Source) -> bool:
    return all(any(folder.glob(pattern)) for pattern in source.files)


def _is_here(source: Source) -> bool:
    return _in_folder(source) is not None or _in_cache(source)


def _in_cache(source: Source) -> bool:
    """Whether the hub's cache holds a file for every pattern; what was broken off does not count.

    Older versions of the hub's client take a revision for complete if anything of it is there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            source.repository,
            revision=source.revision,
            allow_patterns=list(source.files),
            local_files_only=True,
        )
    except (LocalEntryNotFoundError, OSError):
        return False
    return _holds(Path(folder), source)


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@cache
def _from_hub(source: Source) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            source.repository, revision=source.revision, allow_patterns=list(source.files)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"the weights of {source.repository} are neither in {_wanted(source)} nor to be had "
            f"from the hub: {reason}"
        ) from error
    return Path(folder)
