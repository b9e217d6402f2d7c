"""Instruments for the tagger: random phrases, played from SoundFonts by FluidSynth.

Programs are those of General MIDI. A phrase is a melody, a broken chord or chords, as the
instrument is played; its notes lie where the instrument has them.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from spa2v_lib.errors import DataError

__all__ = ["FONTS", "PROGRAMS", "Program", "midi_file", "phrase", "render_instruments"]

FONTS = {
    "fluid-soundfont-gm": "usr/share/sounds/sf2/FluidR3_GM.sf2",
    "musescore-general-soundfont-small": "usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "timgm6mb-soundfont": "usr/share/sounds/sf2/TimGM6mb.sf2",
    "csound-soundfont": "usr/share/sounds/sf2/sf_GMbank.sf2",
    "freepats": "etc/timidity/freepats.cfg",
}
"""Where each package has its instruments. Freepats' patches are played by TiMidity++."""

RATE = 44_100
_TICKS = 480  # a quarter
_PHRASES = 4
_SECONDS = 4.5
_DRUMS = 9  # the channel of percussion


@dataclass(frozen=True)
class Program:
    """One way to play an instrument.

    Attributes
    ----------
    label : str
    number : int
        Program of General MIDI, from 0; percussion plays the `keys` instead.
    low, high : int
        Range in MIDI note numbers.
    chords : bool
        Whether several notes sound at once.
    keys : tuple of int
        Of percussion, the instruments to play; else empty.
    """

    label: str
    number: int
    low: int
    high: int
    chords: bool = False
    keys: tuple[int, ...] = ()


PROGRAMS = (
    Program("piano", 0, 36, 90, True),
    Program("piano", 1, 36, 90, True),
    Program("organ", 19, 40, 84, True),
    Program("organ", 16, 40, 84, True),
    Program("accordion", 21, 52, 84, True),
    Program("accordion", 22, 55, 84),
    Program("guitar", 24, 40, 76, True),
    Program("guitar", 25, 40, 76, True),
    Program("guitar", 27, 40, 76, True),
    Program("guitar", 30, 40, 70, True),
    Program("bass guitar", 33, 28, 52),
    Program("bass guitar", 32, 28, 52),
    Program("violin", 40, 55, 93),
    Program("violin", 48, 48, 86, True),
    Program("cello", 42, 36, 69),
    Program("harp", 46, 36, 90, True),
    Program("banjo", 105, 48, 76, True),
    Program("trumpet", 56, 54, 84),
    Program("trumpet", 57, 40, 70),
    Program("trumpet", 60, 41, 74),
    Program("saxophone", 65, 49, 81),
    Program("saxophone", 66, 44, 76),
    Program("clarinet", 71, 50, 86),
    Program("clarinet", 68, 58, 88),
    Program("flute", 73, 60, 93),
    Program("flute", 75, 60, 90),
    Program("marimba", 12, 45, 88),
    Program("marimba", 11, 53, 88),
    Program("bell", 14, 55, 79),
    Program("drum", 0, 0, 0, keys=(35, 36, 38, 40, 41, 43, 45, 47, 48, 42, 46)),
    Program("drum", 47, 36, 55),
    Program("hand drum", 0, 0, 0, keys=(60, 61, 62, 63, 64)),
)


def render_instruments(font: Path, out: Path, name: str) -> Iterator[tuple[str, str]]:
    """Play every instrument of a font; yield file and label.

    Raises
    ------
    DataError
        If FluidSynth or TiMidity++ is missing or fails.
    """
    for number, program in enumerate(PROGRAMS):
        for take in range(_PHRASES):
            file = f"{name}/{number:02d}-{take}.flac"
            if not (out / file).is_file():
                rng = np.random.default_rng([number, take, sum(name.encode())])
                sound = _played(font, midi_file(program, phrase(program, rng)))
                (out / file).parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(out / file, sound, RATE, format="FLAC")
            yield file, program.label


def phrase(program: Program, rng: np.random.Generator) -> list[tuple[float, float, int, int]]:
    """Draw the notes of a phrase: start and length in seconds, note number, velocity."""
    beat = rng.uniform(0.15, 0.6)
    notes, time = [], 0.0
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12]) if rng.uniform() < 0.6 else np.arange(0, 13, 1)
    root = int(rng.integers(program.low, max(program.low + 1, program.high - 12)))
    legato = rng.uniform(0.5, 1.1)
    loudness = int(rng.integers(55, 115))
    together = program.chords and rng.uniform() < 0.5
    while time < _SECONDS - 0.3:
        length = beat * float(rng.choice([0.5, 1.0, 1.0, 2.0]))
        if program.keys:
            pitches = [int(rng.choice(program.keys))]
        elif together:
            pitches = [root + int(step) for step in rng.choice([0, 4, 7, 12, 16], 3, False)]
        else:
            pitches = [root + int(rng.choice(scale))]
        for pitch in pitches:
            velocity = int(np.clip(loudness + rng.integers(-12, 13), 20, 127))
            notes.append((time, length * legato, min(pitch, 108), velocity))
        time += length
    return notes


def midi_file(program: Program, notes: list[tuple[float, float, int, int]]) -> bytes:
    """Write notes as a standard MIDI file with one track, at 120 quarters a minute."""
    channel = _DRUMS if program.keys else 0
    events = [(0, 0, bytes([0xC0 | channel, program.number]))]
    for start, length, pitch, velocity in notes:
        begin, end = (round(s * 2 * _TICKS) for s in (start, start + length))
        events.append((begin, 2, bytes([0x90 | channel, pitch, velocity])))
        events.append((end, 1, bytes([0x80 | channel, pitch, 0])))
    track, now = b"", 0
    for time, _, message in sorted(events):
        track += _variable(time - now) + message
        now = time
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1]) + _TICKS.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def _variable(value: int) -> bytes:
    """Encode a number in groups of seven bits, as MIDI does."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def _played(font: Path, midi: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "phrase.mid", Path(folder) / "phrase.wav"
        source.write_bytes(midi)
        if font.suffix == ".cfg":
            patches = font.parents[2] / "usr" / "share" / "midi" / "freepats"
            config = Path(folder) / "fonts.cfg"
            text = font.read_text(encoding="latin-1").replace("/usr/share/midi/freepats", ".")
            config.write_text(f"dir {patches}\n{text}", encoding="latin-1")
            command = ["timidity", "-c", str(config), "-Ow", "-s", str(RATE), "-o", str(target)]
        else:
            command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-R", "0", "-C", "0"]
            command += ["-r", str(RATE), "-F", str(target), str(font)]
        try:
            subprocess.run([*command, str(source)], check=True, capture_output=True)
            samples, _ = soundfile.read(target, dtype="float32", always_2d=True)
        except (OSError, subprocess.CalledProcessError, soundfile.LibsndfileError) as error:
            raise DataError(f"{command[0]} cannot play {font.name}: {error}") from error
    mono = samples[: int(_SECONDS * RATE)].mean(1)
    return 0.9 * mono / max(float(np.abs(mono).max()), 1e-6)
