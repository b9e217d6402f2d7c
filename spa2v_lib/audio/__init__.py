"""Audio: recordings of any kind in, opened lazily and checked before any work starts."""

from spa2v_lib.audio.decoding import read_audio
from spa2v_lib.audio.inspection import MIN_SECONDS, check_max_seconds
from spa2v_lib.audio.recording import Recording

__all__ = ["MIN_SECONDS", "Recording", "check_max_seconds", "read_audio"]
