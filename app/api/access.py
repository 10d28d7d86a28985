"""Who may come in: this machine, and whoever has a key.

Without API_KEYS the server listens on this machine alone, but a browser on it also runs pages from elsewhere. Such a
page can send requests here, and after rebinding its own name to 127.0.0.1 even read the answers; so a request must
name this machine in ``Host``, and if it comes from a page, the page must be ours.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

COOKIE = "hotswap_key"
COOKIE_SECONDS = 30 * 24 * 3600
_LONGEST_TIME = 12  # digits of seconds since 1970; Python refuses to read thousands of them
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(headers: Headers) -> str:
    """The name by which the client calls this server, without the port."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def is_local(scope: Scope, headers: Headers) -> bool:
    """Whether it comes from this machine and through nobody else's hands, such as a proxy's."""
    client = scope.get("client")
    from_here = client is None or is_loopback(client[0])  # None: a Unix socket
    return from_here and is_loopback(host_of(headers)) and not any(name in headers for name in _FORWARDED)


def is_foreign_page(headers: Headers) -> bool:
    """Whether a page of another site sent it, as a browser tells."""
    if headers.get("sec-fetch-site", "same-origin") == "cross-site":
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True


class Keys:
    """API_KEYS. Comparing takes the same time whether a key is nearly right or not at all."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = tuple(hashlib.sha256(key.encode()).digest() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def number(self, given: str) -> int | None:
        """Which of the keys ``given`` is, from 0; None where it is none."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        found = [number for number, known in enumerate(self._digests) if secrets.compare_digest(digest, known)]
        return found[0] if found else None

    def cookie(self, number: int, now: float | None = None) -> str:
        """What a browser keeps instead of key ``number``: when it ends, and a proof that says nothing of the key."""
        until = str(int((time.time() if now is None else now) + COOKIE_SECONDS))
        return f"{until}.{self._proof(number, until)}"

    def number_of_cookie(self, cookie: str, now: float | None = None) -> int | None:
        """Which key a cookie was given for; None where it is no cookie of ours, or has ended."""
        until, _, proof = cookie.partition(".")
        if len(until) > _LONGEST_TIME or not until.isascii() or not until.isdigit():
            return None
        if int(until) < (time.time() if now is None else now):
            return None
        numbers = range(len(self._digests))
        proofs = [secrets.compare_digest(proof.encode(), self._proof(number, until).encode()) for number in numbers]
        return proofs.index(True) if any(proofs) else None

    def _proof(self, number: int, until: str) -> str:
        return hmac.new(self._digests[number], f"page until {until}".encode(), hashlib.sha256).hexdigest()


def bearer(headers: Mapping[str, str]) -> str:
    """The key that a request brings; empty where it brings none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
