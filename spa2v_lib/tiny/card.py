"""What is written about the shipped suite: its model card and the logs of its trainings."""

from __future__ import annotations

import json
from typing import Any

from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

__all__ = ["STAGES", "card_section", "training_logs"]

STAGES = ("autoencoder", "base", "motion", "gligen", "migc", "detector")
"""Trainings in the order in which they were done."""


def training_logs() -> dict[str, dict[str, Any]]:
    """Read the plan and the losses of every training that has a log, in their order.

    A stage that was trained further has several entries, called "*stage*", "*stage*, part 2" and so
    on, the first training first.
    """
    folder = resource("models", "tiny", "training")
    logs: dict[str, dict[str, Any]] = {}
    for name in STAGES:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        log = json.loads(path.read_text(encoding="utf-8"))
        parts = [log]
        while before := parts[0].pop("before", None):
            parts.insert(0, before)
        logs |= {f"{name}, part {i}" if i > 1 else name: part for i, part in enumerate(parts, 1)}
    return logs


def card_section(heading: str) -> str:
    """Return one section of the suite's model card, as Markdown without its heading.

    Parameters
    ----------
    heading : str
        Of the second level, as the card writes it.

    Raises
    ------
    DataError
        If the card has no such section.
    """
    text = (resource("models", "tiny") / "README.md").read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    if heading not in sections:
        raise DataError(
            f"the model card has no section {heading!r}; there is: {', '.join(sections)}"
        )
    return sections[heading].strip()
