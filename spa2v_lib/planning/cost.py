"""What asking a hosted model would take: tokens and money, estimated before anything is sent.

A token is taken for four characters of text; of sound, Gemini counts 32 a second (its own
documentation), which is taken for the others too. Prices are those that the client's package
``genai-prices`` ships; they are not fetched, and may be out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from spa2v_lib.planning.backend import AudioPart, Prompt
from spa2v_lib.planning.spec import PlannerSpec

__all__ = ["Estimate", "estimate"]

_CHARACTERS = 4.0
_SOUND_TOKENS_S = 32.0
_ANSWER_TOKENS = 800
_PROVIDERS = {"google": "google", "openai-chat": "openai"}


@dataclass(frozen=True)
class Estimate:
    """What one recording takes when the first answer can be used.

    Attributes
    ----------
    input_tokens, output_tokens : int
        Sound counts among the input.
    dollars : float or None
        None where the price of the model is not known, as on a server of one's own.
    """

    input_tokens: int
    output_tokens: int
    dollars: float | None

    def __str__(self) -> str:
        price = "price not known" if self.dollars is None else f"about ${self.dollars:.4f}"
        return (
            f"about {self.input_tokens} tokens in and {self.output_tokens} out for each try; "
            f"{price}"
        )


def estimate(prompt: Prompt, spec: PlannerSpec) -> Estimate:
    """Estimate one request.

    Parameters
    ----------
    prompt : Prompt
    spec : PlannerSpec
        The planner that would be asked.
    """
    seconds = sum(part.seconds for part in prompt.parts if isinstance(part, AudioPart))
    sound = round(_SOUND_TOKENS_S * seconds)
    tokens = round(len(prompt.text) / _CHARACTERS) + sound
    return Estimate(tokens, _ANSWER_TOKENS, _dollars(tokens, sound, spec))


def _dollars(tokens: int, sound: int, spec: PlannerSpec) -> float | None:
    if spec.url or spec.kind not in _PROVIDERS:
        return None
    try:
        prices = import_module("genai_prices")
        usage = prices.Usage(
            input_tokens=tokens, input_audio_tokens=sound, output_tokens=_ANSWER_TOKENS
        )
        found = prices.calc_price(usage, spec.model, provider_id=_PROVIDERS[spec.kind])
    except (ImportError, LookupError):
        return None
    return float(found.total_price)
