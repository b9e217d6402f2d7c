"""How right a result is, compared with a truth that is known."""

from spa2v_lab.metrics.audiovisual import (
    aligned,
    audio_onsets,
    av_align,
    motion_peaks,
)
from spa2v_lab.metrics.clip_score import ClipSimilarity
from spa2v_lab.metrics.frechet import (
    DrawnWorldFeatures,
    Features,
    VideoMAEFeatures,
    frechet_distance,
)
from spa2v_lab.metrics.layout import (
    coverage,
    evaluate,
    iou,
    motion_direction,
    x_center_error,
)
from spa2v_lab.metrics.pairing import validate
from spa2v_lab.metrics.similarity import (
    docsim,
    docsim_of_itself,
    generalised_iou,
    ltsim,
    max_iou,
    max_iou_coverage,
    mirror_gap,
    size_trend,
    tube_iou,
)
from spa2v_lab.metrics.spatial import spatial_av_align, spatial_hits
from spa2v_lab.metrics.words import caption_overlap, class_recall, rouge_l
from spa2v_lib.layout.box import motion_of

__all__ = [
    "ClipSimilarity",
    "DrawnWorldFeatures",
    "Features",
    "VideoMAEFeatures",
    "aligned",
    "audio_onsets",
    "av_align",
    "caption_overlap",
    "class_recall",
    "coverage",
    "docsim",
    "docsim_of_itself",
    "evaluate",
    "frechet_distance",
    "generalised_iou",
    "iou",
    "ltsim",
    "max_iou",
    "max_iou_coverage",
    "mirror_gap",
    "motion_direction",
    "motion_of",
    "motion_peaks",
    "rouge_l",
    "size_trend",
    "spatial_av_align",
    "spatial_hits",
    "tube_iou",
    "validate",
    "x_center_error",
]
