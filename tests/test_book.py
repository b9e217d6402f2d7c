"""The book's settings, its vendored scripts, and the check of its pages."""

from __future__ import annotations

import base64
import csv
import hashlib
import itertools
import re
import subprocess
import sys
from importlib.metadata import version
from inspect import isclass, isroutine
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from plotly.offline import get_plotlyjs_version

import spa2v_lib
from spa2v_lib import cues, planning, sampling, viz

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book/_ext")]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
VENDORED = list(csv.DictReader((ROOT / "book/vendored.csv").read_text("utf-8").splitlines()))
LICENCES = {
    "MIT": "MIT",
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "Apache-2.0": "Apache License",
    "MPL-2.0": "Mozilla Public License",
    "OFL-1.1": "SIL OFL 1.1",
}
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SEARCHED = (
    "*.md",
    "*.toml",
    "*.yml",
    "*.cff",
    "Makefile",
    ".github/**/*.yml",
    "book/*",
    "spa2v_lib/**/*.py",
    "notebooks/*.py",
)


@pytest.mark.parametrize("row", VENDORED, ids=lambda row: Path(row["file"]).name)
def test_every_vendored_script_is_the_one_of_the_table(row: dict[str, str]) -> None:
    assert hashlib.sha256((ROOT / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    licence = (ROOT / row["licence_file"]).read_text(encoding="utf-8")
    assert LICENCES[row["licence"]] in licence


def test_the_table_names_every_vendored_script() -> None:
    folder = ROOT / "book/_static/vendored"
    lying = {p for p in folder.rglob("*") if p.is_file() and p.parent.name != "licences"}
    listed = {ROOT / row["file"] for row in VENDORED}
    assert lying == {path for path in listed if folder in path.parents} != set()


def test_the_vendored_plotly_is_the_one_that_plotly_writes_for() -> None:
    head = (ROOT / "book/_static/vendored/plotly-cartesian.min.js").read_text(encoding="utf-8")[
        :200
    ]
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}" in head


def test_every_script_that_the_settings_name_is_there() -> None:
    settings = CONFIG["sphinx"]["config"]
    named = [*settings["html_js_files"], settings["mathjax_path"], *settings["nb_ipywidgets_js"]]
    assert [name for name in named if not (ROOT / "book/_static" / name).is_file()] == []


def test_the_api_pages_show_all_that_is_public_and_all_that_chapters_import(tmp_path, monkeypatch):
    import api_pages

    monkeypatch.setattr(api_pages, "PAGES", tmp_path / "api")
    api_pages.main()
    shown = "\n".join(p.read_text(encoding="utf-8") for p in (tmp_path / "api").glob("*.md"))
    names = set(re.findall(r"\w+", " ".join(re.findall(r":members: (.+)", shown))))
    public = {
        name
        for module in (spa2v_lib, cues, planning, sampling, viz)
        for name in module.__all__
        if isroutine(getattr(module, name)) or isclass(getattr(module, name))
    }
    assert public - names == set()
    pages = {p.stem for p in (tmp_path / "api").glob("*.md")}
    missing = api_pages.imported_by_chapters() - pages
    assert not {name for name in missing if not api_pages.gathers(name)}


def test_every_page_of_the_table_of_contents_exists() -> None:
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    pages = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    missing = [
        p for p in pages if not any((ROOT / f"{p}.{end}").is_file() for end in ("md", "ipynb"))
    ]
    assert missing == []


def test_every_notebook_is_in_the_table_of_contents() -> None:
    toc = (ROOT / "book/_toc.yml").read_text(encoding="utf-8")
    names = [f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert [name for name in names if f"- file: {name}\n" not in toc] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_pin_what_they_use_and_make_what_can_be_made(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    goals = re.findall(r"\bmake ([\w-]+)", " ".join(step.get("run", "") for step in steps))
    assert [goal for goal in goals if not re.search(rf"^{goal}:", makefile, re.MULTILINE)] == []


def test_the_public_address_stands_only_where_one_command_sets_it() -> None:
    from address import places

    address = CONFIG["repository"]["url"].removeprefix("https://")
    holders = [
        str(path.relative_to(ROOT))
        for pattern in SEARCHED
        for path in ROOT.glob(pattern)
        if path.is_file() and address in path.read_text(encoding="utf-8")
    ]
    assert set(holders) <= {str(path.relative_to(ROOT)) for path in places()}


def script(name: str, body: str = "") -> SimpleNamespace:
    return SimpleNamespace(filename=name, attributes={"body": body})


@pytest.mark.parametrize(
    ("body", "state", "kept"),
    [
        ("<p>words</p>", "", ["theme.js"]),
        ('<div class="spa2v-figure">', "", ["theme.js", "figures.js"]),
        ('<span class="math notranslate">', "", ["theme.js", "formulas.js"]),
        ("<p>words</p>", "spa2v-figure", ["theme.js", "figures.js"]),
    ],
)
def test_a_page_loads_the_large_scripts_only_where_it_needs_them(
    body: str, state: str, kept: list[str]
) -> None:
    from offline import choose_scripts

    names = ("theme.js", "figures.js", "formulas.js", "thebe.js")
    scripts = [*map(script, names), script("", state)]
    context = {"body": body, "script_files": scripts}
    choose_scripts(None, "page", "page.html", context, None)
    assert [s.filename for s in context["script_files"] if s.filename] == kept


def test_the_front_page_shows_the_video_that_the_quickstart_made() -> None:
    from notebook_video import film, shown

    address = film(ROOT / "notebooks/quickstart.ipynb")
    data = base64.b64decode(address.removeprefix("data:video/mp4;base64,"))
    assert data[4:8] == b"ftyp"
    assert address in shown(ROOT / "notebooks/quickstart.ipynb")
    assert "{notebook-video} quickstart" in (ROOT / "book/intro.md").read_text(encoding="utf-8")


def test_the_record_of_a_run_on_colabs_versions_names_notebooks_and_versions() -> None:
    from colab import here, record

    python, line = here()
    runs = {"3.13": ("runs", "2026-01-31")}
    text = record({"quickstart": runs, "gone": runs}, {python: line})
    assert "| quickstart | not run yet |  | runs | 2026-01-31 |" in text
    assert "gone" not in text
    assert f"plotly {version('plotly')}" in text


def test_what_the_record_says_is_kept_when_it_is_written_again(monkeypatch, tmp_path) -> None:
    import colab

    monkeypatch.setattr(colab, "RECORD", tmp_path / "colab.md")
    results = {"hearing": {"3.11": ("runs", "2026-01-31")}}
    results["quickstart"] = {"3.13": ("fails: ImportError", "2026-01-31"), **results["hearing"]}
    versions = {"3.13": "- Python 3.13.1, with torch 2.11.0"}
    colab.RECORD.write_text(colab.record(results, versions), encoding="utf-8")
    again, kept = colab.kept()
    assert {name: of for name, of in again.items() if of} == results
    assert kept == versions


def test_no_notebook_failed_when_it_last_ran_on_colabs_versions() -> None:
    from colab import PYTHONS, kept

    results, versions = kept()
    whats = {(name, on): what for name, of in results.items() for on, (what, _) in of.items()}
    assert set(whats.values()) == {"runs"}
    notebooks = (path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert set(whats) <= set(itertools.product(notebooks, PYTHONS))
    assert {on for _, on in whats} == set(versions)
    pinned = (ROOT / "book/colab-constraints.txt").read_text(encoding="utf-8")
    for name, number in re.findall(r"^(\w+)==([\d.]+)$", pinned, re.MULTILINE):
        assert all(f"{name} {number}" in line for line in versions.values())
    for name, number, relation in re.findall(
        r'^(\w+)==([\d.]+); python_version (<|>=) "3.13"$', pinned, re.MULTILINE
    ):
        python = "3.13" if relation == ">=" else "3.11"
        assert f"{name} {number}" in versions.get(python, f"{name} {number}")


GOOD = '<div class="cell_output docutils container"><div class="text_html"><p>7</p></div></div>'


def checked(folder: Path, body: str) -> tuple[int, str]:
    (folder / "page.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    command = [sys.executable, str(ROOT / "book/check.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_page_in_order_passes_the_check(tmp_path: Path) -> None:
    code, said = checked(tmp_path, GOOD + '<img src="_images/a.png" alt="a train">')
    assert code == 0, said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org"),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', "loads //fonts.example.org"),
        ('<img src="_images/a.png" alt="_images/a.png">', "has no words"),
        ('<div class="cell_output"><div class="output"> </div></div>', "empty cell output"),
        ("x" * 500_001, "bytes without media"),
        (
            '<a href="https://colab.research.google.com/github/o/r/blob/main/notebooks/no.ipynb">',
            "which is not there",
        ),
    ],
)
def test_the_check_finds_each_fault(tmp_path: Path, fault: str, said: str) -> None:
    code, output = checked(tmp_path, GOOD + fault)
    assert code == 1
    assert output.count("\n") == 1
    assert said in output


def test_embedded_media_do_not_count_as_page_size(tmp_path: Path) -> None:
    film = f'<video src="data:video/mp4;base64,{"A" * 600_000}"></video>'
    assert checked(tmp_path, film)[0] == 0


def test_attributes_that_share_a_line_of_a_docstring_get_a_line_each() -> None:
    from docstrings import split_shared

    shared = ["Attributes", "----------", "low, high : float", "    Ends.", "name : str"]
    each = ["low : float", "    Ends.", "high : float", "    Ends.", "name : str"]
    assert split_shared(shared) == [*shared[:2], *each]
    assert split_shared(["Parameters", *shared[1:]]) == ["Parameters", *shared[1:]]


def test_a_number_and_its_unit_stay_together() -> None:
    from units import BROKEN, NO_BREAK

    kept = BROKEN.sub(NO_BREAK, "90 % in 28 s at 44.1 kHz, 3 more, 5 sounds")
    assert kept.replace(NO_BREAK, "_") == "90_% in 28_s at 44.1_kHz, 3 more, 5 sounds"


def widget_notebook() -> dict:
    from live_controls import STATE, VIEW

    def shows(name: str) -> dict:
        return {"output_type": "display_data", "data": {VIEW: {"model_id": name}}, "metadata": {}}

    words = {"output_type": "stream", "name": "stdout", "text": "7"}
    state = {"a": {"model_module": "anywidget"}, "b": {"model_module": "@jupyter-widgets/controls"}}
    return {
        "metadata": {"widgets": {STATE: {"state": state}}},
        "cells": [
            {"cell_type": "code", "outputs": [shows("a")]},
            {"cell_type": "code", "outputs": [words, shows("b")]},
        ],
    }


def test_controls_that_need_a_kernel_are_not_on_a_page_and_others_are() -> None:
    from live_controls import without_dead_controls

    first, second = without_dead_controls(widget_notebook())["cells"]
    assert len(first["outputs"]) == 1
    assert [output["output_type"] for output in second["outputs"]] == ["stream"]


def test_a_page_without_controls_needs_no_widget_manager() -> None:
    from live_controls import without_dead_controls

    notebook = widget_notebook()
    del notebook["cells"][0]
    assert "widgets" not in without_dead_controls(notebook)["metadata"]


@pytest.mark.parametrize(
    "repository, site",
    [
        ("https://github.com/OWNER/spa2v", ""),
        ("https://github.com/Me-2/spa2v", "https://me-2.github.io/spa2v/"),
        ("https://example.org/me/spa2v", ""),
    ],
)
def test_shared_links_begin_with_the_public_address_once_it_is_set(repository, site) -> None:
    from sharing import site_of

    assert site_of(repository) == site
