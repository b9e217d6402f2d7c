"""Where the keys of hosted models are looked up: the environment, and on Colab its secrets.

A key is returned to whoever sends it, and shown or kept nowhere.

Language models behind a server: Google, OpenAI, and what speaks the OpenAI chat protocol.

The client is pydantic-ai's, an optional extra that is loaded when a model is first asked. Keys come
from the environment or Colab's secrets alone (`spa2v_lib.planning.backends.hosted`); OpenAI's key
goes to OpenAI only, never to a server that the user named. Whether a request is tried again is
decided here, so that the waits are known.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import Prompt, TextPart
from spa2v_lib.planning.backends.spec import PlannerSpec

__all__ = [
    "INSTALL",
    "KEYS",
    "HostedModel",
    "find_key",
    "on_colab",
]

_COLAB = ("COLAB_NOTEBOOK_ID", "COLAB_RELEASE_TAG")


def find_key(names: Sequence[str]) -> str | None:
    """Return the first key that is set under one of these names, the environment's before Colab's.

    Parameters
    ----------
    names : sequence of str
        Variables of the environment; Colab's secrets are sought under the same names.
    """
    found = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if found is not None or not on_colab():
        return found
    return next((key for name in names if (key := _secret(name))), None)


def on_colab() -> bool:
    """Whether this runs in a notebook on Colab."""
    return any(os.environ.get(name) for name in _COLAB)


def _secret(name: str) -> str | None:
    """Return a secret that the user keeps on Colab and lets this notebook read."""
    try:
        return import_module("google.colab.userdata").get(name) or None
    except Exception:  # none of that name, not allowed to read it, or no front end to ask
        return None


INSTALL = "pip install 'spa2v[models]'"
"""How to get the clients."""

KEYS = {
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "openai-chat": ("OPENAI_API_KEY",),
    "server": ("SPA2V_SERVER_KEY",),
}
"""Names under which a key is looked up, the first that is set; a server needs none."""

OPENAI_URL = "https://api.openai.com/v1"

_NO_KEY = "none"
_HEARING_WORDS = ("audio", "omni", "voxtral")
_LONGEST_WAIT_S = 60.0
_SHOWN = 200  # characters of a server's complaint


@dataclass(frozen=True)
class HostedModel:
    """A model behind a server.

    Attributes
    ----------
    spec : PlannerSpec
        Of provider "google" or "openai-chat".
    temperature : float
        As in SpA2V unless told otherwise.
    seed : int
        Sent along; whether it is honoured is the provider's affair.
    timeout_s : float
        For one whole request.
    tries : int
        Requests in all, when the server is busy, fails, or drops the connection.
    first_wait_s : float
        Before the second request; doubled each time, unless the server says how long.
    """

    spec: PlannerSpec
    temperature: float = 0.5
    seed: int = 0
    timeout_s: float = 180.0
    tries: int = 4
    first_wait_s: float = 2.0
    brief: bool = False

    @property
    def name(self) -> str:
        """The planner's name."""
        return str(self.spec)

    @property
    def takes_audio(self) -> bool:
        """Whether sound is attached: to Gemini, and to what is named as an audio model."""
        named = self.spec.model.lower()
        return self.spec.provider == "google" or any(word in named for word in _HEARING_WORDS)

    @property
    def parameters(self) -> dict[str, Any]:
        """What else decides the answer."""
        return {"temperature": self.temperature, "seed": self.seed}

    def check(self) -> None:
        """Refuse early what cannot be asked; nothing is sent.

        Raises
        ------
        PlanningError
            If the client is not installed, or no key is set.
        """
        _clients()
        self._key()

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Send the prompt and return what the model writes.

        Raises
        ------
        PlanningError
            If the client is not installed, no key is set, the key is refused, or the server cannot
            be reached, takes too long or keeps failing.
        """
        clients = _clients()
        key = self._key()
        native = self._takes_schema
        wait_s, left = self.first_wait_s, self.tries
        while True:
            request = self._request(clients, prompt, schema, native)
            try:
                return _apart(clients, self._model(clients, key), *request)
            except clients.errors.ModelAPIError as error:
                status = getattr(error, "status_code", None)
                if native and status == 400 and not _about_key(error, status):
                    native = False  # some servers take no schema; the prompt holds it as well
                    continue
                left -= 1
                if left == 0 or not _may_pass(clients, error, status):
                    raise PlanningError(self._explained(clients, error, status, key)) from None
                time.sleep(min(error.retry_after or wait_s, _LONGEST_WAIT_S))
                wait_s *= 2
            except (clients.errors.AgentRunError, clients.errors.UserError) as error:
                shown = _shown(str(error), key)
                raise PlanningError(f"{self.name} sent no proper answer: {shown}") from None

    @property
    def _takes_schema(self) -> bool:
        """OpenAI's audio models refuse a schema; they read it in the prompt."""
        return self.spec.provider == "google" or bool(self.spec.url) or not self.takes_audio

    def _key(self) -> str:
        names = KEYS["server" if self.spec.url else self.spec.provider]
        found = find_key(names)
        if found is None and not self.spec.url:
            secret = ", or in a secret of that name which this notebook may read"
            raise PlanningError(
                f"{self.name} needs a key in the environment variable {' or '.join(names)}"
                f"{secret if on_colab() else ''}; without one, take the acoustic planner"
            )
        return found or _NO_KEY

    def _model(self, clients: _Clients, key: str) -> Any:
        if self.spec.provider == "google":
            provider = clients.google_provider.GoogleProvider(api_key=key)
            return clients.google.GoogleModel(self.spec.model, provider=provider)
        url = self.spec.url or OPENAI_URL
        provider = clients.openai_provider.OpenAIProvider(base_url=url, api_key=key)
        return clients.openai.OpenAIChatModel(self.spec.model, provider=provider)

    def _request(
        self, clients: _Clients, prompt: Prompt, schema: type[BaseModel], native: bool
    ) -> tuple[Any, ...]:
        """Return messages, settings and parameters of one request."""
        messages = clients.messages
        content = [
            part.text
            if isinstance(part, TextPart)
            else messages.BinaryContent(part.wav, media_type="audio/wav")
            for part in prompt.parts
        ]
        request = messages.ModelRequest(
            parts=[
                messages.SystemPromptPart(prompt.system),
                messages.UserPromptPart(content),
            ]
        )
        settings = {
            "temperature": self.temperature,
            "seed": self.seed,
            "request_timeout": self.timeout_s,
            "max_retries": 0,
        }
        parameters = clients.models.ModelRequestParameters()
        if native:
            wanted = clients.output.OutputObjectDefinition(
                json_schema=schema.model_json_schema(), name=schema.__name__
            )
            parameters = clients.models.ModelRequestParameters(
                output_mode="native", output_object=wanted
            )
        return [request], settings, parameters

    def _explained(self, clients: _Clients, error: Any, status: int | None, key: str) -> str:
        if _about_key(error, status):
            names = " or ".join(KEYS["server" if self.spec.url else self.spec.provider])
            return f"{self.name} refused the key (status {status}); set a valid one in {names}"
        if isinstance(error, clients.errors.ModelRequestTimeout):
            return f"{self.name} did not answer within {self.timeout_s:g} s; try again later"
        said = _shown(str(error.body or error), key) if status else _shown(str(error), key)
        if status == 429 or (status or 0) >= 500:
            return f"{self.name} failed {self.tries} times, last with status {status}: {said}"
        if status:
            return f"{self.name} refused the request with status {status}: {said}"
        return f"{self.name} could not be reached in {self.tries} tries: {said}"


