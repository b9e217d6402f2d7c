"""Refuses and records every connection that would leave the machine, and every look-up of a name.

Python imports a module of this name when it starts, so that whatever process finds this folder on
its PYTHONPATH is watched, kernels of notebooks among them; ``python tests/offline`` puts it there.
Sockets within the machine are left alone: a kernel talks to its notebook through them. What other
languages than Python do by themselves is not seen.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys

RECORD = os.environ.get("SPA2V_CONNECTIONS")
TO_ADDRESSES = {"socket.connect", "socket.sendto", "socket.sendmsg"}
OF_NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


def host_of(event: str, given: tuple) -> str | None:
    """Return the host that an event is about, or None if it is about none."""
    if event in OF_NAMES:
        host = given[0]
    elif event == "socket.getnameinfo":
        host = given[0][0]
    elif event in TO_ADDRESSES and given[0].family in (socket.AF_INET, socket.AF_INET6):
        host = given[1] and given[1][0]  # a datagram may have been told its address before
    else:
        return None
    return host.decode() if isinstance(host, bytes) else host


def is_here(host: str) -> bool:
    """Whether a host is this machine, told without asking anybody."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in ("", "localhost")
    return address.is_loopback or address.is_unspecified


def refuse(event: str, given: tuple) -> None:
    """Write down a connection that leaves the machine, and let it fail as without a network."""
    if not event.startswith("socket."):
        return
    host = host_of(event, given)
    if host is None or is_here(host):
        return
    with open(RECORD, "a", encoding="utf-8") as stream:
        stream.write(f"{event.removeprefix('socket.')} {host} by {' '.join(sys.argv)!r}\n")
    raise OSError(errno.ENETUNREACH, f"no connections here: {event} {host}")


if RECORD:
    with open(RECORD, "a", encoding="utf-8"):  # so that one can see that somebody watched
        pass
    sys.addaudithook(refuse)
