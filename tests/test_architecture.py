"""The two packages keep to their order, without circles, and the book names every part."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"spa2v_lib": ROOT / "spa2v_lib", "spa2v_lab": ROOT / "notebooks/spa2v_lab"}

# Each part may import those above it, none below.
ORDER = (
    "errors", "resources", "files", "folders", "pages", "audio", "layout", "video",
    "cues", "planning", "sampling", "viz", "doctor", "runs", "batch", "cli",
)  # fmt: skip

LAB_ORDER = ("scenes", "metrics", "training", "bench", "viz", "labs", "explorers", "demo", "cli")


def modules() -> dict[str, Path]:
    """Return every module of both packages by its dotted name."""
    named = {}
    for top, folder in SOURCES.items():
        for path in folder.rglob("*.py"):
            inside = path.relative_to(folder).with_suffix("").parts
            inside = inside[:-1] if inside[-1] == "__init__" else inside
            named[".".join((top, *inside))] = path
    return named


MODULES = modules()


@cache
def imports(path: Path) -> list[tuple[str, str]]:
    """Return what a file imports from the packages, and the function that does ("" at its top).

    Imports for type checkers alone do not count: they are not there at run time.
    """

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.ImportFrom) and child.module:
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    yield (full if full in MODULES else child.module), within
            elif isinstance(child, ast.Import):
                yield from ((alias.name, within) for alias in child.names)
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, child.name if named else within)

    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(name, within) for name, within in walk(tree, "") if name in MODULES]


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize(("top", "order"), [("spa2v_lib", ORDER), ("spa2v_lab", LAB_ORDER)])
def test_every_part_has_a_place_in_its_packages_order(top: str, order: tuple[str, ...]) -> None:
    assert {part_of(name) for name in MODULES if name.startswith(f"{top}.")} == set(order)


@pytest.mark.parametrize(
    ("top", "order", "part"),
    [("spa2v_lib", ORDER, part) for part in ORDER]
    + [("spa2v_lab", LAB_ORDER, part) for part in LAB_ORDER],
)
def test_a_part_imports_only_what_stands_before_it(
    top: str, order: tuple[str, ...], part: str
) -> None:
    allowed = {*order[: order.index(part) + 1], ""}
    wrong = {
        (module, name)
        for module, path in MODULES.items()
        if module.startswith(f"{top}.") and part_of(module) == part
        for name, within in imports(path)
        if name.split(".")[0] == top
        # Objects show themselves in a notebook through the figures of `viz`.
        if within != "_repr_html_" and part_of(name) not in allowed
    }
    assert wrong == set()


def test_the_library_never_imports_the_lab() -> None:
    wrong = {
        (module, name)
        for module, path in MODULES.items()
        if module.startswith("spa2v_lib")
        for name, _ in imports(path)
        if name.startswith("spa2v_lab")
    }
    assert wrong == set()


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import one another, directly or not (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(group)

    for node in edges:
        if node not in index:
            visit(node)
    return found


def test_the_search_for_circles_finds_one() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def test_no_modules_import_one_another_in_a_circle() -> None:
    edges = {module: {name for name, _ in imports(path)} for module, path in MODULES.items()}
    # A package's own `__init__` may gather what its modules define.
    assert circles(edges) == []


def test_the_architecture_page_names_every_part_and_no_other() -> None:
    page = (ROOT / "book/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    lab = {part_of(name) for name in MODULES if name.startswith("spa2v_lab.")}
    assert named == {*ORDER, *lab}
