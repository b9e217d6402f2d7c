"""Run every notebook as Colab would: ``python book/colab.py [NAME ...]``.

Run by ``make test-colab`` in an environment of Colab's versions, where the library is installed
from its wheel. Each notebook is copied into an empty folder and executed there, so that it finds
nothing but what it brings and what is installed. What came of it is recorded in
``book/colab.md``, which the book shows.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import papermill

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "book/colab.md"
ROW = re.compile(r"^\| (\w+) \| (.+) \| (\d+) \| ([\d-]+) \|$", re.MULTILINE)
TOLD = ("torch", "numpy", "diffusers", "transformers", "plotly", "ipywidgets", "ipython")


def run_alone(notebook: Path) -> tuple[str, float]:
    """Execute a notebook in an empty folder; return what came of it, and the seconds it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        alone = shutil.copy(notebook, folder)
        try:
            papermill.execute_notebook(
                alone, None, cwd=folder, kernel_name="python3", progress_bar=False
            )
            result = "runs"
        except papermill.PapermillExecutionError as error:
            result = f"fails: {error.ename}"
            print(error, file=sys.stderr)
    return result, time.monotonic() - start


def kept() -> dict[str, tuple[str, float, str]]:
    """Return the rows of the record: what came of each notebook, seconds, and the day."""
    rows = ROW.findall(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else []
    return {name: (what, float(seconds), day) for name, what, seconds, day in rows}


def record(results: dict[str, tuple[str, float, str]]) -> str:
    """Return the page's text on the last run of each notebook that still exists."""
    versions = ", ".join(f"{name} {version(name)}" for name in TOLD)
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    rows = "\n".join(
        "| {} | {} | {:.0f} | {} |".format(name, *results[name])
        if name in results
        else f"| {name} | not run yet | | |"
        for name in notebooks
    )
    return (
        f"`make test-colab` runs every notebook alone, with the library installed from its wheel "
        f"and the older versions that Colab ships. The last runs, with Python "
        f"{platform.python_version()}, {versions}:\n\n"
        f"| notebook | result | seconds | day |\n|---|---|--:|---|\n{rows}\n"
    )


def main(names: list[str]) -> int:
    """Run the named notebooks, or all, and record each; return how many fail."""
    names = names or sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    failed = 0
    for name in names:
        result, seconds = run_alone(ROOT / f"notebooks/{name}.ipynb")
        print(f"{name}: {result} ({seconds:.0f} s)", flush=True)
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        RECORD.write_text(record({**kept(), name: (result, seconds, today)}), encoding="utf-8")
        failed += result != "runs"
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
