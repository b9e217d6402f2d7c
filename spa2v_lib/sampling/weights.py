"""Where a preset's weights lie: shipped, in a folder of the user's, or on the Hugging Face hub.

Published weights are looked for in the folder that the environment variable ``SPA2V_WEIGHTS``
names, as ``<folder>/<owner>/<repository>/...``; what is not there comes from the hub, into the
hub's own cache, and only because a preset that needs it was asked for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from spa2v_lib.errors import DataError
from spa2v_lib.resources import install_command, resource
from spa2v_lib.sampling.presets import Preset, Source, get_preset

__all__ = [
    "FOLDER_VARIABLE",
    "Download",
    "check_weights",
    "fetch",
    "layer_file",
    "locate",
    "planned_downloads",
    "source_files",
    "weight_files",
    "weight_hashes",
    "whereabouts",
]

FOLDER_VARIABLE = "SPA2V_WEIGHTS"

_SHIPPED = {"vae", "unet", "text_encoder", "motion_adapter", "grounding"}
_WEIGHTS = (".safetensors", ".bin", ".ckpt")
_USUAL_LORA = "pytorch_lora_weights.safetensors"

Announce = Callable[[str], None]


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


def check_weights(preset: Preset) -> None:
    """Refuse a preset whose weights or packages are missing and cannot be fetched.

    The hub is not asked; whether it answers shows when the weights are loaded. Where
    ``HF_HUB_OFFLINE`` forbids to ask it, what is not here already is refused.

    Parameters
    ----------
    preset : Preset

    Raises
    ------
    DataError
        The message says what is missing and how to get it.

    Examples
    --------
    >>> check_weights(get_preset("tiny"))
    """
    if missing := [name for name in preset.packages if find_spec(name) is None]:
        raise DataError(
            f"preset {preset.name!r} needs the package{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}, not installed here; "
            f"{install_command(preset.extra)} installs it"
        )
    if preset.folder:
        weight_files(preset)
    for what, source in preset.sources.items():
        if source.revision is None and _in_folder(source) is None:
            raise DataError(
                f"preset {preset.name!r} needs {what}, which the hub does not hold: {source.hint}; "
                f"put {', '.join(source.files)} into {_wanted(source)}"
            )
        if source.revision and _offline() and _present(source) is None:
            raise DataError(
                f"preset {preset.name!r} needs {what}: the weights of {source.repository} are "
                f"neither in {_wanted(source)} nor to be had from the hub: they are not in its "
                "cache, and HF_HUB_OFFLINE forbids to fetch them; unset it, or put them there"
            )


def whereabouts(preset: Preset) -> dict[str, str]:
    """Say where every part of published weights is; the hub is not asked.

    Parameters
    ----------
    preset : Preset

    Returns
    -------
    dict of str to str
        "on disk" or "in the hub's cache", with the size; "to be fetched" or "to be put there by
        hand"; by what the part is. Nothing for shipped weights.

    Examples
    --------
    >>> whereabouts(get_preset("tiny"))
    {}
    """
    return {what: _whereabouts(source) for what, source in preset.sources.items()}


def _whereabouts(source: Source) -> str:
    folder = _in_folder(source)
    place = "on disk" if folder is not None else "in the hub's cache"
    folder = _present(source)
    if folder is not None:
        size = sum(path.stat().st_size for path in _matching(folder, source))
        return f"{place}, {size / 1e9:.2f} GB"
    return "to be fetched" if source.revision else "to be put there by hand"


def locate(source: Source) -> Path:
    """Return the folder that holds a source's files, fetching them if need be.

    Raises
    ------
    DataError
        If they are neither in the user's folder nor to be had from the hub.

    Examples
    --------
    >>> locate(Source("owner/by-hand", None, ("*.ckpt",), hint="ask its authors"))
    Traceback (most recent call last):
    spa2v_lib.errors.DataError: owner/by-hand is missing: ask its authors; put it where it is sought
    """
    found = _in_folder(source)
    if found is not None:
        return found
    if source.revision is None:
        raise DataError(f"{source.repository} is missing: {source.hint}; put it where it is sought")
    return _from_hub(source)


def layer_file(preset: Preset, method: str) -> Path | None:
    """Return the file of a grounding method's layers, fetching it if need be.

    Parameters
    ----------
    preset : Preset
    method : str
        Name of a grounding method.

    Returns
    -------
    Path or None
        None if the preset has no layers for the method.

    Raises
    ------
    DataError
        If it is neither here nor to be had.

    Examples
    --------
    >>> layer_file(get_preset("tiny"), "gligen").name
    'gligen.safetensors'
    >>> layer_file(get_preset("tiny"), "attention") is None
    True
    """
    if method not in preset.layers:
        return None
    place = preset.layers[method]
    if preset.folder:
        return resource(*preset.folder, *place.split("/"))
    source = preset.sources[place]
    return _matching(locate(source), source)[-1]  # safetensors come after other kinds


def planned_downloads(preset: Preset) -> list[Download]:
    """Ask the hub what it would send for a preset; nothing is fetched.

    Returns
    -------
    list of Download
        Nothing for what is on this machine already.

    Raises
    ------
    DataError
        If the hub does not answer.

    Examples
    --------
    >>> planned_downloads(get_preset("tiny"))
    []
    """
    return [
        _planned(what, source)
        for what, source in preset.sources.items()
        if source.revision and _present(source) is None
    ]


def fetch(preset: str | Preset, announce: Announce = print) -> list[Path]:
    """Download a preset's weights and check that they are complete; nothing is sampled.

    Repository, files and size of each part, and the free disk, are announced before anything is
    fetched.

    Parameters
    ----------
    preset : str or Preset
        Its name, or a variant of one.
    announce : callable
        Called with each line.

    Returns
    -------
    list of Path
        The folders that hold the parts.

    Raises
    ------
    SamplingError, DataError
        If there is no such preset, the hub does not answer, the disk is too small, or a part can
        only be put there by hand.

    Examples
    --------
    >>> [folder.name for folder in fetch("tiny")]
    tiny: all weights are on this machine
    ['tiny']
    """
    preset = get_preset(preset)
    check_weights(preset)
    downloads = planned_downloads(preset)
    if downloads:
        _check_disk(downloads, announce)
    folders = [locate(source) for source in preset.sources.values()]
    announce(f"{preset.name}: all weights are on this machine")
    return folders or [resource(*preset.folder or ())]


def weight_files(preset: Preset) -> list[Path]:
    """Return the shipped weight files of a preset; none for published weights.

    Raises
    ------
    DataError
        If some are missing.

    Examples
    --------
    >>> len(weight_files(get_preset("tiny")))
    6
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
    """Return the SHA-256 of every weight file of a preset that is on this machine.

    Wherever they came from: a file that somebody put into a folder counts as what it holds, not as
    what it is called.

    Returns
    -------
    dict of str to str
        By path below the preset's folder, or below the repository's name; a part that is not here
        yet has the pinned commit that it would come from, "to be fetched from" it.

    Raises
    ------
    DataError
        If shipped weights are missing.

    Examples
    --------
    >>> hashes = weight_hashes(get_preset("tiny"))
    >>> len(hashes["unet/diffusion_pytorch_model.safetensors"])
    64
    """
    if preset.folder is not None:
        folder = resource(*preset.folder)
        return {path.relative_to(folder).as_posix(): _sha256(path) for path in weight_files(preset)}
    hashes: dict[str, str] = {}
    for source in preset.sources.values():
        folder = _present(source)
        if folder is None:
            hashes[source.repository] = f"to be fetched from {source.revision or 'its authors'}"
            continue
        for path in _matching(folder, source):
            if path.suffix in _WEIGHTS:
                within = path.relative_to(folder).as_posix()
                hashes[f"{source.repository}/{within}"] = _sha256(path)
    return hashes


