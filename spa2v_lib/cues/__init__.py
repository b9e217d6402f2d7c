"""Hearing: from a stereo recording to what sounds where, and when.

Two channels cannot tell front from back: wherever a direction is claimed from two channels, the
front is assumed and the notes say so. What becomes of faulty or unusual recordings:

============================  ====================================================================
What is given                 What comes of it
============================  ====================================================================
identical channels            placed in the centre; noted
one dead channel              no direction, capture "mono"; level, activity and tags stay; noted
inverted polarity             put right before directions are read; noted
DC offset                     left out of levels and directions; noted
clipping                      heard as it is; noted, as levels are too low there
8 kHz to 192 kHz              heard alike: every size is set in seconds and hertz
0.3 s                         heard, in three frames; below 1 s nothing is said to come nearer or
                              to go away, below 0.25 s an `AudioError`
rates below 1 kHz             an `AudioError`
samples beyond 2^31           an `AudioError`: full scale is 1
ten minutes of silence        no source; noted
six channels                  the first two are heard; noted
one channel                   no direction, capture "mono"; level, activity and tags stay; noted
four channels, not ambisonic  the first two are heard; named "foa", directions are doubtful; noted
other than four, named "foa"  a `CueError`
NaN or infinite samples       an `AudioError` that names the file
============================  ====================================================================

The notes are those of `SpatialCues.notes`, or of the recording, which the cues repeat.
"""

from spa2v_lib.cues.extract import extract_cues
from spa2v_lib.cues.separation import separate
from spa2v_lib.cues.types import (
    CAPTURES,
    HOP_S,
    LABEL_SOURCES,
    MOTIONS,
    CaptureGuess,
    LabelSource,
    Motion,
    PassBy,
    Range,
    SourceTrack,
    SpatialCues,
    TagSpan,
)

__all__ = [
    "CAPTURES",
    "HOP_S",
    "LABEL_SOURCES",
    "MOTIONS",
    "CaptureGuess",
    "LabelSource",
    "Motion",
    "PassBy",
    "Range",
    "SourceTrack",
    "SpatialCues",
    "TagSpan",
    "extract_cues",
    "separate",
]
