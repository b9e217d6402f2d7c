"""One's own clips in the whole-pipeline benchmark, with annotated or filmed ground truth.

The manifest is a table with commas, in UTF-8, with a header; paths are relative to it::

    recording,layout,video,label,capture
    market.wav,market.json,,,
    ferry.flac,,ferry.mp4,"ship, bird",ab

``recording``
    The sound: one, two or four channels.
``layout``
    The ground truth, as a Video Scene Layout in JSON (`VideoSceneLayout.save`).
``video``
    Instead of it, a reference video of the same length: OWL-ViT looks for what ``label`` names in
    every frame. Its weights come from the Hugging Face hub or the folder that ``SPA2V_DETECTOR``
    names.
``label``
    What is there, with commas between. The planner is not given it.
``capture``
    How it was recorded, if that is known; otherwise empty.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spa2v_lab.bench.frame import Results, Row
from spa2v_lab.bench.planning_scores import scored, worded
from spa2v_lab.bench.raw import RAW, RawResults
from spa2v_lab.bench.run_layouts import AnalyzedClip, layouts_of
from spa2v_lab.bench.run_tables import STAGE1
from spa2v_lab.bench.run_videos import detected_layout
from spa2v_lab.metrics.audiovisual import av_align
from spa2v_lab.metrics.spatial import spatial_av_align
from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.batch.manifest import ManifestRow, read_rows
from spa2v_lib.errors import BatchError
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.planning.exemplars import load_exemplars
from spa2v_lib.runs import StageProgress
from spa2v_lib.runs.record import code_hash, file_hash
from spa2v_lib.sampling.detection import Detection, OwlVit
from spa2v_lib.video import Video, read_video

__all__ = ["COLUMNS", "DETECTOR_VARIABLE", "run_clips"]

COLUMNS = {"layout": "", "video": "", "label": "", "capture": "auto"}
"""What a manifest may say beside ``recording`` and ``name``."""

DETECTOR_VARIABLE = "SPA2V_DETECTOR"
"""Environment variable with a folder of OWL-ViT's weights."""

_SAME_LENGTH_S = 0.2

Detections = Sequence[Sequence[Detection]]


def run_clips(
    manifest: str | os.PathLike[str],
    *,
    seed: int,
    progress: StageProgress,
    out: Path,
    overwrite: bool,
) -> Results:
    """Plan every clip of a manifest by every method, and compare with its ground truth.

    Parameters
    ----------
    manifest : path
    seed : int
        Of random exemplars and of the intervals.
    progress : callable
        Called with "clips", the clips done and the clips in all.
    out : Path
        Folder of the raw results.
    overwrite : bool
        Begin anew if they are those of other clips.

    Raises
    ------
    BatchError, LayoutError, OutputError
        Before anything is measured, if the manifest or a ground truth cannot be used.
    DataError
        If the detector is needed and its weights are not to be had.

    See Also
    --------
    spa2v_lab.scenes.benchmark_card.write_benchmark : writes such a manifest

    Examples
    --------
    >>> options = {"seed": 0, "progress": print, "out": Path("out"), "overwrite": False}
    >>> run_clips("own.csv", **options)  # doctest: +SKIP
    """
    base = Path(manifest).parent
    clips = [_OwnClip(line, base) for line in read_rows([manifest], COLUMNS)]
    for clip in clips:
        clip.check()
    kept = RawResults(out / RAW, _asked(clips, seed), overwrite=overwrite)
    done = kept.part("clips")
    for number, clip in enumerate(clips):
        if str(number) not in done:
            kept.put(done, str(number), measured_clip(clip, seed + number))
        progress("clips", number + 1, len(clips))
    return Results("run", _rows(kept.raw, seed), [], _notes(kept.raw))


