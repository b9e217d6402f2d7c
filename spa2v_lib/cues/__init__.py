"""Hearing: from a stereo recording to what sounds where, and when."""

from spa2v_lib.cues.extract import extract_cues
from spa2v_lib.cues.types import (
    CAPTURES,
    HOP_S,
    MOTIONS,
    CaptureGuess,
    Motion,
    SourceTrack,
    SpatialCues,
)

__all__ = [
    "CAPTURES",
    "HOP_S",
    "MOTIONS",
    "CaptureGuess",
    "Motion",
    "SourceTrack",
    "SpatialCues",
    "extract_cues",
]
