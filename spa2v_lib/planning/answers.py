"""Answers of language models, kept on disk by what was asked.

An answer is kept once it was made into a layout, so that running again costs nothing and needs no
key, and another person can replay it. A file holds the model's name, the parameters and the
answer; neither keys nor the prompt, whose hash names the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import BaseModel

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backend import AudioPart, Backend, Prompt
from spa2v_lib.writing import replacing

__all__ = ["FOLDER_VARIABLE", "Answers", "content_key", "default_folder"]

FOLDER_VARIABLE = "SPA2V_ANSWERS"
"""Names the folder of kept answers in the environment."""

_VERSION = "spa2v.answer/1"


def default_folder() -> Path:
    """Return where answers are kept: ``$SPA2V_ANSWERS``, else the user's cache folder."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "spa2v" / "answers"


def content_key(backend: Backend, prompt: Prompt, schema: type[BaseModel]) -> str:
    """Return the hash of everything that decides an answer: model, parameters, prompt, schema.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
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


class Answers:
    """A folder of kept answers.

    Parameters
    ----------
    folder : str or Path, optional
        `default_folder` if not given; made when the first answer is kept.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def get(self, key: str) -> str | None:
        """Return a kept answer, or None.

        Raises
        ------
        PlanningError
            If the file is there but cannot be read as one.
        """
        path = self._path(key)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["version"] != _VERSION or not isinstance(fields["answer"], str):
                raise ValueError(f"it is not of version {_VERSION}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlanningError(
                f"the kept answer {path} cannot be read ({error}); delete it to ask again"
            ) from None
        return fields["answer"]

    def put(self, key: str, backend: Backend, answer: str) -> Path:
        """Keep an answer.

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
        with replacing(path) as partial:
            text = json.dumps(fields, indent=1, ensure_ascii=False)
            partial.write_text(text + "\n", encoding="utf-8")
        return path

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