@dataclass(frozen=True)
class _OwnClip:
    """A line of the manifest, and the folder that its paths are relative to."""

    line: ManifestRow
    base: Path

    def value(self, name: str) -> str:
        return self.line.parameters.get(name, COLUMNS[name])

    def file(self, name: str) -> Path | None:
        return self.base / self.value(name) if self.value(name) else None

    def check(self) -> None:
        """Refuse a line whose ground truth cannot be used, before any is measured."""
        where = f"{self.line.name} (line {self.line.line})"
        layout, video = self.file("layout"), self.file("video")
        if (layout is None) == (video is None):
            raise BatchError(f"{where}: give either a layout or a video as its truth")
        if video is not None and not self.value("label"):
            raise BatchError(f"{where}: a video needs a label, which says what to look for in it")
        for name, path in (("layout", layout), ("video", video)):
            if path is not None and not path.is_file():
                raise BatchError(f"{where}: no such file: {name} {self.value(name)!r}")
        if layout is not None:
            lasts, sounds = VideoSceneLayout.load(layout).duration_s, self.sound().duration_s
            if abs(lasts - sounds) > _SAME_LENGTH_S:
                raise BatchError(
                    f"{where}: its layout lasts {lasts:.2f} s and its sound {sounds:.2f} s; they "
                    "must be of one length"
                )

    def sound(self) -> Recording:
        return read_audio(self.line.path)


def _asked(clips: Sequence[_OwnClip], seed: int) -> dict[str, Any]:
    paths = [p for c in clips for p in (c.line.path, c.file("layout"), c.file("video")) if p]
    clips_asked = [[c.line.name, c.value("label"), c.value("capture")] for c in clips]
    hashes = [file_hash(path) for path in paths]
    return {"seed": seed, "code": code_hash(), "files": hashes, "clips": clips_asked}


def measured_clip(clip: _OwnClip, seed: int) -> dict[str, Any]:
    """Analyze and plan a clip, and score it, as the raw results keep it."""
    ground_truth, seen = _truth(clip)
    analyzed = AnalyzedClip(
        ground_truth=ground_truth,
        render=clip.sound,
        recordings=(clip.line.path.name,),
        pool=load_exemplars(),
        seed=seed,
        capture=clip.value("capture"),
    )
    scores = {
        method: scored(ground_truth, layout) | worded(ground_truth, layout)
        for method, layout in layouts_of(analyzed).items()
    }
    aligned = {} if seen is None else _of_reference(analyzed, *seen)
    return {
        "name": clip.line.name,
        "scores": scores | ({"reference video": aligned} if seen else {}),
    }


def _truth(clip: _OwnClip) -> tuple[VideoSceneLayout, tuple[Video, Detections] | None]:
    """Return the true layout, and the reference video with what was detected in it."""
    if (path := clip.file("layout")) is not None:
        return VideoSceneLayout.load(path), None
    video = read_video(clip.file("video"))
    labels = [label.strip() for label in clip.value("label").split(",")]
    seen = chosen_detector().detect(video.frames, labels)
    height, width = video.frames.shape[1:3]
    empty = VideoSceneLayout(
        reasoning="seen by a detector",
        caption=", ".join(labels),
        frame_captions=[""],
        key_times_s=[0.0],
        objects=[],
        duration_s=video.duration_s,
        fps=video.fps,
        aspect=width / height,
    )
    return detected_layout(seen, empty), (video, seen)


def chosen_detector() -> OwlVit:
    """Return the detector whose weights the environment names, or the published one."""
    folder = os.environ.get(DETECTOR_VARIABLE)
    return OwlVit(folder) if folder else OwlVit()


def _of_reference(analyzed: AnalyzedClip, video: Video, seen: Detections) -> dict[str, float]:
    """Return how well the reference video's own pictures go with its sound."""
    aligned = {"Spatial AV-Align": spatial_av_align(analyzed.cues, seen, video.fps)}
    if find_spec("cv2") is None:
        return aligned
    return aligned | {"AV-Align": av_align(video.frames, video.fps, analyzed.sound)}


def _rows(raw: Mapping[str, Any], seed: int) -> list[Row]:
    clips = [raw["clips"][key] for key in sorted(raw["clips"], key=int)]
    methods = dict.fromkeys(name for clip in clips for name in clip["scores"])
    return [
        Row.of(f"{STAGE1}: {name}", "own clips", [c["scores"].get(name, {}) for c in clips], seed)
        for name in methods
    ]


def _notes(raw: Mapping[str, Any]) -> list[str]:
    names = ", ".join(clip["name"] for clip in raw["clips"].values())
    return [f"own clips: {names}"]
