"""Make the labs for a class: ``python book/labs.py student|teacher --out DIR``, or ``grade``.

A lab is a notebook ``notebooks/lab_*.py`` with cells tagged "attempt", which a reader fills in, and
cells tagged "solution". The student's version has no solutions, the teacher's has them in the place
of the attempts. Both are written without outputs, and run as they are. ``grade`` puts the attempts
of handed-in notebooks into fresh student's versions, so that nobody can change a check, runs them,
and writes ``grades.csv``.
"""

from __future__ import annotations

import argparse
import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from execute import NOTEBOOKS, from_text
from nbformat import NotebookNode

SUFFIX = "_solution"
VERDICT = re.compile(r"^([✓✗○]) (\w+) (.*)$", re.MULTILINE)


def labs() -> list[Path]:
    """Return the labs' text twins."""
    return sorted(NOTEBOOKS.glob("lab_*.py"))


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def defined(source: str) -> str | None:
    """Return the name of the last function that a cell defines at its top level."""
    functions = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return functions[-1] if functions else None


def student(lab: NotebookNode) -> NotebookNode:
    """Return a lab without its solutions."""
    lab.cells = [cell for cell in lab.cells if "solution" not in tags(cell)]
    return lab


def teacher(lab: NotebookNode) -> NotebookNode:
    """Return a lab with its solutions in the place of the attempts."""
    solutions = {
        defined(cell.source).removesuffix(SUFFIX): as_attempt(cell.source)
        for cell in lab.cells
        if cell.cell_type == "code" and "solution" in tags(cell)
    }
    for cell in lab.cells:
        if "attempt" in tags(cell):
            cell.source = solutions.pop(defined(cell.source))
    if solutions:
        raise SystemExit(f"solutions without an attempt: {', '.join(solutions)}")
    lab.cells = [
        cell for cell in lab.cells if cell.cell_type != "code" or "solution" not in tags(cell)
    ]
    return lab


def as_attempt(source: str) -> str:
    """Return a solution's cell without its title and its check, under the attempt's name."""
    lines = source.split("\n")
    kept = [line for line in lines if not line.startswith(("# @title", "_ = check_"))]
    return "\n".join(kept).strip("\n").replace(SUFFIX, "")


def with_attempts(lab: NotebookNode, handed_in: NotebookNode) -> NotebookNode:
    """Return the student's version with the attempts of a handed-in notebook.

    The last cell that defines a function counts; one that is missing stays unwritten.
    """
    written = {}
    for cell in handed_in.cells:
        if cell.cell_type == "code" and "solution" not in tags(cell):
            try:
                written[defined(cell.source)] = cell.source
            except SyntaxError:
                continue  # a cell that does not parse defines nothing
    for cell in student(lab).cells:
        if "attempt" in tags(cell):
            cell.source = written.get(defined(cell.source), cell.source)
    return lab


def verdicts(executed: NotebookNode) -> Iterator[tuple[str, bool, str]]:
    """Yield what the checks of an executed lab printed: function, whether it is right, and why."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            for mark, name, said in VERDICT.findall(output.get("text", "")):
                yield name, mark == "✓", said


def grade(handed_in: list[Path], out: Path) -> Path:
    """Run the attempts of handed-in notebooks and write what the checks say of them."""
    import papermill

    rows = []
    for path in handed_in:
        source = next((one for one in labs() if path.stem.startswith(one.stem)), None)
        if source is None:
            raise SystemExit(
                f"{path.name}: its name must begin with a lab's, as lab_delay_ada.ipynb"
            )
        draft, done = out / f"{path.stem}-draft.ipynb", out / f"{path.stem}-graded.ipynb"
        nbformat.write(with_attempts(from_text(source), nbformat.read(path, as_version=4)), draft)
        papermill.execute_notebook(draft, done, kernel_name="python3", progress_bar=False)
        draft.unlink()
        found = verdicts(nbformat.read(done, as_version=4))
        rows += [(path.name, name, int(right), said) for name, right, said in found]
    table = out / "grades.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("notebook", "function", "right", "verdict"), *rows])
    return table


def main(arguments: list[str] | None = None) -> None:
    """Write one version of every lab, or grade notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("student", "teacher", "grade"))
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("notebooks", type=Path, nargs="*", help="what was handed in, to be graded")
    given = parser.parse_intermixed_args(arguments)  # files stand after the folder
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "grade":
        print(f"wrote {grade(given.notebooks, given.out)}")
        return
    version = {"student": student, "teacher": teacher}[given.what]
    for path in labs():
        target = given.out / f"{path.stem}.ipynb"
        nbformat.write(version(from_text(path)), target)
        print(f"wrote {target}")


if __name__ == "__main__":
    main()
