"""Where the server may listen: on this machine alone, as long as there are no keys to keep strangers out."""

from __future__ import annotations

import ipaddress

from app.errors import UsageError


def check_loopback(host: str) -> None:
    """Raises UsageError unless ``host`` is reached from this machine only."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(f"{host} is no address to listen on.", "Use 127.0.0.1.") from None
    if not loopback:
        raise UsageError(
            f"Listening on {host} would let other machines in, and there are no keys to keep strangers out.",
            "Use 127.0.0.1, and reach it from elsewhere through an SSH tunnel.",
        )


def url_of(host: str, port: int) -> str:
    """The address as a URL; an IPv6 host goes into brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
