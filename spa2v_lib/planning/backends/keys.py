"""Keys of hosted models: from the environment or Colab's secrets alone.

A key is returned to whoever sends it, shown and kept nowhere, and taken out of whatever a server
sends back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

__all__ = ["KEYS", "NO_KEY", "find_key", "on_colab", "without_key"]

KEYS = {
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "openai-chat": ("OPENAI_API_KEY",),
    "server": ("SPA2V_SERVER_KEY",),
}
"""Names under which a key is looked up, the first that is set; a server needs none."""

NO_KEY = "none"
"""What is sent to a server that needs no key."""

_COLAB = ("COLAB_NOTEBOOK_ID", "COLAB_RELEASE_TAG")
_SHORTEST_SECRET = 6  # characters; a shorter key is a placeholder, and part of many words


def find_key(names: Sequence[str]) -> str | None:
    """Return the first key that is set under one of these names, the environment's before Colab's.

    Parameters
    ----------
    names : sequence of str
        Variables of the environment; Colab's secrets are sought under the same names.

    Returns
    -------
    str or None
        Without white space around it.

    Examples
    --------
    >>> find_key(["A_VARIABLE_THAT_NOBODY_SETS"]) is None
    True
    """
    found = next((key for name in names if (key := os.environ.get(name, "").strip())), None)
    if found is not None or not on_colab():
        return found
    return next((key for name in names if (key := _secret(name))), None)


def on_colab() -> bool:
    """Whether this runs in a notebook on Colab.

    Returns
    -------
    bool

    Examples
    --------
    >>> on_colab()
    False
    """
    return any(os.environ.get(name) for name in _COLAB)


def _secret(name: str) -> str | None:
    """Return a secret that the user keeps on Colab and lets this notebook read."""
    try:
        return (import_module("google.colab.userdata").get(name) or "").strip() or None
    except Exception:  # none of that name, not allowed to read it, or no front end to ask
        return None


def without_key(text: str, key: str) -> str:
    """Take the key out of what a server sent, and what cannot be written as UTF-8.

    Parameters
    ----------
    text : str
        That may hold a key.
    key : str
        Or `NO_KEY`.

    Examples
    --------
    >>> without_key("no model for secret-123", "secret-123")
    'no model for [key]'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if key == NO_KEY or len(key) < _SHORTEST_SECRET else text.replace(key, "[key]")
