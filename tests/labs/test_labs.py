"""The labs: what their checks accept and refuse, and the versions made of them for a class."""

from __future__ import annotations

import ast
import csv
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from spa2v_lab.labs.attention import check_masked_attention
from spa2v_lab.labs.camera import check_project, check_visible
from spa2v_lab.labs.check import check, expect
from spa2v_lab.labs.delay import check_gcc_phat, check_peak
from spa2v_lab.labs.metric import check_iou, check_max_iou
from spa2v_lab.labs.two_sources import check_two_sources, read_votes
from spa2v_lab.scenes.sound import render_sound
from spa2v_lab.scenes.stage import Trajectory, stage
from spa2v_lib import Recording
from spa2v_lib.sampling.selfcheck import known_layout

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))
LABS = sorted((ROOT / "notebooks").glob("lab_*.py"))

each_lab = pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)


def noise() -> Recording:
    draw = np.random.default_rng(0).normal(0, 0.1, 16_000)
    return Recording.from_samples(np.stack([draw, np.roll(draw, -4)]), 16_000)


def solutions(lab: str) -> dict[str, str]:
    """Return the solutions of a lab by the names of the functions, as they stand in an attempt."""
    from execute import from_text
    from labs import as_attempt, defined, tags

    cells = from_text(ROOT / f"notebooks/{lab}.py").cells
    sources = [
        as_attempt(cell.source)
        for cell in cells
        if cell.cell_type == "code" and "solution" in tags(cell)
    ]
    return {defined(source): source for source in sources}


def solved(lab: str, name: str, old: str = "", new: str = "") -> Callable:
    """Return the solution of a lab, with one thing changed in its text."""
    scope = {"np": np, "torch": torch}
    for other, source in solutions(lab).items():
        if other == name:
            assert old in source
            source = source.replace(old, new)
        exec(source, scope)
    return scope[name]


def votes():
    both = Trajectory("bird_01.flac", -35), Trajectory("truck_01.flac", 25)
    return read_votes(render_sound(stage(*both, capture="ortf", seconds=1.0, noise_db=-25)), "ortf")


def judge(name: str) -> Callable[[Callable], Callable]:
    checks = {
        "gcc_phat": lambda f: check_gcc_phat(f, noise()),
        "peak": check_peak,
        "two_sources": lambda f: check_two_sources(f, votes()),
        "project": check_project,
        "visible": check_visible,
        "masked_attention": lambda f: check_masked_attention(f, known_layout(1.0)),
        "iou": check_iou,
        "max_iou": check_max_iou,
    }
    return checks[name]


@each_lab
def test_every_solution_passes_its_check(path, capsys) -> None:
    for name in solutions(path.stem):
        function = solved(path.stem, name)
        assert judge(name)(function) is function
        assert capsys.readouterr().out.startswith(f"✓ {name} is right: ")


@pytest.mark.parametrize(
    ("lab", "name", "old", "new", "said"),
    [
        ("lab_delay", "gcc_phat", "lags[::-1]", "lags", "the sign is turned"),
        ("lab_delay", "gcc_phat", " / (np.abs(cross) + 1e-12)", "", "divide the cross-spectrum"),
        ("lab_delay", "gcc_phat", "2 * len(left)", "len(left)", "pad both channels with zeros"),
        ("lab_delay", "gcc_phat", "np.hanning", "np.ones", "multiply both channels by a Hann"),
        ("lab_delay", "peak", "beside *", "0 *", "lay a parabola"),
        ("lab_delay", "peak", "(0, len(values) - 1)", "()", "ValueError"),
        ("lab_two_sources", "two_sources", "owner /= owner.sum(0)", "", "divide by their sum"),
        ("lab_two_sources", "two_sources", "weight.sum()", "len(weight)", "counts by its weight"),
        ("lab_two_sources", "two_sources", "np.argmax(", "np.argmin(", "times the logarithm"),
        (
            "lab_camera",
            "project",
            "sin(radians(azimuth_deg))",
            "radians(azimuth_deg)",
            "the tangent",
        ),
        ("lab_camera", "project", "- focal * low", "+ focal * low", "y grows downwards"),
        ("lab_camera", "project", "depth <= 0.1", "False", "instead of None"),
        ("lab_camera", "visible", "seen >= 0.25 * whole", "seen > 0", "less than a quarter"),
        ("lab_camera", "visible", "corners is None", "False", "TypeError"),
        ("lab_attention", "masked_attention", " / query.shape[-1] ** 0.5", "", "divide the scores"),
        ("lab_attention", "masked_attention", "chosen * inside", "chosen", "multiply the maps"),
        ("lab_attention", "masked_attention", "* most * bell", "* bell", "times the largest"),
        ("lab_metric", "iou", "max(0.0, ", "(", "two negative sides"),
        ("lab_metric", "iou", "(areas - shared)", "areas", "instead of 1"),
        ("lab_metric", "max_iou", "in permutations(estimate)", "in [estimate]", "every pairing"),
        ("lab_metric", "max_iou", "if label == name", "", "of its own class"),
        ("lab_metric", "max_iou", "return 1.0", "return 0.0", "two empty frames agree"),
        ("lab_metric", "max_iou", " / len(truth)", "", "instead of 1"),
    ],
)
def test_a_usual_mistake_is_named(lab, name, old, new, said, capsys) -> None:
    wrong = solved(lab, name, old, new)
    assert judge(name)(wrong) is not wrong
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name} is not right yet.")
    assert said in printed


