"""What every language model has in common: its name, what it is given, and the call it answers.

Names of planners, as users write them::

    acoustic
    google:MODEL
    openai-chat:MODEL
    openai-chat:MODEL@URL          any server that speaks the OpenAI chat protocol
    transformers:REPO_OR_FOLDER
    smollm
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import BaseModel

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.schema import Limits

__all__ = [
    "PLANNERS",
    "AudioPart",
    "Backend",
    "PlannerSpec",
    "Prompt",
    "TextPart",
    "parse_planner",
]

PLANNERS = (
    "acoustic",
    "google:MODEL",
    "openai-chat:MODEL",
    "openai-chat:MODEL@URL",
    "transformers:REPO_OR_FOLDER",
    "smollm",
)
"""Every form that the name of a planner can take; in capitals, what the user fills in."""

_ALONE = ("acoustic", "smollm")
_WITH_MODEL = ("google", "openai-chat", "transformers")


@dataclass(frozen=True)
class TextPart:
    """Text of a prompt.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> TextPart("Length: 2.00 s").text
    'Length: 2.00 s'
    """

    text: str


@dataclass(frozen=True)
class AudioPart:
    """Sound of a prompt; the text before it says what it is.

    Parameters
    ----------
    name : str
        What the clip is, for readers of the printed prompt ("left channel of the recording").
    wav : bytes
        A WAV file with one channel, 16 bits.
    seconds : float
        Its length.

    Examples
    --------
    >>> AudioPart("left channel", b"RIFF...", 2.0).seconds
    2.0
    """

    name: str
    wav: bytes
    seconds: float


@dataclass(frozen=True)
class Prompt:
    """Everything that a model is given, in order.

    Parameters
    ----------
    system : str
        The instruction.
    parts : tuple of (TextPart or AudioPart)
        Examples, the recording, and, when an answer is asked for again, that answer and what was
        wrong with it.

    Examples
    --------
    >>> prompt = Prompt("Plan a video.", (TextPart("The clip:"), AudioPart("left", b"", 2.0)))
    >>> print(prompt.text)
    Plan a video.
    <BLANKLINE>
    The clip:
    <BLANKLINE>
    [sound: left, 2.0 s]
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
    """A language model, wherever it runs, and what it can do.

    Attributes
    ----------
    name : str
        As the user named it, without anything secret.
    takes_audio : bool
        Whether it can be given `AudioPart`.
    brief : bool
        Whether it needs a short prompt: without the course of each source over time.
    limits : Limits or None
        Of the answer, where the model decodes under a schema and is given one for the recording
        (`spa2v_lib.planning.schema.narrowed`); None where it writes freely.
    parameters : dict
        What else decides the answer (temperature, seed, ...), as plain JSON values.

    See Also
    --------
    spa2v_lib.planning.make_backend : Makes one from a planner's name.

    Examples
    --------
    >>> from spa2v_lib.planning import make_backend
    >>> backend = make_backend(parse_planner("smollm"))
    >>> isinstance(backend, Backend), backend.limits.text
    (True, 80)
    """

    name: str
    takes_audio: bool
    brief: bool
    limits: Limits | None
    parameters: dict[str, Any]

    def check(self) -> None:
        """Refuse early what cannot be asked; nothing is loaded or sent.

        Raises
        ------
        PlanningError
            If a package is missing, or no key is set where one is needed.
        """
        ...

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Return what the model writes; it is to be JSON that `schema` accepts.

        Raises
        ------
        PlanningError
            If the model cannot be reached or loaded, or refuses to answer. Whether its answer can
            be used is for the caller to check.
        """
        ...


@dataclass(frozen=True)
class PlannerSpec:
    """A planner's name, taken apart.

    Parameters
    ----------
    provider : {"acoustic", "google", "openai-chat", "transformers", "smollm"}
    model : str
        Name, repository or folder of the model; empty where the provider says it all.
    url : str
        Base URL of a server; empty for the provider's own.

    Examples
    --------
    >>> str(PlannerSpec("openai-chat", "qwen", "http://127.0.0.1:8000/v1"))
    'openai-chat:qwen@http://127.0.0.1:8000/v1'
    """

    provider: str
    model: str = ""
    url: str = ""

    def __str__(self) -> str:
        named = f"{self.provider}:{self.model}" if self.model else self.provider
        return f"{named}@{self.url}" if self.url else named

    @property
    def hosted(self) -> bool:
        """Whether something is sent to a server, which may be on this machine."""
        return self.provider in ("google", "openai-chat")


def parse_planner(text: str) -> PlannerSpec:
    """Take a planner's name apart.

    Parameters
    ----------
    text : str
        One of `PLANNERS`.

    Returns
    -------
    PlannerSpec

    Raises
    ------
    PlanningError
        If it has none of these forms, or its URL is not one, or holds a password.

    See Also
    --------
    spa2v_lib.planning.make_backend : The model that it names.

    Examples
    --------
    >>> parse_planner("google:gemini-3.8-flash").model
    'gemini-3.8-flash'
    """
    provider, colon, rest = text.strip().partition(":")
    if provider in _ALONE and not colon:
        return PlannerSpec(provider)
    if provider not in _WITH_MODEL or not rest:
        hint = ""
        if provider == "openai":
            hint = "; 'openai' means OpenAI's Responses, which take no sound: write openai-chat:…"
        raise PlanningError(f"no planner {text!r}; one of: {', '.join(PLANNERS)}{hint}")
    if provider != "openai-chat":
        return PlannerSpec(provider, rest)
    model, at, url = rest.partition("@")
    if not model or (at and not url):
        raise PlanningError(f"no planner {text!r}: openai-chat:MODEL@URL needs both")
    if url:
        _check_url(url)
    return PlannerSpec(provider, model, url.rstrip("/"))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:  # half a bracket, as of an IPv6 address
        raise PlanningError(f"{url!r} is not a server's URL; check its brackets") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PlanningError(
            f"the URL of the server at {host} holds more than an address; keys and "
            "passwords are taken from the environment only"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise PlanningError(f"{url!r} is not a server's URL such as http://127.0.0.1:8000/v1")
