"""What asking a hosted model would take: tokens and money, estimated before anything is sent.

A token is taken for four characters of text; of sound, Gemini counts 32 a second (its own
documentation), which is taken for the others too. Prices are those that the client's package
``genai-prices`` ships; they are not fetched, and may be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spa2v_lib.planning.answer_cache import AnswerCache, content_key
from spa2v_lib.planning.backends import make_backend
from spa2v_lib.planning.backends.base import AudioPart, PlannerSpec, Prompt, parse_planner

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.cues.types import SpatialCues

__all__ = ["Estimate", "estimate", "estimate_plan", "total"]

_CHARACTERS = 4.0
_SOUND_TOKENS_S = 32.0
_ANSWER_TOKENS = 800
_PROVIDERS = {"google": "google", "openai-chat": "openai"}


@dataclass(frozen=True)
class Estimate:
    """What recordings take when the first answer about each can be used.

    Parameters
    ----------
    input_tokens, output_tokens : int
        Sound counts among the input.
    dollars : float or None
        None where the price of the model is not known, as on a server of one's own.
    requests : int
        How many recordings that is.
    cached : int
        Further recordings whose answers are cached already, which take nothing.

    See Also
    --------
    estimate_plan : Of one recording.
    total : Of several.

    Examples
    --------
    >>> print(Estimate(2000, 800, 0.0031))
    about 2000 tokens in and 800 out for each try; about $0.0031
    """

    input_tokens: int
    output_tokens: int
    dollars: float | None
    requests: int = 1
    cached: int = 0

    def __str__(self) -> str:
        price = "price not known" if self.dollars is None else f"about ${self.dollars:.4f}"
        tokens = f"about {self.input_tokens} tokens in and {self.output_tokens} out"
        if self.requests == 1 and not self.cached:
            return f"{tokens} for each try; {price}"
        cached = f"; {self.cached} more answered already" if self.cached else ""
        count = f"{self.requests} request{'' if self.requests == 1 else 's'}"
        return f"{count}, {tokens} if each is answered at once; {price}{cached}"


_CACHED = Estimate(0, 0, 0.0, requests=0, cached=1)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Add estimates up; the price is known if each one is.

    Parameters
    ----------
    estimates : iterable of Estimate
        One a request.

    Returns
    -------
    Estimate

    See Also
    --------
    estimate : Of one request.

    Examples
    --------
    >>> total([Estimate(2000, 800, None), Estimate(1000, 800, 0.01)]).input_tokens
    3000
    """
    each = list(estimates)
    dollars = [one.dollars for one in each if one.dollars is not None]
    return Estimate(
        sum(one.input_tokens for one in each),
        sum(one.output_tokens for one in each),
        sum(dollars) if len(dollars) == len(each) else None,
        sum(one.requests for one in each),
        sum(one.cached for one in each),
    )


def estimate_plan(
    recording: Recording,
    cues: SpatialCues,
    planner: str,
    *,
    cache: AnswerCache | None = None,
    seed: int = 0,
    **asked: Any,
) -> Estimate:
    """Estimate what planning a recording would take; nothing is sent.

    Parameters
    ----------
    recording : Recording
        What would be planned.
    cues : SpatialCues
        What was measured in it.
    planner : str
        A language model, in one of the forms of `spa2v_lib.planning.PLANNERS`.
    cache : AnswerCache, optional
        Where answers are looked up; the usual folder if not given.
    seed : int
        Of the choice of examples, and of the answers.
    **asked
        Further parameters of `spa2v_lib.planning.mllm.question`.

    Returns
    -------
    Estimate
        Of no request if the answer is there already.

    Raises
    ------
    PlanningError
        If the planner is not known or asks no model.

    See Also
    --------
    spa2v_lib.planning.prompt_for : What would be sent.
    total : Of several.

    Examples
    --------
    >>> import numpy as np
    >>> import spa2v_lib as spa2v
    >>> noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 16000))
    >>> recording = spa2v.Recording.from_samples(noise, 16000)
    >>> cues = spa2v.extract_cues(recording, label="rain")
    >>> estimate_plan(recording, cues, "google:gemini-3.8-flash", shots=0).requests
    1
    """
    from spa2v_lib.planning.mllm import question
    from spa2v_lib.planning.schema import SCHEMAS

    spec = parse_planner(planner)
    backend = make_backend(spec, seed=seed)
    posed = question(recording, cues, backend, seed=seed, **asked)
    key = content_key(backend, posed.prompt, SCHEMAS[posed.placement])
    answers = AnswerCache() if cache is None else cache
    return estimate(posed.prompt, spec) if answers.get(key) is None else _CACHED


def estimate(prompt: Prompt, spec: PlannerSpec) -> Estimate:
    """Estimate one request.

    Parameters
    ----------
    prompt : Prompt
        What the model is given.
    spec : PlannerSpec
        The planner that would be asked.

    Returns
    -------
    Estimate

    See Also
    --------
    total : Of several.

    Examples
    --------
    >>> estimate(Prompt("Plan a video.", ()), parse_planner("smollm")).dollars is None
    True
    """
    seconds = sum(part.seconds for part in prompt.parts if isinstance(part, AudioPart))
    sound = round(_SOUND_TOKENS_S * seconds)
    tokens = round(len(prompt.text) / _CHARACTERS) + sound
    return Estimate(tokens, _ANSWER_TOKENS, _dollars(tokens, sound, spec))


def _dollars(tokens: int, sound: int, spec: PlannerSpec) -> float | None:
    if spec.url or spec.provider not in _PROVIDERS:
        return None
    try:
        prices = import_module("genai_prices")
        usage = prices.Usage(
            input_tokens=tokens, input_audio_tokens=sound, output_tokens=_ANSWER_TOKENS
        )
        found = prices.calc_price(usage, spec.model, provider_id=_PROVIDERS[spec.provider])
    except (ImportError, LookupError):
        return None
    return float(found.total_price)
