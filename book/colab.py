"""Run every notebook as Colab would: ``python book/colab.py [--few] WHEEL [NAME ...]``.

Run by ``make test-colab`` with the Python of an environment that holds what Colab ships, and not
the library. Each notebook is opened alone: in an empty folder, and in a new environment laid over
that one, where its own install cell brings the library, from the wheel instead of the project's
address. What came of it is recorded, for each Python, in ``book/colab.md``, which the book shows.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "book/colab.md"
PYTHONS = ("3.11", "3.13")
ROW = re.compile(r"^\| (\w+) \|" + r" (.*?) \| ([\d-]*) \|" * len(PYTHONS) + "$", re.MULTILINE)
VERSIONS = re.compile(r"^- Python (\d\.\d+)\.\d+, with .*$", re.MULTILINE)
TOLD = (
    *("torch", "numpy", "diffusers", "transformers", "plotly", "ipywidgets", "ipython"),
    "tenacity",
)
FEW = {"STEPS": 2, "SECONDS": 1.0, "SCENES": 2, "CLIPS": 2, "DRAWN": 24, "JUDGED": 24}
"""Parameters with which a notebook does all that it does, on less."""

Results = dict[str, dict[str, tuple[str, str]]]  # notebook, Python: what came of it, and the day


def laid_over(folder: Path) -> Path:
    """Make an environment that sees all of this one's packages; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "colab.pth").write_text("\n".join(here), encoding="utf-8")
    return folder / "bin/python"


def replaced(folder: Path) -> list[str]:
    """Return what the install cell installed although it was there: it asks for a restart."""
    shipped = {found.name for found in distributions()}
    packages = [str(path) for path in folder.glob("lib/python*/site-packages")]
    return sorted(shipped & {found.name for found in distributions(path=packages)})


def fewer(notebook: Path) -> dict[str, object]:
    """Return the parameters of a notebook that make it quick."""
    cells = nbformat.read(notebook, as_version=4).cells
    text = next(c.source for c in cells if "parameters" in c.metadata.get("tags", []))
    return {name: few for name, few in FEW.items() if re.search(rf"^{name} =", text, re.MULTILINE)}


def run_alone(notebook: Path, wheel: Path, few: bool = False) -> tuple[str, float]:
    """Open a notebook alone and run it; return what came of it, and the seconds it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        environment, folder = Path(temporary, "environment"), Path(temporary, "content")
        python = laid_over(environment)
        folder.mkdir()
        shutil.copy(notebook, folder)
        command = [str(python), "-m", "papermill", "--no-progress-bar", "-k", "python3"]
        command += [notebook.name, "done.ipynb"]
        for name, value in (fewer(notebook) if few else {}).items():
            command += ["-p", name, str(value)]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**clean(), "SPA2V_SOURCE": wheel.resolve().as_uri()},
            capture_output=True,
            text=True,
        )
        again = replaced(environment)
    result = "runs" if not again else f"replaces {', '.join(again)}"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        last = done.stderr.strip().splitlines()[-1]
        result = f"fails: {re.split(r'[^A-Za-z_.]', last)[0]}"
    return result, time.monotonic() - start


def clean() -> dict[str, str]:
    """Return the variables of this process without those that show it another library."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def kept() -> tuple[Results, dict[str, str]]:
    """Return what the record says: of each notebook, and of the versions with each Python."""
    text = RECORD.read_text(encoding="utf-8") if RECORD.is_file() else ""
    results = {
        name: {
            python: (result, day)
            for python, result, day in zip(PYTHONS, cells[::2], cells[1::2], strict=True)
            if day
        }
        for name, *cells in ROW.findall(text)
    }
    return results, {found[1]: found[0] for found in VERSIONS.finditer(text)}


def record(results: Results, versions: dict[str, str]) -> str:
    """Return the page's text on the last run of each notebook that still exists."""
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    rows = [
        f"| {name} |"
        + "".join(
            " {} | {} |".format(*results.get(name, {}).get(python, ("not run yet", "")))
            for python in PYTHONS
        )
        for name in notebooks
    ]
    head = "| notebook |" + "".join(f" Python {python} | day |" for python in PYTHONS)
    lines = "\n".join(versions[python] for python in PYTHONS if python in versions)
    return (
        "`make test-colab` opens every notebook alone, in a fresh environment over the older "
        "versions that Colab ships: its install cell installs the library, from a wheel, and "
        "replaces nothing that is there. The last runs:\n\n"
        f"{lines}\n\n{head}\n|---|{'---|---|' * len(PYTHONS)}\n" + "\n".join(rows) + "\n"
    )


def here() -> tuple[str, str]:
    """Return this Python, and a line on what it runs with."""
    told = ", ".join(f"{name} {version(name)}" for name in TOLD)
    python = platform.python_version()
    return python.rpartition(".")[0], f"- Python {python}, with {told}"


def main(wheel: Path, names: list[str], few: bool) -> int:
    """Run the named notebooks, or all, and record each; return how many fail."""
    names = names or sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    failed, (python, line) = 0, here()
    for name in names:
        result, seconds = run_alone(ROOT / f"notebooks/{name}.ipynb", wheel, few)
        print(f"{name}: {result} ({seconds:.0f} s)", flush=True)
        results, versions = kept()
        results.setdefault(name, {})[python] = (result, f"{datetime.now(UTC):%Y-%m-%d}")
        RECORD.write_text(record(results, {**versions, python: line}), encoding="utf-8")
        failed += result != "runs"
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--few", action="store_true", help="fewer steps, seconds and scenes")
    given = parser.parse_args()
    sys.exit(bool(main(given.wheel, given.names, given.few)))
