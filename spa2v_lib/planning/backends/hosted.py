"""Language models behind a server: Google, OpenAI, and what speaks the OpenAI chat protocol.

The client is pydantic-ai's, an optional extra that is loaded when a model is first asked; tenacity
tries again, with waits that are known. OpenAI's key goes to OpenAI only, never to a server that the
user named (`spa2v_lib.planning.backends.keys`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import PlannerSpec, Prompt, TextPart
from spa2v_lib.planning.backends.keys import KEYS, NO_KEY, find_key, on_colab, without_key
from spa2v_lib.planning.parsing import one_line
from spa2v_lib.planning.schema import Limits
from spa2v_lib.resources import install_command

__all__ = ["INSTALL", "MOST_BYTES", "HostedModel"]

INSTALL = install_command("models")
"""How to get the clients."""

MOST_BYTES = 4_000_000
"""Of a server's reply; more is not read."""

OPENAI_URL = "https://api.openai.com/v1"

_AUDIO_WORDS = ("audio", "omni", "voxtral")
_LONGEST_WAIT_S = 60.0
_SHOWN = 200  # characters of what a server sent


@dataclass(frozen=True)
class HostedModel:
    """A model behind a server.

    Parameters
    ----------
    spec : PlannerSpec
        Of provider "google" or "openai-chat".
    temperature : float
        At least 0; 0.5, as in SpA2V, if not given.
    seed : int
        Sent along; whether it is honoured is the provider's affair.
    timeout_s : float
        For one whole request.
    tries : int
        Requests in all, when the server is busy, fails, or drops the connection.
    first_wait_s : float
        Before the second request; doubled each time, unless the server says how long. No wait is
        longer than a minute.
    brief : bool
        Whether the prompt is a short one.

    See Also
    --------
    spa2v_lib.planning.make_backend : Makes one from a planner's name.

    Examples
    --------
    >>> HostedModel(PlannerSpec("google", "gemini-3.8-flash")).takes_audio
    True
    """

    spec: PlannerSpec
    temperature: float = 0.5
    seed: int = 0
    timeout_s: float = 180.0
    tries: int = 4
    first_wait_s: float = 2.0
    brief: bool = False
    limits: Limits | None = field(default=None, init=False)  # it writes freely

    @property
    def name(self) -> str:
        """The planner's name."""
        return str(self.spec)

    @property
    def takes_audio(self) -> bool:
        """Whether sound is attached: to Gemini, and to what is named as an audio model."""
        named = self.spec.model.lower()
        return self.spec.provider == "google" or any(word in named for word in _AUDIO_WORDS)

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
        _Clients()
        self._key()

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Send the prompt and return what the model writes, without the key if that is in it.

        Raises
        ------
        PlanningError
            If the client is not installed, no key is set, the key is refused, the server cannot
            be reached, takes too long, keeps failing or sends no proper answer, or the model
            refuses to answer or is cut short.
        """
        clients, key = _Clients(), self._key()
        try:
            try:
                reply = self._retried(clients, key, prompt, schema, self._takes_schema)
            except clients.errors.ModelAPIError as error:
                # Some servers take no schema; the prompt holds it as well.
                if not (self._takes_schema and _status(error) == 400) or _about_key(error):
                    raise
                reply = self._retried(clients, key, prompt, schema, False)
        except clients.errors.ModelAPIError as error:
            raise PlanningError(self._explained(clients, error, key)) from None
        except _BadReplyError as error:
            raise PlanningError(f"{self.name} sent {_shown(str(error), key)}") from None
        return self._text(reply, key)

    @property
    def _takes_schema(self) -> bool:
        """OpenAI's audio models refuse a schema; they read it in the prompt."""
        return self.spec.provider == "google" or bool(self.spec.url) or not self.takes_audio

    @property
    def _key_names(self) -> str:
        return " or ".join(KEYS["server" if self.spec.url else self.spec.provider])

    def _key(self) -> str:
        found = find_key(KEYS["server" if self.spec.url else self.spec.provider])
        if found is None and not self.spec.url:
            secret = ", or in a secret of that name which this notebook may read"
            raise PlanningError(
                f"{self.name} needs a key in the environment variable {self._key_names}"
                f"{secret if on_colab() else ''}; without one, take the acoustic planner"
            )
        if found is not None and not (found.isascii() and found.isprintable()):
            raise PlanningError(f"what {self._key_names} holds is no key: set a valid one")
        return found or NO_KEY

    def _retried(
        self,
        clients: _Clients,
        key: str,
        prompt: Prompt,
        schema: type[BaseModel],
        native: bool,
    ) -> Any:
        """Send one request, again while that may help, and return the client's reply."""
        tenacity = clients.tenacity
        doubled = tenacity.wait_exponential(self.first_wait_s, max=_LONGEST_WAIT_S)

        def wait(state: Any) -> float:
            asked_s = getattr(state.outcome.exception(), "retry_after", None) or 0.0
            return min(asked_s, _LONGEST_WAIT_S) if asked_s > 0 else doubled(state)

        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_pass(clients, error)),
            stop=tenacity.stop_after_attempt(self.tries),
            wait=wait,
            reraise=True,
        )
        request = self._request(clients, prompt, schema, native)
        return again(_in_thread, lambda: self._sent(clients, key, request))

    async def _sent(self, clients: _Clients, key: str, request: tuple[Any, ...]) -> Any:
        """Send one request through a client of its own, which reads only so much."""
        meter = _Meter()
        async with clients.models.create_async_httpx2_client(timeout=self.timeout_s) as http:
            http.event_hooks["request"].append(meter.on_request)
            http.event_hooks["response"].append(meter.on_response)
            messages, settings, parameters = request
            try:
                return await clients.direct.model_request(
                    self._model(clients, key, http),
                    messages,
                    model_settings=settings,
                    model_request_parameters=parameters,
                )
            except Exception as error:  # whatever a reply outside of the protocol leads to
                if meter.fault:
                    raise _BadReplyError(meter.fault) from None
                if isinstance(error, clients.errors.ModelAPIError):
                    raise
                said = meter.text() or str(error)
                raise _BadReplyError(f"no proper answer: {said}") from None

    def _model(self, clients: _Clients, key: str, http: Any) -> Any:
        if self.spec.provider == "google":
            provider = clients.google_provider.GoogleProvider(api_key=key, http_client=http)
            return clients.google.GoogleModel(self.spec.model, provider=provider)
        url = self.spec.url or OPENAI_URL
        provider = clients.openai_provider.OpenAIProvider(
            base_url=url, api_key=key, http_client=http
        )
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

    def _text(self, reply: Any, key: str) -> str:
        """Return what the model wrote; a model that only reasons may answer in its reasoning."""
        written = {
            part_kind: "".join(p.content or "" for p in reply.parts if p.part_kind == part_kind)
            for part_kind in ("text", "thinking")
        }
        text = without_key(written["text"] or written["thinking"], key)
        if reply.finish_reason == "content_filter":
            details = reply.provider_details or {}
            words = [details.get("refusal"), details.get("block_reason_message"), text]
            said = _shown(" ".join(str(word) for word in words if word), key)
            reason = details.get("block_reason") or details.get("finish_reason") or "refusal"
            raise PlanningError(
                f"{self.name} refused to answer, or a content filter stopped it "
                f"({_shown(str(reason), key)}): {said or 'it gave no words'}"
            )
        if reply.finish_reason == "length" and not text.rstrip().endswith(("}", "```")):
            raise PlanningError(
                f"{self.name} reached its token limit before its answer was whole; "
                f"it wrote: {_shown(text, key) or 'nothing'}"
            )
        return text

    def _explained(self, clients: _Clients, error: Any, key: str) -> str:
        status = _status(error)
        if _about_key(error):
            return (
                f"{self.name} refused the key (status {status}); "
                f"set a valid one in {self._key_names}"
            )
        if isinstance(error, clients.errors.ModelRequestTimeout):
            return f"{self.name} did not answer within {self.timeout_s:g} s; try again later"
        said = _shown(str((error.body if status else None) or error), key)
        if status == 429 or (status or 0) >= 500:
            return f"{self.name} failed {self.tries} times, last with status {status}: {said}"
        if status:
            return f"{self.name} refused the request with status {status}: {said}"
        return f"{self.name} could not be reached in {self.tries} tries: {said}"


