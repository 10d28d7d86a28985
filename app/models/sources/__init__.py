"""Where models come from: a name given by the user, made a source."""

from __future__ import annotations

import os
from urllib.parse import SplitResult, urlsplit

from app.config_errors import did_you_mean
from app.errors import UsageError
from app.models.sources.base import Source

HUB = "https://huggingface.co"
MIRRORS = {"hf-mirror": "https://hf-mirror.com"}
MODELSCOPE = "modelscope"
NAMES = ("hf", *MIRRORS, MODELSCOPE)


def source(name: str, *, endpoint: str = "", token: str = "") -> Source:
    """The source called ``name``: one of NAMES, a mirror's address, or empty for the hub.

    The hub is at ``endpoint`` (HF_ENDPOINT) where that is set. A ``token`` goes to whatever source is named; one of
    the environment only to the hub itself and to HF_ENDPOINT, which the user trusts with it.

    Raises:
        UsageError: there is no such source.
    """
    if name in ("", "hf"):
        return _hub(endpoint or HUB, token or None)
    if name in MIRRORS:
        return _hub(MIRRORS[name], token)
    if name == MODELSCOPE or is_modelscope(name):
        return _modelscope("" if name == MODELSCOPE else name, token)
    if not name.startswith(("http://", "https://")) or not split(name).netloc:
        near = did_you_mean(name, NAMES)
        raise UsageError(f"There is no source {name}{near}.", "Name one of them, or a mirror's address, with https://.")
    own = name.rstrip("/") in (HUB, endpoint.rstrip("/"))
    return _hub(name, token or (None if own else ""))


def is_modelscope(address: str) -> bool:
    """Whether an address is ModelScope's."""
    host = (split(address).hostname or "").removeprefix("www.")
    own = split(os.environ.get("MODELSCOPE_ENDPOINT", "")).netloc
    return host in ("modelscope.cn", "modelscope.ai") or (bool(own) and split(address).netloc == own)


def split(address: str) -> SplitResult:
    """The parts of an address; all are empty where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _hub(endpoint: str, token: str | None) -> Source:
    if "@" in split(endpoint).netloc:  # messages and notes name the address
        raise UsageError("The address of the source holds a password.", "Leave it out; give a token (--token) instead.")
    from app.models.sources.hub import HubSource

    return HubSource(endpoint, token)


def _modelscope(endpoint: str, token: str) -> Source:
    from app.models.sources.modelscope import ModelScopeSource

    return ModelScopeSource(endpoint, token)
