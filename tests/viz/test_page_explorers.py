"""The pages' explorers inside notebooks carry the very same modules, whole."""

from __future__ import annotations

import base64
import re

import pytest

from spa2v_lab.explorers import page
from spa2v_lab.explorers.page import EXPLORERS, PageExplorer
from spa2v_lib.errors import Spa2vError

MODULE = re.compile(r'"data:text/javascript;base64,([A-Za-z0-9+/=]+)"')


def unpacked(text: str) -> str:
    """Put a file's name in the place of every module, and return all modules' texts."""
    found = MODULE.search(text)
    return unpacked(base64.b64decode(found[1]).decode()) if found else text


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_carries_its_module_and_those_that_it_imports(name: str) -> None:
    html = PageExplorer(name)._repr_html_()
    (packed,) = MODULE.findall(html)
    carried = base64.b64decode(packed).decode()
    assert "./" not in "".join(re.findall(r"from .*", carried))  # nothing beside it is needed
    file = (page._MODULES / f"{name}.js").read_text(encoding="utf-8")
    assert MODULE.sub('"X"', carried) == re.sub(r'"\./\w+\.js"', '"X"', file)
    assert "export const FORMATS" in unpacked(html)


def test_two_of_them_stand_in_places_of_their_own() -> None:
    places = [
        re.search(r'<div id="([\w-]+)"', PageExplorer("around_head")._repr_html_())[1] for _ in "ab"
    ]
    assert len(set(places)) == 2


def test_an_unknown_explorer_is_refused_by_name() -> None:
    with pytest.raises(Spa2vError, match="no explorer 'x'; one of: around_head, stereo_file"):
        PageExplorer("x")
