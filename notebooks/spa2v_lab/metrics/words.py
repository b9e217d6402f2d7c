"""How well the words of an estimated layout agree with those of the true one.

ROUGE-L: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", ACL Workshop 2004.
"""

from __future__ import annotations

import re
from collections import Counter

from spa2v_lib.layout.scene_layout import VideoSceneLayout

__all__ = ["caption_overlap", "class_recall", "rouge_l"]


def class_recall(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return the share of the truth's objects whose class the estimate has, in [0, 1].

    Each object of the estimate serves once; a truth without any objects scores 1.

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> class_recall(truth, truth)
    1.0
    """
    wanted, given = (Counter(item.label for item in side.objects) for side in (truth, estimate))
    return (wanted & given).total() / wanted.total() if wanted else 1.0


def caption_overlap(truth: VideoSceneLayout, estimate: VideoSceneLayout) -> float:
    """Return `rouge_l` of the captions of the whole videos, in [0, 1].

    Parameters
    ----------
    truth, estimate : VideoSceneLayout
        Of pictures with the same aspect.

    Examples
    --------
    >>> from spa2v_lib.layout.scene_layout import Box, SceneObject
    >>> left = Box(x0=0.0, y0=0.0, x1=0.5, y1=1.0)
    >>> car = SceneObject(id="a", label="car", caption="a car", boxes=[left])
    >>> truth = VideoSceneLayout(caption="a car", frame_captions=["a car"], key_times_s=[0.0],
    ...                          objects=[car], duration_s=1.0)
    >>> caption_overlap(truth, truth)
    1.0
    """
    return rouge_l(truth.caption, estimate.caption)


def rouge_l(reference: str, text: str) -> float:
    """Return the F-measure of ROUGE-L, recall and precision weighing the same, in [0, 1].

    The longest common subsequence of words, as a share of either text; capitals and punctuation do
    not count. Two texts without words agree.

    Parameters
    ----------
    reference, text : str

    Examples
    --------
    >>> rouge_l("a red bus passes", "a bus passes")
    0.8571428571428571
    """
    a, b = (re.findall(r"\w+", side.lower()) for side in (reference, text))
    if not a or not b:
        return float(a == b)
    return 2.0 * _longest_common(a, b) / (len(a) + len(b))


def _longest_common(a: list[str], b: list[str]) -> int:
    above = [0] * (len(b) + 1)
    for word in a:
        row = [0]
        for k, other in enumerate(b):
            row.append(above[k] + 1 if word == other else max(above[k + 1], row[k]))
        above = row
    return above[-1]
