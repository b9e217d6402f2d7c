"""Take a part away again, to see what it adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusers import AnimateDiffPipeline
    from torch import Tensor

__all__ = ["without_motion"]


@contextmanager
def without_motion(pipeline: AnimateDiffPipeline) -> Iterator[None]:
    """Let the motion modules pass every frame on as it came, so that the base draws each alone.

    Parameters
    ----------
    pipeline : AnimateDiffPipeline
        On leaving, it computes what it did before.
    """
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    with ExitStack() as undo:
        for module in pipeline.unet.modules():
            if isinstance(module, AnimateDiffTransformer3D):
                undo.callback(module.register_forward_hook(_given, with_kwargs=True).remove)
        yield


def _given(_module: Any, arguments: tuple, named: dict[str, Any], _found: Tensor) -> Tensor:
    return arguments[0] if arguments else named["hidden_states"]
