"""The embedded tagger's part of the hearing benchmark: what it says of sounds it did not learn."""

from __future__ import annotations

from typing import Any

from spa2v_lib.bench.frame import Interval, Row, interval

__all__ = ["tagger_rows"]

_METHOD = "embedded tagger"
_UNKNOWN_OF = {
    "heard": "recordings that it learnt, other conditions",
    "unheard": "recordings left out",
    "foreign": "classes left out",
    "heard_apart": "recordings that it learnt, taken apart from others",
    "foreign_apart": "classes left out, taken apart from others",
    "strange": "invented sounds",
}


def tagger_rows(*, quick: bool, seed: int) -> tuple[list[Row], list[str]]:
    """Train with recordings and classes left out, and test on those.

    Returns
    -------
    rows : list of Row
        Classes with several recordings (each left out in turn) and classes with one (after room,
        noise, filter and pitch) apart, and what is left of those that are heard among others;
        then the share that is called unknown, by kind of sound.
    notes : list of str
        The confusion table of the recordings left out, a line a class.
    """
    from spa2v_lib.tiny.tagger_scores import evaluate

    found = evaluate(quick=quick, seed=seed)
    return _rows(found, seed), _notes(found)


def _rows(found: dict[str, Any], seed: int) -> list[Row]:
    left_out = found["leave_one_recording_out"]
    each = left_out["each"]
    tops = {
        f"{name} %": interval([100.0 * recording[key] for recording in each], seed)
        for name, key in (("top-1", "top1"), ("top-3", "top3"))
    }
    rows = [
        Row(_METHOD, "each recording left out", left_out["recordings"], tops),
        _ranked("single recordings, changed", found["single_recording"]),
        _ranked("recordings that it learnt, taken apart from others", found["apart"]),
    ]
    rows += [
        Row(_METHOD, kind, 1, {"called unknown %": _alone(100.0 * found["unknown"][key], 1)})
        for key, kind in _UNKNOWN_OF.items()
    ]
    return rows


def _ranked(condition: str, ranks: dict[str, Any]) -> Row:
    count = ranks["recordings"]
    tops = (("top-1 %", "top1"), ("top-3 %", "top3"))
    return Row(
        _METHOD, condition, count, {name: _alone(100.0 * ranks[key], count) for name, key in tops}
    )


def _notes(found: dict[str, Any]) -> list[str]:
    left = found["leave_one_class_out"]
    lines = [
        f"tagger, a class left out against sounds it learnt: AUROC {left['auroc']:.2f}, "
        f"{100 * left['false_acceptance']:.0f} % accepted where 90 % of known sounds are"
    ]
    for label, answers in found["confusion"].items():
        said = ", ".join(f"{answer} {count}" for answer, count in answers.items())
        lines.append(f"tagger, {label} on recordings left out: {said}")
    return lines


def _alone(value: float, count: int) -> Interval:
    """A number whose spread is not known."""
    return Interval(value, None, None, count)
