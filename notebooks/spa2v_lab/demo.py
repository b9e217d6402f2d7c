"""The main job on three shipped recordings: ``python -m spa2v_lab.demo --out demo``.

A truck is driven past the microphone, a train comes towards it, a guitar is played to the left of
it. Each real mono recording is moved through simulated space and recorded in stereo; that stereo
recording is all that the pipeline gets.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from spa2v_lab.scenes.export import contact_sheet
from spa2v_lab.scenes.scene import Scene, StraightPath, WorldObject
from spa2v_lab.scenes.sound import render_sound
from spa2v_lib.layout.camera import Camera
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.runs import generate_run
from spa2v_lib.video import read_video

__all__ = ["SCENES", "example_recording", "main"]


def _scene(obj: WorldObject, background: str, receiver: str, **room: float) -> Scene:
    return Scene(
        objects=(obj,),
        background=background,
        camera=Camera(),
        duration_s=4.0,
        seed=1,
        receiver=receiver,
        noise_db=-40.0,
        **room,
    )


SCENES: dict[str, Scene] = {
    "truck-from-left-to-right": _scene(
        WorldObject(
            label="truck",
            style="fluent3d",
            path=StraightPath((-10.0, 9.0), (5.0, 0.0)),
            motion="right_crossing",
            width_m=4.2,
            height_m=3.4,
            base_m=0.0,
            recording="truck_01.flac",
        ),
        "street",
        "ortf",
    ),
    "train-coming-closer": _scene(
        WorldObject(
            label="train",
            style="fluent3d",
            path=StraightPath((4.0, 30.0), (-0.7, -5.25)),
            motion="approaching",
            width_m=5.0,
            height_m=4.2,
            base_m=0.0,
            recording="train_diesel_01.flac",
        ),
        "meadow",
        "binaural",
    ),
    "guitar-on-the-left": _scene(
        WorldObject(
            label="guitar",
            style="fluent3d",
            path=StraightPath((-0.9, 1.8)),
            motion="stationary",
            width_m=0.9,
            height_m=0.9,
            base_m=0.8,
            recording="guitar_04.flac",
        ),
        "stage",
        "ab",
        rt60_s=0.3,
    ),
}


def example_recording(folder: str | Path) -> Path:
    """Write the stereo sound of the first scene into a folder, and return the file.

    See Also
    --------
    SCENES : all scenes

    Examples
    --------
    >>> example_recording("recordings").name  # doctest: +SKIP
    """
    name = next(iter(SCENES))
    return render_sound(SCENES[name]).save(Path(folder) / f"{name}.flac")


def _stacked(sheets: list[Image.Image]) -> Image.Image:
    width, height = max(s.width for s in sheets), sum(s.height + 4 for s in sheets) - 4
    whole = Image.new("RGB", (width, height), "white")
    for row, sheet in enumerate(sheets):
        whole.paste(sheet, (0, row * (sheet.height + 4)))
    return whole


def main() -> None:
    """Render the three scenes' sound, run the pipeline on each, and say where the videos are.

    See Also
    --------
    spa2v_lib.runs.generate_run : what it calls for each

    Examples
    --------
    >>> main()  # doctest: +SKIP
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    videos, sheets = [], []
    for name, scene in SCENES.items():
        began = time.perf_counter()
        sound = given.out / "recordings" / f"{name}.flac"
        render_sound(scene).save(sound)
        run = generate_run(sound, given.out / name, seed=given.seed, overwrite=True)
        videos.append(run / "video.mp4")
        layout = VideoSceneLayout.load(run / "layout.json")
        sheets.append(contact_sheet(read_video(videos[-1]).frames, layout, width=160))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    _stacked(sheets).save(given.out / "contact.png")
    print("\nWatch (with sound), and open report.html beside each:")
    for video in videos:
        print(f"  {video}")


if __name__ == "__main__":
    main()
