"""Where a command may write its JSON: never over what it reads."""

from __future__ import annotations

import re
from pathlib import Path

from spa2v_lib.errors import OutputError

__all__ = ["check_out", "clip_out"]


def check_out(out: Path | None, source: Path, *, clips: bool = False) -> None:
    """Refuse a file that JSON should not be written to, before anything is read.

    Parameters
    ----------
    out : Path or None
        What ``--out`` names; None is always right.
    source : Path
        What the command reads.
    clips : bool
        Files of `clip_out` are written, instead of `out` itself.

    Raises
    ------
    OutputError
        If `out` does not end in .json, or is the source.
    """
    if out is None:
        return
    if out.suffix.lower() != ".json":
        raise OutputError(f"--out {out} does not end in .json; JSON is written, so end it in .json")
    # How many clips there are is known only later, so every number counts.
    number = r"-[1-9]\d*" if clips else ""
    names_it = re.fullmatch(re.escape(out.stem) + number + re.escape(out.suffix), source.name)
    beside = out.parent.resolve() == source.parent.resolve()
    if (names_it and beside) or (not clips and _same(out, source)):
        raise OutputError(f"--out {out} would overwrite {source}, which is read; name another file")


def clip_out(out: Path, number: int) -> Path:
    """Return the file of one clip: ``c-1.json`` and so on for ``c.json``."""
    return out.with_stem(f"{out.stem}-{number}")


def _same(out: Path, source: Path) -> bool:
    """Whether two names lead to one file, be it through links or upper case."""
    return out.exists() and source.exists() and out.samefile(source)
