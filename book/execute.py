"""Make the notebooks from their text twins: ``python book/execute.py [NAME ...]``.

``notebooks/NAME.py`` (percent format) is what people edit. This executes it with papermill and
keeps the result as ``notebooks/NAME.ipynb``, without anything that differs from run to run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
import papermill
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


def repository() -> str:
    """Return the project's public address, which stands in ``_config.yml`` alone."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def from_text(source: Path) -> NotebookNode:
    """Return the notebook that a text twin stands for, not executed.

    ``{{repository}}`` becomes the project's public address, and cells are numbered instead of
    named by chance.
    """
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.source = cell.source.replace("{{repository}}", repository())
        cell.id = f"cell-{number:02d}"
    notebook.metadata.pop("jupytext", None)
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
    """Remove times, paths and versions, which would differ in every run."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
    return notebook


if __name__ == "__main__":
    chosen = [NOTEBOOKS / f"{name}.py" for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.py"))
    for path in chosen:
        if path.name != "conftest.py":
            print(f"executed {execute(path).relative_to(ROOT)}")
