"""Ablations of the tiny suite: one scene with and without grounding, with and without motion.

Base, motion modules and grounding layers were trained separately; the four combinations differ in
nothing else, neither noise nor captions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from spa2v_lab.bench.sampling import score
from spa2v_lab.scenes.picture import draw_scene
from spa2v_lab.scenes.scene import Scene, ground_truth_layout
from spa2v_lib.layout.scene_layout import VideoSceneLayout
from spa2v_lib.sampling import generate, get_preset
from spa2v_lib.sampling.loading import load
from spa2v_lib.sampling.tiny_detector import detect
from spa2v_lib.video import Video

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline
    from torch import Tensor

__all__ = [
    "COMBINATIONS",
    "ablated",
    "mean_scores",
    "combination_scores",
    "without_motion",
]


@contextmanager
def without_motion(pipeline: AnimateDiffPipeline) -> Iterator[None]:
    """Let the motion modules pass every frame on as it came, so that the base draws each alone.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        On leaving, it computes what it did before.

    See Also
    --------
    ablated : all four combinations

    Examples
    --------
    >>> from spa2v_lib.sampling.loading import load
    >>> with without_motion(load("tiny", "auto")):  # doctest: +SKIP
    ...     frames = generate(layout)
    """
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    with ExitStack() as undo:
        for module in pipeline.unet.modules():
            if isinstance(module, AnimateDiffTransformer3D):
                undo.callback(module.register_forward_hook(_given, with_kwargs=True).remove)
        yield


def _given(_module: Any, arguments: tuple, named: dict[str, Any], _found: Tensor) -> Tensor:
    return arguments[0] if arguments else named["hidden_states"]


COMBINATIONS = {
    "base alone": (False, False),
    "with motion": (False, True),
    "with grounding": (True, False),
    "with both": (True, True),
}
"""Whether there are grounding and motion, by a name for the combination."""


def ablated(
    layout: VideoSceneLayout,
    *,
    grounding: str = "default",
    seed: int = 0,
    steps: int | None = None,
) -> dict[str, Video]:
    """Sample a layout in all four combinations with the tiny suite, from the same noise.

    Parameters
    ----------
    layout : VideoSceneLayout
    grounding : str
        The method, where there is grounding.
    seed : int
    steps : int, optional
        The preset's own number if not given.

    Returns
    -------
    dict of str to Video
        By the names in `COMBINATIONS`.

    See Also
    --------
    combination_scores : scores the videos

    Examples
    --------
    >>> videos = ablated(layout, steps=5)  # doctest: +SKIP
    >>> list(videos) == list(COMBINATIONS)  # doctest: +SKIP
    """
    videos = {}
    for name, (grounded, moving) in COMBINATIONS.items():
        method = grounding if grounded else "none"
        settings = {"seed": seed, "steps": steps, "grounding": method}
        if moving:
            videos[name] = generate(layout, **settings)
        else:
            with without_motion(load("tiny", "auto")):  # the one that generate uses
                videos[name] = generate(layout, **settings)
    return videos


def combination_scores(scene: Scene, videos: Mapping[str, Video]) -> dict[str, dict[str, float]]:
    """Score the videos of a scene's true layout, with chance and ceiling.

    Parameters
    ----------
    scene : Scene
    videos : dict of str to Video
        As `ablated` returns them.

    Returns
    -------
    dict of str to dict
        For each video, and for "mirrored layout" (the last video against the layout with left and
        right exchanged) and "drawn" (the scene's own frames): "IoU", "right class" and
        "consistency", see `spa2v_lab.bench.sampling`.

    See Also
    --------
    mean_scores : over several scenes

    Examples
    --------
    >>> combination_scores(scene, ablated(ground_truth_layout(scene)))  # doctest: +SKIP
    """
    layout = ground_truth_layout(scene)
    detections = {name: detect(video.frames) for name, video in videos.items()}
    scores = {name: score(layout, videos[name].frames, seen) for name, seen in detections.items()}
    last = list(videos)[-1]
    scores["mirrored layout"] = score(layout.mirrored(), videos[last].frames, detections[last])
    frames = draw_scene(scene, width=get_preset("tiny").size[0])
    return scores | {"drawn": score(layout, frames, detect(frames))}


def mean_scores(scores: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Average over scenes; scenes without a value do not count.

    Parameters
    ----------
    scores : sequence of dict
        A scene each, as `combination_scores` returns them.

    Returns
    -------
    dict of str to dict
        By combination and measure; NaN where no scene has a value.

    See Also
    --------
    combination_scores : of one scene

    Examples
    --------
    >>> scores = [{"base alone": {"IoU": 0.25}}, {"base alone": {"IoU": 0.75}}]
    >>> mean_scores(scores)["base alone"]["IoU"]
    0.5
    """
    means: dict[str, dict[str, float]] = {}
    for combination in scores[0]:
        means[combination] = {}
        for measure in scores[0][combination]:
            values = np.array([one[combination][measure] for one in scores])
            known = values[~np.isnan(values)]
            means[combination][measure] = float(known.mean()) if len(known) else float("nan")
    return means
