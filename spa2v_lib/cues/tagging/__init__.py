"""What a source is: the embedded tagger, AST, CLAP, or one of yours."""

from __future__ import annotations

from collections.abc import Sequence

from spa2v_lib.cues.tagging.base import UNKNOWN, Tagger, TagScores
from spa2v_lib.errors import CueError

__all__ = ["UNKNOWN", "TagScores", "Tagger", "get_tagger"]

_NAMES = ("auto", "embedded", "ast", "clap")


def get_tagger(tagger: str | Tagger = "auto", labels: Sequence[str] | None = None) -> Tagger:
    """Return a tagger by its name.

    Parameters
    ----------
    tagger : str or Tagger
        "embedded" is shipped with the library. "ast" and "clap" have published weights, which are
        fetched when they are first asked for; "ast:FOLDER" and "clap:FOLDER" read them there.
        "auto" takes CLAP or AST where their weights are in the local cache already, and the
        embedded tagger where they are not; it fetches nothing. Anything with the members of
        `Tagger` is returned as it is.
    labels : sequence of str, optional
        What may sound, in any words; for CLAP alone. Our classes if not given.

    Raises
    ------
    CueError
        If there is no such tagger, it cannot take labels, or its weights are not available.

    Examples
    --------
    >>> get_tagger("embedded").name
    'embedded'
    """
    if not isinstance(tagger, str):
        if not isinstance(tagger, Tagger):
            raise CueError(
                f"{type(tagger).__name__} is no tagger: it needs name, threshold and scores(sound)"
            )
        name, folder = "", None
    else:
        name, _, rest = tagger.partition(":")
        name, folder = name.strip().lower(), rest.strip() or None
        if name not in _NAMES or (folder and name not in ("ast", "clap")):
            raise CueError(
                f"no tagger {tagger!r}; one of: {', '.join(_NAMES)}, ast:FOLDER, clap:FOLDER"
            )
    if name == "auto":
        name = _available()
    if labels is not None and name != "clap":
        raise CueError(
            f"the tagger {name or tagger.name!r} answers with labels of its own; only clap takes "
            'labels: tagger="clap"'
        )
    if not name:
        return tagger
    if name == "embedded":
        from spa2v_lib.cues.tagging.embedded import load_embedded

        return load_embedded()
    from spa2v_lib.cues.tagging.pretrained import AST, CLAP

    return AST(folder) if name == "ast" else CLAP(labels, folder)


def _available() -> str:
    """Return the best tagger whose weights are on this machine."""
    from spa2v_lib.cues.tagging.pretrained import AST_WEIGHTS, CLAP_WEIGHTS

    if CLAP_WEIGHTS.cached():
        return "clap"
    return "ast" if AST_WEIGHTS.cached() else "embedded"
