"""Grounding methods by the names that users write, with knobs if they want: ``attention:noise=on``.

A name is a key of `METHODS`, or "default" (the preset's first) or "none". Knobs follow a colon, as
``NAME=VALUE`` with commas between; each method's module lists its own. What is not named stays as
the preset has it.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

from spa2v_lib.errors import SamplingError

if TYPE_CHECKING:
    from spa2v_lib.sampling.control_video import BoxOutlines
    from spa2v_lib.sampling.grounding.base import Grounding
    from spa2v_lib.sampling.presets import Preset

__all__ = ["METHODS", "check_grounding", "chosen_grounding", "new_grounding"]

METHODS = {
    "migc": "spa2v_lib.sampling.grounding.migc:MIGC",
    "gligen": "spa2v_lib.sampling.grounding.gligen:GLIGEN",
    "attention": "spa2v_lib.sampling.grounding.attention:AttentionGuidance",
    "lvd": "spa2v_lib.sampling.grounding.lvd:LVDGuidance",
    "boxes": "spa2v_lib.sampling.control_video:BoxOutlines",
}
"""Each is a class in a file of its own; the last draws the boxes for presets with control video."""

Knobs = dict[str, float | bool]
_FORMER = {"active": "stop", "behind": "following_tokens", "trailing": "padding_tokens"}
"""Names that knobs had in earlier run folders, and have now."""
_SWITCH = {"on": True, "true": True, "off": False, "false": False}


def new_grounding(name: str, **knobs: float) -> Grounding | BoxOutlines:
    """Build a grounding method.

    Parameters
    ----------
    name : str
        A key of `METHODS`.
    **knobs
        Its parameters; see the class.

    Returns
    -------
    Grounding or BoxOutlines
        The latter for "boxes".

    Raises
    ------
    SamplingError
        If there is no such method, it has no such knob, or a knob is out of range.

    See Also
    --------
    check_grounding : What is refused.

    Examples
    --------
    >>> new_grounding("gligen", stop=0.3).stop
    0.3
    """
    if name not in METHODS:
        raise SamplingError(f"no grounding {name!r}; one of: {', '.join(METHODS)}")
    module, cls = METHODS[name].split(":")
    method = getattr(import_module(module), cls)
    known = signature(method).parameters
    for knob, value in knobs.items():
        if knob not in known:
            raise SamplingError(f"{name} has no knob {knob!r}; it has: {', '.join(known)}")
        if known[knob].annotation in ("int", "bool") and not float(value).is_integer():
            raise SamplingError(f"{name}'s {knob} is {value:g}; it must be a whole number")
    return method(**knobs)


def check_grounding(asked: str, preset: Preset) -> None:
    """Refuse a grounding that `preset` cannot use, or knobs that it does not have.

    Parameters
    ----------
    asked : str
        A method, with knobs after a colon.
    preset : Preset
        That it is used with.

    Raises
    ------
    SamplingError
        The message lists what can be used.

    See Also
    --------
    new_grounding : Makes the method.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> check_grounding("attention:stop=0.3", get_preset("tiny"))
    """
    name, knobs = _parsed(asked)
    known = ("default", "none", *preset.groundings)
    if name not in known:
        raise SamplingError(
            f"no grounding {name!r} with preset {preset.name!r}; one of: {', '.join(known)}"
        )
    if not knobs:
        return
    name = _named(name, preset)
    if name not in METHODS:
        raise SamplingError(f"grounding {name!r} has no knobs; {asked!r} gives it some")
    new_grounding(name, **preset.groundings[name] | knobs)


def chosen_grounding(asked: str | Grounding, preset: Preset) -> Grounding | BoxOutlines | None:
    """Return the method that was asked for, with the preset's knobs; None for "none".

    Parameters
    ----------
    asked : str or Grounding
        As users write it, or a method, which is returned as it is.
    preset : Preset
        One of `spa2v_lib.sampling.presets.PRESETS`, or a variant of one.

    Returns
    -------
    Grounding or BoxOutlines or None

    Raises
    ------
    SamplingError
        See `check_grounding`.

    See Also
    --------
    new_grounding : Makes one by its name.

    Examples
    --------
    >>> from spa2v_lib.sampling.presets import get_preset
    >>> chosen_grounding("migc:strength=0.5", get_preset("tiny")).strength
    0.5
    """
    if not isinstance(asked, str):
        return asked
    name, knobs = _parsed(asked)
    name = _named(name, preset)
    return None if name == "none" else new_grounding(name, **preset.groundings[name] | knobs)


def _named(name: str, preset: Preset) -> str:
    return next(iter(preset.groundings)) if name == "default" else name


def _parsed(asked: str) -> tuple[str, Knobs]:
    """Split ``NAME:knob=value,knob=value``."""
    name, _, rest = asked.partition(":")
    knobs: Knobs = {}
    for part in rest.split(",") if rest else ():
        knob, _, value = part.partition("=")
        knob = _FORMER.get(knob.strip(), knob.strip())
        knobs[knob] = _value(value.strip(), part)
    return name, knobs


def _value(text: str, part: str) -> float | bool:
    if text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    raise SamplingError(
        f"{part!r} sets no knob of a grounding; it should be NAME=NUMBER, or NAME=on or off"
    )
