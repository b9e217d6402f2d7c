"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules_with_examples() -> list[str]:
    """Return the dotted names of all modules whose text holds an example."""
    named = []
    for base in (ROOT, ROOT / "notebooks"):
        for top in ("spa2v_lib", "spa2v_lab"):
            for path in sorted((base / top).rglob("*.py")):
                if ">>> " in path.read_text(encoding="utf-8"):
                    inside = path.relative_to(base).with_suffix("").parts
                    inside = inside[:-1] if inside[-1] == "__init__" else inside
                    named.append(".".join(inside))
    return named


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_print_what_they_say(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # what an example writes is gone afterwards
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0
