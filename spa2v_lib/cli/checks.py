"""``spa2v bench`` and ``spa2v doctor``: what this machine can do, and how well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spa2v_lib import terminal
from spa2v_lib.cli.app import app
from spa2v_lib.cli.options import OutFolder, Overwrite, Seed


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(help="Which benchmark: hearing, planning, sampling, run, speed or batch."),
    ],
    out: OutFolder,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer scenes, within minutes.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    planner: Annotated[
        list[str] | None,
        typer.Option(help="With planning and run: a language model to ask too; may be repeated."),
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(help="With run: a table of your own clips, instead of ours.")
    ] = None,
) -> None:
    """Measure on this machine, print the table and write results.json."""
    from spa2v_lib.bench import run_benchmark

    with terminal.progress() as progress:
        results = run_benchmark(
            name,
            out,
            quick=quick,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
            planners=planner or (),
            clips=clips,
        )
    terminal.show_results(results)


@app.command()
def doctor(
    preset: Annotated[
        str | None, typer.Option(help="Sample a known layout with this preset, and judge it.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to draw: auto, cuda or cpu.")] = "auto",
    video: Annotated[
        Path | None, typer.Option(help="Keep the video of the check in this file.")
    ] = None,
) -> None:
    """Tell what is installed, which weights are there, and which device would be used."""
    if preset is not None:
        return _check_preset(preset, device, video)
    from spa2v_lib.doctor import examine

    findings = examine()
    terminal.show_findings(findings)
    if not all(finding.good for finding in findings):
        raise typer.Exit(2)


def _check_preset(name: str, device: str, keep: Path | None) -> None:
    from spa2v_lib.selfcheck import check_preset

    with terminal.progress() as progress:
        verdict = check_preset(
            name, device=device, progress=lambda done, total: progress("sample", done, total)
        )
    if keep is not None:
        verdict.video.save(keep)
    terminal.show_verdict(name, verdict)
    if not verdict.good:
        raise typer.Exit(2)
