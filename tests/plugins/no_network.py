"""A test that reaches for another machine fails, also where the code under test swallows the error."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from app import offline
from app.offline import guard


class ForeignConnection(RuntimeError):
    """A connection, or the look-up of a name, that would leave this machine."""


def is_local(host: object) -> bool:
    """Whether this host (a name, an address, bytes of either, or None) is this machine."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _not_here(*_: object) -> None:
    raise AssertionError("OFFLINE would hold for every test after this one: try it in a process of its own")


@pytest.fixture(scope="session", autouse=True)
def foreign_connections() -> Iterator[list[str]]:
    """Block them for the whole run; the list gets each host that was tried."""
    tried: list[str] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def refuse(host: object) -> None:
        tried.append(str(host))
        raise ForeignConnection(f"tests may not reach {host!r}; only this machine (127.0.0.1, localhost)")

    def check(peer: Any) -> None:
        if isinstance(peer, tuple) and not is_local(peer[0]):
            refuse(peer[0])

    def guarded_connect(self: socket.socket, peer: Any) -> None:
        check(peer)
        connect(self, peer)

    def guarded_connect_ex(self: socket.socket, peer: Any) -> int:
        check(peer)
        return connect_ex(self, peer)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):  # reserved: a name that no network knows, without asking one
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not is_local(host):
            refuse(host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        patch.setattr(guard, "put_up", _not_here)
        patch.setattr(offline, "_set_offline", _not_here)
        yield tried


@pytest.fixture(autouse=True)
def no_foreign_connection(foreign_connections: list[str]) -> Iterator[None]:
    foreign_connections.clear()
    yield
    if foreign_connections:
        pytest.fail(f"the test reached for another machine: {', '.join(sorted(set(foreign_connections)))}")
