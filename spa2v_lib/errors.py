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
    """Base of every error that SpA2V raises on purpose.

    Examples
    --------
    >>> from spa2v_lib.layout.classes import get_class
    >>> try:
    ...     get_class("")
    ... except Spa2vError as error:
    ...     print(error)
    the label '' holds no word; name the object, as in 'car'
    """


class AudioError(Spa2vError):
    """A recording cannot be read, or cannot be used as it is.

    Examples
    --------
    >>> from spa2v_lib.audio import check_max_seconds
    >>> try:
    ...     check_max_seconds(-1.0)
    ... except AudioError as error:
    ...     print(error)
    max_seconds is -1; it must be at least 0.25 s and finite
    """


class VideoError(Spa2vError):
    """A video cannot be read, or its frames are not usable.

    Examples
    --------
    >>> from spa2v_lib.video import read_video
    >>> try:
    ...     read_video("nowhere.mp4")
    ... except VideoError as error:
    ...     print(error)
    nowhere.mp4 does not exist; give the path of an audio or video file
    """


class CueError(Spa2vError):
    """Spatial cues cannot be extracted, read or written.

    Examples
    --------
    >>> from spa2v_lib.cues import SpatialCues
    >>> try:
    ...     SpatialCues.load("nowhere.json")
    ... except CueError as error:
    ...     print(error)
    nowhere.json does not exist; give the name of a text file
    """


class LayoutError(Spa2vError):
    """A Video Scene Layout is not valid, or cannot be read or written.

    Examples
    --------
    >>> from spa2v_lib.layout import VideoSceneLayout
    >>> try:
    ...     VideoSceneLayout.load("nowhere.json")
    ... except LayoutError as error:
    ...     print(error)
    nowhere.json does not exist; give the name of a text file
    """


class PlanningError(Spa2vError):
    """No layout can be planned from the cues.

    Examples
    --------
    >>> from spa2v_lib.planning import parse_planner
    >>> try:
    ...     parse_planner("crystal-ball")
    ... except PlanningError as error:
    ...     print(error)
    no planner 'crystal-ball'; one of: acoustic, ...
    """


class AnswerError(PlanningError):
    """What a language model wrote is not a plan; the message is fit to be shown to the model.

    Examples
    --------
    >>> from spa2v_lib.layout import Camera
    >>> from spa2v_lib.planning.answer import Canvas, read_layout
    >>> from spa2v_lib.planning.exemplars import load_exemplars
    >>> canvas = Canvas(load_exemplars()[0].cues, Camera(), 8.0, (0.0, 1.0), (0.0, 1.0))
    >>> try:
    ...     read_layout("A bus passes.", "cues", canvas)
    ... except AnswerError as error:
    ...     print(error)
    the answer holds no JSON object: it begins 'A bus passes.'
    """


class SamplingError(Spa2vError):
    """A video cannot be sampled from the layout with this preset.

    Examples
    --------
    >>> from spa2v_lib.sampling import get_preset
    >>> try:
    ...     get_preset("nope")
    ... except SamplingError as error:
    ...     print(error)
    no preset 'nope'; there is: tiny, sd15-migc, sd15-gligen, wan-vace
    """


class SceneError(Spa2vError):
    """A simulated scene is impossible as described.

    Examples
    --------
    >>> from spa2v_lab.scenes.receivers import get_receiver
    >>> try:
    ...     get_receiver("ear")
    ... except SceneError as error:
    ...     print(error)
    receiver 'ear' is unknown; choose one of ...
    """


class MetricError(Spa2vError):
    """A metric does not apply to what it was given, or a library that it needs is missing.

    Examples
    --------
    >>> from spa2v_lab.metrics.audiovisual import aligned
    >>> try:
    ...     aligned([0.1], [0.1], 0.0)
    ... except MetricError as error:
    ...     print(error)
    the window is 0.0 s; it must be above 0 s
    """


class OutputError(Spa2vError):
    """Results cannot be written where they were asked for.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from spa2v_lib.files import replacing
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a"
    >>> _ = file.write_text("no folder")
    >>> try:
    ...     with replacing(file / "b.txt") as temporary:
    ...         _ = temporary.write_text("b")
    ... except OutputError as error:
    ...     print(error)
    cannot write ...
    """


class DataError(Spa2vError):
    """A file that the project ships, or weights that a preset names, are missing or broken.

    Examples
    --------
    >>> from spa2v_lib.resources import resource
    >>> try:
    ...     resource("recordings", "nowhere.flac")
    ... except DataError as error:
    ...     print(error)
    shipped file data/recordings/nowhere.flac is missing
    """


class SettingsError(Spa2vError):
    """A run is asked for with a parameter that does not exist, or with a value it cannot have.

    Examples
    --------
    >>> from spa2v_lib.runs.settings import Settings
    >>> try:
    ...     Settings.of({"seed": -1})
    ... except SettingsError as error:
    ...     print(error)
    seed is -1; it should be greater than or equal to 0
    """


class RunError(Spa2vError):
    """A run folder cannot be read or repeated.

    Examples
    --------
    >>> from spa2v_lib.runs.record import read_record
    >>> try:
    ...     read_record("nowhere")
    ... except RunError as error:
    ...     print(error)
    nowhere is not a run folder: it has no run.json
    """


class BatchError(Spa2vError):
    """A batch cannot be started: its manifest, its folder or its workers are not usable.

    Examples
    --------
    >>> from spa2v_lib.batch.manifest import read_rows
    >>> try:
    ...     read_rows(["nowhere/*.wav"], {})
    ... except BatchError as error:
    ...     print(error)
    there is no recording in nowhere/*.wav
    """
