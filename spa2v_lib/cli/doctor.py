"""``spa2v doctor``: what is installed, and whether a preset draws where it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spa2v_lib.cli import terminal
from spa2v_lib.cli.app import app


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
    from spa2v_lib.sampling.selfcheck import check_preset

    with terminal.progress() as progress:
        verdict = check_preset(
            name, device=device, progress=lambda done, total: progress("sample", done, total)
        )
    if keep is not None:
        verdict.video.save(keep)
    terminal.show_verdict(name, verdict)
    if not verdict.good:
        raise typer.Exit(2)
