"""The prompt: instruction, examples, and the recording as a table of cues and two clips.

The texts are in ``spa2v_lib/planning/prompts``. Audio models perceive little direction (hosted
ones fold stereo to mono), so the prompt states in numbers what was measured. Whatever a file name
or a note says is quoted as data.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from spa2v_lib.cues.types import SourceTrack, SpatialCues
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.answer import Canvas
from spa2v_lib.planning.backends.base import AudioPart, Prompt, TextPart
from spa2v_lib.planning.exemplars import exemplar_sound
from spa2v_lib.planning.schema import (
    CORNERS,
    SCHEMAS,
    BoxAnswer,
    CueAnswer,
    Frame,
    NamedBox,
    NamedSource,
)

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.planning.exemplars import Exemplar

__all__ = ["again", "build_prompt", "clips", "cue_table", "exemplar_answer"]

_TEXTS = Path(__file__).resolve().parent / "prompts"
_REASON_FIRST = "reason first about what the numbers say; then "
_CLIP_S = 30.0
_CLIP_RATE = 16_000
_MOST_ROWS = 12
_LONGEST_QUOTE = 160
_LONGEST_SENT_BACK = 10_000  # characters of an answer that cannot be used
_SHOWN_DEG = (-60, -40, -20, 0, 20, 40, 60)


def build_prompt(
    canvas: Canvas,
    exemplars: Sequence[Exemplar] = (),
    placement: str = "cues",
    *,
    recording: Recording | None = None,
    brief: bool = False,
    spatial: bool = True,
) -> Prompt:
    """Write the prompt.

    Parameters
    ----------
    canvas : Canvas
        The cues, the camera and the times that are asked for.
    exemplars : sequence of Exemplar
        Shown in this order, before the recording.
    placement : {"cues", "model"}
        Who places the boxes.
    recording : Recording, optional
        To attach, as one clip a channel, and with it those of the exemplars; without it the model
        reads the cues alone.
    brief : bool
        Leave out the course of each source over time.
    spatial : bool
        Explain what the numbers say about space, and ask for reasoning about it first.

    Returns
    -------
    Prompt

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> first, second = load_exemplars()[:2]
    >>> prompt = build_prompt(Canvas(first.cues, Camera(), 8.0, (0.0,), (0.0,)), [second])
    >>> [part.text.splitlines()[0] for part in prompt.parts]
    ['Example 1', 'Answer:', 'The recording to plan a video for']
    """
    parts: list[TextPart | AudioPart] = []
    for number, exemplar in enumerate(exemplars, 1):
        sound = [] if recording is None else _named(_example_clips(number, exemplar))
        table, answer = _example(exemplar, canvas, placement, brief)
        parts += [
            TextPart(_text("example", number=number, cues=table)),
            *sound,
            TextPart(_text("example_answer", answer=answer)),
        ]
    table = cue_table(canvas.cues, canvas.asked_times_s, brief=brief)
    parts.append(TextPart(_text("recording", cues=table)))
    if recording is not None:
        parts += _named(clips(recording, canvas.cues.capture.format))
    return Prompt(_instruction(canvas.camera, placement, spatial), tuple(parts))


def again(prompt: Prompt, answer: str, fault: str) -> Prompt:
    """Return the prompt that asks once more, with the answer and what is wrong with it.

    Parameters
    ----------
    prompt : Prompt
        What was asked first.
    answer : str
        Of a long one, the beginning is sent back.
    fault : str
        Why it cannot be used.

    Returns
    -------
    Prompt

    Examples
    --------
    >>> asked = again(Prompt("Plan.", ()), "A bus.", "the answer holds no JSON object")
    >>> asked.parts[-1].text.splitlines()[-1]
    'Write the whole JSON object again, corrected.'
    """
    if len(answer) > _LONGEST_SENT_BACK:
        answer = f"{answer[:_LONGEST_SENT_BACK]} …"
    return prompt.followed_by(_text("again", answer=answer, fault=fault))


def _text(name: str, **fields: object) -> str:
    template = Template((_TEXTS / f"{name}.txt").read_text(encoding="utf-8").strip())
    return template.substitute(fields)


def _instruction(camera: Camera, placement: str, spatial: bool) -> str:
    seen = [azimuth for azimuth in _SHOWN_DEG if abs(azimuth) <= camera.fov_deg / 2]
    return _text(
        "director",
        fov=f"{camera.fov_deg:g}",
        horizon=f"{camera.horizon_y():.2f}",
        directions=", ".join(f"{a:+d}° {camera.x_of_azimuth(a):.2f}" for a in seen),
        classes=", ".join(CLASSES),
        surroundings=", ".join(f"{place.name} ({place.phrase})" for place in BACKGROUNDS.values()),
        physics=f"\n{_text('physics')}\n" if spatial else "",
        task=_text(f"task_{placement}", first=_REASON_FIRST if spatial else ""),
        schema=json.dumps(SCHEMAS[placement].model_json_schema(), ensure_ascii=False),
    )


def _named(sounds: Sequence[AudioPart]) -> list[TextPart | AudioPart]:
    return [part for clip in sounds for part in (TextPart(f"The {clip.name}:"), clip)]


def _example_clips(number: int, exemplar: Exemplar) -> list[AudioPart]:
    samples, rate = exemplar_sound(exemplar)
    return [
        _clip(f"{side} channel of example {number}", channel, rate)
        for side, channel in zip(("left", "right"), samples, strict=True)
    ]


def _example(exemplar: Exemplar, canvas: Canvas, placement: str, brief: bool) -> tuple[str, str]:
    """Return what was measured in an exemplar, and the answer that gives its layout."""
    share = exemplar.cues.duration_s / canvas.cues.duration_s
    last = exemplar.layout.frame_times_s[-1]
    times = tuple(min(last, share * time) for time in canvas.asked_times_s)
    answer = exemplar_answer(exemplar, times, placement)
    return cue_table(exemplar.cues, times, brief=brief), answer.model_dump_json()


def exemplar_answer(
    exemplar: Exemplar, times: Sequence[float], placement: str
) -> CueAnswer | BoxAnswer:
    """Return the answer that would have given an exemplar's layout.

    Parameters
    ----------
    exemplar : Exemplar
        One of `load_exemplars`.
    times : sequence of float
        Of the frames that are written, in seconds.
    placement : {"cues", "model"}
        Who places the boxes.

    Returns
    -------
    CueAnswer or BoxAnswer

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> exemplar_answer(load_exemplars()[0], (0.0, 1.0), "model").frames[1].time_s
    1.0
    """
    layout = exemplar.layout
    source_of = {shown: source for source, shown in exemplar.objects.items()}
    if placement == "cues":
        return CueAnswer(
            reasoning=layout.reasoning,
            video_caption=layout.caption,
            background=layout.background,
            sources=[
                NamedSource(id=source_of[shown.id], label=shown.label, caption=shown.caption)
                for shown in layout.objects
                if shown.id in source_of
            ],
            scenery=[],
            frame_captions=[layout.caption_at(time) for time in times],
        )
    return BoxAnswer(
        reasoning=layout.reasoning,
        video_caption=layout.caption,
        background=layout.background,
        frames=[_frame(layout, source_of, time) for time in times],
    )


def _frame(layout: VideoSceneLayout, source_of: dict[str, str], time_s: float) -> Frame:
    boxes = []
    for shown, box in zip(layout.objects, layout.boxes_at(time_s), strict=True):
        corners = (0.0,) * 4 if box is None else box.as_tuple()
        places = zip(CORNERS, (round(c, 3) for c in corners), strict=True)
        boxes.append(
            NamedBox(
                id=source_of.get(shown.id, shown.id),
                label=shown.label,
                caption=shown.caption,
                visible=box is not None,
                **dict(places),
            )
        )
    return Frame(time_s=round(time_s, 2), caption=layout.caption_at(time_s), boxes=boxes)


def cue_table(cues: SpatialCues, times: Sequence[float], *, brief: bool = False) -> str:
    """Write what was measured as the prompt states it.

    Parameters
    ----------
    cues : SpatialCues
        Of the recording.
    times : sequence of float
        Of the frames that are asked for, in seconds.
    brief : bool
        Leave out the course of each source over time, and the notes.

    Returns
    -------
    str
        Several lines.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> table = cue_table(load_exemplars()[0].cues, (0.0, 1.0), brief=True)
    >>> table.splitlines()[-1]
    'Times of the frames, in seconds: 0.00, 1.00'
    """
    lines = [
        f"Name: {_quoted(cues.recording)}",
        f"Length: {cues.duration_s:.2f} s",
        f"Capture format: {cues.capture.format} (confidence {cues.capture.confidence:.2f})",
        f"Sources: {len(cues.sources)} (between {cues.count_low} and {cues.count_high})",
    ]
    if not brief:
        lines += [f"Note: {_quoted(note)}" for note in cues.notes]
    for source in cues.sources:
        lines += ["", *_source(source)]
        if not brief:
            lines += _course(source, cues.times_s)
    asked = ", ".join(f"{time:.2f}" for time in times)
    return "\n".join([*lines, "", f"Times of the frames, in seconds: {asked}"])


def _quoted(text: str) -> str:
    """Quote foreign text: on one line, not long, without anything that ends the quotation."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return json.dumps(short, ensure_ascii=True)


