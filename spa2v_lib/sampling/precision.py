"""Half precision on processors that compute with it: three times as fast, where there is the unit.

Weights stay in single precision and so does the sampler's arithmetic; only the denoiser's matrix
products run in bfloat16, as they did in the tiny suite's training. On a processor without such a
unit bfloat16 is emulated, and slower than single precision; there nothing is changed.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["bfloat16_is_native", "compute_in_bfloat16"]

_UNITS = ("avx512_bf16", "amx_bf16", "bf16")


def bfloat16_is_native() -> bool:
    """Tell whether this processor multiplies in bfloat16, as far as torch knows."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(capabilities.get(unit, False) for unit in _UNITS)


def compute_in_bfloat16(unet: nn.Module) -> None:
    """Let a denoiser on the processor compute in bfloat16 and answer in single precision.

    Parameters
    ----------
    unet : nn.Module
        Of diffusers; its output has a ``sample``.
    """
    plain = unet.forward

    def forward(*arguments, **named):
        with torch.autocast("cpu", torch.bfloat16):
            found = plain(*arguments, **named)
        if isinstance(found, tuple):
            return (found[0].float(), *found[1:])
        found.sample = found.sample.float()
        return found

    unet.forward = forward