class _Clients:
    """The modules of pydantic-ai that are used."""

    def __init__(self) -> None:
        try:
            self.direct = import_module("pydantic_ai.direct")
            self.errors = import_module("pydantic_ai.exceptions")
            self.messages = import_module("pydantic_ai.messages")
            self.models = import_module("pydantic_ai.models")
            self.output = import_module("pydantic_ai.output")
            self.openai = import_module("pydantic_ai.models.openai")
            self.openai_provider = import_module("pydantic_ai.providers.openai")
            self.google = import_module("pydantic_ai.models.google")
            self.google_provider = import_module("pydantic_ai.providers.google")
        except ImportError as error:
            raise PlanningError(
                f"hosted models need clients that are not installed ({error.name}): {INSTALL}"
            ) from None


@cache
def _clients() -> _Clients:
    return _Clients()


def _apart(clients: _Clients, model: Any, messages: list[Any], settings: Any, wanted: Any) -> str:
    """Ask in a thread with an event loop of its own, as notebooks already run one."""

    async def ask() -> str:
        async with model:
            reply = await clients.direct.model_request(
                model, messages, model_settings=settings, model_request_parameters=wanted
            )
        return "".join(part.content for part in reply.parts if part.part_kind == "text")

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, ask()).result()


def _about_key(error: Any, status: int | None) -> bool:
    """Whether the key was refused; Gemini says so with status 400."""
    return status in (401, 403) or (status == 400 and "API_KEY_INVALID" in str(error))


def _may_pass(clients: _Clients, error: Any, status: int | None) -> bool:
    """Whether trying again may help: the server is busy or failed, or the connection broke."""
    if status is not None:
        return status in (408, 429) or status >= 500
    return isinstance(error, clients.errors.ModelConnectionError)


def _shown(text: str, key: str) -> str:
    """Return the beginning of what a server said, on one line and without the key."""
    line = (
        " ".join(text.replace(key, "[key]").split()) if key != _NO_KEY else " ".join(text.split())
    )
    return line if len(line) <= _SHOWN else line[:_SHOWN] + " …"
