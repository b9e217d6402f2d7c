"""The command line: ``spa2v cues | plan | generate | scenes | bench | doctor``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spa2v_lib import __version__, terminal
from spa2v_lib.captions import Motion
from spa2v_lib.errors import PlanningError, Spa2vError
from spa2v_lib.runs import MAX_SECONDS

if TYPE_CHECKING:
    from types import FrameType

    from spa2v_lib.audio import Recording
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.layout import VideoSceneLayout

__all__ = ["app", "main"]

app = typer.Typer(
    name="spa2v",
    help="From a stereo recording to a video whose things are where the sound says they are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Audio = Annotated[Path, typer.Argument(help="A sound file, or a video with a sound track.")]
Label = Annotated[str | None, typer.Option(help="What sounds; otherwise the tagger decides.")]
Capture = Annotated[
    str,
    typer.Option(help="How it was recorded: auto, panned, xy, ms, ortf, ab, binaural, foa, mono."),
]
Planner = Annotated[
    str,
    typer.Option(
        help="Who plans: acoustic, smollm, google:MODEL, openai-chat:MODEL[@URL], "
        "transformers:REPO_OR_FOLDER."
    ),
]
OutFile = Annotated[Path | None, typer.Option(help="Write JSON to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OutFolder = Annotated[Path, typer.Option(help="The folder to make.")]
Seed = Annotated[int, typer.Option(min=0, help="The only source of randomness.")]
Overwrite = Annotated[bool, typer.Option(help="Replace the results of an earlier call in --out.")]


def main() -> None:
    """Run the command line; an expected error becomes one red line and exit code 2."""
    # A polite kill must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except Spa2vError as error:
        terminal.show_error(error)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"spa2v {__version__}")
        raise typer.Exit


@app.command()
def cues(
    audio: Audio,
    label: Label = None,
    capture: Capture = "auto",
    tagger: Annotated[
        str, typer.Option(help="Who says what sounds: embedded, ast, clap, or ast:FOLDER, ...")
    ] = "embedded",
    labels: Annotated[
        str | None, typer.Option(help="What may sound, for clap: words with commas between.")
    ] = None,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Split at scene changes; --out then names one file a clip."),
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure what sounds where, and when."""
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues import extract_cues
    from spa2v_lib.cues.segments import clips as split
    from spa2v_lib.cues.taggers import get_tagger

    words = None if labels is None else [word.strip() for word in labels.split(",")]
    tells = get_tagger(tagger, words)
    recording = read_audio(audio)
    parts = split(recording) if clips else [recording]
    found = [extract_cues(part, label=label, capture=capture, tagger=tells) for part in parts]
    if out is not None:
        for number, one in enumerate(found, 1):
            one.save(out.with_stem(f"{out.stem}-{number}") if clips else out)
    if as_json:
        text = [one.model_dump_json(indent=1) for one in found]
        print("[" + ",\n".join(text) + "]" if clips else text[0])
    else:
        for one in found:
            terminal.show_cues(one)


