"""SpA2V: hear where things are in a stereo recording, generate a video that shows them there.

::

    import spa2v_lib as spa2v

    recording = spa2v.read_audio("train.flac")
    cues = spa2v.extract_cues(recording)
    layout = spa2v.plan(recording, cues)
    video = spa2v.generate(layout, preset="tiny", seed=0)
    video.save("train.mp4", audio=recording)

Importing the package is quick: a stage's libraries load when the stage is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spa2v_lib.audio import Recording, read_audio
    from spa2v_lib.cues import SpatialCues, extract_cues
    from spa2v_lib.errors import Spa2vError
    from spa2v_lib.layout import Camera, VideoSceneLayout
    from spa2v_lib.planning import plan
    from spa2v_lib.sampling import generate
    from spa2v_lib.video import Video

__version__ = "0.1.0"

_HOMES = {
    "Camera": "layout",
    "Recording": "audio",
    "Spa2vError": "errors",
    "SpatialCues": "cues",
    "Video": "video",
    "VideoSceneLayout": "layout",
    "extract_cues": "cues",
    "generate": "sampling",
    "plan": "planning",
    "read_audio": "audio",
}

__all__ = [
    "Camera",
    "Recording",
    "Spa2vError",
    "SpatialCues",
    "Video",
    "VideoSceneLayout",
    "__version__",
    "extract_cues",
    "generate",
    "plan",
    "read_audio",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spa2v_lib' has no attribute {name!r}")
    return getattr(import_module(f"spa2v_lib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
