"""Finding published weights and cutting recordings into what they listen to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lib.errors import CueError

if TYPE_CHECKING:
    from spa2v_lib.audio.recording import Recording

__all__ = ["EXCERPT_S", "Published", "excerpts", "load_pretrained"]

EXCERPT_S = 5.0
"""Seconds that a published network hears at a time: it was trained on up to ten."""

_BATCH = 8
_SHORTEST_S = 0.25
_QUIET = 1e-3  # of the loudest excerpt's peak: 60 dB below it


@dataclass(frozen=True)
class Published:
    """Weights on the Hugging Face hub.

    Attributes
    ----------
    repository, revision : str
        The commit is named, so that the weights cannot change.
    files : tuple of str
        All that is fetched.
    """

    repository: str
    revision: str
    files: tuple[str, ...]

    def folder(self) -> Path:
        """Return the folder of the files; they are fetched if they never were.

        Raises
        ------
        CueError
            If they are neither in the hub's cache nor to be had.
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
                f"the weights of {self.repository} are neither in the Hugging Face cache nor to be "
                f"had from the hub ({reason}); name a folder that holds them, as in "
                f'tagger="{self.repository.split("/")[1].split("-")[0]}:FOLDER", or use '
                'tagger="embedded"'
            ) from error


def load_pretrained(folder: str | Path, *loaders: Callable[..., Any]) -> list[Any]:
    """Load parts of a network from a folder, never from the network.

    Parameters
    ----------
    folder : path
    *loaders : callable
        ``from_pretrained`` of the classes to load. Weights come from safetensors where the folder
        has them, otherwise through ``torch.load(weights_only=True)``; no code is ever run.

    Raises
    ------
    CueError
        If the folder is missing or does not hold such a network.
    """
    place = Path(folder)
    if not place.is_dir():
        raise CueError(f"no folder {place} that a tagger's weights could be in")
    try:
        return [load(place, local_files_only=True) for load in loaders]
    except Exception as error:  # what a broken folder raises is not documented
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CueError(f"{place} does not hold this tagger's weights: {reason}") from error


def excerpts(
    sound: Recording, rate: int
) -> Iterator[tuple[list[np.ndarray], list[float], list[float]]]:
    """Yield batches of excerpts that are not silent.

    Parameters
    ----------
    sound : Recording
        All channels are averaged.
    rate : int
        Sampling rate that the network wants, in Hz.

    Yields
    ------
    waves : list of ndarray [time]
        Of `EXCERPT_S`, the last one perhaps shorter.
    start_s, end_s : list of float
    """
    peak = max(float(np.abs(block).max()) for block in sound.blocks())
    waves: list[np.ndarray] = []
    starts: list[float] = []
    ends: list[float] = []
    begin = 0.0
    for block in sound.resampled(rate).blocks(EXCERPT_S):
        end = begin + block.shape[1] / rate
        wave = block.mean(0)
        audible = np.abs(wave).max() > max(_QUIET * peak, 1e-6)
        if audible and (begin == 0.0 or end - begin >= _SHORTEST_S):
            waves.append(wave)
            starts.append(begin)
            ends.append(end)
        begin = end
        if len(waves) == _BATCH:
            yield waves, starts, ends
            waves, starts, ends = [], [], []
    if waves:
        yield waves, starts, ends