def test_an_attempt_that_is_not_written_is_no_mistake(capsys) -> None:
    def answer():
        raise NotImplementedError

    def library():
        return 42

    assert (
        check(answer, {"the answer": lambda f: expect(f() == 42, "it is not 42")}, library)() == 42
    )
    assert capsys.readouterr().out.startswith("○ answer is not written yet.")


def test_an_error_is_reported_with_its_line(capsys) -> None:
    def answer():
        x = []
        return x[0]

    check(answer, {"the answer": lambda f: f()}, answer)
    line = answer.__code__.co_firstlineno + 2
    assert (
        f"it raised IndexError: list index out of range (line {line} of" in capsys.readouterr().out
    )


@each_lab
def test_a_lab_has_for_every_attempt_a_check_a_hint_and_a_solution(path) -> None:
    from execute import from_text
    from labs import defined, tags

    cells = from_text(path).cells
    places = [number for number, cell in enumerate(cells) if "attempt" in tags(cell)]
    assert places
    for number in places:
        name = defined(cells[number].source)
        checked, hint, solution = cells[number + 1 : number + 4]
        assert f"{name} = check_{name}({name}" in checked.source
        assert "<details><summary>Hint</summary>" in hint.source
        assert {"hide-cell", "solution"} <= set(tags(solution))
        assert solution.metadata.cellView == "form"  # folded in Colab, as in the book
        assert solution.metadata.jupyter.source_hidden  # and in JupyterLab
        assert defined(solution.source) == f"{name}_solution"
        length = len(solution.source.splitlines())
        assert length <= 30


@each_lab
def test_a_students_version_holds_no_solution_and_a_teachers_all(path) -> None:
    from execute import from_text
    from labs import defined, student, tags, teacher

    whole = from_text(path)
    asked = [defined(c.source) for c in whole.cells if "attempt" in tags(c)]
    for_students = "\n".join(cell.source for cell in student(from_text(path)).cells)
    assert "_solution" not in for_students and "What to expect" not in for_students
    assert for_students.count("raise NotImplementedError") == len(asked)
    filled = teacher(from_text(path))
    attempts = [cell.source for cell in filled.cells if "attempt" in tags(cell)]
    assert [defined(source) for source in attempts] == asked
    assert not any("NotImplementedError" in source or "_solution" in source for source in attempts)
    for cell in filled.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)


def run_version(what: str, path: Path, folder: Path) -> dict[str, bool]:
    """Make a version of a lab, run it, and return which of its functions are right."""
    import papermill
    from labs import main, verdicts

    main([what, "--out", str(folder)])
    made, done = folder / f"{path.stem}.ipynb", folder / "done.ipynb"
    papermill.execute_notebook(made, done, kernel_name="python3", progress_bar=False)
    return {name: right for name, right, _ in verdicts(nbformat.read(done, as_version=4))}


@pytest.mark.slow
@each_lab
@pytest.mark.parametrize("what", ["student", "teacher"])
def test_both_versions_run_to_their_end(what, path, tmp_path) -> None:
    right = run_version(what, path, tmp_path)
    assert set(right) == set(solutions(path.stem))
    assert set(right.values()) == {what == "teacher"}


@pytest.mark.slow
def test_handed_in_notebooks_are_graded_by_fresh_checks(tmp_path) -> None:
    from labs import main

    main(["student", "--out", str(tmp_path)])
    handed_in = nbformat.read(tmp_path / "lab_metric.ipynb", as_version=4)
    for cell in handed_in.cells:
        if cell.source.startswith("def iou("):
            cell.source = solutions("lab_metric")["iou"]
        elif cell.source.startswith("def max_iou("):
            cell.source = "def max_iou(truth, estimate):\n    return 1.0"
        elif "check_max_iou(" in cell.source:
            cell.source = 'print("✓ max_iou is right: 6 of 6 checks passed.")'
    nbformat.write(handed_in, tmp_path / "lab_metric_ada.ipynb")
    main(["grade", "--out", str(tmp_path), str(tmp_path / "lab_metric_ada.ipynb")])
    with (tmp_path / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["function"]: row["right"] for row in csv.DictReader(file)}
    assert rows == {"iou": "1", "max_iou": "0"}
