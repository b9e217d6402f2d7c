"""Analysis: from a stereo recording to its sources, where each is, and when.

Two channels cannot tell front from back: wherever a direction is claimed from two channels, the
front is assumed, and a note says so. Faulty and unusual recordings:

============================  ====================================================================
Recording                     Result
============================  ====================================================================
identical channels            placed in the centre, with an interval of the whole picture; noted
channels that are not aligned no direction or motion, capture "mono", if one is 4 to 500 ms late,
                              or the two share no sound; noted
one dead channel              no direction, capture "mono"; level, activity and tags stay; noted
inverted polarity             corrected before directions are measured; noted
DC offset                     left out of levels and directions; noted
clipping                      analyzed as it is; noted, as levels are too low there
8 kHz to 192 kHz              analyzed alike: every size is set in seconds and hertz
0.3 s                         analyzed in three frames; below 1 s no approach or recession is
                              claimed, below 0.25 s an `AudioError`
rates below 1 kHz             an `AudioError`
samples beyond 2^31           an `AudioError`: full scale is 1
ten minutes of silence        no source; noted
six channels                  the front pair is used, or the first two without names; where the
                              others are louder, they are folded into it (ITU-R BS.775-3); noted
one channel                   no direction, capture "mono"; level, activity and tags stay; noted
four channels, AmbiX or FuMa  recognized, from names or powers, as first-order ambisonics; noted
four channels, two quiet      the first two are used; noted
four channels, not ambisonic  no direction; the first two are used if a format is named; as "foa",
                              directions are unreliable; noted
other than four, as "foa"     a `CueError`
NaN or infinite samples       an `AudioError` that names the file
============================  ====================================================================

The notes are those of `SpatialCues.notes`, which include the recording's.
"""

from spa2v_lib.cues.extract import Analysis, analyze, extract_cues
from spa2v_lib.cues.labels import SourceLabel, parse_labels
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
    "Analysis",
    "CaptureGuess",
    "LabelSource",
    "Motion",
    "PassBy",
    "Range",
    "SourceLabel",
    "SourceTrack",
    "SpatialCues",
    "TagSpan",
    "analyze",
    "extract_cues",
    "parse_labels",
    "separate",
]
