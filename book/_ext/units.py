"""Sphinx extension: a number and its unit stay on one line."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

BROKEN = re.compile(r"(?<=\d) (?=(?:%|dB|k?Hz|[cm]?m|km|[mµ]?s|[GM]B)(?!\w))")
NO_BREAK = "\N{NO-BREAK SPACE}"


class Units(SphinxPostTransform):
    """Puts a no-break space between a number and its unit, in all text but code and formulas."""

    default_priority = 900

    def run(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            kept = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)
            if not isinstance(text.parent, kept) and BROKEN.search(text):
                text.parent.replace(text, nodes.Text(BROKEN.sub(NO_BREAK, text)))


def setup(app: Any) -> dict[str, bool]:
    app.add_post_transform(Units)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
