"""Notebooks in this process: outputs as in Jupyter, and nothing kept from one to the next."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from spa2v_lib.batch.shell import ENGINE


@pytest.fixture
def run(tmp_path: Path):
    """Execute cells; returns those of the notebook that was made."""

    def execute(*sources: str, **told: object) -> list[nbformat.NotebookNode]:
        cells = [new_code_cell("GIVEN = 0", metadata={"tags": ["parameters"]})]
        cells += [new_code_cell(source) for source in sources]
        nbformat.write(new_notebook(cells=cells), tmp_path / "in.ipynb")
        options = {"engine_name": ENGINE, "kernel_name": "python3", "language": "python"}
        papermill.execute_notebook(
            tmp_path / "in.ipynb",
            tmp_path / "out.ipynb",
            told,
            progress_bar=False,
            request_save_on_cell_execute=False,
            **options,
        )
        return nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1 + bool(told) :]

    return execute


def test_printed_shown_and_last_values_are_kept_in_their_order(run):
    source = "print(1)\nimport sys\nsys.stderr.write('two')\nprint(3)\ndisplay('four')\n5"
    (cell,) = run(source)
    kinds = [(o.output_type, o.get("text") or o.data["text/plain"]) for o in cell.outputs]
    assert kinds == [
        ("stream", "1\n"),
        ("stream", "two"),
        ("stream", "3\n"),
        ("display_data", "'four'"),
        ("execute_result", "5"),
    ]


def test_pictures_figures_and_widgets_are_kept(run):
    cells = run(
        "from PIL import Image\nImage.new('RGB', (2, 2))",
        "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2]))",
        "import ipywidgets\nipywidgets.IntSlider()",
    )
    kinds = [set(cell.outputs[0].data) for cell in cells]
    assert "image/png" in kinds[0]
    assert "application/vnd.plotly.v1+json" in kinds[1]
    assert "application/vnd.jupyter.widget-view+json" in kinds[2]


EVIL = 'quotes " \' and\nlines, {braces}, \\ \\n, <b>markup</b>, 🎺, $(x), """'


def test_a_parameter_arrives_as_it_is_whatever_it_holds(run):
    (cell,) = run(f"assert GIVEN == {EVIL!r}\n'same'", GIVEN=EVIL)
    assert cell.outputs[0].data["text/plain"] == "'same'"


def test_nothing_is_left_of_an_earlier_notebook(run):
    run("left = GIVEN", "import tempfile\nfolder = tempfile.mkdtemp()", GIVEN=3)
    (cell,) = run("sorted({'left', 'folder', 'tempfile'} & set(globals()))")
    assert cell.outputs[0].data["text/plain"] == "[]" and cell.execution_count == 2


def test_temporary_files_go_with_the_notebook(run):
    (cell,) = run("import tempfile\nprint(tempfile.mkdtemp())")
    assert not Path(cell.outputs[0].text.strip()).exists()
    assert Path(tempfile.gettempdir()) not in Path(cell.outputs[0].text.strip()).parents[:1]


def test_it_stops_at_the_first_error_and_marks_it(run, tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="division by zero"):
        run("1/0", "print('never')")
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert "An Exception was encountered" in cells[0].source
    assert cells[-1].outputs == [] and cells[-2].outputs[0].ename == "ZeroDivisionError"


def test_a_question_gets_no_answer_instead_of_waiting_for_one(run):
    with pytest.raises(papermill.PapermillExecutionError, match="EOF"):
        run("input('name? ')")


def test_syntax_errors_and_magics_work(run):
    with pytest.raises(papermill.PapermillExecutionError, match="SyntaxError"):
        run("a b c")
    assert run("%pwd")[0].outputs


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_control_c_ends_more_than_the_cell(run):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)")
    finally:
        signal.signal(signal.SIGINT, before)
