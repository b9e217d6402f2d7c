"""One recording to be worked on: what is asked, and from what its result follows."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.batch.manifest import SUFFIXES, Row
from spa2v_lib.errors import BatchError, Spa2vError
from spa2v_lib.runs import Settings, check_settings, code_hash, weights_of

if TYPE_CHECKING:
    from spa2v_lib.batch.template import Template

__all__ = ["Outcome", "Task", "make_tasks", "settings_of"]

_LONGEST_SLUG = 40
_MOST_SHOWN = 5
_ZERO_COUNTS = ("shots", "max_seconds")


@dataclass(frozen=True)
class Task:
    """One item of a batch, in words that can be sent to another process or machine.

    Attributes
    ----------
    root : str
        The batch's folder, absolute.
    name : str
        Of the item's folder: letters, digits and hyphens, whatever the recording is called.
    title : str
        How the results call it.
    number : int
        Place in the manifest, from 1.
    recording : str
        Its path, absolute.
    written : str
        Its path as the manifest or the command line has it.
    parameters : dict
        What the notebook is told, RECORDING and OUT left out.
    sources : dict
        Hashes of the parameters, weights, code and notebook that the result follows from.
    """

    root: str
    name: str
    title: str
    number: int
    recording: str
    written: str
    parameters: dict[str, Any]
    sources: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, to be sent as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    name : str
    status : {"done", "failed", "busy", "broken"}
        "busy": another process works on it. "broken": nothing can be written any more.
    error : str
        Why, in one line; empty where there is nothing to say.
    """

    name: str
    status: str
    error: str = ""


def make_tasks(
    root: Path, rows: Sequence[Row], template: Template, defaults: Mapping[str, Any]
) -> list[Task]:
    """Turn rows into tasks, and refuse what cannot work before any of them begins.

    Parameters
    ----------
    root : Path
        The batch's folder, absolute.
    rows : sequence of Row
    template : Template
    defaults : mapping
        What rows that say nothing else take, by column; the notebook's own defaults come after.

    Raises
    ------
    BatchError
        If the notebook has no such parameter, or parameters do not fit; the message names lines.
    """
    if unknown := sorted(set(defaults) - set(template.columns)):
        raise BatchError(f"the notebook {template.name} has no parameter {', '.join(unknown)}")
    base = {**template.columns, **defaults}
    chosen = [{**base, **row.parameters} for row in rows]
    _check(rows, chosen)
    common = {"code": code_hash(), "notebook": template.sha256}
    seen: Counter[tuple[str, str]] = Counter()
    tasks = []
    for number, (row, parameters) in enumerate(zip(rows, chosen, strict=True), 1):
        identity = (row.recording, row.name)
        seen[identity] += 1
        told = {name.upper(): value for name, value in parameters.items()}
        sources = common | {
            "parameters": _digest(told),
            "weights": _weights(str(parameters.get("preset", ""))),
        }
        name = _name(row, seen[identity])
        fields = (str(root), name, row.name, number, str(row.path), row.recording, told, sources)
        tasks.append(Task(*fields))
    return tasks


def _check(rows: Sequence[Row], chosen: Sequence[Mapping[str, Any]]) -> None:
    alike = [json.dumps(_alike(parameters), sort_keys=True) for parameters in chosen]
    troubles = {one: _trouble(json.loads(one)) for one in dict.fromkeys(alike)}
    found: dict[str, list[Row]] = {}
    for row, one in zip(rows, alike, strict=True):
        if troubles[one]:
            found.setdefault(troubles[one], []).append(row)
    if found:
        told = [_told(trouble, wrong, len(rows)) for trouble, wrong in found.items()]
        more = len(told) - _MOST_SHOWN
        also = [f"and {more} more"] if more > 0 else []
        raise BatchError("; ".join([*told[:_MOST_SHOWN], *also]))


def _told(trouble: str, wrong: Sequence[Row], of: int) -> str:
    """Say once what is wrong, and with which rows unless it is with all of several."""
    if 1 < len(wrong) == of:
        return trouble
    others = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{wrong[0].recording} (line {wrong[0].line}){others}: {trouble}"


def _alike(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with one seed for all that are good: a check takes a while."""
    seed = parameters.get("seed")
    good = isinstance(seed, int) and 0 <= seed < 2**63
    return {**parameters, "seed": 0} if good else dict(parameters)


def _trouble(parameters: Mapping[str, Any]) -> str:
    """Say what is wrong with parameters; nothing if all is well, or a run does not know them."""
    try:
        check_settings(settings_of(parameters))
    except Spa2vError as error:
        return str(error)
    return ""


def settings_of(parameters: Mapping[str, Any]) -> Settings:
    """Return what a run is asked for by the parameters that it knows, by column.

    What else a notebook takes is its own affair. 0 and the empty text leave a run's default, but
    for the number of examples, of which there may be none, and the longest length, which cannot
    be 0.
    """
    names = set(Settings.__dataclass_fields__) & set(parameters)
    given = {name: parameters[name] for name in names}
    return Settings(**{n: v for n, v in given.items() if v not in ("", 0) or n in _ZERO_COUNTS})


@cache
def _weights(preset: str) -> str:
    return _digest(weights_of(preset)) if preset else ""


def _name(row: Row, occurrence: int) -> str:
    """Return a folder's name that is safe everywhere, and the same whenever the row is the same."""
    title = row.name.lower()
    for ending in SUFFIXES:
        title = title.removesuffix(ending)
    plain = re.sub(r"[^a-z0-9]+", "-", title).strip("-")
    identity = _digest([row.recording, row.name, occurrence])
    return "-".join(filter(None, (plain[:_LONGEST_SLUG].strip("-"), identity[:10])))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
