"""Where the server may listen: on this machine alone, as long as there are no keys to keep strangers out."""

from __future__ import annotations

import ipaddress

from app.api.access import is_loopback
from app.errors import UsageError


def check_address(host: str, keys: tuple[str, ...]) -> None:
    """Raises UsageError where ``host`` is no address, or reaches beyond this machine and there are no ``keys``."""
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"{host} is no address to listen on.", "Use 127.0.0.1, or 0.0.0.0 for all.") from None
    if not keys and not is_loopback(host):
        raise UsageError(
            f"Listening on {host} would let other machines in, and there are no keys to keep strangers out.",
            "Set API_KEYS, or use 127.0.0.1 and reach it from elsewhere through an SSH tunnel.",
        )


def url_of(host: str, port: int) -> str:
    """The address as this machine reaches it; an IPv6 host goes into brackets."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
