"""Sphinx extension: controls that need a kernel are not shown on a page, which has none.

A notebook's saved widgets draw on a page as they stood. Those whose work is done by JavaScript of
their own (anywidget) answer to a hand there, too; sliders and buttons that ask Python do not, and
are left out. Pages without widgets then load no widget manager.
"""

from __future__ import annotations

import json
from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
ANSWERING = "anywidget"


def without_dead_controls(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without the widgets that only a kernel can answer for."""
    state = notebook["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
    kept = 0
    for cell in notebook["cells"]:
        outputs = cell.get("outputs", [])
        dead = [output for output in outputs if _is_dead(output, state)]
        if dead:
            cell["outputs"] = [output for output in outputs if output not in dead]
        kept += sum(VIEW in output.get("data", {}) for output in cell.get("outputs", []))
    if not kept:
        notebook["metadata"].pop("widgets", None)
    return notebook


def _is_dead(output: dict[str, Any], state: dict[str, Any]) -> bool:
    view = output.get("data", {}).get(VIEW)
    return bool(view) and state.get(view["model_id"], {}).get("model_module") != ANSWERING


def read(app: Any, docname: str, source: list[str]) -> None:
    """Change a notebook's text before it is parsed."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = json.dumps(without_dead_controls(json.loads(source[0])))


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
