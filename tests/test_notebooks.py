"""The committed notebooks are their text twins, executed, and fit to be published."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/<+=])/(?:home|root|work|tmp|opt|usr|Users|mnt|content)/\w")
SECRET = re.compile(r"\b(?:sk-|hf_|ghp_|AKIA)[A-Za-z0-9]{12,}")
LONGEST_CELL = 8

sys.path.insert(0, str(ROOT / "book"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def text_outputs(path: Path) -> list[str]:
    texts = []
    for cell in code_cells(path):
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts += [v for k, v in output.get("data", {}).items() if k.startswith("text/")]
    return texts


def test_there_are_notebooks_and_each_has_a_text_twin() -> None:
    sources = {p.stem for p in (ROOT / "notebooks").glob("*.py")} - {"conftest"}
    assert {path.stem for path in NOTEBOOKS} == sources != set()


@each_notebook
def test_notebook_and_text_twin_have_the_same_cells(path: Path) -> None:
    from execute import from_text

    twin = [(c.cell_type, c.source) for c in from_text(path.with_suffix(".py")).cells]
    assert [(c.cell_type, c.source) for c in nbformat.read(path, as_version=4).cells] == twin


@each_notebook
def test_every_cell_was_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1)) != []


@each_notebook
def test_no_output_is_an_error(path: Path) -> None:
    kinds = {output.output_type for cell in code_cells(path) for output in cell.outputs}
    assert "error" not in kinds


@each_notebook
def test_no_output_shows_an_absolute_path_or_a_key(path: Path) -> None:
    found = [hit for text in text_outputs(path) for hit in ABSOLUTE.findall(text)]
    assert found == []
    assert [hit for text in text_outputs(path) for hit in SECRET.findall(text)] == []


@each_notebook
def test_cells_are_short(path: Path) -> None:
    long = [c.source for c in code_cells(path) if len(c.source.splitlines()) > LONGEST_CELL]
    assert long == []


@each_notebook
def test_it_has_one_parameters_cell_and_other_parameters_to_be_tried(path: Path) -> None:
    import yaml

    (cell,) = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    names = {line.split("=")[0].strip() for line in cell.source.splitlines() if "=" in line}
    tried = yaml.safe_load((ROOT / "notebooks/parameters" / f"{path.stem}.yaml").read_text())
    assert set(tried) <= names
    assert tried


@each_notebook
def test_every_figure_is_stored_for_the_book_and_for_jupyterlab(path: Path) -> None:
    bundles = [set(o.get("data", {})) for cell in code_cells(path) for o in cell.outputs]
    figures = [bundle for bundle in bundles if "application/vnd.plotly.v1+json" in bundle]
    assert [bundle for bundle in figures if "text/html" not in bundle] == []
