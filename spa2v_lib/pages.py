"""Text and pages that people look at: whatever names and captions say, it is shown as text."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["printable", "render"]

# C0 and C1 controls, line separators, marks that turn the direction of writing, halves of pairs.
_UNSHOWN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text with every character that would act instead of being seen as an escape.

    Terminal escapes, other control characters, and the marks that reverse the direction of writing
    can make a caption or a file's name look like something else.

    Parameters
    ----------
    text : str
        From anywhere.
    lines : bool
        Keep line feeds and tabs.

    See Also
    --------
    render : Makes all text of a page so.

    Examples
    --------
    >>> printable("a\x1b[31mcar")
    'a\\x1b[31mcar'
    >>> printable("one\ntwo", lines=True)
    'one\ntwo'
    """
    return _UNSHOWN.sub(
        lambda found: found[0] if lines and found[0] in "\n\t" else _escape(found[0]), text
    )


def render(template: str, **content: Any) -> str:
    """Fill a template; in a page (``.html``) all text is escaped, and printable.

    Parameters
    ----------
    template : str
        The file, below ``spa2v_lib``.
    **content
        What the template names. In a page None is left out, and what a template marks as safe is
        put in as it is. A text (``.txt``) says what it is given, as it is.

    Returns
    -------
    str

    See Also
    --------
    printable : What a page does with characters that would act.

    Examples
    --------
    >>> "0 videos of 0 s of sound" in render("templates/batch.html", rows=[], waiting=0)
    True
    """
    return _environment(template.endswith(".html")).get_template(template).render(**content)


@cache
def _environment(page: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("spa2v_lib", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **{"autoescape": True, "finalize": _shown} if page else {},
    )


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return printable(value, lines=True) if type(value) is str else value


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
