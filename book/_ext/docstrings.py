"""Sphinx extension: attributes that share a line of a docstring get a line each.

Napoleon splits ``start_s, end_s : float`` under "Parameters", but not under "Attributes".
"""

from __future__ import annotations

import re
from typing import Any

SECTION = re.compile(r"\s*-{3,}\s*")
SHARED = re.compile(r"(?P<indent>\s*)(?P<names>\w+(?:, \w+)+)(?P<kind> : .+)?")


def split_shared(lines: list[str]) -> list[str]:
    """Return a docstring's lines, each shared attribute with the type and words of its own."""
    split: list[str] = []
    inside, place = False, 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if SECTION.fullmatch(line):
            inside = split[-1].strip() == "Attributes"
        match = SHARED.fullmatch(line) if inside else None
        if match is None:
            split.append(line)
            continue
        words = []
        while place < len(lines) and lines[place].startswith(f"{match['indent']}    "):
            words.append(lines[place])
            place += 1
        for name in match["names"].split(", "):
            split += [f"{match['indent']}{name}{match['kind'] or ''}", *words]
    return split


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Change the lines in place, before Napoleon reads them."""
    lines[:] = split_shared(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
