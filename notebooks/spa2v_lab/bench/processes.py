"""Processes that are measured from outside, or in which code runs that must not know this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

from spa2v_lib.errors import Spa2vError

__all__ = ["Measured", "measured_process", "printed"]

# A small process of its own starts and waits for the measured one: the peak that the system
# reports for children also counts what a forking parent held at that moment.
_LAUNCH = (
    "import json, resource, subprocess, sys; "
    "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(json.dumps([done.returncode, peak, used.ru_utime + used.ru_stime, done.stderr[-2000:]]))"
)


def printed(code: str, *arguments: str, failure: str, **environment: str) -> str:
    """Run Python code in a process of its own, and return what it printed.

    Parameters
    ----------
    code : str
        As ``python -c`` takes it.
    *arguments : str
        The code's, in ``sys.argv``.
    failure : str
        What the message says if it fails, before the end of its standard error.
    **environment : str
        Beside this process's own.

    Raises
    ------
    Spa2vError
        If it fails.

    See Also
    --------
    measured_process : its time and memory

    Examples
    --------
    >>> printed("import sys; print(sys.argv[1])", "one", failure="nothing can be printed")
    'one\\n'
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise Spa2vError(f"{failure}: {done.stderr.strip()[-300:]}")
    return done.stdout


class Measured(NamedTuple):
    """What a process cost.

    Attributes
    ----------
    seconds : float
        Wall time including start.
    gigabytes : float
        The peak of its resident memory.
    processor_s : float
        Of it and of the processes that it waited for, on all cores together.

    See Also
    --------
    measured_process : measures one

    Examples
    --------
    >>> Measured(2.0, 0.3, 1.5).processor_s
    1.5
    """

    seconds: float
    gigabytes: float
    processor_s: float


def measured_process(command: list[str], **environment: str) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    command : list of str
    **environment
        Variables that it finds beside those of this process.

    Returns
    -------
    Measured

    Raises
    ------
    Spa2vError
        If it fails; the message ends with what it said.

    See Also
    --------
    import_seconds : of the library

    Examples
    --------
    >>> import sys
    >>> measured_process([sys.executable, "-c", "pass"]).gigabytes < 1.0
    True
    """
    begin = time.perf_counter()
    found = printed(_LAUNCH, *command, failure="no process can be measured here", **environment)
    seconds = time.perf_counter() - begin
    code, peak, processor_s, said = json.loads(found)
    if code:
        raise Spa2vError(f"{' '.join(command[1:4])} failed with code {code}: {said.strip()[-500:]}")
    unit = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, KiB elsewhere
    return Measured(seconds, peak * unit / 1e9, processor_s)
