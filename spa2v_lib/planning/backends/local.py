"""Language models in this process, through transformers: no server, no key, nothing sent.

Audio models (Qwen2-Audio, the thinker of Qwen2.5-Omni) are given the clips of the prompt; other
causal models its text alone. Whatever the model, it can only write what the schema allows
(`spa2v_lib.planning.backends.constrained`), so that an answer is always whole.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import AudioPart, Prompt, TextPart
from spa2v_lib.planning.backends.constrained import (
    check_llguidance,
    longest_answer,
    schema_processor,
)
from spa2v_lib.planning.schema import Limits

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["LocalModel", "Weights", "local_model"]

_THINKER = "Qwen2_5OmniThinkerForConditionalGeneration"
# Class in transformers of audio models that its automatic choice would load with a voice, or not.
_AUDIO_CLASSES = {
    "qwen2_audio": "Qwen2AudioForConditionalGeneration",
    "qwen2_5_omni": _THINKER,
    "qwen2_5_omni_thinker": _THINKER,
}
_BYTES_PER_TOKEN = 3  # of English text in JSON, at least, by any model that can write it


class Weights:
    """What transformers loads, each part when it is first needed.

    Parameters
    ----------
    where : str
        Folder, or name of a repository on the hub.
    device : str, optional
        As torch names it; a GPU if there is one, if not given.
    options : dict, optional
        Further options of ``from_pretrained`` (``revision``, ...).

    Examples
    --------
    >>> Weights("Qwen/Qwen2-Audio-7B-Instruct").where
    'Qwen/Qwen2-Audio-7B-Instruct'
    """

    def __init__(
        self, where: str, device: str | None = None, options: dict[str, Any] | None = None
    ) -> None:
        self._where, self.device, self.options = where, device, options or {}

    @property
    def where(self) -> str:
        """Folder, or name of a repository on the hub."""
        return self._where

    def check(self) -> None:
        """Refuse weights that cannot be used here, without loading them.

        Raises
        ------
        PlanningError
            If a package is missing.
        """
        check_llguidance()

    @cached_property
    def takes_audio(self) -> bool:
        """Whether the model's configuration has a part for sound."""
        thinker = getattr(self.config, "thinker_config", self.config)
        return getattr(thinker, "audio_config", None) is not None

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        from transformers import AutoConfig

        return self._loaded(AutoConfig)

    @cached_property
    def processor(self) -> Any:
        """Of text and sound together; audio models only."""
        from transformers import (
            AutoFeatureExtractor,
            AutoProcessor,
            AutoTokenizer,
            Qwen2_5OmniProcessor,
        )

        if _AUDIO_CLASSES.get(self.config.model_type) != _THINKER:
            return self._loaded(AutoProcessor)

        class AudioProcessor(Qwen2_5OmniProcessor):
            """Without the parts for pictures, which would need torchvision and are not used."""

            def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
                if argument is not None:
                    return super().check_argument_for_proper_class(argument_name, argument)
                return None

        settings, _ = AudioProcessor.get_processor_dict(self.where, **self.options)
        extractor, words = self._loaded(AutoFeatureExtractor), self._loaded(AutoTokenizer)
        chat = settings.get("chat_template") or words.chat_template
        return AudioProcessor(None, None, extractor, words, chat_template=chat)

    @cached_property
    def tokenizer(self) -> Any:
        """Of the text."""
        if self.takes_audio:
            return self.processor.tokenizer
        from transformers import AutoTokenizer

        return self._loaded(AutoTokenizer)

    @cached_property
    def model(self) -> Any:
        """On its device, ready to generate."""
        import torch
        import transformers

        name = "AutoModelForCausalLM"
        if self.takes_audio:
            name = _AUDIO_CLASSES.get(self.config.model_type, "AutoModelForMultimodalLM")
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Processors compute slowly in the half precision that weights come in.
        dtype = torch.float32 if device == "cpu" else "auto"
        safe = {} if "gguf_file" in self.options else {"use_safetensors": True}
        loaded = self._loaded(getattr(transformers, name), dtype=dtype, **safe)
        return loaded.to(device).eval()

    def _loaded(self, part: Any, **options: Any) -> Any:
        try:
            return part.from_pretrained(self.where, **self.options, **options)
        except (OSError, ValueError, ImportError, KeyError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise PlanningError(f"{self.where} cannot be loaded: {first}") from error


@dataclass(frozen=True)
class LocalModel:
    """A language model in this process.

    Parameters
    ----------
    name : str
        As on the command line.
    weights : Weights
    temperature : float
        0 always takes the most probable token; above, tokens are drawn with `seed`.
    seed : int
    limits : Limits
        How long answers may be.
    brief : bool
        Whether it needs a short prompt.

    See Also
    --------
    local_model, spa2v_lib.planning.backends.smollm.smollm : Make one.

    Examples
    --------
    >>> LocalModel("mine", Weights("/some/folder"), temperature=0.7).parameters["temperature"]
    0.7
    """

    name: str
    weights: Weights
    temperature: float = 0.0
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    brief: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What else decides the answer."""
        return {
            "temperature": self.temperature,
            "seed": self.seed,
            "bounds": [self.limits.text, dict(self.limits.texts), self.limits.items],
            **self.weights.options,
        }

    @property
    def takes_audio(self) -> bool:
        """Whether the model is given the clips of a prompt."""
        return self.weights.takes_audio

    def check(self) -> None:
        """Refuse early what cannot be asked; nothing is loaded.

        Raises
        ------
        PlanningError
            If a package is missing.
        """
        self.weights.check()

    def ask(self, prompt: Prompt, schema: type[BaseModel]) -> str:
        """Return the model's answer, JSON that `schema` accepts.

        Parameters
        ----------
        prompt : Prompt
        schema : type of BaseModel
            In which everything is bounded (`spa2v_lib.planning.schema.narrowed`).

        Raises
        ------
        PlanningError
            If the model cannot be loaded, the prompt is too long for it, or a part of the schema
            has no bound.
        """
        import torch

        inputs = self.inputs(prompt).to(self.weights.model.device)
        decoding = schema.model_json_schema()
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

    def inputs(self, prompt: Prompt) -> Any:
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
        if room * _BYTES_PER_TOKEN < longest:
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
        At least 0; 0 always takes the most probable token.
    seed : int
        Of what is drawn above that.

    Returns
    -------
    LocalModel

    Examples
    --------
    >>> local_model("Qwen/Qwen2-Audio-7B-Instruct").name
    'transformers:Qwen/Qwen2-Audio-7B-Instruct'
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
