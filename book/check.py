"""Check the built pages: ``python book/check.py book/_build/html``.

A page must be small, load nothing from elsewhere, leave no output empty and no picture without
words, and its Colab button must open a notebook that is committed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST_PAGE_BYTES = 500_000
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
MEDIA = re.compile(r"data:(?:video|audio|image)/[\w.+-]+;base64,[A-Za-z0-9+/=]+")
COLAB = re.compile(r"https://colab\.research\.google\.com/github/[^/]+/[^/]+/blob/[^/]+/(.+)")


class Page(HTMLParser):
    """Collects the faults of one page while it is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self._output_depth = 0
        self._output_holds = False
        size = len(MEDIA.sub("", text).encode())
        if size > LARGEST_PAGE_BYTES:
            self.faults.append(f"has {size} bytes without media; {LARGEST_PAGE_BYTES} are allowed")
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        address = found.get(LOADED.get(tag, ""), "") or ""
        if address.startswith(("http:", "https:", "//")) and found.get("rel") != "canonical":
            self.faults.append(f"<{tag}> loads {address}")
        if tag == "img" and ("_images/" in (found.get("alt") or "_images/")):
            self.faults.append(f"picture {found.get('src', '')[:60]} has no words")
        if tag == "a" and (match := COLAB.fullmatch(found.get("href") or "")):
            notebook = ROOT / match[1]
            if notebook.suffix != ".ipynb" or not notebook.is_file():
                self.faults.append(f"Colab button opens {match[1]}, which is not there")
        self._follow_output(tag, found.get("class") or "")

    def handle_data(self, data: str) -> None:
        self._output_holds |= bool(data.strip())

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self._output_depth:
            self._output_depth -= 1
            if not self._output_depth and not self._output_holds:
                self.faults.append(f"line {self.getpos()[0]}: an empty cell output")

    def _follow_output(self, tag: str, classes: str) -> None:
        if self._output_depth:
            self._output_depth += tag == "div"
            self._output_holds |= tag in ("img", "video", "audio", "svg", "table")
        elif tag == "div" and "cell_output" in classes.split():
            self._output_depth, self._output_holds = 1, False


def faults(html: Path) -> Iterator[str]:
    """Yield one line per fault in the pages of the built book `html`."""
    pages = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    if not pages:
        yield f"no page under {html}"
    for path in sorted(pages):
        for fault in Page(path.read_text(encoding="utf-8")).faults:
            yield f"{path.relative_to(html)}: {fault}"


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "every page is in order")
    sys.exit(bool(found))
