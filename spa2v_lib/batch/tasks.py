"""What a batch executes: a notebook, and the tasks that its rows and parameters make."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.batch.manifest import SUFFIXES, ManifestRow
from spa2v_lib.errors import BatchError, SettingsError, Spa2vError
from spa2v_lib.runs import Settings, check_settings, code_hash, weights_of
from spa2v_lib.runs.settings import VARIANT

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "SETTINGS_COLUMNS",
    "Task",
    "TaskResult",
    "Template",
    "end_to_end",
    "make_tasks",
    "read_template",
]

SETTINGS_COLUMNS: dict[str, Any] = dict.fromkeys(Settings.model_fields)
"""A column for every parameter of a run, whose text `Settings` understands."""

_PACKAGE = Path(__file__).resolve().parent.parent
_NAME = "end_to_end.ipynb"
_NEEDED = ("RECORDING", "OUT")
_SETTINGS = "SETTINGS"
_LEFT_OUT = {"lesson", "remove-cell"}  # tags of cells that serve the reader of the book alone
_LONGEST_SLUG = 40
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Template:
    """A notebook with a cell of parameters, RECORDING and OUT among them.

    Attributes
    ----------
    name : str
        The notebook's file name, for messages.
    text : str
        The notebook as JSON, without outputs and without cells for the book's reader.
    parameters : dict
        Names and default values. SETTINGS, if there, takes any parameters of a run.

    Examples
    --------
    >>> template = read_template(end_to_end())
    >>> "seed" in template.columns, len(template.sha256)
    (True, 64)
    >>> template.settings({"seed": "3"}).seed
    3
    """

    name: str
    text: str
    parameters: dict[str, Any]

    @cached_property
    def sha256(self) -> str:
        """Hash of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def columns(self) -> dict[str, Any]:
        """The parameters that a manifest may set, in lower case, with their defaults."""
        settings = SETTINGS_COLUMNS if _SETTINGS in self.parameters else {}
        return settings | {name.lower(): value for name, value in self._own.items()}

    @property
    def _own(self) -> dict[str, Any]:
        left_out = (*_NEEDED, _SETTINGS)
        return {name: value for name, value in self.parameters.items() if name not in left_out}

    def settings(self, given: Mapping[str, Any]) -> Settings:
        """Return a run's settings for parameters by column, as far as the notebook has them.

        What else a notebook takes is its own affair, and so is an empty text or 0 that it has for
        a default.

        Raises
        ------
        SettingsError
        """
        base = self.parameters.get(_SETTINGS, {})
        own = {name.lower(): value for name, value in self._own.items()}
        chosen = {k: v for k, v in {**own, **given}.items() if k in Settings.model_fields}
        unset = [name for name, value in chosen.items() if name in own and not value]
        kept = {k: v for k, v in chosen.items() if k not in unset or v != own[k]}
        return Settings.of({**base, **kept})

    def arguments(self, given: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """Return the values of the notebook's parameters, but for RECORDING and OUT."""
        own = {name: given.get(name.lower(), value) for name, value in self._own.items()}
        if _SETTINGS not in self.parameters:
            return own
        return {**own, _SETTINGS: settings.model_dump(exclude_unset=True)}


def end_to_end() -> Path:
    """Return the book's end-to-end notebook: in a checkout, or the wheel's copy.

    Raises
    ------
    BatchError
        If it is not there.

    Examples
    --------
    >>> end_to_end().name
    'end_to_end.ipynb'
    """
    for folder in (_PACKAGE.parent / "notebooks", _PACKAGE / "_data" / "notebooks"):
        if (folder / _NAME).is_file():
            return folder / _NAME
    raise BatchError(f"the notebook {_NAME} is missing; reinstall spa2v, or name one (--notebook)")


def read_template(path: str | os.PathLike[str]) -> Template:
    """Read a notebook that a batch can execute.

    Parameters
    ----------
    path : path
        An .ipynb file. Its cell tagged ``parameters`` gives names and default values, as simple
        assignments of literals.

    Raises
    ------
    BatchError
        If it cannot be read, is not written in Python, or has no RECORDING and OUT.

    Examples
    --------
    >>> "seed" in read_template(end_to_end()).columns
    True
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except OSError as error:
        raise BatchError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:  # nbformat raises what its JSON and schema parsers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BatchError(f"{path} is not a notebook: {reason}") from error
    parameters = _parameters(notebook, path)
    if missing := [name for name in _NEEDED if name not in parameters]:
        raise BatchError(
            f"{path} has no parameter {' and no '.join(missing)}; a batch needs a cell tagged "
            f"'parameters' that sets {' and '.join(_NEEDED)}"
        )
    _strip(notebook)
    return Template(Path(path).stem, nbformat.writes(notebook), parameters)


def _parameters(notebook: NotebookNode, path: str | os.PathLike[str]) -> dict[str, Any]:
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if not cells:
        return {}
    try:
        return {
            statement.targets[0].id: ast.literal_eval(statement.value)
            for statement in ast.parse(cells[0].source).body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        }
    except (SyntaxError, ValueError) as error:
        raise BatchError(f"the parameters of {path} are not simple assignments: {error}") from error


def _strip(notebook: NotebookNode) -> None:
    notebook.cells = [
        cell for cell in notebook.cells if not _LEFT_OUT & set(cell.metadata.get("tags", []))
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


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
        What the results call it.
    number : int
        Place in the manifest, from 1.
    recording : str
        Its path, absolute.
    written : str
        Its path as the manifest or the command line has it.
    parameters : dict
        The notebook's parameters, RECORDING and OUT left out.
    settings : dict
        Those of them that are a run's.
    sources : dict
        Hashes of the parameters, weights, code and notebook that the result follows from.

    Examples
    --------
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "My car!", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(Path("/out"), [row], read_template(end_to_end()), {})
    >>> task.title, task.number, task.settings
    ('My car!', 1, {'seed': 3})
    >>> Task(**task.as_dict()) == task
    True
    """

    root: str
    name: str
    title: str
    number: int
    recording: str
    written: str
    parameters: dict[str, Any]
    settings: dict[str, Any]
    sources: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, to be sent as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TaskResult:
    """What became of a task.

    Attributes
    ----------
    name : str
        Of the task, and of its item's folder.
    status : {"done", "failed", "lost", "busy", "broken"}
        "lost": its worker died or took too long. "busy": another process works on it. "broken":
        nothing can be written any more.
    error : str
        Why, in one line; empty where there is nothing to say.

    Examples
    --------
    >>> result = TaskResult("car-1", "lost", "its worker died")
    >>> result.status, result.error
    ('lost', 'its worker died')
    """

    name: str
    status: str
    error: str = ""


def make_tasks(
    root: Path, rows: Sequence[ManifestRow], template: Template, defaults: Mapping[str, Any]
) -> list[Task]:
    """Turn rows into tasks, and refuse what cannot work before any of them begins.

    Parameters
    ----------
    root : Path
        The batch's folder, absolute.
    rows : sequence of ManifestRow
        One for each item, from `read_rows`.
    template : Template
        The notebook that is executed for each.
    defaults : mapping
        What rows that say nothing else take, by column; the notebook's own defaults come after.

    Raises
    ------
    BatchError
        If the notebook has no such parameter, or parameters do not fit; the message names lines.

    See Also
    --------
    spa2v_lib.batch.manifest.read_rows : Reads the rows.

    Examples
    --------
    >>> row = ManifestRow("a.wav", Path("/a.wav"), "a.wav", {"seed": "3"}, 1)
    >>> (task,) = make_tasks(Path("/out"), [row], read_template(end_to_end()), {"label": "car"})
    >>> task.settings
    {'label': 'car', 'seed': 3}
    """
    if unknown := sorted(set(defaults) - set(template.columns)):
        raise BatchError(f"the notebook {template.name} has no parameter {', '.join(unknown)}")
    given = [{**defaults, **row.parameters} for row in rows]
    settings = _checked(rows, given, template)
    common = {"code": code_hash(), "notebook": template.sha256}
    seen: Counter[tuple[str, str]] = Counter()
    tasks = []
    for number, (row, chosen, parameters) in enumerate(zip(rows, settings, given, strict=True), 1):
        identity = (row.recording, row.name)
        seen[identity] += 1
        arguments = template.arguments(parameters, chosen)
        drawn_with = None
        if "preset" in template.columns:
            drawn_with = Settings.of({name: getattr(chosen, name) for name in ("preset", *VARIANT)})
        tasks.append(
            Task(
                root=str(root),
                name=_folder_name(row, seen[identity]),
                title=row.name,
                number=number,
                recording=str(row.path),
                written=row.recording,
                parameters=arguments,
                settings=chosen.model_dump(exclude_unset=True),
                sources={
                    **common,
                    "parameters": _digest(arguments),
                    "weights": _weights(drawn_with),
                },
            )
        )
    return tasks


def _checked(
    rows: Sequence[ManifestRow], given: Sequence[Mapping[str, Any]], template: Template
) -> list[Settings]:
    """Return every row's settings, or raise with what is wrong, each fault once."""
    settings: list[Settings] = []
    faults: dict[str, list[ManifestRow]] = {}
    known: dict[Settings, str] = {}
    for row, parameters in zip(rows, given, strict=True):
        try:
            chosen = template.settings(parameters)
        except SettingsError as error:
            faults.setdefault(str(error), []).append(row)
            continue
        settings.append(chosen)
        alike = chosen.model_copy(update={"seed": 0})  # a check takes a while, and seeds differ
        if alike not in known:
            known[alike] = _fault(alike)
        if known[alike]:
            faults.setdefault(known[alike], []).append(row)
    if faults:
        texts = [_located(fault, wrong, len(rows)) for fault, wrong in faults.items()]
        more = len(texts) - _MOST_SHOWN
        also = [f"and {more} more"] if more > 0 else []
        raise BatchError("; ".join([*texts[:_MOST_SHOWN], *also]))
    return settings


def _fault(settings: Settings) -> str:
    """Say what is wrong with settings; nothing if all is well."""
    try:
        check_settings(settings)
    except Spa2vError as error:
        return str(error)
    return ""


def _located(fault: str, wrong: Sequence[ManifestRow], count: int) -> str:
    """Say once what is wrong, and with which rows unless it is with all of several."""
    if 1 < len(wrong) == count:
        return fault
    others = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{wrong[0].recording} (line {wrong[0].line}){others}: {fault}"


@cache
def _weights(drawn_with: Settings | None) -> str:
    return _digest(weights_of(drawn_with)) if drawn_with else ""


def _folder_name(row: ManifestRow, occurrence: int) -> str:
    """Return a folder's name that is safe everywhere, and the same whenever the row is the same."""
    title = row.name.lower()
    for ending in SUFFIXES:
        title = title.removesuffix(ending)
    plain = re.sub(r"[^a-z0-9]+", "-", title).strip("-")
    identity = _digest([row.recording, row.name, occurrence])
    return "-".join(filter(None, (plain[:_LONGEST_SLUG].strip("-"), identity[:10])))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
