"""What a preset can draw: an open vocabulary takes any words, a closed one the nearest class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spa2v_lib.layout.captions import object_caption
from spa2v_lib.layout.classes import CLASSES, FAMILIES, SOMETHING, get_class

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import SceneObject, VideoSceneLayout
    from spa2v_lib.sampling.presets import Preset

__all__ = ["as_drawable", "substitutions"]


def substitutions(labels: Iterable[str], preset: Preset) -> dict[str, str]:
    """Return which class a preset draws instead of each label that it cannot draw.

    Parameters
    ----------
    labels : iterable of str
        One an object; any words.
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    See Also
    --------
    as_drawable : The layout that is drawn.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> substitutions(["tram", "bus"], get_preset("tiny"))
    {'tram': 'train'}
    """
    if not preset.labels:
        return {}
    return {label: get_class(label).drawn_as for label in labels if label not in preset.labels}


def as_drawable(layout: VideoSceneLayout, preset: Preset) -> VideoSceneLayout:
    """Return a layout in classes and words that a preset can draw.

    Parameters
    ----------
    layout : VideoSceneLayout
        Captions, and boxes per key frame.
    preset : Preset
        With an open vocabulary, the layout is returned as it is.

    Returns
    -------
    VideoSceneLayout
        Objects that the preset cannot draw, or that their caption names by family alone, become
        the nearest class, also in the captions.

    See Also
    --------
    substitutions : what is drawn instead of what.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> from spa2v_lib.sampling.selfcheck import known_layout
    >>> layout = known_layout(1.0)
    >>> as_drawable(layout, get_preset("tiny")) == layout
    True
    """
    if not preset.labels:
        return layout
    objects = []
    for item in layout.objects:
        known = item.label in preset.labels
        label = item.label if known else get_class(item.label).drawn_as
        vague = item.caption in _VAGUE
        caption = object_caption(label) if vague or not known else item.caption
        objects.append(item.model_copy(update={"label": label, "caption": caption}))
    pairs = list(zip(layout.objects, objects, strict=True))
    frames = [
        _reworded(text, [(old, new) for old, new in pairs if old.boxes[k] is not None])
        for k, text in enumerate(layout.frame_captions)
    ]
    return layout.model_copy(
        update={
            "objects": objects,
            "caption": _reworded(layout.caption, pairs),
            "frame_captions": frames,
        }
    )


_VAGUE = {SOMETHING, *(object_caption(noun) for noun in FAMILIES.values())} - {
    object_caption(label) for label in CLASSES
}


def _reworded(text: str, pairs: list[tuple[SceneObject, SceneObject]]) -> str:
    """Replace the captions of objects by their new ones, each in its turn."""
    done = 0
    for old, new in pairs:
        at = text.find(old.caption, done)
        if at >= 0:
            text = text[:at] + new.caption + text[at + len(old.caption) :]
            done = at + len(new.caption)
    return text
