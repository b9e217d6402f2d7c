"""Notebooks executed in this process, cell by cell, as an engine of papermill.

A kernel for every notebook would load libraries and weights again for every recording, and listen
on sockets. Here one shell serves one notebook after the other: what a notebook defines is
forgotten, what it loaded stays.
"""

from __future__ import annotations

import atexit
import base64
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines
from traitlets.config import Config

from spa2v_lib.batch.store import SCRATCH
from spa2v_lib.errors import BatchError
from spa2v_lib.folders import held_folder, sweep

__all__ = ["ENGINE", "Shell", "shell"]

ENGINE = "spa2v-in-process"
"""The name by which papermill finds the engine; importing this module registers it."""

_AT_EXIT = ExitStack()
atexit.register(_AT_EXIT.close)

_SIGNALLED = 128  # exit codes above it say that a signal asked the process to end


class _Hook(DisplayHook):
    """Keeps the value of a cell's last line as the cell's output."""

    def write_output_prompt(self) -> None:
        """Show no prompt: outputs are kept, not printed."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Keep the value in every format that it has."""
        data = {form: _plain(value) for form, value in format_dict.items()}
        count = self.prompt_count
        fields = {"data": data, "metadata": md_dict or {}, "execution_count": count}
        self.shell.kept.append(new_output("execute_result", **fields))

    def finish_displayhook(self) -> None:
        """Print no newline either."""


class _Publisher(CapturingDisplayPublisher):
    """Keeps what a cell displays."""

    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        """Keep what is displayed in every format that it has."""
        shown = {form: _plain(value) for form, value in data.items()}
        self.shell.kept.append(new_output("display_data", data=shown, metadata=metadata or {}))

    def clear_output(self, wait: bool = False) -> None:
        """Forget what the cell showed so far."""
        self.shell.kept.clear()


class _Stream(io.TextIOBase):
    """Keeps what is printed; pieces that follow each other become one output."""

    def __init__(self, name: str, kept: list[Any]) -> None:
        self._name, self._kept = name, kept

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        last = self._kept[-1] if self._kept else None
        if last is not None and last.output_type == "stream" and last.name == self._name:
            last.text += text
        elif text:
            self._kept.append(new_output("stream", name=self._name, text=text))
        return len(text)


class Shell(InteractiveShell):
    """One shell a process; see `shell`.

    Attributes
    ----------
    kept : list
        Outputs of the cell that runs, in nbformat's form.

    Examples
    --------
    >>> process_shell = shell()  # doctest: +SKIP
    >>> outputs, count, error = process_shell.run("6 * 7")  # doctest: +SKIP
    >>> outputs[0]["data"]["text/plain"], count, error  # doctest: +SKIP
    ('42', 1, None)
    """

    displayhook_class = _Hook
    display_pub_class = _Publisher

    def __init__(self, **given: Any) -> None:
        self.kept: list[Any] = []
        super().__init__(**given)

    def _showtraceback(self, etype: type, evalue: BaseException | None, stb: list[str]) -> None:
        fields = {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        self.kept.append(new_output("error", **fields))

    def run(self, source: str) -> tuple[list[Any], int, BaseException | None]:
        """Run a cell.

        Returns
        -------
        outputs : list
            In nbformat's form, in their order.
        count : int
            The cell's number.
        error : BaseException or None
            What it raised.

        Raises
        ------
        KeyboardInterrupt, SystemExit
            If the process was asked to end.
        """
        self.kept.clear()
        count, standard_in = self.execution_count, sys.stdin
        sys.stdin = io.StringIO()  # a notebook that asks a question must not wait for an answer
        try:
            with (
                redirect_stdout(_Stream("stdout", self.kept)),
                redirect_stderr(_Stream("stderr", self.kept)),
            ):
                result = self.run_cell(source, store_history=True)
        finally:
            sys.stdin = standard_in
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, KeyboardInterrupt) or _asked_to_end(error):
            raise error
        return list(self.kept), count, error


@cache
def shell() -> Shell:
    """Return this process's shell, without history and with a profile that is thrown away.

    Raises
    ------
    BatchError
        Inside a notebook or IPython, which have a shell of their own.
    """
    if InteractiveShell.initialized():
        raise BatchError(
            "notebooks cannot be executed inside of IPython or another notebook; "
            "choose the engine 'processes'"
        )
    config = Config()
    config.HistoryManager.enabled = False
    module = ModuleType("spa2v_notebook")
    profile = str(_scratch() / "ipython")
    made = Shell.instance(config=config, ipython_dir=profile, user_module=module)
    _show_figures_as_in_a_kernel()
    return made


@cache
def _scratch() -> Path:
    """Return this process's temporary folder; what killed processes left of theirs is removed."""
    place = Path(tempfile.gettempdir())
    sweep(place, SCRATCH)
    return _AT_EXIT.enter_context(held_folder(place, SCRATCH, private=True))


def _show_figures_as_in_a_kernel() -> None:
    """Keep plotly from putting its whole library into every notebook."""
    if "PLOTLY_RENDERER" not in os.environ:
        import plotly.io as pio

        from spa2v_lib.viz.style import BookRenderer

        pio.renderers["spa2v"] = BookRenderer()
        pio.renderers.default = "spa2v"


class _InProcess(Engine):
    """The engine that papermill calls."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Run the code cells in order, and stop at the first that fails."""
        with _fresh_namespace(shell()) as runner:
            for index, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type != "code" or not cell.source.strip():
                    continue
                nb_man.cell_start(cell, index)
                cell.outputs, cell.execution_count, error = runner.run(cell.source)
                if error is not None:
                    nb_man.cell_exception(cell, index, exception=error)
                nb_man.cell_complete(cell, index)
                if error is not None:
                    return


papermill_engines.register(ENGINE, _InProcess)


@contextmanager
def _fresh_namespace(runner: Shell) -> Iterator[Shell]:
    """Give a shell that knows nothing of earlier notebooks, with temporary files thrown away."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="notebook-", dir=_scratch()) as folder:
        tempfile.tempdir = str(Path(folder).resolve())
        runner.reset()
        runner.user_ns["__name__"] = "__main__"
        try:
            yield runner
        finally:
            tempfile.tempdir = before
            _forget_widgets()
            runner.kept.clear()
            runner.reset()
            sys.last_value = sys.last_traceback = None


def _forget_widgets() -> None:
    """Close the notebook's widgets, which ipywidgets would keep for ever."""
    if "ipywidgets" in sys.modules:
        from ipywidgets import Widget

        Widget.close_all()


def _asked_to_end(error: BaseException | None) -> bool:
    return isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > _SIGNALLED


def _plain(value: Any) -> Any:
    """Return what JSON can hold: bytes as base64, everything else as it is or as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, str) else json.loads(json.dumps(value, default=str))