@app.command()
def plan(
    source: Annotated[Path, typer.Argument(help="A recording, or a cues.json.")],
    label: Label = None,
    capture: Capture = "auto",
    planner: Planner = "acoustic",
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Frames per second.")] = 8.0,
    aspect: Annotated[
        float, typer.Option(min=0.2, max=5, help="Width over height of the picture.")
    ] = 1.0,
    placement: Annotated[
        str, typer.Option(help="With a language model, who places boxes: cues or model.")
    ] = "cues",
    exemplars: Annotated[
        str, typer.Option(help="Which examples it is shown: knn, fixed, random or none.")
    ] = "knn",
    shots: Annotated[int, typer.Option(min=0, help="How many.")] = 3,
    seed: Seed = 0,
    show_prompt: Annotated[
        bool, typer.Option("--show-prompt", help="Print what it would be given; send nothing.")
    ] = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Plan the layout: boxes and captions for every key frame."""
    view = {"fps": fps, "aspect": aspect}
    asked = {"placement": placement, "exemplars": exemplars, "shots": shots, "seed": seed}
    if show_prompt:
        return _show_prompt(source, label, capture, planner, **view, **asked)
    layout = _planned(source, label, capture, planner, view, asked)
    if out is not None:
        layout.save(out)
    if as_json:
        print(layout.to_json())
    else:
        terminal.show_layout(layout)


@app.command()
def generate(
    audio: Audio,
    out: OutFolder,
    label: Label = None,
    capture: Capture = "auto",
    planner: Planner = "acoustic",
    preset: Annotated[str, typer.Option(help="Which weights draw.")] = "tiny",
    seed: Seed = 0,
    fps: Annotated[float | None, typer.Option(help="Frames per second; 8 by default.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    clip: Annotated[
        int | None, typer.Option(min=1, help="Take this scene, as cues --clips counts them.")
    ] = None,
    max_seconds: Annotated[
        float, typer.Option(help="A longer recording is cut to this length.")
    ] = MAX_SECONDS,
    grounding: Annotated[
        str, typer.Option(help="How boxes guide the drawing; none leaves them unheard.")
    ] = "default",
    captions: Annotated[
        str, typer.Option(help="What frames are told: mixed, global or frame captions.")
    ] = "mixed",
    device: Annotated[str, typer.Option(help="Where to draw: auto, cuda or cpu.")] = "auto",
    layout: Annotated[
        Path | None, typer.Option(help="Draw this layout instead of planning one.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a video of a recording, in a folder that also shows how it came about."""
    from spa2v_lib.runs import generate_run

    with terminal.progress() as progress:
        folder = generate_run(
            audio,
            out,
            layout=layout,
            overwrite=overwrite,
            progress=progress,
            label=label,
            capture=capture,
            planner=planner,
            preset=preset,
            seed=seed,
            fps=fps,
            steps=steps,
            clip=clip,
            max_seconds=max_seconds,
            grounding=grounding,
            captions=captions,
            device=device,
        )
    terminal.show_run(folder)


@app.command()
def scenes(
    out: OutFolder,
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 5,
    seed: Seed = 0,
    kind: Annotated[
        Motion | None, typer.Option(help="How the thing moves; every motion in turn by default.")
    ] = None,
    receiver: Annotated[
        str, typer.Option(help="What records: panned, xy, ortf, ab, binaural.")
    ] = "xy",
    duration: Annotated[float, typer.Option(min=0.5, help="Seconds per scene.")] = 4.0,
    overwrite: Overwrite = False,
) -> None:
    """Render simulated scenes whose truth is known: sound, layout, picture, contact sheet."""
    from spa2v_lib.scenes.export import write_scenes

    with terminal.progress() as progress:
        folder = write_scenes(
            out,
            count=count,
            seed=seed,
            motion=kind,
            receiver=receiver,
            duration_s=duration,
            overwrite=overwrite,
            progress=progress,
        )
    print(f"{count} scenes in {folder}")


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(help="Which benchmark: hearing, planning, sampling or speed.")
    ],
    out: OutFolder,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer scenes, within minutes.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure on this machine, print the table and write results.json."""
    from spa2v_lib.bench import run_benchmark

    with terminal.progress() as progress:
        results = run_benchmark(
            name, out, quick=quick, seed=seed, overwrite=overwrite, progress=progress
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


def _planned(
    source: Path,
    label: str | None,
    capture: str,
    planner: str,
    view: dict[str, Any],
    asked: dict[str, Any],
) -> VideoSceneLayout:
    from spa2v_lib.cues import SpatialCues
    from spa2v_lib.planning import plan as plan_recording
    from spa2v_lib.planning import plan_acoustic

    if source.suffix.lower() != ".json":
        recording, found = _heard(source, label, capture)
        return plan_recording(recording, found, planner, **view, **asked)
    if label is not None or capture != "auto" or planner != "acoustic":
        raise PlanningError(
            f"{source} holds cues: label and capture were settled when they were measured, and "
            "only the acoustic planner works without the recording"
        )
    return plan_acoustic(SpatialCues.load(source), **view)


def _show_prompt(
    source: Path, label: str | None, capture: str, planner: str, **options: Any
) -> None:
    """Print the prompt, and what sending it would take on the error stream."""
    from spa2v_lib.planning import parse_planner, prompt_for
    from spa2v_lib.planning.cost import estimate

    if source.suffix.lower() == ".json":
        raise PlanningError(f"{source} holds cues; a prompt is made from the recording")
    prompt = prompt_for(*_heard(source, label, capture), planner, **options)
    print(prompt.text)
    print(estimate(prompt, parse_planner(planner)), file=sys.stderr)


def _heard(source: Path, label: str | None, capture: str) -> tuple[Recording, SpatialCues]:
    from spa2v_lib.audio import read_audio
    from spa2v_lib.cues import extract_cues

    recording = read_audio(source)
    return recording, extract_cues(recording, label=label, capture=capture)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
