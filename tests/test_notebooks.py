"""The committed notebooks are their text twins, executed, and fit to be published."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/<+=])/(?:home|root|work|tmp|opt|usr|Users|mnt|content)/\w")
SECRET = re.compile(r"\b(?:sk-|hf_|ghp_|AKIA)[A-Za-z0-9]{12,}")
FIGURE = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"

sys.path.insert(0, str(ROOT / "book"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def bundles(cell: nbformat.NotebookNode) -> list[dict]:
    """Return what a cell shows, each in all its forms."""
    return [output.get("data", {}) for output in cell.get("outputs", [])]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def text_outputs(path: Path) -> list[str]:
    """Return all that a notebook's outputs say, and the saved state of its widgets."""
    notebook = nbformat.read(path, as_version=4)
    texts = [json.dumps(notebook.metadata.get("widgets", {}))]
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
def test_no_warning_is_kept(path: Path) -> None:
    assert [o.text for c in code_cells(path) for o in c.outputs if o.get("name") == "stderr"] == []


@each_notebook
def test_no_output_shows_an_absolute_path_or_a_key(path: Path) -> None:
    found = [hit for text in text_outputs(path) for hit in ABSOLUTE.findall(text)]
    assert found == []
    assert [hit for text in text_outputs(path) for hit in SECRET.findall(text)] == []


@each_notebook
def test_it_has_one_parameters_cell_and_other_parameters_to_be_tried(path: Path) -> None:
    (cell,) = [c for c in code_cells(path) if "parameters" in tags(c)]
    committed = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Assign)
    }
    tried = yaml.safe_load((ROOT / "notebooks/parameters" / f"{path.stem}.yaml").read_text())
    assert set(tried) <= set(committed)
    assert {name for name, value in tried.items() if value != committed[name]} != set()


def test_every_parameter_of_the_end_to_end_notebook_reaches_the_run(monkeypatch) -> None:
    from execute import from_text

    cells = from_text(ROOT / "notebooks/end_to_end.py").cells
    # The first call; a second makes the run again where another name was chosen.
    call = next(c.source for c in cells if "generate_run(" in c.source and c.cell_type == "code")
    given = []
    monkeypatch.setattr(
        "spa2v_lib.runs.generate_run", lambda *paths, **told: given.append((paths, told)) or ROOT
    )
    settings = {"label": "dog", "seed": 7}
    exec(call, {"SETTINGS": settings, "OUT": "out", "audio": "a.wav", "work": ROOT})
    exec(call, {"SETTINGS": {}, "OUT": "", "audio": "a.wav", "work": ROOT})
    assert given == [
        (("a.wav", "out"), {"overwrite": False, **settings}),
        (("a.wav", ROOT / "run"), {"overwrite": True}),
    ]


@each_notebook
def test_every_figure_is_stored_for_the_book_and_for_jupyterlab(path: Path) -> None:
    figures = [b for cell in code_cells(path) for b in bundles(cell) if FIGURE in b]
    assert [set(bundle) for bundle in figures if "text/html" not in bundle] == []


@each_notebook
def test_every_figure_says_in_words_what_it_shows(path: Path) -> None:
    figures = [b[FIGURE] for cell in code_cells(path) for b in bundles(cell) if FIGURE in b]
    words = [figure["layout"].get("meta", {}).get("alt", "") for figure in figures]
    assert [text for text in words if len(text) < 15] == []


@each_notebook
def test_every_picture_in_an_output_has_words(path: Path) -> None:
    shown = " ".join(text_outputs(path))
    assert re.findall(r"<img(?![^>]*\balt=)[^>]{0,60}", shown) == []
    drawings = re.findall(r"<svg[^>]*>", shown)
    assert [d for d in drawings if "aria-label" not in d and "aria-hidden" not in d] == []


@each_notebook
def test_cells_that_show_widgets_are_not_compared(path: Path) -> None:
    showing = [c for c in code_cells(path) if any(WIDGET in bundle for bundle in bundles(c))]
    assert [c.source for c in showing if "nbval-ignore-output" not in tags(c)] == []


@each_notebook
def test_saved_widgets_are_those_that_are_shown_and_bear_numbers(path: Path) -> None:
    from execute import number_widgets

    notebook = nbformat.read(path, as_version=4)
    assert number_widgets(notebook) == notebook