def source_files(source: Source) -> list[Path]:
    """Return the files of a source that are on this machine; none if it is not complete.

    Raises
    ------
    DataError
        If there are several where one is needed.

    Examples
    --------
    >>> source_files(Source("owner/by-hand", None, ("*.ckpt",)))
    []
    """
    folder = _present(source)
    return [] if folder is None else _matching(folder, source)


def _sha256(path: Path) -> str:
    status = path.stat()
    return _hashed(path.resolve(), status.st_size, status.st_mtime_ns)


@cache
def _hashed(path: Path, _size: int, _changed_ns: int) -> str:
    """Hash a file once, unless it changes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _wanted(source: Source) -> str:
    chosen = os.environ.get(FOLDER_VARIABLE)
    root = chosen or f"the folder that {FOLDER_VARIABLE} names"
    return f"{root}/{source.repository}"


def _in_folder(source: Source) -> Path | None:
    """Return the user's folder of a source if it holds a file for every pattern."""
    if source.folder:
        return Path(source.folder) if _holds(Path(source.folder), source) else None
    chosen = os.environ.get(FOLDER_VARIABLE)
    folder = Path(chosen) / source.repository if chosen else None
    return folder if folder is not None and _holds(folder, source) else None


def _holds(folder: Path, source: Source) -> bool:
    return all(any(folder.glob(pattern)) for pattern in source.files)


def _matching(folder: Path, source: Source) -> list[Path]:
    found = {path for pattern in source.files for path in folder.glob(pattern)}
    names = sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())
    return [folder / name for name in _sufficient(names, source)]


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


def _present(source: Source) -> Path | None:
    """Return the folder of a source that is on this machine, the user's before the hub's cache."""
    return _in_folder(source) or _in_cache(source)


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


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _planned(what: str, source: Source) -> Download:
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


def _is_match(name: str, pattern: str) -> bool:
    """Whether a path in a repository matches, of which "*" is one part, as with `Path.glob`."""
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)


def _check_disk(downloads: list[Download], announce: Announce) -> None:
    """Announce downloads and the free disk, and refuse what does not fit."""
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


def _unreachable(source: Source, error: Exception) -> DataError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(
        f"the weights of {source.repository} are neither in {_wanted(source)} nor to be had "
        f"from the hub: {reason}"
    )


@cache
def _from_hub(source: Source) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = source.files
    if _in_cache(source) is None and not _offline():
        download = _planned("weights", source)
        _check_disk([download], lambda line: print(line, file=sys.stderr))
        wanted = download.files
    try:
        folder = snapshot_download(
            source.repository, revision=source.revision, allow_patterns=list(wanted)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise _unreachable(source, error) from error
    return Path(folder)
