"""Refuses every connection of this Python to another machine, and the look-up of every name but localhost.

What it cannot see is native code with sockets of its own. It also runs by itself, in Pythons that do not have the
product on their path: it imports nothing but the standard library.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

_ASKED = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
_SENT = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_METHODS = {
    "connect": "socket.connect",
    "connect_ex": "socket.connect",
    "sendto": "socket.sendto",
    "sendmsg": "socket.sendmsg",
}

up = False
"""Whether it stands in this process."""


def words(host: str) -> str:
    """What is said of a connection to ``host``."""
    return f"OFFLINE is set, and {host} is another machine."


def is_here(host: object) -> bool:
    """Whether ``host`` (a name, an address, bytes of either, or None) is this machine, without asking anybody."""
    name = _text(host)
    if name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    within = getattr(address, "ipv4_mapped", None) or address
    return within.is_loopback or within.is_unspecified


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host or "")


def put_up(refusal: Callable[[str], OSError]) -> None:
    """From now on, until the process ends, refuse with ``refusal(host)``; the first of each host is logged."""
    global up
    told: set[str] = set()

    def check(host: object) -> None:
        if is_here(host):
            return
        name = _text(host)
        if name not in told:
            told.add(name)
            logging.getLogger("app.offline").warning(words(name))
        raise refusal(name)

    def hook(event: str, args: Any, asked: set[str] = _ASKED, sent: set[str] = _SENT) -> None:
        if event in asked:
            check(args[0][0] if isinstance(args[0], tuple) else args[0])
        elif event in sent and args[0].family in (socket.AF_INET, socket.AF_INET6) and isinstance(args[1], tuple):
            check(args[1][0])

    sys.addaudithook(hook)
    for name, event in _METHODS.items():
        setattr(socket.socket, name, _announced(getattr(socket.socket, name), event))
    up = True


def _announced(method: Callable[..., Any], event: str) -> Callable[..., Any]:
    """``method`` with its event before it: by itself a socket looks a name up first."""

    def announced(self: socket.socket, *args: Any) -> Any:
        if args:
            sys.audit(event, self, args[-1])  # where there is an address, it is the last
        return method(self, *args)

    return announced
