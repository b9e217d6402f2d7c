"""The parts of the library keep to their order, and the book names them all."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spa2v_lib"
FLOW = ("cues", "planning", "sampling")
APART = ("scenes", "metrics", "bench", "tiny", "runs", "report", "demo", "cli")


def parts() -> set[str]:
    """Return the names of the library's modules and packages."""
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    return found | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def imported_parts(path: Path) -> set[str]:
    """Return the parts that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {n.split(".")[1] for n in names if n.startswith("spa2v_lib.")} & parts()


def files(part: str) -> list[Path]:
    single = PACKAGE / f"{part}.py"
    return [single] if single.is_file() else sorted((PACKAGE / part).rglob("*.py"))


@pytest.mark.parametrize("part", FLOW)
def test_nothing_is_imported_from_further_right(part: str) -> None:
    right = {*FLOW[FLOW.index(part) + 1 :], *APART}
    taken = {path.name: imported_parts(path) & right for path in files(part)}
    assert taken
    assert {name: found for name, found in taken.items() if found} == {}


@pytest.mark.parametrize("part", ["audio", "video", "layout", "camera", "classes", "captions"])
def test_the_types_between_the_stages_know_no_stage(part: str) -> None:
    (path,) = files(part)
    assert imported_parts(path) & {*FLOW, *APART} == set()


def test_the_architecture_page_names_every_part_and_no_other() -> None:
    page = (ROOT / "book/architecture.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    described = named | set(re.findall(r"`(decoding|inspection|demo)`", page))
    assert parts() - described == set()
    assert named - parts() == set()
