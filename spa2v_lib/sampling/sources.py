"""Where the files of one source lie: in a folder of the user's, or on the Hugging Face hub.

Published weights are looked for in the folder that the environment variable ``SPA2V_WEIGHTS``
names, as ``<folder>/<owner>/<repository>/...``; what is not there comes from the hub, into the
hub's own cache, and only because a preset that needs it was asked for.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from spa2v_lib.errors import DataError
from spa2v_lib.sampling.presets import Source

__all__ = [
    "FOLDER_VARIABLE",
    "Announce",
    "Download",
    "announce_downloads",
    "hub_is_forbidden",
    "locate",
    "planned_download",
    "source_files",
    "source_folder",
    "user_folder",
    "wanted_folder",
]

FOLDER_VARIABLE = "SPA2V_WEIGHTS"

_USUAL_LORA = "pytorch_lora_weights.safetensors"

Announce = Callable[[str], None]
"""Is called with each line that a person should read."""


@dataclass(frozen=True)
class Download:
    """What the hub would send for one part of a preset.

    Attributes
    ----------
    part : str
        What it is, such as "base".
    repository : str
    files : tuple of str
    size_bytes : int
        Of all files together.

    Examples
    --------
    >>> print(Download("base", "owner/name", ("a.safetensors",), 2_500_000_000))
    base: 1 file of owner/name, 2.50 GB
    """

    part: str
    repository: str
    files: tuple[str, ...]
    size_bytes: int

    def __str__(self) -> str:
        count = f"{len(self.files)} file" + "s" * (len(self.files) != 1)
        return f"{self.part}: {count} of {self.repository}, {self.size_bytes / 1e9:.2f} GB"


def source_files(source: Source) -> list[Path]:
    """Return the files of a source that are on this machine; none if it is not complete.

    Parameters
    ----------
    source : Source
        Of a preset, or of a user's own.

    Returns
    -------
    list of Path
        Sorted by name; of weights in several precisions, those in half precision.

    Raises
    ------
    DataError
        If there are several where one is needed.

    See Also
    --------
    locate : Fetches what is not there.

    Examples
    --------
    >>> source_files(Source("owner/by-hand", None, ("*.ckpt",)))
    []
    """
    folder = source_folder(source)
    if folder is None:
        return []
    found = {path for pattern in source.files for path in folder.glob(pattern)}
    names = sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())
    return [folder / name for name in _sufficient(names, source)]


def source_folder(source: Source) -> Path | None:
    """Return the folder of a source that is on this machine, the user's before the hub's cache.

    Parameters
    ----------
    source : Source
        Of a preset, or of a user's own.

    Returns
    -------
    Path or None
        None if neither holds all of it.

    See Also
    --------
    locate : Fetches what is not there.

    Examples
    --------
    >>> source_folder(Source("owner/by-hand", None, ("*.ckpt",))) is None
    True
    """
    return user_folder(source) or _in_cache(source)


def user_folder(source: Source) -> Path | None:
    """Return the user's folder of a source if it holds a file for every pattern.

    Parameters
    ----------
    source : Source
        Whose own `folder` comes before the one that ``SPA2V_WEIGHTS`` names.

    Returns
    -------
    Path or None
        None if the user has none, or some file is missing there.

    Examples
    --------
    >>> user_folder(Source("owner/name", None, ("*.ckpt",), folder="/nowhere")) is None
    True
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    place = source.folder or (chosen and f"{chosen}/{source.repository}")
    return Path(place) if place and _holds(Path(place), source) else None


