"""Put measured times into the book: ``python book/times.py [--check]``.

``spa2v bench speed`` measures, and ``data/results/speed*.json`` keep it. From there come the table
in ``book/times.md``, which the colophon shows, and the end of each chapter's "It takes …", in its
text and in its notebook. With ``--check`` nothing is written, and what differs is named.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import nbformat

from spa2v_lab.bench.speed import CHAPTERS
from spa2v_lab.bench.times import Times, read_times

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "book/times.md"
SENTENCE = re.compile(
    r"^(?P<mark>#? ?)\*\*It takes\*\* (?P<begin>[^.;\n]+ to (?:read|write))"
    r"(?:;[^.]*(?:\.\d[^.]*)*)?\.",
    re.MULTILINE,
)
_WIDTH = 98


def sentence(found: re.Match[str], chapter: str, times: Times) -> str:
    """Return the whole sentence in lines of a comment or of Markdown."""
    words = f"**It takes** {found['begin']}{times.to_run(chapter)}."
    return "\n".join(found["mark"] + line for line in textwrap.wrap(words, _WIDTH))


def corrected(text: str, chapter: str, times: Times) -> str:
    """Return the text with that sentence in it.

    Raises
    ------
    ValueError
        If it holds none, or several.
    """
    text, count = SENTENCE.subn(lambda found: sentence(found, chapter, times), text)
    if count != 1:
        raise ValueError(f"{chapter}: {count} sentences begin with “**It takes** … to read”")
    return text


def changes(times: Times) -> dict[Path, str]:
    """Return what the files should hold, of those that hold something else."""
    wanted = {TABLE: times.table()}
    for chapter in CHAPTERS:
        source = ROOT / f"notebooks/{chapter}.py"
        wanted[source] = corrected(source.read_text(encoding="utf-8"), chapter, times)
    return {
        path: text
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }


def write(times: Times) -> list[str]:
    """Correct table, texts and notebooks, and return the names of those that changed."""
    changed = changes(times)
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
        if path != TABLE:
            _correct_notebook(path.with_suffix(".ipynb"), times)
    return [path.name for path in changed]


def _correct_notebook(path: Path, times: Times) -> None:
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (c for c in notebook.cells if "**It takes**" in c.source)
    cell.source = corrected(cell.source, path.stem, times)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    if "--check" in sys.argv:
        found = [path.name for path in changes(read_times())]
        sys.exit(f"not as measured: {', '.join(found)}" if found else 0)
    print("\n".join(write(read_times())) or "all as measured")
