"""Run a preset of published weights at full width on a processor, with random weights.

``python -m spa2v_lab.bench.full_width sd15-migc`` writes random weights of the published shapes, in
the hub's folders, and samples four frames of 512x320 pixels in two steps with them: everything that
a first run on a GPU does, but for a picture worth looking at. It takes 24 GB of main memory, 7 GB
of disk and some minutes; what it prints stands in the book.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from spa2v_lab.bench.processes import measured_process
from spa2v_lab.bench.random_weights import write_random_weights
from spa2v_lib.sampling.sources import FOLDER_VARIABLE

__all__ = ["PRESETS", "full_width"]

PRESETS = ("sd15-migc", "sd15-gligen")
_SAMPLE = """
import sys, time
from spa2v_lib.sampling import generate, variant
from spa2v_lib.sampling.selfcheck import known_layout
name, speed, steps, frames = sys.argv[1:]
layout = known_layout(1.6).model_copy(update={"duration_s": int(frames) / 8})
preset = variant(name, speed=speed)
video = generate(layout, preset, steps=int(steps), device="cpu")
assert video.frames.shape == (int(frames), preset.size[1], preset.size[0], 3), video.frames.shape
"""


def full_width(
    preset: str, *, speed: str = "full", steps: int = 2, frames: int = 4
) -> tuple[float, float]:
    """Sample with random weights of the published shapes, in a process of its own.

    Parameters
    ----------
    preset : {"sd15-migc", "sd15-gligen"}
    speed : {"full", "fast"}
    steps, frames : int

    Returns
    -------
    seconds, gigabytes : float
        Wall time of the process with loading, and the peak of its memory.

    Raises
    ------
    Spa2vError
        If it fails.

    Examples
    --------
    >>> seconds, gigabytes = full_width("sd15-migc")  # takes minutes  # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory(prefix="spa2v-full-width-") as folder:
        write_random_weights(Path(folder), preset)
        command = [sys.executable, "-c", _SAMPLE, preset, speed, str(steps), str(frames)]
        measured = measured_process(command, **{FOLDER_VARIABLE: folder})
    return measured.seconds, measured.gigabytes


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--speed", choices=("full", "fast"), default="full")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--frames", type=int, default=4)
    asked = vars(parser.parse_args())
    seconds, gigabytes = full_width(
        asked["preset"], **{k: asked[k] for k in asked if k != "preset"}
    )
    print(
        f"{asked['preset']}, speed {asked['speed']}: {asked['frames']} frames, {asked['steps']} "
        f"steps, float32 on a processor: {seconds:.0f} s, peak {gigabytes:.1f} GB"
    )


if __name__ == "__main__":
    _main()
