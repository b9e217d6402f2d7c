"""From what a language model wrote to an answer that fits its schema.

Models write prose, fences, drafts and reasoning around their answer, break lines inside of texts
and forget commas. Every JSON object in the text is a candidate, whatever stands around it; the
last one that fits the schema is the answer, as drafts come first. Only where none fits,
json-repair mends what nearly is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from spa2v_lib.errors import AnswerError

__all__ = ["LONGEST_ANSWER", "one_line", "parse", "parse_all"]

LONGEST_ANSWER = 200_000
"""Characters of an answer that is read; the longest that can be meant has a tenth of them."""

_DECODER = json.JSONDecoder(strict=False)  # allows line breaks and tabs in texts
_MOST_TRIES = 2_000  # opening braces at which an object is sought
_MOST_CANDIDATES = 5_000
_MOST_FAULTS = 5
_MOST_REPAIRS = 8
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_CURLY_QUOTES = str.maketrans("“”", '""')
_MOST_OPEN = 2_000  # braces and brackets in what is repaired: deep nesting takes minutes

Answer = TypeVar("Answer", bound=BaseModel)


def parse(text: str, schema: type[Answer]) -> Answer:
    """Read an answer, whatever stands before, around and after it.

    Parameters
    ----------
    text : str
        What the model wrote.
    schema : type of BaseModel
        What its answer must fit.

    Returns
    -------
    BaseModel
        The last object that fits.

    Raises
    ------
    AnswerError
        If no object does; the message says what is wrong with the closest one.

    See Also
    --------
    parse_all : Every object that fits.

    Examples
    --------
    >>> from spa2v_lib.planning.schema import NamedSource
    >>> text = '<think>{"id"?}</think> {"id": "source-1", "label": "bus", "caption": "a bus",}'
    >>> parse(text, NamedSource).label
    'bus'
    """
    return parse_all(text, schema)[0]


def parse_all(text: str, schema: type[Answer]) -> list[Answer]:
    """Read every object in a text that fits the schema, the last one first.

    Errors as for `parse`.

    Parameters
    ----------
    text : str
        What a model wrote.
    schema : type of BaseModel
        What the answer has to be.

    Returns
    -------
    list of BaseModel
        At least one.

    See Also
    --------
    spa2v_lib.planning.answer.read_layout : Makes a layout of the first that can be used.

    Examples
    --------
    >>> from spa2v_lib.planning.schema import NamedSource
    >>> draft, final = (f'{{"id": "s", "label": "{x}", "caption": "c"}}' for x in ("bus", "car"))
    >>> [answer.label for answer in parse_all(f"{draft} No: {final}", NamedSource)]
    ['car', 'bus']
    """
    if len(text) > LONGEST_ANSWER:
        raise AnswerError(
            f"the answer has {len(text)} characters; an answer has at most {LONGEST_ANSWER}"
        )
    if "{" not in text:
        found = f"it begins {text.strip()[:60]!r}" if text.strip() else "it is empty"
        raise AnswerError(f"the answer holds no JSON object: {found}")
    written = list(islice(_objects(text), _MOST_CANDIDATES))
    fitting = _fitting(written, schema)
    if not fitting:
        repaired = list(_repaired(text, schema))
        fitting = _fitting(repaired, schema)
        if not fitting:
            raise AnswerError(_fault(text, [*written, *repaired], schema))
    return fitting[::-1]


def one_line(text: str, longest: int) -> str:
    """Return foreign text on one line that can be printed: no control characters, not long.

    Parameters
    ----------
    text : str
        Of any number of lines.
    longest : int
        Characters to show, at least 1; what is cut is shown as "…".

    Returns
    -------
    str

    Examples
    --------
    >>> one_line("red\\x1b[31m\\n  bus", 40)
    'red\\\\x1b[31m bus'
    """
    line = " ".join(text[: 8 * longest].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return shown if len(shown) <= longest and len(text) <= 8 * longest else shown[:longest] + " …"


def _objects(text: str, nested: int = 1) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a text in order, those inside of others after them."""
    tries, at = 0, text.find("{")
    if nested and text.lstrip().startswith('"'):  # an answer that was encoded twice
        yield from _inside(_decoded(text.lstrip(), 0)[0], nested)
    while at >= 0 and tries < _MOST_TRIES:
        value, end = _decoded(text, at)
        tries += value is None
        yield from _inside(value, nested)
        at = text.find("{", end)


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at a place and where it ends; None if there is none."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at + 1


def _inside(value: Any, nested: int, depth: int = 4) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, str) and "{" in value and nested:
        yield from _objects(value, nested - 1)
    if isinstance(value, dict | list) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _inside(part, nested, depth - 1)


def _fitting(candidates: Sequence[dict[str, Any]], schema: type[Answer]) -> list[Answer]:
    fitting = []
    for fields in candidates:
        with suppress(ValidationError, RecursionError):
            fitting.append(schema.model_validate(fields))
    return fitting


def _repaired(text: str, schema: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Mend what begins like an answer and is whole: what was cut off is not made up."""
    import json_repair

    for start, end in pairwise([*_starts(text, schema)[-_MOST_REPAIRS:], len(text)]):
        part = text[start : text.rfind("}", start, end) + 1]
        if not part or sum(map(part.count, "{[")) > _MOST_OPEN or _open(part):
            continue
        if '"' not in part:
            part = part.translate(_CURLY_QUOTES)
        try:
            value = json_repair.loads(part, skip_json_loads=True)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _open(part: str) -> bool:
    """Whether more braces and brackets are opened than closed, texts left out."""
    bare = _TEXT.sub("", part)
    return sum(map(bare.count, "{[")) > sum(map(bare.count, "}]"))


def _starts(text: str, schema: type[BaseModel]) -> list[int]:
    """Return every brace after which a field of the schema stands, however it is quoted."""
    names = "|".join(schema.model_fields)
    return [found.start() for found in re.finditer(rf"\{{[^\w{{}}]{{0,200}}(?:{names})\b", text)]


def _fault(text: str, candidates: Sequence[dict[str, Any]], schema: type[BaseModel]) -> str:
    """Say where the text stops being JSON, or why its closest object does not fit."""
    start = max(_starts(text, schema), default=text.find("{"))
    named = [len(schema.model_fields.keys() & fields.keys()) for fields in candidates]
    closest = max(range(len(candidates)), key=lambda k: (named[k], k), default=None)
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        if _open(text[start:]):
            return f"the answer is not JSON: it breaks off after {len(text.rstrip())} characters"
        if closest is None or not named[closest]:
            return f"the answer is not JSON: {error}"
    except (ValueError, RecursionError) as error:
        return f"the answer is not JSON: {error}"
    else:
        closest = len(candidates) if closest is None or not named[closest] else closest
        candidates = [*candidates, value]
    return _mismatch(candidates[closest], schema)


def _mismatch(fields: dict[str, Any], schema: type[BaseModel]) -> str:
    try:
        schema.model_validate(fields)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in item['loc']) or 'the answer'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)[:_MOST_FAULTS]
        ]
        return f"the answer does not fit the schema: {'; '.join(faults)}"
    except RecursionError:
        pass
    return "the answer is nested too deeply"
