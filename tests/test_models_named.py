"""Every hosted model that the project names as an example is one that is served today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"\b(?:google|openai-chat|anthropic):[a-z][\w.-]*\d[\w.-]*(?!@)\b")
PLACES = ("README.md", "book/*.md", "notebooks/*.py", "notebooks/parameters/*.yaml")
PACKAGES = ("spa2v_lib/**/*.py", "notebooks/spa2v_lab/**/*.py")


def served() -> set[str]:
    models = pytest.importorskip("pydantic_ai.models")
    return set(get_args(models.KnownModelName.__value__))


def test_examples_name_models_of_pydantic_ais_list() -> None:
    known, found = served(), {}
    for pattern in (*PLACES, *PACKAGES):
        for path in ROOT.glob(pattern):
            for name in NAMED.findall(path.read_text(encoding="utf-8")):
                found.setdefault(name, path.name)
    assert len(found) >= 2
    assert {name: where for name, where in found.items() if name not in known} == {}
