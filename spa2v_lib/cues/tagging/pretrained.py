"""Published networks, through the audio pipelines of transformers: AST and CLAP.

AST: Gong, Chung and Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021, fine-tuned on
AudioSet. CLAP: Wu, Chen, Zhang, Hui, Berg-Kirkpatrick and Dubnov, "Large-scale contrastive
language-audio pretraining with feature fusion and keyword-to-caption augmentation", ICASSP 2023.
The weights could not be reached where this project is tested: the tests run the same pipelines and
classes at small width with random weights.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.cues.tagging.base import UNKNOWN, TagScores
from spa2v_lib.errors import CueError
from spa2v_lib.layout.classes import CLASSES
from spa2v_lib.resources import resource

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = [
    "AST", "AST_WEIGHTS", "CLAP", "CLAP_WEIGHTS", "CLASS_OF", "EXCERPT_S", "GENERAL", "NEUTRAL",
    "Weights", "excerpts",
]  # fmt: skip

EXCERPT_S = 5.0
"""Seconds of one excerpt – the networks were trained on up to ten."""

_SHORTEST_S = 0.25
_QUIET = 1e-3  # of the loudest excerpt's peak: 60 dB below it


@dataclass(frozen=True)
class Weights:
    """Weights on the Hugging Face hub.

    Attributes
    ----------
    repository, revision : str
        The commit is named, so that the weights cannot change.
    files : tuple of str
        All that is fetched.

    Examples
    --------
    >>> Weights("nobody/nothing", "0" * 40, ("config.json",)).cached()
    False
    """

    repository: str
    revision: str
    files: tuple[str, ...]

    def cached(self) -> bool:
        """Return whether all files are in the local cache; nothing is fetched."""
        from huggingface_hub import try_to_load_from_cache

        found = (
            try_to_load_from_cache(self.repository, file, revision=self.revision)
            for file in self.files
        )
        return all(isinstance(path, str) for path in found)

    def folder(self) -> Path:
        """Return the folder of the files; they are fetched if they are not in the local cache.

        Raises
        ------
        CueError
            If they are neither in the cache nor available from the hub.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            return Path(
                snapshot_download(
                    self.repository, revision=self.revision, allow_patterns=list(self.files)
                )
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CueError(
                f"the weights of {self.repository} are neither in the Hugging Face cache nor "
                f"available from the hub ({reason}); name a folder that holds them, as in "
                f'tagger="{self.repository.split("/")[1].split("-")[0]}:FOLDER", or use '
                'tagger="embedded"'
            ) from error


AST_WEIGHTS = Weights(
    "MIT/ast-finetuned-audioset-10-10-0.4593",
    "f826b80d28226b62986cc218e5cec390b1096902",
    ("config.json", "preprocessor_config.json", "model.safetensors"),
)

# This commit holds no safetensors; its weights are read with weights_only=True.
CLAP_WEIGHTS = Weights(
    "laion/clap-htsat-unfused",
    "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",
    (
        "config.json", "preprocessor_config.json", "pytorch_model.bin", "tokenizer.json",
        "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt",
    ),
)  # fmt: skip


class AST:
    """Names a sound by the 527 labels of AudioSet, as our own classes where they are certain.

    Attributes
    ----------
    name : str
    threshold : float
        AudioSet's labels are scored independently, each in [0, 1]; below this none is claimed. It
        has not been calibrated, as the weights could not be reached where this project is tested.
    labels : tuple of str
        Our classes, then AudioSet's own labels for what is none of them, then "unknown".

    See Also
    --------
    CLAP : takes labels of your own.

    Examples
    --------
    >>> tagger = AST()  # doctest: +SKIP
    """

    name = "AST"
    threshold = 0.2

    def __init__(self, folder: str | Path | None = None) -> None:
        """Load the network.

        Parameters
        ----------
        folder : path, optional
            Where the weights are; without it they are taken from the local cache, or fetched.

        Raises
        ------
        CueError
            If the weights are not available, or are not AST's.
        """
        from transformers import ASTFeatureExtractor, ASTForAudioClassification, pipeline

        place = folder or AST_WEIGHTS.folder()
        extractor, network = _load(place, ASTFeatureExtractor, ASTForAudioClassification)
        self._pipe = pipeline("audio-classification", network, feature_extractor=extractor)
        names = network.config.id2label.values()
        self._classes = {name: CLASS_OF.get(name, name) for name in names if name not in GENERAL}
        self.labels = (*dict.fromkeys(self._classes.values()), UNKNOWN)
        if not self._classes:
            raise CueError(f"{place} holds a network without labels of AudioSet")

    def scores(self, sound: Recording) -> TagScores:
        """Return the scores of a sound, 5 s at a time: of several names of a class the highest."""
        rate = self._pipe.feature_extractor.sampling_rate

        def rows(wave: np.ndarray) -> list[float]:
            best = dict.fromkeys(self.labels[:-1], 0.0)
            for row in self._pipe(wave, top_k=None, function_to_apply="sigmoid"):
                if name := self._classes.get(row["label"]):
                    best[name] = max(best[name], row["score"])
            return [*best.values(), 1.0 - max(best.values())]

        return _scored(self.labels, excerpts(sound, rate), rows)


class CLAP:
    """Names a sound by the label whose words fit it best.

    Attributes
    ----------
    name : str
    threshold : float
        Least probability of a label that is claimed.
    labels : tuple of str
        As they were given, and "unknown" last.
    margin : float
        Log odds by which a label has to fit better than the best neutral prompt.

    See Also
    --------
    AST : knows AudioSet's labels.

    Examples
    --------
    >>> tagger = CLAP(["a tram", "a kettle"])  # doctest: +SKIP
    """

    name = "CLAP"
    threshold = 0.3

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        folder: str | Path | None = None,
        margin: float | None = None,
    ) -> None:
        """Load the network.

        Parameters
        ----------
        labels : sequence of str, optional
            Any words; our classes if not given.
        folder : path, optional
            Where the weights are; without it they are taken from the local cache, or fetched.
        margin : float, optional
            Without it, `calibrated_margin` of the shipped recordings, which takes some seconds.

        Raises
        ------
        CueError
            If a label is empty or given twice, or the weights are not available.
        """
        from transformers import ClapModel, ClapProcessor, pipeline

        chosen = [label.strip() for label in (CLASSES if labels is None else labels)]
        if not chosen or not all(chosen) or len(set(chosen)) < len(chosen) or UNKNOWN in chosen:
            raise CueError(
                f"labels {chosen!r} are ambiguous: give one or more, each once and not empty; "
                f'"{UNKNOWN}" is understood'
            )
        processor, network = _load(folder or CLAP_WEIGHTS.folder(), ClapProcessor, ClapModel)
        self._pipe = pipeline(
            "zero-shot-audio-classification",
            network,
            feature_extractor=processor.feature_extractor,
            tokenizer=processor.tokenizer,
        )
        self.labels = (*chosen, UNKNOWN)
        self.margin = self.calibrated_margin(_shipped()) if margin is None else margin

    def scores(self, sound: Recording) -> TagScores:
        """Return the scores of a sound, 5 s at a time.

        The best neutral prompt, raised by the margin, stands for "unknown".
        """

        def rows(wave: np.ndarray) -> np.ndarray:
            fit, neutral = self._log_fit(wave, self.labels[:-1])
            odds = np.exp(np.append(fit, neutral + self.margin) - max(fit.max(), neutral))
            return odds / odds.sum()

        return _scored(self.labels, self._excerpts(sound), rows)

    def calibrated_margin(self, known: Iterable[tuple[str, Recording]]) -> float:
        """Return the margin with which nine of ten sounds of known labels are accepted.

        Parameters
        ----------
        known : iterable of (label, Recording)
        """
        leads = []
        for label, sound in known:
            fits = [self._log_fit(wave, [label]) for wave, *_ in self._excerpts(sound)]
            leads.append(float(np.mean([fit[0] - neutral for fit, neutral in fits])))
        return float(np.quantile(leads, 1.0 - _KNOWN_ACCEPTED))

    def _excerpts(self, sound: Recording) -> Iterator[tuple[np.ndarray, float, float]]:
        return excerpts(sound, self._pipe.feature_extractor.sampling_rate)

    def _log_fit(self, wave: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, float]:
        """Return log odds, up to a constant, of each label and of the best neutral prompt."""
        prompts = [*map(_prompt, labels), *NEUTRAL]
        found = self._pipe(wave, candidate_labels=prompts, hypothesis_template="{}")
        odds = {row["label"]: np.log(max(row["score"], 1e-30)) for row in found}
        fit = np.array([odds[_prompt(label)] for label in labels])
        return fit, max(odds[prompt] for prompt in NEUTRAL)


