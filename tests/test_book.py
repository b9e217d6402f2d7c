"""The book's settings, its vendored scripts, and the check of its pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from plotly.offline import get_plotlyjs_version

ROOT = Path(__file__).resolve().parent.parent
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SEARCHED = ("*.md", "*.toml", "*.yml", "*.cff", "Makefile", "spa2v_lib/**/*.py", "notebooks/*.py")


def test_the_vendored_plotly_is_the_one_that_plotly_writes_for() -> None:
    head = (ROOT / "book/_static/plotly.min.js").read_text(encoding="utf-8")[:200]
    assert f"plotly.js v{get_plotlyjs_version()}" in head
    assert "MIT License" in (ROOT / "book/_static/plotly.LICENSE.txt").read_text(encoding="utf-8")


def test_every_page_of_the_table_of_contents_exists() -> None:
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    pages = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    missing = [
        p for p in pages if not any((ROOT / f"{p}.{end}").is_file() for end in ("md", "ipynb"))
    ]
    assert missing == []


def test_the_public_address_stands_in_one_place() -> None:
    address = CONFIG["repository"]["url"].removeprefix("https://")
    holders = [
        str(path.relative_to(ROOT))
        for pattern in SEARCHED
        for path in ROOT.glob(pattern)
        if address in path.read_text(encoding="utf-8")
    ]
    assert holders == ["_config.yml"]


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
