"""The prompt: instruction, examples, and the recording as a table of cues and two clips.

The texts are in ``spa2v_lib/planning/prompts``. Audio models perceive little direction (hosted
ones fold stereo to mono), so the prompt states in numbers what was measured. Whatever a file name
or a note says is quoted as data.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from spa2v_lib.cues.types import SpatialCues
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.pages import render
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

    See Also
    --------
    cue_table : What it says of a recording.
    exemplar_answer : How it answers an example.

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
        sound = (
            []
            if recording is None
            else _named(_clips(*exemplar_sound(exemplar), f"example {number}"))
        )
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

    See Also
    --------
    build_prompt : What is asked first.

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
    return render(f"planning/prompts/{name}.txt", **fields)


def _instruction(camera: Camera, placement: str, spatial: bool) -> str:
    return _text(
        "director",
        camera=camera,
        directions=[azimuth for azimuth in _SHOWN_DEG if abs(azimuth) <= camera.fov_deg / 2],
        placement=placement,
        spatial=spatial,
        classes=CLASSES,
        places=BACKGROUNDS.values(),
        schema=json.dumps(SCHEMAS[placement].model_json_schema(), ensure_ascii=False),
    )


def _named(sounds: Sequence[AudioPart]) -> list[TextPart | AudioPart]:
    return [part for clip in sounds for part in (TextPart(f"The {clip.name}:"), clip)]


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

    See Also
    --------
    build_prompt : The whole prompt.

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

    See Also
    --------
    build_prompt : The whole prompt.

    Examples
    --------
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> table = cue_table(load_exemplars()[0].cues, (0.0, 1.0), brief=True)
    >>> table.splitlines()[-1]
    'Times of the frames, in seconds: 0.00, 1.00'
    """
    spread = np.linspace(0, len(cues.times_s) - 1, _MOST_ROWS)
    moments = np.unique(spread.round().astype(int))
    return _text(
        "cues", cues=cues, times=times, brief=brief, moments=moments.tolist(), quoted=_quoted
    )


def _quoted(text: str) -> str:
    """Quote foreign text: on one line, not long, without anything that ends the quotation."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return json.dumps(short, ensure_ascii=True)


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
    return _clips(samples, _CLIP_RATE, "the recording")


def _clips(samples: np.ndarray, rate: int, what: str) -> list[AudioPart]:
    sides = ("left", "right") if len(samples) == 2 else ("only",)
    parts = []
    for side, channel in zip(sides, samples, strict=True):
        stream = io.BytesIO()
        soundfile.write(stream, np.clip(channel, -1.0, 1.0), rate, format="WAV", subtype="PCM_16")
        name = f"{side} channel of {what}"
        parts.append(AudioPart(name, stream.getvalue(), len(channel) / rate))
    return parts