NEUTRAL = (
    "This is a sound.",
    "This is background noise.",
    "This is a sound of something else.",
    "This is an unidentifiable sound.",
)
"""Prompts that fit any sound – a label must fit better than the best of them."""

_KNOWN_ACCEPTED = 0.9


def _prompt(label: str) -> str:
    noun = CLASSES[label].noun if label in CLASSES else label
    return f"This is a sound of {noun}."


def _shipped() -> Iterable[tuple[str, Recording]]:
    from spa2v_lib.audio import read_audio

    with resource("recordings", "recordings.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["label"] in CLASSES:
                yield row["label"], read_audio(resource("recordings", row["file"]))


def _load(folder: str | Path, processor: Any, network: Any) -> tuple[Any, Any]:
    """Load a processor and its network from a folder, never from the hub.

    Weights come from safetensors where the folder has them, otherwise through
    ``torch.load(weights_only=True)``; no code is ever run. Weights that are missing or not finite
    are refused; the library would leave them at random.
    """
    place = Path(folder)
    if not place.is_dir():
        raise CueError(f"no folder {place} that a tagger's weights could be in")
    try:
        ears = processor.from_pretrained(place, local_files_only=True)
        model, report = network.from_pretrained(
            place, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # what a broken folder raises is not documented
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CueError(f"{place} does not hold this tagger's weights: {reason}") from error
    missing = sorted(report["missing_keys"])
    wild = [name for name, value in model.named_parameters() if not value.isfinite().all()]
    if missing or wild:
        raise CueError(
            f"{place} does not hold this tagger's weights: {len(missing)} are missing and "
            f"{len(wild)} hold NaN or infinity, for example {(missing + wild)[0]}; fetch them again"
        )
    return ears, model


def excerpts(sound: Recording, rate: int) -> Iterator[tuple[np.ndarray, float, float]]:
    """Yield the excerpts of a sound that are not silent.

    Parameters
    ----------
    sound : Recording
        All channels are averaged.
    rate : int
        Sampling rate that the network needs, in Hz.

    Yields
    ------
    wave : ndarray [time]
        Of `EXCERPT_S`, the last one perhaps shorter.
    start_s, end_s : float

    Examples
    --------
    >>> from spa2v_lib.audio.recording import Recording
    >>> sound = Recording.from_samples(np.ones((2, 24_000), np.float32), 4_000)
    >>> [(len(wave), start, end) for wave, start, end in excerpts(sound, 4_000)]
    [(20000, 0.0, 5.0), (4000, 5.0, 6.0)]
    """
    peak = max(float(np.abs(block).max()) for block in sound.blocks())
    begin = 0.0
    for block in sound.resampled(rate).blocks(EXCERPT_S):
        end = begin + block.shape[1] / rate
        wave = block.mean(0)
        audible = np.abs(wave).max() > max(_QUIET * peak, 1e-6)
        if audible and (begin == 0.0 or end - begin >= _SHORTEST_S):
            yield wave, begin, end
        begin = end


def _scored(
    labels: tuple[str, ...],
    parts: Iterable[tuple[np.ndarray, float, float]],
    rows: Callable[[np.ndarray], Any],
) -> TagScores:
    table = [(rows(wave), start, end) for wave, start, end in parts]
    return TagScores(
        labels,
        np.array([start for _, start, _ in table]),
        np.array([end for *_, end in table]),
        np.array([row for row, *_ in table], float).reshape(len(table), len(labels)),
    )


def _audioset() -> dict[str, str]:
    """Return the table of labels of AudioSet: our class of each, empty where there is none."""
    with files("spa2v_lib.cues.tagging").joinpath("audioset.csv").open(encoding="utf-8") as table:
        return {row["label"]: row["class"] for row in csv.DictReader(table)}


_AUDIOSET = _audioset()

CLASS_OF = {label: name for label, name in _AUDIOSET.items() if name}
"""Labels of AudioSet that certainly are one of our classes; "Roar", say, need not be a lion's.

:meta hide-value:
"""

GENERAL = frozenset(label for label, name in _AUDIOSET.items() if not name)
"""Labels of a category, a place or no object – never an answer, as nobody could draw them."""
