"""What a language model is shown, and the one call that every model answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

__all__ = ["AudioPart", "Backend", "Prompt", "TextPart"]


@dataclass(frozen=True)
class TextPart:
    """Text of a prompt."""

    text: str


@dataclass(frozen=True)
class AudioPart:
    """Sound of a prompt; the text before it says what it is.

    Attributes
    ----------
    name : str
        What the clip is, for readers of the printed prompt ("left channel of the recording").
    wav : bytes
        A WAV file with one channel, 16 bits.
    seconds : float
        Its length.
    """

    name: str
    wav: bytes
    seconds: float


@dataclass(frozen=True)
class Prompt:
    """Everything that a model is given, in order.

    Attributes
    ----------
    system : str
        The instruction.
    parts : tuple of (TextPart or AudioPart)
        Examples, the recording, and, when an answer is asked for again, that answer and what was
        wrong with it.
    """

    system: str
    parts: tuple[TextPart | AudioPart, ...]

    @property
    def text(self) -> str:
        """The whole prompt as text; each clip is one line that names it."""
        return "\n\n".join([self.system, self.user_text])

    @property
    def user_text(self) -> str:
        """The prompt without the instruction, as text; each clip is one line that names it."""
        return "\n\n".join(
            part.text
            if isinstance(part, TextPart)
            else f"[sound: {part.name}, {part.seconds:.1f} s]"
            for part in self.parts
        )

    def followed_by(self, *texts: str) -> Prompt:
        """Return the prompt with further text at its end."""
        return Prompt(self.system, (*self.parts, *(TextPart(text) for text in texts)))


@runtime_checkable
class Backend(Protocol):
    """A language model, wherever it runs.

    Attributes
    ----------
    name : str
        As it was named by the user, without anything secret.
    takes_audio : bool
        Whether it can be given `AudioPart`.
    brief : bool
        Whether it needs a short prompt: without the course of each source over time.
    parameters : dict
        What else decides the answer (temperature, seed, ...), as plain JSON values.
    """

    name: str
    takes_audio: bool
    brief: bool
    parameters: dict[str, Any]

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Return what the model writes; it is to be JSON that `schema` accepts.

        Raises
        ------
        PlanningError
            If the model cannot be reached or loaded. That its answer is bad is for the caller to
            find.
        """
        ...