class _BadReplyError(Exception):
    """What a server sent is no reply of its protocol; trying again does not help."""


class _Meter:
    """Reads a reply as far as `MOST_BYTES`, and keeps its beginning to be quoted."""

    def __init__(self) -> None:
        self.fault, self.beginning = "", b""

    async def on_request(self, request: Any) -> None:
        request.headers["accept-encoding"] = "identity"  # few bytes may unfold into many

    async def on_response(self, response: Any) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            self.fault = "a compressed reply, although none was asked for"
            raise _BadReplyError(self.fault)
        response.stream = _counted(response.stream, self)

    def text(self) -> str:
        return self.beginning.decode("utf-8", "replace").strip()


def _counted(stream: Any, meter: _Meter) -> Any:
    class Counted(import_module("httpx2").AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            count = 0
            async for piece in stream:
                count += len(piece)
                if count > MOST_BYTES:
                    meter.fault = f"more than {MOST_BYTES / 1e6:g} MB, where a layout was asked for"
                    raise _BadReplyError(meter.fault)
                if len(meter.beginning) < 8 * _SHOWN:
                    meter.beginning += piece[: 8 * _SHOWN]
                yield piece

        async def aclose(self) -> None:
            await stream.aclose()

    return Counted()


class _Clients:
    """The modules of pydantic-ai that are used, and tenacity."""

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
            self.tenacity = import_module("tenacity")
        except ImportError as error:
            raise PlanningError(
                f"hosted models need clients that are not installed ({error.name}): {INSTALL}"
            ) from None


def _in_thread(work: Any) -> Any:
    """Run in a thread with an event loop of its own, as notebooks already run one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


def _status(error: Any) -> int | None:
    """Return the status of a reply; of a redirect, which nobody follows, the client's own error."""
    cause = getattr(error.__cause__, "status_code", None)
    return getattr(error, "status_code", None) or cause


def _about_key(error: Any) -> bool:
    """Whether the key was refused; Gemini says so with status 400."""
    status = _status(error)
    return status in (401, 403) or (status == 400 and "API_KEY_INVALID" in str(error))


def _may_pass(clients: _Clients, error: BaseException) -> bool:
    """Whether trying again may help: the server is busy or failed, or the connection broke."""
    if status := _status(error):
        return status in (408, 429) or status >= 500
    return isinstance(error, clients.errors.ModelConnectionError)


def _shown(text: str, key: str) -> str:
    """Return the beginning of what a server said, on one line and without the key."""
    return one_line(without_key(text, key), _SHOWN)
