"""Set the project's public address everywhere: ``make address URL=https://github.com/me/spa2v``.

The address stands in ``_config.yml``, which the book reads, in `spa2v_lib.resources`, which names
it where an extra is missing, in the chapter on scaling out, and in the install cell of every
notebook, which must work when the notebook is all that there is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parent.parent


def address() -> str:
    """Return the address that ``_config.yml`` names."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def places() -> list[Path]:
    """Return the files that hold the address."""
    notebooks = ROOT / "notebooks"
    single = ("_config.yml", "book/scaling_out.md", "spa2v_lib/resources.py")
    pairs = [*sorted(notebooks.glob("*.py")), *sorted(notebooks.glob("*.ipynb"))]
    return [*(ROOT / name for name in single), *pairs]


def set_address(new: str) -> int:
    """Replace the address in every place, and return in how many files it stood."""
    parts = urlsplit(new)
    if parts.scheme != "https" or not parts.netloc or parts.path.strip("/").count("/") != 1:
        raise SystemExit(f"{new!r} is no repository's address; like https://github.com/me/spa2v")
    old, changed = address(), 0
    for path in places():
        text = path.read_text(encoding="utf-8")
        if old in text:
            path.write_text(text.replace(old, new.rstrip("/")), encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python book/address.py https://github.com/me/spa2v")
    print(f"the address was set in {set_address(sys.argv[1])} files")
