"""Simulated test scenes through lossy codecs, encoded by FFmpeg, decoded as the library reads files.

AAC and MP3 at 128 kbit/s, MP3 and Opus at 64.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from spa2v_lab.bench.hearing_scenes import HearingScene, test_scenes
from spa2v_lib.audio import Recording, read_audio

__all__ = ["CODECS", "CodecScene", "codec_scenes", "through_codec"]

CODECS = {
    "AAC 128": ("aac", "m4a", 128_000, 44_100),
    "MP3 128": ("libmp3lame", "mp3", 128_000, 44_100),
    "MP3 64": ("libmp3lame", "mp3", 64_000, 44_100),
    "Opus 64": ("libopus", "ogg", 64_000, 48_000),
}
"""FFmpeg's encoder, ending of the file, bit/s and sampling rate, by name and kbit/s."""

_SNR_DB = 20


@dataclass(frozen=True)
class CodecScene(HearingScene):
    """A simulated scene whose sound went through a codec.

    Attributes
    ----------
    renderer : str
        A key of `CODECS`.

    See Also
    --------
    codec_scenes : draws them

    Examples
    --------
    >>> codec_scenes(1)[0].renderer
    'AAC 128'
    """

    renderer: str

    def rendered(self) -> Recording:
        """Render, encode and decode the sound."""
        return through_codec(self.lossless(), self.renderer)

    def lossless(self) -> Recording:
        """Render the sound that is encoded."""
        return super().rendered()


def codec_scenes(count: int, seed: int = 0) -> list[CodecScene]:
    """Return two-channel test scenes of one source at 20 dB, codecs in turn.

    Parameters
    ----------
    count : int
    seed : int
        Of the test scenes.

    See Also
    --------
    through_codec : what happens to their sound

    Examples
    --------
    >>> [scene.renderer for scene in codec_scenes(5)][-2:]
    ['Opus 64', 'AAC 128']
    """
    chosen = (
        scene
        for scene in test_scenes(12 * count + 48, seed)
        if len(scene.motions) == 1 and scene.snr_db == _SNR_DB and scene.capture != "foa"
    )
    pairs = zip(range(count), cycle(CODECS), chosen, strict=False)
    return [CodecScene(**vars(scene), renderer=codec) for _, codec, scene in pairs]


def through_codec(recording: Recording, codec: str) -> Recording:
    """Encode two channels and decode them as the library reads files.

    Parameters
    ----------
    recording : Recording
        Two channels.
    codec : str
        A key of `CODECS`.

    Returns
    -------
    Recording
        At the codec's sampling rate; the coder's own delay, up to 25 ms, stays where the container
        does not say it.

    See Also
    --------
    codec_scenes : scenes that went through it

    Examples
    --------
    >>> noise = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    >>> through_codec(Recording.from_samples(noise, 16_000), "Opus 64").rate
    48000
    """
    import av

    encoder, ending, bit_rate, rate = CODECS[codec]
    samples = np.ascontiguousarray(recording.resampled(rate).samples, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"coded.{ending}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(encoder, rate=rate, layout="stereo")
            stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = rate
            for part in (frame, None):
                container.mux(stream.encode(part))
        decoded = read_audio(path)
        return Recording.from_samples(decoded.samples, decoded.rate, name=codec)
