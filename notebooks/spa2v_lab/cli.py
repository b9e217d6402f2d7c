"""``spa2v scenes`` and ``spa2v bench``: joined to the command line by an entry point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spa2v_lib.cli import terminal
from spa2v_lib.cli.options import OutFolder, Overwrite
from spa2v_lib.errors import SceneError
from spa2v_lib.layout.captions import Motion

if TYPE_CHECKING:
    from rich.table import Table

    from spa2v_lab.bench import Interval, Results

__all__ = ["bench", "register", "scenes", "tables"]

Seed = Annotated[int, typer.Option(min=0, help="The only source of randomness.")]

_WIDE = 150  # columns; a narrower terminal breaks whole lines rather than cells
_ABREAST, _ABREAST_BARE = 6, 9  # measures side by side in a terminal, with intervals or without
_MOST_ROWS = 60  # beyond them a terminal shows no intervals


def register(app: typer.Typer) -> None:
    """Add the commands to ``spa2v``; called through the entry-point group ``spa2v.commands``.

    Parameters
    ----------
    app : typer.Typer
        The application of `spa2v_lib.cli`.

    Examples
    --------
    >>> app = typer.Typer()
    >>> register(app)
    >>> [command.callback.__name__ for command in app.registered_commands]
    ['scenes', 'bench']
    """
    app.command()(scenes)
    app.command()(bench)


def scenes(
    out: OutFolder,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many scenes: 5, of the benchmark 200.")
    ] = None,
    seed: Seed = 0,
    benchmark: Annotated[
        bool,
        typer.Option("--benchmark", help="The benchmark's clips, with a card."),
    ] = False,
    motion: Annotated[
        Motion | None,
        typer.Option("--motion", "--kind", help="How the object moves; in turn by default."),
    ] = None,
    receiver: Annotated[
        str, typer.Option(help="What records: panned, xy, ms, ortf, ab, binaural or foa.")
    ] = "xy",
    duration: Annotated[float, typer.Option(min=0.5, help="Seconds per scene.")] = 4.0,
    overwrite: Overwrite = False,
) -> None:
    """Render simulated scenes whose truth is known: sound, layout, picture, contact sheet.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> arguments = ["scenes", "--out", "clips", "--benchmark", "--receiver", "ms"]
    >>> print(CliRunner().invoke(app, arguments).exception)
    the benchmark's clips are what they are: ...
    """
    from spa2v_lab.scenes.export import write_scenes

    if benchmark:
        if motion is not None or receiver != "xy" or duration != 4.0:
            raise SceneError(
                "the benchmark's clips are what they are: --motion, --receiver and "
                "--duration cannot be chosen with --benchmark"
            )
        return _benchmark(out, count or 200, seed, overwrite)
    with terminal.progress() as progress:
        folder = write_scenes(
            out,
            count=count or 5,
            seed=seed,
            motion=motion,
            receiver=receiver,
            duration_s=duration,
            overwrite=overwrite,
            progress=progress,
        )
    print(f"{count or 5} scene{'' if count == 1 else 's'} in {folder}")


def _benchmark(out: Path, count: int, seed: int, overwrite: bool) -> None:
    from spa2v_lab.scenes.benchmark_card import write_benchmark

    with terminal.progress() as progress:
        folder = write_benchmark(
            out, count=count, seed=seed, overwrite=overwrite, progress=progress
        )
    made = "1 clip and its card" if count == 1 else f"{count} clips and their card"
    print(f"{made}, README.md, in {folder}")


def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="Which one: real, hearing, tagging, planning, sampling, run, speed or batch."
        ),
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
        Path | None,
        typer.Option(help="With run, real and tagging: a table of your own recordings."),
    ] = None,
    layouts: Annotated[
        Path | None, typer.Option(help="With sampling: a folder of layouts to score.")
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="With sampling: quality against steps and guidance.")
    ] = False,
) -> None:
    """Measure on this machine, print the table and write results.json.

    \f
    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from spa2v_lib.cli import app
    >>> print(CliRunner().invoke(app, ["bench", "nope", "--out", "results"]).exception)
    no benchmark 'nope'; one of: real, hearing, tagging, planning, sampling, run, speed, batch
    """
    from spa2v_lab.bench import run_benchmark

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
            layouts=layouts,
            curve=curve,
        )
    _show_results(results)


def _show_results(results: Results) -> None:
    """Print a benchmark's rows, its goals, and what could not be measured."""
    console = terminal.new_console()
    console.width = max(console.width, _WIDE)
    for table in tables(results):
        console.print(table)
    for goal in results.goals:
        value = "not computed" if goal.value is None else f"{goal.value:.3g}"
        verdict = "[green]met[/]" if goal.met else "[red]missed[/]"
        console.print(f"{verdict}: {goal.name}: {value} (goal {goal.relation} {goal.bound:g})")
    terminal.show_notes(results.notes)


def tables(results: Results) -> list[Table]:
    """Return a benchmark's rows for the terminal, a few measures a table.

    Rows without any of its measures are left out of a table; where there are very many rows, the
    intervals are left to the file.

    Parameters
    ----------
    results : Results

    Examples
    --------
    >>> from spa2v_lab.bench import Results, Row
    >>> len(tables(Results("speed", [Row.of("spa2v", "all", [{"score": 0.5}])], [])))
    1
    """
    measures = list(dict.fromkeys(name for row in results.rows for name in row.measures))
    bare = len(results.rows) > _MOST_ROWS
    size = _ABREAST_BARE if bare else _ABREAST
    groups = [measures[k : k + size] for k in range(0, len(measures), size)]
    return [_table(results, group, bare) for group in groups]


def _table(results: Results, measures: list[str], bare: bool) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("method", "condition", "n"):
        table.add_column(name, no_wrap=True)
    for name in measures:
        table.add_column(name)
    method = None
    for row in results.rows:
        if not any(name in row.measures for name in measures):
            continue
        cells = [_cell(row.measures.get(name), bare) for name in measures]
        name = "" if row.method == method else row.method
        table.add_row(name, row.condition, str(row.count), *cells)
        method = row.method
    return table


def _cell(one: Interval | None, bare: bool) -> str:
    if one is None or one.mean is None:
        return ""
    if bare or one.low is None or one.high is None:
        return f"{one.mean:.3g}"
    return f"{one.mean:.3g} [{one.low:.3g}, {one.high:.3g}]"
