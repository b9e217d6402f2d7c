"""Judge what a reader wrote: run it, compare it with the library, and say in words what is wrong.

A check never stops a notebook. It prints one sentence and returns what the lab goes on with: the
reader's own function where it is right, the library's where it is not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["Test", "Wrong", "check", "expect"]

Function = TypeVar("Function", bound=Callable)
Test = Callable[[Function], None]
"""Calls the function and raises `Wrong` where it does not do what was asked."""


class Wrong(Exception):
    """What a function does, what it should do, and the usual cause, in words for its author.

    Examples
    --------
    >>> raise Wrong("the peak is at -7 samples instead of +7; is the sign turned?")
    Traceback (most recent call last):
    spa2v_lab.labs.check.Wrong: the peak is at -7 samples instead of +7; is the sign turned?
    """


def expect(holds: bool, otherwise: str) -> None:
    """Raise `Wrong` unless something holds.

    Parameters
    ----------
    holds : bool
    otherwise : str
        What to tell the author if not.

    Examples
    --------
    >>> expect(2 + 2 == 4, "arithmetic fails")
    """
    if not holds:
        raise Wrong(otherwise)


def check(attempt: Function, tests: Mapping[str, Test], instead: Function) -> Function:
    """Run the tests in turn, print what came of them, and return the function to go on with.

    Parameters
    ----------
    attempt : callable
        What the reader wrote. One that raises `NotImplementedError` is not written yet.
    tests : dict of str to Test
        By what each one asks for; the first that fails is reported.
    instead : callable
        The library's function, of the same arguments and results.

    Returns
    -------
    callable
        `attempt` if it passed every test, else `instead`.

    Examples
    --------
    >>> def double(x):
    ...     return x + x + 1
    >>> def twice_three(f):
    ...     expect(f(3) == 6, f"double(3) is {f(3)} instead of 6")
    >>> check(double, {"numbers": twice_three}, instead=lambda x: 2 * x)(5)
    ✗ double is not right yet. Numbers (check 1 of 1): double(3) is 7 instead of 6.
      The lab continues with the library's function.
    10
    """
    name = attempt.__name__
    for number, (asked, test) in enumerate(tests.items(), 1):
        place = f"{asked[:1].upper()}{asked[1:]} (check {number} of {len(tests)})"
        try:
            test(attempt)
        except NotImplementedError:
            return _otherwise(f"○ {name} is not written yet.", instead)
        except Wrong as wrong:
            return _otherwise(f"✗ {name} is not right yet. {place}: {wrong}.", instead)
        except Exception as error:  # the reader's code may raise anything
            said = (
                f"it raised {type(error).__name__}: {str(error).rstrip('.')}{_line(attempt, error)}"
            )
            return _otherwise(f"✗ {name} is not right yet. {place}: {said}.", instead)
    print(f"✓ {name} is right: {len(tests)} of {len(tests)} checks passed.")
    return attempt


def _otherwise(verdict: str, instead: Function) -> Function:
    print(f"{verdict}\n  The lab continues with the library's function.")
    return instead


def _line(attempt: Callable, error: Exception) -> str:
    """Return the line of the reader's own file or cell that raised, or that called what raised."""
    code = getattr(attempt, "__code__", None)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if code is not None and frame.filename == code.co_filename
    ]
    return f" (line {frames[-1].lineno} of the cell)" if frames else ""