def wanted_folder(source: Source) -> str:
    """Say into which folder a user puts the files of a source.

    Parameters
    ----------
    source : Source
        Of published weights.

    Returns
    -------
    str
        A path, or what it would begin with where ``SPA2V_WEIGHTS`` is not set.

    Examples
    --------
    >>> wanted_folder(Source("owner/name", None, ("*.ckpt",))).endswith("/owner/name")
    True
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    root = chosen or f"the folder that {FOLDER_VARIABLE} names"
    return f"{root}/{source.repository}"


def locate(source: Source) -> Path:
    """Return the folder that holds a source's files, fetching them if need be.

    Parameters
    ----------
    source : Source
        Of a preset, or of a user's own.

    Returns
    -------
    Path
        The user's folder, or the one in the hub's cache.

    Raises
    ------
    DataError
        If they are neither in the user's folder nor to be had from the hub.

    See Also
    --------
    source_folder : Fetches nothing.

    Examples
    --------
    >>> locate(Source("owner/by-hand", None, ("*.ckpt",), hint="ask its authors"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: owner/by-hand is missing: ask its authors; put it where it is sought
    """
    found = user_folder(source)
    if found is not None:
        return found
    if source.revision is None:
        raise DataError(f"{source.repository} is missing: {source.hint}; put it where it is sought")
    return _from_hub(source)


def planned_download(what: str, source: Source) -> Download:
    """Ask the hub what it would send for a source; nothing is fetched.

    Parameters
    ----------
    what : str
        What the source is, such as "base".
    source : Source
        With a revision.

    Returns
    -------
    Download
        Repository, files and size.

    Raises
    ------
    DataError
        If the hub does not answer, or lacks a file.

    See Also
    --------
    spa2v_lib.sampling.weights.planned_downloads : Of all sources of a preset.

    Examples
    --------
    >>> planned_download("base", Source("owner/name", "0" * 40, ("*.bin",)))  # doctest: +SKIP
    """
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(
            source.repository, revision=source.revision, files_metadata=True, timeout=30
        )
    except Exception as error:  # whatever its HTTP client raises means: no answer
        raise _unreachable(source, error) from error
    sizes = {entry.rfilename: entry.size or 0 for entry in info.siblings or ()}
    found = {p: [name for name in sizes if _is_match(name, p)] for p in source.files}
    if lacking := [pattern for pattern, names in found.items() if not names]:
        raise DataError(f"{source.repository} on the hub lacks {', '.join(lacking)}")
    names = _sufficient(sorted({name for names in found.values() for name in names}), source)
    return Download(what, source.repository, tuple(names), sum(sizes[name] for name in names))


def announce_downloads(downloads: list[Download], announce: Announce) -> None:
    """Announce downloads and the free disk, and refuse what does not fit.

    Parameters
    ----------
    downloads : list of Download
        What is going to be fetched.
    announce : callable
        Called with each line.

    Raises
    ------
    DataError
        If the disk of the hub's cache is too small.

    Examples
    --------
    >>> lines = []
    >>> announce_downloads([Download("base", "owner/name", ("a.bin",), 5_000)], lines.append)
    >>> lines[0]
    'base: 1 file of owner/name, 0.00 GB'
    """
    from huggingface_hub import constants

    for download in downloads:
        announce(str(download))
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    total, free = sum(d.size_bytes for d in downloads), shutil.disk_usage(place).free
    announce(f"together {total / 1e9:.2f} GB, into {constants.HF_HUB_CACHE}: "
             f"{free / 1e9:.1f} GB are free")  # fmt: skip
    if total > free:
        raise DataError(
            f"{total / 1e9:.1f} GB are to be fetched and {free / 1e9:.1f} GB are free in {place}; "
            "make room, or set HF_HOME to a folder on a larger disk"
        )


def hub_is_forbidden() -> bool:
    """Tell whether ``HF_HUB_OFFLINE`` forbids to ask the hub.

    Returns
    -------
    bool

    Examples
    --------
    >>> hub_is_forbidden() in (True, False)
    True
    """
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _holds(folder: Path, source: Source) -> bool:
    return all(any(folder.glob(pattern)) for pattern in source.files)


def _sufficient(names: list[str], source: Source) -> list[str]:
    """Leave out what is there twice: of safetensors in several precisions, half precision is kept.

    Of a LoRA's repository its one file is wanted.
    """
    kept: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (".fp16." not in name, len(name))):
        folder, _, file = name.rpartition("/")
        alike = f"{folder}/{file.split('.')[0]}" if file.endswith(".safetensors") else name
        kept.setdefault(alike, name)
    chosen = sorted(kept.values())
    if source.files != ("*.safetensors",) or len(chosen) < 2:
        return chosen
    if _USUAL_LORA in chosen:
        return [_USUAL_LORA]
    raise DataError(
        f"{source.repository} holds several weights: {', '.join(chosen)}; name one, as "
        f"{source.repository}/{chosen[0]}"
    )


def _in_cache(source: Source) -> Path | None:
    """Return the hub's cache of a source if it holds a file for every pattern.

    A download that was broken off does not count. Older versions of the hub's client take a
    revision for complete if anything of it is there.
    """
    if source.revision is None:
        return None
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
        return None
    return Path(folder) if _holds(Path(folder), source) else None


def _is_match(name: str, pattern: str) -> bool:
    """Whether a path in a repository matches, of which "*" is one part, as with `Path.glob`."""
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)


def _unreachable(source: Source, error: Exception) -> DataError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(
        f"the weights of {source.repository} are neither in {wanted_folder(source)} nor to be had "
        f"from the hub: {reason}"
    )


@cache
def _from_hub(source: Source) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = source.files
    if _in_cache(source) is None and not hub_is_forbidden():
        download = planned_download("weights", source)
        announce_downloads([download], lambda line: print(line, file=sys.stderr))
        wanted = download.files
    try:
        folder = snapshot_download(
            source.repository, revision=source.revision, allow_patterns=list(wanted)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise _unreachable(source, error) from error
    return Path(folder)
