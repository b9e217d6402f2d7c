"""Answers that a language model really gave, and a backend that gives them again.

``data/answers`` holds them; ``python -m spa2v_lab.bench.recorded_answers`` asked for them. They let
a reader see what a model wrote, and what became of it, where the model itself is not installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from spa2v_lib.errors import DataError, LayoutError, PlanningError
from spa2v_lib.files import read_text
from spa2v_lib.layout.box import StrictModel
from spa2v_lib.planning.backends.base import Prompt
from spa2v_lib.planning.schema import Limits
from spa2v_lib.resources import resource

__all__ = ["RecordedAnswer", "Replay", "recorded_answers"]


class RecordedAnswer(StrictModel):
    """What was asked, and everything that was answered until a plan could be used.

    Attributes
    ----------
    scene : int
        Number of the scene; see `spa2v_lab.bench.recorded_answers.recorded_scene`.
    model : str
        The planner's name.
    parameters : dict
        What else decided the answer (temperature, seed, ...).
    placement : {"cues", "model"}
        Who placed the boxes.
    exemplars : {"knn", "fixed", "random", "none"}
        How the examples were chosen.
    shots : int
        How many were asked for.
    prompt : str
        What the model was given, as text.
    answers : list of str
        What it wrote, letter by letter; each but the last could not be used.
    seconds : float
        How long the answers took.

    See Also
    --------
    recorded_answers : Reads those that are shipped.

    Examples
    --------
    >>> recorded_answers()[0].model
    'smollm'
    """

    scene: int
    model: str
    parameters: dict[str, Any]
    placement: str
    exemplars: str
    shots: int
    prompt: str
    answers: list[str]
    seconds: float


def recorded_answers(path: str | Path | None = None) -> tuple[RecordedAnswer, ...]:
    """Read recorded answers, by default those that are shipped.

    Parameters
    ----------
    path : str or Path, optional
        A file of one JSON object a line.

    Returns
    -------
    tuple of RecordedAnswer

    Raises
    ------
    DataError
        If the file is missing, or a line is not a recorded answer; the message names the line.

    See Also
    --------
    Replay : Gives one to the planner again.

    Examples
    --------
    >>> len(recorded_answers())
    12
    """
    source = Path(path) if path else resource("answers", "smollm.jsonl")
    lines = read_text(source, DataError).splitlines()
    return tuple(_read(line, source, number) for number, line in enumerate(lines, 1))


def _read(line: str, source: Path, number: int) -> RecordedAnswer:
    try:
        return RecordedAnswer(**json.loads(line))
    except (json.JSONDecodeError, ValidationError, LayoutError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{source}, line {number} is not a recorded answer: {first}") from None


@dataclass
class Replay:
    """A language model's backend that says what was said then, whatever it is asked.

    Parameters
    ----------
    record : RecordedAnswer
        Whose answers are given, one after the other.

    See Also
    --------
    spa2v_lab.bench.recorded_answers.replayed : Makes a layout of a record.

    Examples
    --------
    >>> Replay(recorded_answers()[0]).name
    'smollm (recorded)'
    """

    record: RecordedAnswer
    takes_audio: bool = False
    brief: bool = True
    limits: Limits | None = None
    _left: Iterator[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._left = iter(self.record.answers)

    @property
    def name(self) -> str:
        """The model that answered, and that this is a replay."""
        return f"{self.record.model} (recorded)"

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the model that answered."""
        return self.record.parameters

    def check(self) -> None:
        """Nothing is needed to read an answer again."""

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Return the next recorded answer.

        Raises
        ------
        PlanningError
            If there is none left.
        """
        try:
            return next(self._left)
        except StopIteration:
            raise PlanningError(
                f"{self.name}: only {len(self.record.answers)} answers were recorded"
            ) from None
