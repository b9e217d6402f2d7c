"""The index page of a batch: thumbnails, players and a table that can be sorted and searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from spa2v_lib.batch.store import NOTEBOOK, THUMBNAIL, Store
from spa2v_lib.files import replacing

__all__ = ["render_index", "write_index"]


def write_index(store: Store, rows: Sequence[Mapping[str, Any]], waiting: int) -> None:
    """Write ``index.html``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with replacing(store.root / "index.html") as temporary:
        temporary.write_text(render_index(rows, waiting), encoding="utf-8")


def render_index(rows: Sequence[Mapping[str, Any]], waiting: int = 0) -> str:
    """Make the page.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the table of results, see `spa2v_lib.batch.results.COLUMNS`.
    waiting : int
        How many items of the batch are not done yet.

    Returns
    -------
    str
        HTML that loads pictures and videos from the folder's own items, as they come into view
        or are asked for, and nothing else. All text is escaped.
    """
    template = Template((files("spa2v_lib") / "templates" / "batch.html").read_text("utf-8"))
    return template.substitute(
        summary=_summary(rows, waiting), rows="\n".join(_row(row) for row in rows)
    )


def _summary(rows: Sequence[Mapping[str, Any]], waiting: int) -> str:
    done = sum(row["status"] == "done" for row in rows)
    failed = len(rows) - done
    sound = sum(row["duration_s"] or 0.0 for row in rows)
    parts = [
        f"{done} video{'' if done == 1 else 's'} of {sound:.0f} s of sound",
        f"{failed} failed" if failed else "",
        f"{waiting} not done yet" if waiting else "",
    ]
    return " · ".join(part for part in parts if part)


def _row(row: Mapping[str, Any]) -> str:
    done = row["status"] == "done"
    folder = quote(row["folder"])
    name, status = (escape(_plain(row[key])) for key in ("name", "status"))
    told = escape(_plain(row["caption"] if done else row["error"]))
    cells = [
        _cell(row["number"], row["number"]),
        f'<td class="picture">{_picture(folder) if done else ""}</td>',
        f'<td data-sort="{name}" class="name"><b>{name}</b><br>{_links(folder, done)}</td>',
        f'<td data-sort="{status}" class="{"" if done else "bad"}">{status}</td>',
        f'<td data-sort="{told}" class="words">{told}</td>',
        _cell(row["heard"], row["heard"]),
        _cell(row["motion"], _plain(row["motion"]).replace("_", " ")),
        _number(row["duration_s"]),
        _number(row["seconds"]),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _picture(folder: str) -> str:
    return (
        f'<button type="button" data-video="{folder}/video.mp4" aria-label="play">'
        f'<img src="{folder}/{THUMBNAIL}" alt="" loading="lazy" width="96"></button>'
    )


def _links(folder: str, done: bool) -> str:
    named = {"report": "report.html"} if done else {}
    links = {**named, "notebook": NOTEBOOK, "folder": ""}
    return " · ".join(f'<a href="{folder}/{file}">{name}</a>' for name, file in links.items())


def _cell(order: Any, text: Any) -> str:
    return f'<td data-sort="{escape(_plain(order))}">{escape(_plain(text))}</td>'


def _number(value: float | None) -> str:
    # The page compares runs of digits: all need as many decimals.
    return "<td></td>" if value is None else f'<td data-sort="{value:.3f}">{value:.1f}</td>'


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
