"""What a source is, asked of one of three taggers: embedded, AST or CLAP, or one of yours."""

from __future__ import annotations

from collections.abc import Sequence

from spa2v_lib.cues.tagging.base import UNKNOWN, Answers, Tagger
from spa2v_lib.errors import CueError

__all__ = ["UNKNOWN", "Answers", "Tagger", "get_tagger"]


def get_tagger(tagger: str | Tagger = "embedded", labels: Sequence[str] | None = None) -> Tagger:
    """Return a tagger by its name.

    Parameters
    ----------
    tagger : str or Tagger
        "embedded", shipped with the library; "ast" or "clap", whose published weights are fetched
        when they are first asked for; "ast:FOLDER" or "clap:FOLDER", which are read there; or
        anything with the methods of `Tagger`.
    labels : sequence of str, optional
        What may sound, in any words, for CLAP alone; our classes if not given.

    Raises
    ------
    CueError
        If there is no such tagger, it cannot take labels, or its weights are not to be had.
    """
    if not isinstance(tagger, str):
        if not isinstance(tagger, Tagger):
            raise CueError(
                f"{type(tagger).__name__} is no tagger: it needs name, threshold and answers(sound)"
            )
        name, folder = "", None
    else:
        name, _, rest = tagger.partition(":")
        name, folder = name.strip().lower(), rest.strip() or None
        if name not in ("embedded", "ast", "clap") or (folder and name == "embedded"):
            raise CueError(
                f"no tagger {tagger!r}; one of: embedded, ast, clap, ast:FOLDER, clap:FOLDER"
            )
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
    if name == "ast":
        from spa2v_lib.cues.tagging.audioset import AST

        return AST(folder)
    from spa2v_lib.cues.tagging.clap import CLAP

    return CLAP(labels, folder)