def _source(source: SourceTrack) -> list[str]:
    label = "unknown" if source.label is None else _quoted(source.label)
    named = source.label_source == "user"
    origin = "named by the user" if named else f"confidence {source.label_confidence:.2f}"
    lines = [f"Source {source.id}", f"- label: {label} ({origin})"]
    if source.label_alternatives and not named:
        others = ", ".join(f"{_quoted(name)} {p:.2f}" for name, p in source.label_alternatives[:5])
        lines.append(f"- labels that fit best: {others}")
    motion = source.motion.replace("_", " ")
    lines.append(f"- motion: {motion} (confidence {source.motion_confidence:.2f})")
    start, end = source.azimuth_start_deg, source.azimuth_end_deg
    if start is None or end is None:
        lines.append("- azimuth: not known")
    else:
        lines.append(f"- azimuth: {start:+.0f}° at its start, {end:+.0f}° at its end")
    lines.append(f"- change of level: {source.level_change_db:+.1f} dB")
    if source.closest_s is not None:
        lines.append(f"- closest at {source.closest_s:.1f} s")
    passing = source.pass_by
    if passing is not None and passing.distance_m is not None and passing.speed_m_s is not None:
        lines.append(
            f"- Doppler shift: passes {passing.distance_m.value:.0f} m away "
            f"[{passing.distance_m.low:.0f} to {passing.distance_m.high:.0f}] at "
            f"{passing.speed_m_s.value:.0f} m/s"
        )
    return lines


