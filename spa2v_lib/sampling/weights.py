"""The weights of a preset: whether they are here, what would be fetched, and their hashes.

Where the files of each of its parts lie, `spa2v_lib.sampling.sources` knows.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from spa2v_lib.errors import DataError
from spa2v_lib.resources import install_command, resource
from spa2v_lib.sampling.presets import Preset, Source, get_preset
from spa2v_lib.sampling.sources import (
    Announce,
    Download,
    announce_downloads,
    hub_is_forbidden,
    locate,
    planned_download,
    source_files,
    source_folder,
    user_folder,
    wanted_folder,
)

__all__ = [
    "check_weights",
    "fetch",
    "layer_file",
    "planned_downloads",
    "weight_files",
    "weight_hashes",
    "whereabouts",
]

_SHIPPED = {"vae", "unet", "text_encoder", "motion_adapter", "grounding"}
_WEIGHTS = (".safetensors", ".bin", ".ckpt")


def check_weights(preset: Preset) -> None:
    """Refuse a preset whose weights or packages are missing and cannot be fetched.

    The hub is not asked; whether it answers shows when the weights are loaded. Where
    ``HF_HUB_OFFLINE`` forbids to ask it, what is not here already is refused.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Raises
    ------
    DataError
        The message says what is missing and how to get it.

    See Also
    --------
    fetch : Gets what is missing.

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
        if source.revision is None and user_folder(source) is None:
            raise DataError(
                f"preset {preset.name!r} needs {what}, which the hub does not hold: {source.hint}; "
                f"put {', '.join(source.files)} into {wanted_folder(source)}"
            )
        if source.revision and hub_is_forbidden() and source_folder(source) is None:
            raise DataError(
                f"preset {preset.name!r} needs {what}: the weights of {source.repository} are "
                f"neither in {wanted_folder(source)} nor to be had from the hub: they are not in "
                "its cache, and HF_HUB_OFFLINE forbids to fetch them; unset it, or put them there"
            )


def whereabouts(preset: Preset) -> dict[str, str]:
    """Say where every part of published weights is; the hub is not asked.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Returns
    -------
    dict of str to str
        "on disk" or "in the hub's cache", with the size; "to be fetched" or "to be put there by
        hand", with about the size; by what the part is. Nothing for shipped weights.

    See Also
    --------
    fetch : Gets what is missing.

    Examples
    --------
    >>> whereabouts(get_preset("tiny"))
    {}
    """
    return {what: _whereabouts(source) for what, source in preset.sources.items()}


def _whereabouts(source: Source) -> str:
    if source_folder(source) is None:
        about = f", about {source.size_gb:.2f} GB" * bool(source.size_gb)
        return ("to be fetched" if source.revision else "to be put there by hand") + about
    place = "in the hub's cache" if user_folder(source) is None else "on disk"
    size = sum(path.stat().st_size for path in source_files(source))
    return f"{place}, {size / 1e9:.2f} GB"


def layer_file(preset: Preset, method: str) -> Path | None:
    """Return the file of a grounding method's layers, fetching it if need be.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.
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

    See Also
    --------
    spa2v_lib.sampling.loading.load : Loads it.

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
    locate(source)
    return source_files(source)[-1]  # safetensors come after other kinds


def planned_downloads(preset: Preset) -> list[Download]:
    """Ask the hub what it would send for a preset; nothing is fetched.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Returns
    -------
    list of Download
        Nothing for what is on this machine already.

    Raises
    ------
    DataError
        If the hub does not answer.

    See Also
    --------
    fetch : Fetches them.

    Examples
    --------
    >>> planned_downloads(get_preset("tiny"))
    []
    """
    return [
        planned_download(what, source)
        for what, source in preset.sources.items()
        if source.revision and source_folder(source) is None
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

    See Also
    --------
    planned_downloads : What would be fetched.

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
        announce_downloads(downloads, announce)
    folders = [locate(source) for source in preset.sources.values()]
    announce(f"{preset.name}: all weights are on this machine")
    return folders or [resource(*preset.folder or ())]


def weight_files(preset: Preset) -> list[Path]:
    """Return the shipped weight files of a preset; none for published weights.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

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

    An image prompt counts as one, as "image" and its name.

    Wherever they came from: a file that somebody put into a folder counts as what it holds, not as
    what it is called.

    Parameters
    ----------
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Returns
    -------
    dict of str to str
        By path below the preset's folder, or below the repository's name; a part that is not here
        yet has the pinned commit that it would come from, "to be fetched from" it.

    Raises
    ------
    DataError
        If shipped weights are missing.

    See Also
    --------
    whereabouts : Where the weights are.

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
    if preset.image:
        hashes[f"image {Path(preset.image).name}"] = _sha256(Path(preset.image).expanduser())
    for source in preset.sources.values():
        folder = source_folder(source)
        if folder is None:
            hashes[source.repository] = f"to be fetched from {source.revision or 'its authors'}"
            continue
        for path in source_files(source):
            if path.suffix in _WEIGHTS:
                within = path.relative_to(folder).as_posix()
                hashes[f"{source.repository}/{within}"] = _sha256(path)
    return hashes


def _sha256(path: Path) -> str:
    status = path.stat()
    return _hashed(path.resolve(), status.st_size, status.st_mtime_ns)


@cache
def _hashed(path: Path, _size: int, _changed_ns: int) -> str:
    """Hash a file once, unless it changes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
