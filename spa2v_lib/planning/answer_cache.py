"""Answers of language models, cached on disk by what was asked.

An answer is cached once it was made into a layout, so that running again costs nothing and needs no
key, and another person can replay it. A file holds the model's name, the parameters and the
answer; neither keys nor the prompt, whose hash names the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from stat import S_ISREG

from pydantic import BaseModel

from spa2v_lib.errors import PlanningError
from spa2v_lib.files import write_json
from spa2v_lib.planning.backends.base import AudioPart, Backend, Prompt

__all__ = [
    "FOLDER_VARIABLE",
    "AnswerCache",
    "content_key",
    "default_folder",
]

FOLDER_VARIABLE = "SPA2V_ANSWERS"
"""Names the folder of cached answers in the environment."""

_MOST_BYTES = 4_000_000

_VERSION = "spa2v.answer/1"


def default_folder() -> Path:
    """Return where answers are cached: ``$SPA2V_ANSWERS``, else the user's cache folder.

    Returns
    -------
    pathlib.Path
        It may not exist yet.

    See Also
    --------
    AnswerCache : Uses it.

    Examples
    --------
    >>> default_folder().name
    'answers'
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "spa2v" / "answers"


def content_key(backend: Backend, prompt: Prompt, schema: type[BaseModel]) -> str:
    """Return the hash of everything that decides an answer: model, parameters, prompt, schema.

    Parameters
    ----------
    backend : Backend
        The model that is asked.
    prompt : Prompt
        What the model is given.
    schema : type of BaseModel
        One of `spa2v_lib.planning.schema.SCHEMAS`.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    See Also
    --------
    AnswerCache : Files answers by it.

    Examples
    --------
    >>> from spa2v_lib.planning import make_backend, parse_planner
    >>> from spa2v_lib.planning.schema import CueAnswer
    >>> backend = make_backend(parse_planner("google:gemini-3.8-flash"))
    >>> len(content_key(backend, Prompt("Plan.", ()), CueAnswer))
    64
    """
    parts = [
        {"sound": hashlib.sha256(part.wav).hexdigest(), "name": part.name}
        if isinstance(part, AudioPart)
        else {"text": part.text}
        for part in prompt.parts
    ]
    whole = {
        "version": _VERSION,
        "model": backend.name,
        "parameters": backend.parameters,
        "system": prompt.system,
        "parts": parts,
        "schema": schema.model_json_schema(),
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class AnswerCache:
    """A folder of answers, by the hash of what was asked.

    Parameters
    ----------
    folder : str or Path, optional
        `default_folder` if not given; made when the first answer is put into it.

    See Also
    --------
    content_key : The hash.

    Examples
    --------
    >>> AnswerCache("a/folder/that/is/not/there").get("0" * 64) is None
    True
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def get(self, key: str) -> str | None:
        """Return a cached answer, or None.

        Raises
        ------
        PlanningError
            If the file is there but cannot be read as one.
        """
        path = self._path(key)
        try:
            _check_plain(path)
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["version"] != _VERSION or not isinstance(fields["answer"], str):
                raise ValueError(f"it is not of version {_VERSION}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PlanningError(
                f"the cached answer {path} cannot be read ({error}); delete it to ask again"
            ) from None
        return fields["answer"]

    def put(self, key: str, backend: Backend, answer: str) -> Path:
        """Write an answer into the folder.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        fields = {
            "version": _VERSION,
            "model": backend.name,
            "parameters": backend.parameters,
            "answer": answer,
        }
        path = self._path(key)
        return write_json(path, fields)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _check_plain(path: Path) -> None:
    """Refuse what would block, or fill the memory, when it is read."""
    found = path.stat()
    if not S_ISREG(found.st_mode):
        raise ValueError("it is not a plain file")
    if found.st_size > _MOST_BYTES:
        raise ValueError(f"it has {found.st_size} bytes; an answer has at most {_MOST_BYTES}")
