"""A batch's folder: what lies where, who works on what, and what counts as done.

::

    index.html  results.csv  results.parquet  batch.json
    items/NAME/   a run folder with notebook.ipynb, thumbnail.webp and item.json, or, of an item
                  that failed, notebook.ipynb and item.json alone
    .batch/       the notebooks that were executed, and locks

An item is prepared in a hidden folder beside its place and renamed when all is there. Whoever
works on it holds its lock, which the operating system takes back from a process that dies, so that
neither clocks nor left-over files decide anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import BatchError, OutputError
from spa2v_lib.files import read_json, write_text, writing
from spa2v_lib.folders import check_folder, sweep

if TYPE_CHECKING:
    from spa2v_lib.batch.tasks import Template

__all__ = [
    "ITEM",
    "MARKER",
    "NOTEBOOK",
    "SCRATCH",
    "THUMBNAIL",
    "VERSION",
    "Store",
    "read_or_empty",
]

MARKER = "batch.json"
"""The file that marks a batch's folder."""

ITEM = "item.json"
"""The file that marks an item's folder."""

NOTEBOOK, THUMBNAIL = "notebook.ipynb", "thumbnail.webp"
SCRATCH = "spa2v-batch-"
"""How the temporary folders of processes begin that execute notebooks."""

VERSION = "spa2v.batch/2"
"""Written today; ``spa2v.batch/1`` is read, too."""


_READABLE = (VERSION, "spa2v.batch/1")


@dataclass(frozen=True)
class Store:
    """A batch's folder.

    Attributes
    ----------
    root : Path
        Absolute.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> from spa2v_lib.batch.tasks import end_to_end, read_template
    >>> store = Store(folder / "runs")
    >>> store.open(read_template(end_to_end()), resume=False)
    >>> store.item("car-1").relative_to(store.root).as_posix()
    'items/car-1'
    >>> store.record("car-1"), store.records()  # nothing is done yet
    ({}, [])
    """

    root: Path

    @property
    def items(self) -> Path:
        """Where the run folders are."""
        return self.root / "items"

    def item(self, name: str) -> Path:
        """Return the place of an item's folder."""
        return self.items / name

    def template(self, sha256: str) -> Path:
        """Return the place of a notebook that is executed."""
        return self.root / ".batch" / f"notebook-{sha256[:16]}.ipynb"

    def open(self, template: Template, *, resume: bool) -> None:
        """Make the folder, or go on with the batch that is in it.

        Raises
        ------
        OutputError
            If it holds something else, or cannot be written to.
        BatchError
            If it holds a batch and `resume` is not set, or one of another version.
        """
        if (self.root / MARKER).is_file():
            if not resume:
                raise BatchError(
                    f"{self.root} holds a batch already; --resume goes on with it, also beside one "
                    "that is running"
                )
            self._check_version()
            _check_writable(self.root)
        else:
            # Overwriting is allowed only in case another batch marks the folder at this moment.
            check_folder(self.root, MARKER, overwrite=True)
            self._begin(resume)
        with writing(self.root):
            for folder in (self.items, self.root / ".batch" / "locks"):
                folder.mkdir(parents=True, exist_ok=True)
        target = self.template(template.sha256)
        if not target.is_file():
            write_text(target, template.text)

    def _begin(self, resume: bool) -> None:
        """Mark the folder; of two batches that begin at once, one is first."""
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                with (self.root / MARKER).open("x", encoding="utf-8") as stream:
                    stream.write(json.dumps({"version": VERSION}) + "\n")
            except FileExistsError as error:
                if not resume:
                    raise BatchError(f"another batch has just begun in {self.root}") from error

    def _check_version(self) -> None:
        marker = self.root / MARKER
        begun_just_now = marker.stat().st_size == 0  # by a batch that is about to write it
        if not begun_just_now and read_or_empty(marker).get("version") not in _READABLE:
            raise BatchError(f"{self.root / MARKER} is not of version {VERSION!r}")

    def record(self, name: str) -> dict[str, Any]:
        """Return what an item's folder says of it; empty if there is none that can be read."""
        return _upgraded(read_or_empty(self.item(name) / ITEM))

    def records(self) -> list[dict[str, Any]]:
        """Return the records of all items in the folder, in the order of their manifests."""
        with writing(self.root):
            names = [entry.name for entry in os.scandir(self.items) if entry.name[0] != "."]
        found = [{**record, "folder": name} for name in names if (record := self.record(name))]
        return sorted(found, key=lambda record: (record.get("number", 0), record["folder"]))

    def is_complete(self, name: str, record: dict[str, Any]) -> bool:
        """Whether every file that an item's record lists is there in its full size."""
        folder = self.item(name)
        try:
            sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
        except OSError:
            return False
        files = record.get("files")
        return isinstance(files, dict) and all(
            sizes.get(file) == size for file, size in files.items()
        )

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Hold an item's lock while working on it; gives False if another process holds it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / ".batch" / "locks" / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise OutputError(f"cannot write {lock.lock_file}: {error.strerror}") from error
        except NotImplementedError as error:
            raise BatchError(
                f"{self.root} is on a file system without locks; choose another, or mount it with "
                "them (Lustre: -o flock)"
            ) from error
        try:
            yield True
        finally:
            lock.release()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold the lock of index and results, waiting for it."""
        from filelock import FileLock

        with writing(self.root), FileLock(self.root / ".batch" / "locks" / "index.lock"):
            yield

    @contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """Give a hidden folder to prepare an item in; what is left in it afterwards is removed.

        Only for whoever holds the item's lock: what an earlier holder left is removed first.
        """
        self.sweep(name)
        with writing(self.root):
            folder = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=self.items))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def put(self, prepared: Path, name: str) -> None:
        """Put a prepared folder in an item's place; an earlier one goes.

        Raises
        ------
        OutputError
            If the place cannot be written to.
        """
        target = self.item(name)
        with writing(self.root):
            prepared.chmod(0o755)  # as mkdir makes them; mkdtemp is stricter
            if target.exists() or target.is_symlink():
                old = prepared.with_name(f"{prepared.name}.old.part")
                target.rename(old)
                prepared.rename(target)
                _remove(old)
            else:
                prepared.rename(target)

    def sweep_all(self) -> None:
        """Remove what processes that were killed have left, here and among temporary files."""
        for left in self.items.glob(".*.part"):
            name = left.name[1:].split(".")[0]
            with self.claim(name) as mine:
                if mine:
                    self.sweep(name)
        sweep(Path(tempfile.gettempdir()), SCRATCH)

    def sweep(self, name: str) -> None:
        """Remove what a process that was killed has left of an item."""
        for left in self.items.glob(f".{name}.*.part"):
            _remove(left)


def read_or_empty(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file; an empty one if the file is missing or cannot be read.

    Parameters
    ----------
    path : pathlib.Path
        A file that another process, or a notebook of the user's, may have left out.

    Examples
    --------
    >>> read_or_empty(Path("nowhere.json"))
    {}
    """
    try:
        return read_json(path, BatchError)
    except BatchError:
        return {}


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """Return an item's record of any version under today's names."""
    summary = record.get("summary")
    if not isinstance(summary, dict) or "heard" not in summary:
        return record
    renamed = {("sources" if key == "heard" else key): value for key, value in summary.items()}
    return {**record, "version": VERSION, "summary": renamed}


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def _check_writable(root: Path) -> None:
    with writing(root):
        handle, probe = tempfile.mkstemp(prefix=".probe.", dir=root)
        os.close(handle)
        os.unlink(probe)
