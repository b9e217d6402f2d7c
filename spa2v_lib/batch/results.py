"""What a batch shows: a table of results, as CSV and as Parquet, and an index page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spa2v_lib.batch.store import Store
from spa2v_lib.files import replacing, write_text
from spa2v_lib.pages import printable, render

__all__ = ["COLUMNS", "as_row", "render_index", "write_index", "write_tables"]

COLUMNS: dict[str, type] = {
    "number": int,
    "name": str,
    "recording": str,
    "status": str,
    "error": str,
    "folder": str,
    "caption": str,
    "sources": str,
    "motion": str,
    "duration_s": float,
    "frames": int,
    "fps": float,
    "width": int,
    "height": int,
    "seconds": float,
    "pipeline_s": float,
    "parameters": str,
    "notes": str,
    "host": str,
    "input_sha256": str,
    "frames_sha256": str,
}
"""Names and types; a cell of which nothing is known is empty. `parameters` is JSON."""

_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of a formula


def as_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's row of the table.

    Parameters
    ----------
    record : mapping
        An item's ``item.json``, with its folder's name under "folder".

    See Also
    --------
    write_tables : Writes them as CSV and Parquet.
    render_index : Shows them.

    Examples
    --------
    >>> as_row({"folder": "car-1", "title": "car", "status": "done"})["folder"]
    'items/car-1'
    """
    summary, sources = _table(record, "summary"), _table(record, "sources")
    found = {
        **summary,
        **{name: record.get(name) for name in ("number", "recording", "status", "error", "host")},
        "name": record.get("title"),
        "folder": f"items/{record.get('folder', '')}",
        "parameters": json.dumps(_flat(_table(record, "parameters")), ensure_ascii=False),
        "input_sha256": sources.get("input"),
    }
    return {name: _cell(found.get(name), form) for name, form in COLUMNS.items()}


def write_tables(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``results.csv`` and ``results.parquet``.

    In the CSV, text that a spreadsheet would compute begins with an apostrophe.

    Parameters
    ----------
    store : Store
        Where the tables go.
    rows : sequence of mapping
        As `as_row` gives them.

    Raises
    ------
    OutputError
        If they cannot be written.

    See Also
    --------
    as_row : Makes a row of an item.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> from spa2v_lib.batch.store import Store
    >>> from spa2v_lib.batch.tasks import end_to_end, read_template
    >>> store = Store(folder / "runs")
    >>> store.open(read_template(end_to_end()), resume=False)
    >>> record = {"folder": "car-1", "title": "=car", "status": "done"}
    >>> write_tables(store, [as_row(record)])
    >>> with (store.root / "results.csv").open(newline="") as stream:
    ...     next(csv.DictReader(stream))["name"]
    "'=car"
    >>> import pyarrow.parquet
    >>> pyarrow.parquet.read_table(store.root / "results.parquet")["name"].to_pylist()
    ['=car']
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(COLUMNS))
    writer.writeheader()
    writer.writerows({name: _harmless(cell) for name, cell in row.items()} for row in rows)
    write_text(store.root / "results.csv", text.getvalue())
    _write_parquet(store.root / "results.parquet", rows)


def _write_parquet(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    schema = pyarrow.schema([(name, types[form]) for name, form in COLUMNS.items()])
    table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with replacing(target) as temporary:
        parquet.write_table(table, temporary)


def _harmless(cell: Any) -> Any:
    """Return text that is neither a formula nor a terminal's command."""
    if not isinstance(cell, str):
        return cell
    text = printable(cell, lines=True)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notebook's parameters by column."""
    settings = parameters.get("SETTINGS")
    own = {name.lower(): v for name, v in parameters.items() if name != "SETTINGS"}
    return {**(settings if isinstance(settings, dict) else {}), **own}


def _table(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    content = record.get(key)
    return content if isinstance(content, dict) else {}


def _cell(value: Any, form: type) -> Any:
    """Return a value of the column's type; None where it is not one."""
    if value is None or isinstance(value, (dict, list)):
        return None
    try:
        return form(value)
    except (ValueError, TypeError, OverflowError):
        return None


def write_index(store: Store, rows: Sequence[Mapping[str, Any]], waiting: int) -> None:
    """Write ``index.html``; parameters as of `render_index`.

    Raises
    ------
    OutputError
        If it cannot be written.

    Parameters
    ----------
    store : Store
        Where the page goes.
    rows : sequence of mapping
        As `as_row` gives them.
    waiting : int
        How many items are not done yet.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> from spa2v_lib.batch.store import Store
    >>> from spa2v_lib.batch.tasks import end_to_end, read_template
    >>> store = Store(folder / "runs")
    >>> store.open(read_template(end_to_end()), resume=False)
    >>> write_index(store, [], waiting=3)
    >>> "3 not done yet" in (store.root / "index.html").read_text(encoding="utf-8")
    True
    """
    write_text(store.root / "index.html", render_index(rows, waiting))


def render_index(rows: Sequence[Mapping[str, Any]], waiting: int = 0) -> str:
    """Make the index page: thumbnails, players and a table to sort and to search.

    Parameters
    ----------
    rows : sequence of mapping
        As `as_row` gives them.
    waiting : int
        How many items of the batch are not done yet.

    Returns
    -------
    str
        HTML that loads pictures and videos from the folder's own items, as they come into view
        or are asked for, and nothing else. All text is escaped.

    See Also
    --------
    as_row : Makes a row of an item.

    Examples
    --------
    >>> "3 not done yet" in render_index([], waiting=3)
    True
    """
    return render("templates/batch.html", rows=rows, waiting=waiting)
