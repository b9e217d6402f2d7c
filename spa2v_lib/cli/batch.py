"""``spa2v batch``, ``spa2v verify`` and ``spa2v rerun``: many runs, and runs once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spa2v_lib.cli import summaries, terminal
from spa2v_lib.cli.options import OutFolder, Overwrite, settings_options

__all__ = ["batch", "rerun", "verify"]

Source = Annotated[
    Path | None, typer.Option(help="The recording, if it is not where it was before.")
]


@settings_options(defaults=False)
def batch(
    sources: Annotated[
        list[Path], typer.Argument(help="A manifest (.csv), folders, patterns or recordings.")
    ],
    out: OutFolder,
    settings: dict[str, Any],
    resume: Annotated[
        bool, typer.Option("--resume", help="Do what is missing, failed or out of date.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="Where items run: inline (this process), processes or ray.")
    ] = "inline",
    workers: Annotated[int | None, typer.Option(min=1, help="How many items at once.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Give an item up after so many seconds.")
    ] = None,
    address: Annotated[str, typer.Option(help="Ray cluster: auto, local, or HOST:PORT.")] = "auto",
    cpus_per_item: Annotated[float, typer.Option(help="Processors for each, with Ray.")] = 1.0,
    gpus_per_item: Annotated[float, typer.Option(help="GPUs for each, with Ray.")] = 0.0,
    notebook: Annotated[
        Path | None, typer.Option(help="Another notebook with RECORDING and OUT.")
    ] = None,
) -> None:
    """Make a run folder of every recording, an index page and a table of results.

    A manifest's cells come before the options given here, and these before the defaults. Exit
    code 0: everything is done; 1: some items failed, and their notebooks say why; 2: nothing was
    begun, or the folder could not be written to.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["batch", "nowhere/*.wav", "--out", "runs"]).exception)
    there is no recording in nowhere/*.wav
    >>> arguments = ["batch", "sounds", "--out", "runs", "--seed", "3"]
    >>> CliRunner().invoke(app, arguments).exit_code  # doctest: +SKIP
    0
    """
    from spa2v_lib.batch import Engine, run_batch

    chosen = Engine(
        engine,
        workers=workers,
        timeout_s=timeout,
        address=address,
        cpus_per_item=cpus_per_item,
        gpus_per_item=gpus_per_item,
    )
    with terminal.batch_progress() as progress:
        summary = run_batch(
            sources,
            out,
            engine=chosen,
            notebook=notebook,
            resume=resume,
            progress=progress,
            announce=summaries.show_estimate,
            **settings,
        )
    summaries.show_batch(summary)
    if summary.failed:
        raise typer.Exit(1)


def verify(
    run: Annotated[Path, typer.Argument(help="A run folder.")], recording: Source = None
) -> None:
    """Execute a run again, and say what differs from its run.json.

    Exit code 0: the files are intact and the result is the same; 1: they are not.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["verify", "nowhere"]).exception)
    nowhere is not a run folder: it has no run.json
    >>> CliRunner().invoke(app, ["verify", "runs/car"]).exit_code  # doctest: +SKIP
    0
    """
    from spa2v_lib.runs import verify as verify_run

    with terminal.progress() as progress:
        verification = verify_run(run, recording=recording, progress=progress)
    summaries.show_verification(verification)
    if not verification.reproduced:
        raise typer.Exit(1)


@settings_options(defaults=False)
def rerun(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: OutFolder,
    settings: dict[str, Any],
    recording: Source = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a run again with the parameters given here changed, and all others kept.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["rerun", "nowhere", "--out", "new"]).exception)
    nowhere is not a run folder: it has no run.json
    >>> arguments = ["rerun", "runs/car", "--out", "new", "--seed", "4"]
    >>> CliRunner().invoke(app, arguments).exit_code  # doctest: +SKIP
    0
    """
    from spa2v_lib.runs import rerun as rerun_folder

    with terminal.progress() as progress:
        folder = rerun_folder(
            run, out, recording=recording, overwrite=overwrite, progress=progress, **settings
        )
    summaries.show_run(folder)
