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
from spa2v_lib.planning.backend import Backend

__all__ = ["FORMS", "PlannerSpec", "check_available", "make_backend", "parse_planner"]

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
    kind : {"acoustic", "google", "openai-chat", "transformers", "smollm"}
    model : str
        Name, repository or folder of the model; empty where the kind says it all.
    url : str
        Base URL of a server; empty for the provider's own.
    """

    kind: str
    model: str = ""
    url: str = ""

    def __str__(self) -> str:
        named = f"{self.kind}:{self.model}" if self.model else self.kind
        return f"{named}@{self.url}" if self.url else named

    @property
    def hosted(self) -> bool:
        """Whether something is sent to a server, which may be on this machine."""
        return self.kind in ("google", "openai-chat")


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


def make_backend(spec: PlannerSpec, *, temperature: float | None = None, seed: int = 0) -> Backend:
    """Return the model of a planner; nothing is loaded or sent yet.

    Parameters
    ----------
    spec : PlannerSpec
        Of any kind but "acoustic".
    temperature : float, optional
        The kind's own if not given: 0.5 for hosted models, as in SpA2V, and 0 for the others.
    seed : int

    Raises
    ------
    PlanningError
        If the planner needs no model, or a package that it needs is missing.
    """
    drawn = {"seed": seed} if temperature is None else {"seed": seed, "temperature": temperature}
    if spec.hosted:
        from spa2v_lib.planning.hosted import HostedModel

        return HostedModel(spec, **drawn)
    if spec.kind == "transformers":
        from spa2v_lib.planning.local import local_model

        return local_model(spec.model, **drawn)
    if spec.kind == "smollm":
        from spa2v_lib.planning.smollm import smollm

        return smollm(**drawn)
    raise PlanningError(f"the planner {str(spec)!r} asks no model")


def check_available(spec: PlannerSpec) -> None:
    """Refuse a planner that cannot work here, before anything is heard, loaded or sent.

    Raises
    ------
    PlanningError
        If a package is missing, or no key is set where one is needed.
    """
    if spec.hosted:
        make_backend(spec).check()
    elif spec.kind != "acoustic":
        make_backend(spec)
