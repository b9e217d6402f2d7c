"""Names of planners, as users write them.

acoustic
google:MODEL
openai-chat:MODEL
openai-chat:MODEL@URL          any server that speaks the OpenAI chat protocol
transformers:REPO_OR_FOLDER
smollm
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from spa2v_lib.errors import PlanningError

__all__ = ["FORMS", "PlannerSpec", "parse_planner"]

FORMS = (
    "acoustic",
    "google:MODEL",
    "openai-chat:MODEL",
    "openai-chat:MODEL@URL",
    "transformers:REPO_OR_FOLDER",
    "smollm",
)
"""Every form that a planner's name can take."""

_ALONE = ("acoustic", "smollm")
_WITH_MODEL = ("google", "openai-chat", "transformers")


@dataclass(frozen=True)
class PlannerSpec:
    """A planner's name, taken apart.

    Attributes
    ----------
    provider : {"acoustic", "google", "openai-chat", "transformers", "smollm"}
    model : str
        Name, repository or folder of the model; empty where the provider says it all.
    url : str
        Base URL of a server; empty for the provider's own.
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

    Raises
    ------
    PlanningError
        If it has none of `FORMS`, or its URL is not one, or holds a password.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind in _ALONE and not colon:
        return PlannerSpec(kind)
    if kind not in _WITH_MODEL or not rest:
        hint = ""
        if kind == "openai":
            hint = "; 'openai' means OpenAI's Responses, which take no sound: write openai-chat:…"
        raise PlanningError(f"no planner {text!r}; one of: {', '.join(FORMS)}{hint}")
    if kind != "openai-chat":
        return PlannerSpec(kind, rest)
    model, at, url = rest.partition("@")
    if not model or (at and not url):
        raise PlanningError(f"no planner {text!r}: openai-chat:MODEL@URL needs both")
    if url:
        _check_url(url)
    return PlannerSpec(kind, model, url.rstrip("/"))


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PlanningError(
            f"the URL of the server at {parts.hostname} holds more than an address; keys and "
            "passwords are taken from the environment only"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlanningError(f"{url!r} is not a server's URL such as http://127.0.0.1:8000/v1")
