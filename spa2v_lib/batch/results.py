"""The table of results: one row an item, as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spa2v_lib.batch.store import Store
from spa2v_lib.files import replacing

__all__ = ["COLUMNS", "as_row", "write_tables"]

COLUMNS: dict[str, type] = {
    "number": int,
    "name": str,
    "recording": str,
    "status": str,
    "error": str,
    "folder": str,
    "caption": str,
    "heard": str,
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


def as_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's row of the table.

    Parameters
    ----------
    record : mapping
        An item's ``item.json``, with its folder's name under "folder".
    """
    summary, sources = _table(record, "summary"), _table(record, "sources")
    found = {
        **summary,
        **{name: record.get(name) for name in ("number", "recording", "status", "error", "host")},
        "name": record.get("title"),
        "folder": f"items/{record.get('folder', '')}",
        "parameters": json.dumps(_table(record, "parameters"), ensure_ascii=False),
        "input_sha256": sources.get("input"),
    }
    return {name: _cell(found.get(name), kind) for name, kind in COLUMNS.items()}


def write_tables(store: Store, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``results.csv`` and ``results.parquet``.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(COLUMNS))
    writer.writeheader()
    writer.writerows(rows)
    with replacing(store.root / "results.csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
    _write_parquet(store.root / "results.parquet", rows)


def _write_parquet(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with replacing(target) as temporary:
        parquet.write_table(table, temporary)


def _table(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    content = record.get(key)
    return content if isinstance(content, dict) else {}


def _cell(value: Any, kind: type) -> Any:
    """Return a value of the column's type; None where it is not one."""
    if value is None or isinstance(value, (dict, list)):
        return None
    try:
        return kind(value)
    except (ValueError, TypeError, OverflowError):
        return None
