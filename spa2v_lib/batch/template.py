"""The notebook that a batch executes, and what it can be told."""

from __future__ import annotations

import ast
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import BatchError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Template", "end_to_end", "read_template"]

_PACKAGE = Path(__file__).resolve().parent.parent
_NAME = "end_to_end.ipynb"
_NEEDED = ("RECORDING", "OUT")
_LEFT_OUT = {"lesson", "remove-cell"}  # tags of cells that serve the reader of the book alone


@dataclass(frozen=True)
class Template:
    """A notebook with a cell of parameters, RECORDING and OUT among them.

    Attributes
    ----------
    name : str
    text : str
        The notebook as JSON, without outputs and without cells for the book's reader.
    parameters : dict
        Names and default values.
    """

    name: str
    text: str
    parameters: dict[str, Any]

    @cached_property
    def sha256(self) -> str:
        """Hash of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def columns(self) -> dict[str, Any]:
        """The parameters that a manifest's columns may set, in lower case, with their defaults."""
        return {
            name.lower(): value for name, value in self.parameters.items() if name not in _NEEDED
        }


def end_to_end() -> Path:
    """Return the book's end-to-end notebook: in a checkout, or the wheel's copy.

    Raises
    ------
    BatchError
        If it is not there.
    """
    for folder in (_PACKAGE.parent / "notebooks", _PACKAGE / "_data" / "notebooks"):
        if (folder / _NAME).is_file():
            return folder / _NAME
    raise BatchError(f"the notebook {_NAME} is missing; reinstall spa2v, or name one (--notebook)")


def read_template(path: str | os.PathLike[str]) -> Template:
    """Read a notebook that a batch can execute.

    Parameters
    ----------
    path : path
        An .ipynb file. Its cell tagged ``parameters`` gives names and default values, as simple
        assignments of literals.

    Raises
    ------
    BatchError
        If it cannot be read, is not written in Python, or has no RECORDING and OUT.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except OSError as error:
        raise BatchError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # nbformat raises what its JSON and schema parsers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BatchError(f"{path} is not a notebook: {reason}") from error
    parameters = _parameters(notebook, path)
    if missing := [name for name in _NEEDED if name not in parameters]:
        raise BatchError(
            f"{path} has no parameter {' and no '.join(missing)}; a batch needs a cell tagged "
            f"'parameters' that sets {' and '.join(_NEEDED)}"
        )
    _strip(notebook)
    return Template(Path(path).stem, nbformat.writes(notebook), parameters)


def _parameters(notebook: NotebookNode, path: str | os.PathLike[str]) -> dict[str, Any]:
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if not cells:
        return {}
    try:
        return {
            statement.targets[0].id: ast.literal_eval(statement.value)
            for statement in ast.parse(cells[0].source).body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        }
    except (SyntaxError, ValueError) as error:
        raise BatchError(f"the parameters of {path} are not simple assignments: {error}") from error


def _strip(notebook: NotebookNode) -> None:
    notebook.cells = [
        cell for cell in notebook.cells if not _LEFT_OUT & set(cell.metadata.get("tags", []))
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