@each_notebook
def test_markup_is_what_jupyter_and_colab_show_too(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            # Directives and roles are the book's own; only an HTML box and a link are everywhere.
            assert not re.search(r"^(```|:::+)\{|\{[a-z:-]+\}`", cell.source, re.MULTILINE)


def install_cell(path: Path) -> str:
    """Return a notebook's install cell without the extras, in which chapters may differ."""
    return re.sub(r"spa2v(\[[a-z,]+\])? @", "spa2v @", code_cells(path)[0].source)


@each_notebook
def test_the_first_cell_installs_the_library_from_the_projects_own_address(path: Path) -> None:
    from address import address

    cell = install_cell(path)
    assert cell == install_cell(ROOT / "notebooks/quickstart.ipynb")
    assert f'SOURCE = "{address()}/archive/refs/heads/main.zip"' in cell


def test_an_install_that_fails_ends_in_one_sentence(tmp_path) -> None:
    cell = install_cell(ROOT / "notebooks/quickstart.ipynb").replace("spa2v_lib", "not_installed")
    script = tmp_path / "cell.py"
    script.write_text(cell, encoding="utf-8")
    missing = (tmp_path / "missing.whl").as_uri()
    ended = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "SPA2V_SOURCE": missing},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    (sentence,) = ended.stderr.strip().splitlines()
    assert sentence.startswith(f"spa2v could not be installed from {missing}: ")


def test_setting_the_address_reaches_every_place(tmp_path, monkeypatch) -> None:
    import address

    for folder in ("book", "notebooks", "spa2v_lib"):
        (tmp_path / folder).mkdir()
    for path in address.places():
        copy = tmp_path / path.relative_to(ROOT)
        copy.write_bytes(path.read_bytes())
    before = address.address()
    monkeypatch.setattr(address, "ROOT", tmp_path)
    assert address.set_address("https://example.org/me/spa2v") == 3 + 2 * len(NOTEBOOKS)
    assert address.address() == "https://example.org/me/spa2v"
    assert not any(before in path.read_text(encoding="utf-8") for path in address.places())


def test_nothing_is_left_to_synchronize(tmp_path) -> None:
    from jupytext.cli import jupytext

    for path in (ROOT / "notebooks").glob("*.*"):
        if path.suffix in (".py", ".ipynb", ".toml"):
            shutil.copyfile(path, tmp_path / path.name)
    copies = [tmp_path / path.name for path in NOTEBOOKS]
    for copy in copies:
        os.utime(copy.with_suffix(".py"), (0, 0))  # the text is to be written from the notebook
    jupytext(["--sync", "--quiet", *map(str, copies)])
    for copy in copies:
        text = (ROOT / "notebooks" / copy.name).with_suffix(".py").read_text(encoding="utf-8")
        assert copy.with_suffix(".py").read_text(encoding="utf-8") == text


def saved(state: dict, *shown: str) -> nbformat.NotebookNode:
    """Return a notebook of one cell that shows the named models."""
    from execute import WIDGET_STATE

    cell = nbformat.v4.new_code_cell(id="a")
    views = [
        {"data": {WIDGET: {"model_id": name}}, "output_type": "display_data"} for name in shown
    ]
    cell.outputs = [nbformat.from_dict({**view, "metadata": {}}) for view in views]
    widgets = {WIDGET_STATE: {"state": state}}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": widgets})


def test_widgets_are_numbered_as_they_are_shown_and_others_forgotten() -> None:
    from execute import WIDGET_STATE, number_widgets

    box, slider, stray = "f" * 32, "e" * 32, "d" * 32
    state = {
        stray: {"state": {"value": 1}},
        slider: {"state": {"value": 2}},
        box: {"state": {"children": [f"IPY_MODEL_{slider}"]}},
    }
    numbered = number_widgets(saved(state, box))
    first, second = f"{0:032x}", f"{1:032x}"
    kept = numbered.metadata.widgets[WIDGET_STATE]["state"]
    assert kept == {
        first: {"state": {"children": [f"IPY_MODEL_{second}"]}},
        second: {"state": {"value": 2}},
    }
    assert numbered.cells[0].outputs[0].data[WIDGET].model_id == first


def test_a_notebook_whose_widgets_are_not_shown_keeps_none() -> None:
    from execute import number_widgets

    assert "widgets" not in number_widgets(saved({"d" * 32: {"state": {}}})).metadata