def _course(source: SourceTrack, times_s: Sequence[float]) -> list[str]:
    """Write the source at a few times: direction with its interval, level, relative distance."""
    frames = np.unique(np.linspace(0, len(times_s) - 1, _MOST_ROWS).round().astype(int))
    lines = ["- time s | azimuth ° [90 % interval] | level dB | relative distance"]
    for k in frames:
        if not source.active[k]:
            lines.append(f"  {times_s[k]:.2f} | silent")
            continue
        azimuth, distance = source.azimuth_deg[k], source.relative_range[k]
        low, high = source.azimuth_low_deg[k], source.azimuth_high_deg[k]
        where = "not known" if azimuth is None else f"{azimuth:+.0f} [{low:+.0f} to {high:+.0f}]"
        far = "not known" if distance is None else f"{distance:.2f}"
        lines.append(f"  {times_s[k]:.2f} | {where} | {source.level_db[k]:.0f} | {far}")
    return lines


def clips(recording: Recording, capture: str = "auto") -> list[AudioPart]:
    """Return one WAV clip a channel, left first; 16 kHz, 16 bits, at most 30 s.

    Parameters
    ----------
    recording : Recording
        One channel gives one clip.
    capture : str
        Of first-order ambisonics ("foa") the clips are the sums of W and Y, and their differences.

    Returns
    -------
    list of AudioPart

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> recording = Recording.from_samples(np.zeros((2, 8000)), 8000, "silence.wav")
    >>> [(part.name, part.seconds) for part in clips(recording)]
    [('left channel of the recording', 1.0), ('right channel of the recording', 1.0)]
    """
    from spa2v_lib.cues.ambisonics import middle_side

    pair = middle_side(recording) if capture == "foa" else recording
    samples = pair.cut(0.0, _CLIP_S).resampled(_CLIP_RATE).samples[:2]
    sides = ("left", "right") if len(samples) == 2 else ("only",)
    return [
        _clip(f"{side} channel of the recording", channel, _CLIP_RATE)
        for side, channel in zip(sides, samples, strict=True)
    ]


def _clip(name: str, samples: np.ndarray, rate: int) -> AudioPart:
    stream = io.BytesIO()
    whole = np.clip(samples, -1.0, 1.0)
    soundfile.write(stream, whole, rate, format="WAV", subtype="PCM_16")
    return AudioPart(name, stream.getvalue(), len(samples) / rate)
