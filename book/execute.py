"""Make the notebooks from their text twins: ``python book/execute.py [NAME ...]``.

``notebooks/NAME.py`` (percent format) is what people edit. This executes it with papermill and
keeps the result as ``notebooks/NAME.ipynb``, without anything that differs from run to run.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
import papermill
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def from_text(source: Path) -> NotebookNode:
    """Return the notebook that a text twin is paired with, not executed.

    Cells are numbered instead of named by chance.
    """
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    notebook.metadata["jupytext"].pop("text_representation", None)
    return notebook


def execute(source: Path) -> Path:
    """Execute a text twin and write the notebook beside it."""
    with tempfile.TemporaryDirectory() as folder:
        draft, done = Path(folder) / "draft.ipynb", Path(folder) / "done.ipynb"
        nbformat.write(from_text(source), draft)
        papermill.execute_notebook(
            draft, done, cwd=source.parent, kernel_name="python3", progress_bar=False
        )
        notebook = nbformat.read(done, as_version=4)
    target = source.with_suffix(".ipynb")
    nbformat.write(tidy(notebook), target)
    return target


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Remove times, paths, versions and warnings, which differ from run to run."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
    return number_widgets(notebook)


def number_widgets(notebook: NotebookNode) -> NotebookNode:
    """Number the widgets that are shown, in their order, and forget all others.

    Their names come from chance, and what a progress bar leaves behind is never shown.
    """
    cells = json.dumps(notebook.cells)
    waiting = re.findall(r'"model_id": "(\w+)"', cells)
    if not waiting:
        notebook.metadata.pop("widgets", None)
        return notebook
    saved = notebook.metadata.widgets[WIDGET_STATE]
    numbers: dict[str, str] = {}
    while waiting:
        name = waiting.pop(0)
        if name in saved["state"] and name not in numbers:
            numbers[name] = f"{len(numbers):032x}"
            waiting += re.findall(r"[0-9a-f]{32}", json.dumps(saved["state"][name]["state"]))
    saved["state"] = {name: saved["state"][name] for name in numbers}
    name = re.compile("|".join(numbers))
    whole = name.sub(lambda found: numbers[found[0]], json.dumps(notebook))
    return nbformat.from_dict(json.loads(whole))


if __name__ == "__main__":
    chosen = [NOTEBOOKS / f"{name}.py" for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.py"))
    for path in chosen:
        if path.name != "conftest.py":
            print(f"executed {execute(path).relative_to(ROOT)}")
