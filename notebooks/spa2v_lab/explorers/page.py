"""The explorers of the book's pages, inside notebooks: the very same JavaScript modules.

They need no kernel. A page of the book loads the modules as files; a notebook's output carries
them in itself, so that it answers to a hand wherever it is opened.
"""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from itertools import count
from pathlib import Path

from spa2v_lib.errors import Spa2vError

__all__ = ["EXPLORERS", "PageExplorer", "module_html"]

EXPLORERS = {"around_head": "a source around a head", "stereo_file": "a stereo file of your own"}
"""Names of the explorers, and what each is about."""

_MODULES = Path(__file__).parent / "modules"
_SHOWN = count(1)
_IMPORT = re.compile(r'from "\./(\w+)\.js"')


class PageExplorer:
    """An explorer that shows itself in a notebook, and on a page that is made from it.

    Parameters
    ----------
    name : str
        One of `EXPLORERS`.

    Raises
    ------
    Spa2vError
        If there is no such explorer.

    Examples
    --------
    >>> PageExplorer("around_head")
    PageExplorer('around_head')
    """

    def __init__(self, name: str) -> None:
        if name not in EXPLORERS:
            raise Spa2vError(f"no explorer {name!r}; one of: {', '.join(EXPLORERS)}")
        self.name = name

    def __repr__(self) -> str:
        return f"PageExplorer({self.name!r})"

    def _repr_html_(self) -> str:
        return module_html(self.name)


def module_html(name: str, data: object = None) -> str:
    """Return HTML that holds an explorer, its style and all its modules.

    Parameters
    ----------
    name : str
        Of a module beside this file's, whose function ``mount`` makes an element the explorer.
    data : object, optional
        What ``mount`` is given to show, as JSON has it.

    Examples
    --------
    >>> "mount(document.getElementById(" in module_html("stereo_file")
    True
    """
    place = f"spa2v-{name}-{next(_SHOWN)}"  # the same one may be shown twice
    style = (_MODULES / "explorers.css").read_text(encoding="utf-8")
    given = "" if data is None else ", " + json.dumps(data).replace("<", "\\u003c")
    return (
        f"<style>{style}</style>"
        f'<div id="{place}" class="spa2v-explorer">Run this cell to show the explorer.</div>'
        f'<script type="module">import {{ mount }} from "{_module_url(name)}";'
        f'mount(document.getElementById("{place}"){given});</script>'
    )


@cache
def _module_url(name: str) -> str:
    """Return a module, with those that it imports, as an address that holds all of it."""
    text = (_MODULES / f"{name}.js").read_text(encoding="utf-8")
    whole = _IMPORT.sub(lambda found: f'from "{_module_url(found[1])}"', text)
    return "data:text/javascript;base64," + base64.b64encode(whole.encode()).decode()
