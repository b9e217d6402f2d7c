"""Where the keys of hosted models are looked up: the environment, and on Colab its secrets.

A key is returned to whoever sends it, and shown or kept nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

__all__ = ["find_key", "on_colab"]

_COLAB = ("COLAB_NOTEBOOK_ID", "COLAB_RELEASE_TAG")


def find_key(names: Sequence[str]) -> str | None:
    """Return the first key that is set under one of these names, the environment's before Colab's.

    Parameters
    ----------
    names : sequence of str
        Variables of the environment; Colab's secrets are sought under the same names.
    """
    found = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if found is not None or not on_colab():
        return found
    return next((key for name in names if (key := _secret(name))), None)


def on_colab() -> bool:
    """Whether this runs in a notebook on Colab."""
    return any(os.environ.get(name) for name in _COLAB)


def _secret(name: str) -> str | None:
    """Return a secret that the user keeps on Colab and lets this notebook read."""
    try:
        return import_module("google.colab.userdata").get(name) or None
    except Exception:  # none of that name, not allowed to read it, or no front end to ask
        return None
