"""Every error that the library raises on purpose, in one hierarchy.

A message names the object at fault, what was found and what would be right, so that it can be
shown to a person as it stands.

Examples
--------
>>> import spa2v_lib
>>> try:
...     spa2v_lib.read_audio("nowhere.wav")
... except Spa2vError as error:
...     print(error)
nowhere.wav does not exist; give the path of an audio or video file
"""

__all__ = [
    "AnswerError",
    "AudioError",
    "BatchError",
    "CueError",
    "DataError",
    "LayoutError",
    "MetricError",
    "OutputError",
    "PlanningError",
    "RunError",
    "SamplingError",
    "SceneError",
    "SettingsError",
    "Spa2vError",
    "VideoError",
]


class Spa2vError(Exception):
    """Base of every error that SpA2V raises on purpose."""


class AudioError(Spa2vError):
    """A recording cannot be read, or cannot be used as it is."""


class VideoError(Spa2vError):
    """A video cannot be read, or its frames are not usable."""


class CueError(Spa2vError):
    """Spatial cues cannot be extracted, read or written."""


class LayoutError(Spa2vError):
    """A Video Scene Layout is not valid, or cannot be read or written."""


class PlanningError(Spa2vError):
    """No layout can be planned from the cues."""


class AnswerError(PlanningError):
    """What a language model wrote is not a plan; the message is fit to be shown to the model."""


class SamplingError(Spa2vError):
    """A video cannot be sampled from the layout with this preset."""


class SceneError(Spa2vError):
    """A simulated scene is impossible as described."""


class MetricError(Spa2vError):
    """A metric does not apply to what it was given, or a library that it needs is missing."""


class OutputError(Spa2vError):
    """Results cannot be written where they were asked for."""


class DataError(Spa2vError):
    """A file that the project ships, or weights that a preset names, are missing or broken."""


class SettingsError(Spa2vError):
    """A run is asked for with a parameter that does not exist, or with a value it cannot have."""


class RunError(Spa2vError):
    """A run folder cannot be read or repeated."""


class BatchError(Spa2vError):
    """A batch cannot be started: its manifest, its folder or its workers are not usable."""
