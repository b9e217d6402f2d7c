"""Which videos fit on which GPU: the table of the book, from the arithmetic that `check` uses.

``python -m spa2v_lab.bench.memory_table`` prints it in Markdown.
"""

from __future__ import annotations

from spa2v_lib.sampling.grounding import chosen_grounding
from spa2v_lib.sampling.presets import PRESETS, Preset

__all__ = ["CARDS_GB", "FREE_SHARE", "fits", "memory_table"]

CARDS_GB = (12, 16, 24, 80)
FREE_SHARE = 0.95
"""Of a card's memory – the rest is the driver's and the screen's."""

_FRAMES = (16, 32, 64)
_CONTROL_FRAMES = (33, 81)


def fits(preset: Preset, frames: int, gradients: bool, free_gb: float) -> str:
    """Say how a video fits into so much free GPU memory.

    Parameters
    ----------
    preset : Preset
    frames : int
    gradients : bool
        Whether the grounding method takes gradients.
    free_gb : float

    Returns
    -------
    {"yes", "offload", "no"}

    Examples
    --------
    >>> fits(PRESETS["sd15-migc"], 16, False, 8.0), fits(PRESETS["wan-vace"], 81, False, 8.0)
    ('yes', 'no')
    """
    if preset.memory is None:
        return "yes"
    for word, offload in (("yes", False), ("offload", True)):
        if free_gb >= preset.memory.needed_gb(frames, gradients=gradients, offload=offload):
            return word
    return "no"


def memory_table() -> str:
    """Return the table of presets, frames and methods against cards, in Markdown.

    Examples
    --------
    >>> print(memory_table().splitlines()[0])
    | preset | method | frames | GB | with offload | 12 GB | 16 GB | 24 GB | 80 GB |
    """
    cards = " | ".join(f"{card} GB" for card in CARDS_GB)
    lines = [f"| preset | method | frames | GB | with offload | {cards} |"]
    lines.append("|---|---|--:|--:|--:|" + "---|" * len(CARDS_GB))
    for preset in PRESETS.values():
        if preset.memory is None:
            continue
        for names, gradients in _methods(preset):
            for frames in _CONTROL_FRAMES if preset.control_video else _FRAMES:
                needed = [
                    preset.memory.needed_gb(frames, gradients=gradients, offload=offload)
                    for offload in (False, True)
                ]
                found = [fits(preset, frames, gradients, card * FREE_SHARE) for card in CARDS_GB]
                cells = [preset.name, names, str(frames), *(f"{gb:.1f}" for gb in needed), *found]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _methods(preset: Preset) -> list[tuple[str, bool]]:
    """Return methods that cost alike: their names, and whether they take gradients."""
    alike: dict[bool, list[str]] = {}
    for name in preset.groundings:
        gradients = getattr(chosen_grounding(name, preset), "takes_gradients", False)
        alike.setdefault(gradients, []).append(name)
    return [(", ".join(names), gradients) for gradients, names in alike.items()]


if __name__ == "__main__":
    print(memory_table())
