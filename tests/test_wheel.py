"""The wheel carries what the embedded default needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.mark.slow
def test_every_module_is_in_the_wheel_and_what_lies_beside_it(wheel: zipfile.ZipFile) -> None:
    for base, package in ((ROOT, "spa2v_lib"), (ROOT / "notebooks", "spa2v_lab")):
        found = [path for path in (base / package).rglob("*") if "__pycache__" not in path.parts]
        files = {str(path.relative_to(base)) for path in found if path.is_file()}
        assert {Path(name).suffix for name in files} >= {".py", ".csv", ".html"}
        assert files - set(wheel.namelist()) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", ["answers", "exemplars", "in_the_wild", "recordings", "results", "sprites", "models"]
)
def test_shipped_data_are_in_the_wheel(wheel: zipfile.ZipFile, folder: str) -> None:
    files = [path for path in (ROOT / "data" / folder).rglob("*") if path.is_file()]
    wanted = {f"spa2v_lib/_data/{path.relative_to(ROOT / 'data')}" for path in files}
    assert wanted
    assert wanted - set(wheel.namelist()) == set()


@pytest.mark.slow
def test_licence_and_command_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    (entry,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    entries = wheel.read(entry).decode()
    assert "spa2v = spa2v_lib.cli:main" in entries and "spa2v_lab.cli:register" in entries
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_nothing_but_the_two_packages_is_installed(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0].split("-")[0] for name in wheel.namelist()}
    assert tops == {"spa2v_lib", "spa2v_lab", "spa2v"}


@pytest.mark.slow
def test_the_notebook_of_batches_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    kept = wheel.read("spa2v_lib/_data/notebooks/end_to_end.ipynb")
    assert kept == (ROOT / "notebooks/end_to_end.ipynb").read_bytes()
