"""What this installation consists of: for run folders, benchmarks and `spa2v doctor`."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import Spa2vError

if TYPE_CHECKING:
    from spa2v_lib.sampling import Preset

__all__ = ["PACKAGES", "Finding", "cpu_count", "device", "environment", "examine", "git_state"]

PACKAGES = (
    "accelerate",
    "av",
    "diffusers",
    "librosa",
    "numpy",
    "pillow",
    "plotly",
    "pydantic",
    "pyroomacoustics",
    "rich",
    "safetensors",
    "scipy",
    "soundfile",
    "tokenizers",
    "torch",
    "transformers",
    "typer",
)
"""Packages whose versions are recorded."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes
    ----------
    group, name, value : str
        The part of the report, what was looked for, and what was found.
    good : bool
        Whether the embedded default can work with it.

    Examples
    --------
    >>> missing = Finding("packages", "torch", "missing", good=False)
    >>> missing.name, missing.good
    ('torch', False)
    """

    group: str
    name: str
    value: str
    good: bool = True


def environment() -> dict[str, Any]:
    """Describe where results were made: versions, commit, system and device.

    Returns
    -------
    dict
        Keys "spa2v", "commit", "python", "packages", "system", "cpu_count" and "device"; a
        package that is not installed has the version None.

    See Also
    --------
    examine : In sentences, with data and weights.

    Examples
    --------
    >>> import numpy
    >>> environment()["packages"]["numpy"] == numpy.__version__
    True
    """
    from spa2v_lib import __version__

    return {
        "spa2v": __version__,
        "commit": git_state(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": cpu_count(),
        "device": device(),
    }


def git_state() -> str | None:
    """Return the commit of the checkout, "+changes" if it was changed since; None elsewhere.

    Returns
    -------
    str or None
        40 hexadecimal digits, perhaps with "+changes"; None where there is no checkout.

    Examples
    --------
    >>> commit = git_state()
    >>> commit is None or len(commit.removesuffix("+changes")) == 40
    True
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    return commit + ("+changes" if _git(root, "status", "--porcelain") else "")


def device() -> str:
    """Name the device that sampling would use.

    See Also
    --------
    spa2v_lib.sampling.loading.check_device : Where a preset would be sampled.

    Examples
    --------
    >>> device().split(":")[0] in ("cpu", "cuda", "none")
    True
    """
    try:
        import torch
    except ImportError:
        return "none: torch is not installed"
    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name()}"
    from spa2v_lib.sampling.loading import bfloat16_is_native

    apple = "; mps for published weights" * torch.backends.mps.is_available()
    found = f"cpu: {torch.get_num_threads()} threads" + ", bfloat16" * bfloat16_is_native()
    return found + apple


def examine() -> list[Finding]:
    """Look at everything that the embedded default needs.

    Returns
    -------
    list of Finding
        By group, in the order they are shown in.

    See Also
    --------
    environment : As a run records it.

    Examples
    --------
    >>> findings = examine()
    >>> findings[0].group, findings[0].name
    ('SpA2V', 'version')
    >>> {"data", "packages", "device"} <= {finding.group for finding in findings}
    True
    """
    found = environment()
    commit = found["commit"]
    return [
        Finding("SpA2V", "version", found["spa2v"] + (f", commit {commit[:12]}" if commit else "")),
        Finding("SpA2V", "Python", f"{found['python']} on {found['system']}"),
        *_shipped_data(),
        *(
            Finding("packages", name, version or "missing", version is not None)
            for name, version in found["packages"].items()
        ),
        *_encoders(),
        Finding("device", "sampling", found["device"], not found["device"].startswith("none")),
        Finding("device", "processor", f"{found['cpu_count']} cores"),
        *_presets(),
    ]


def _shipped_data() -> list[Finding]:
    from spa2v_lib.resources import resource

    findings = []
    for name in ("recordings", "sprites"):
        try:
            count = sum(path.is_file() for path in resource(name).rglob("*"))
            findings.append(Finding("data", name, f"{count} files"))
        except Spa2vError as error:
            findings.append(Finding("data", name, str(error), False))
    return findings


def _presets() -> list[Finding]:
    from spa2v_lib.sampling import PRESETS

    findings = []
    for name, preset in PRESETS.items():
        try:
            findings.append(Finding("weights", name, f"{_weights(preset)}; {preset.summary}"))
        except Spa2vError as error:
            findings.append(Finding("weights", name, str(error), name != "tiny"))
    return findings


def _weights(preset: Preset) -> str:
    """Say what of a preset's weights is here, and what becomes of the rest; nothing is fetched."""
    from spa2v_lib.sampling.weights import weight_files, whereabouts

    if preset.folder is not None:
        return f"{len(weight_files(preset))} files"
    places: dict[str, list[str]] = {}
    for part, place in whereabouts(preset).items():
        places.setdefault(place, []).append(part)
    here = "; ".join(f"{', '.join(parts)}: {place}" for place, parts in places.items())
    return f"{here}; {_room(preset)}"


def _room(preset: Preset) -> str:
    """Say what memory a video of one window takes, and whether this machine has it."""
    from spa2v_lib.sampling import loading

    needs = f"needs {preset.gpu_gb:.1f} GB of GPU memory, {preset.offload_gb:.1f} with offload"
    try:
        where = loading.check_device(preset)
    except Spa2vError:
        return f"{needs}: not on this machine"
    names = {"cuda": "fits this machine's GPU", "offload": "fits this machine's GPU with offload"}
    return f"{needs}: {names.get(where, 'fits this machine')}"


def _encoders() -> list[Finding]:
    try:
        from av.codec import codecs_available
    except ImportError:
        return []
    return [
        Finding("encoders", use, name)
        if name in codecs_available
        else Finding("encoders", use, "missing", False)
        for use, name in (("H.264", "libx264"), ("AAC", "aac"))
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def cpu_count() -> int:
    """Count the cores that this process may use.

    Examples
    --------
    >>> cpu_count() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
