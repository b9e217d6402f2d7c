"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules(top: str, containing: str) -> list[str]:
    """Return the dotted names of a package's modules whose text holds `containing`."""
    base = ROOT if top == "spa2v_lib" else ROOT / "notebooks"
    named = []
    for path in sorted((base / top).rglob("*.py")):
        if containing in path.read_text(encoding="utf-8"):
            inside = path.relative_to(base).with_suffix("").parts
            named.append(".".join(inside[:-1] if inside[-1] == "__init__" else inside))
    return named


@pytest.mark.parametrize("name", [*modules("spa2v_lib", ">>> "), *modules("spa2v_lab", ">>> ")])
def test_examples_print_what_they_say(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # what an example writes is gone afterwards
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("name", modules("spa2v_lib", "__all__"))
def test_every_public_function_and_class_has_an_example(name) -> None:
    module = importlib.import_module(name)
    public = (getattr(module, member) for member in module.__all__)
    defined = [
        member
        for member in public
        if (inspect.isfunction(member) or inspect.isclass(member)) and member.__module__ == name
    ]
    bare = [member.__name__ for member in defined if ">>> " not in (member.__doc__ or "")]
    assert not bare, f"{name}: without an example: {', '.join(bare)}"
