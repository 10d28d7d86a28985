"""What a user may call a model that is to be fetched, taken apart."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from app.errors import ModelNotOffered
from app.models.sources import MODELSCOPE, is_modelscope, split

_HUB_ID = re.compile(r"(?P<name>\w[\w.-]*(?:/\w[\w.-]*)?)(?:@(?P<revision>\w[\w./-]*))?/?", re.ASCII)

_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")  # HF_ENDPOINT stands for them
_NO_MODELS = ("datasets", "spaces", "collections", "papers", "docs", "blog")
_NO_SCHEME = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?/[^/@]+/[^/]", re.ASCII)  # huggingface.co/org/name
_VIEWS = ("tree", "blob", "resolve")  # of a model, before a revision


class Reference(NamedTuple):
    """A model at a source; ``source`` and ``revision`` are empty where the name does not tell."""

    name: str
    revision: str = ""
    source: str = ""


def parse(text: str) -> Reference:
    """``org/name``, ``name``, either with ``@revision``, or the address of the model's page at a hub.

    Raises:
        ModelNotOffered: it is none of them.
    """
    text = text.strip()
    if _NO_SCHEME.match(text):
        text = f"https://{text}"
    if text.startswith(("http://", "https://")):
        return _of_page(text)
    match = _HUB_ID.fullmatch(text)
    if match is None:
        raise ModelNotOffered(
            f"{text!r} is no model's name, and no folder.", "Write it as in Qwen/Qwen3-8B, or correct the path."
        )
    return Reference(match["name"], match["revision"] or "")


def is_name(text: str) -> bool:
    """Whether :func:`parse` takes it; a folder's path is none."""
    try:
        return bool(parse(text))
    except ModelNotOffered:
        return False


def _of_page(text: str) -> Reference:
    address = split(text)
    parts = [unquote(part) for part in address.path.split("/") if part]
    if parts[:1] == ["models"]:  # ModelScope's pages, and the hub's own addresses of the same form
        parts = parts[1:]
    length = 1 if parts[1:2] and parts[1] in _VIEWS else 2  # of the name: some old ones have no owner
    kind, revision = [*parts[length : length + 2], "", ""][:2]
    revision = revision if kind in _VIEWS and revision != "main" else ""
    match = _HUB_ID.fullmatch("/".join(parts[:length]) + (f"@{revision}" if revision else ""))
    if match is None or match["revision"] != (revision or None) or parts[0] in _NO_MODELS:
        shown = re.sub("//[^/]*@", "//", text)  # a password is repeated nowhere
        hint = "Copy the address of the model's own page, or its name."
        raise ModelNotOffered(f"{shown} is no page of a model.", hint)
    if address.hostname in _HUB_HOSTS:
        return Reference(match["name"], revision)
    origin = f"{address.scheme}://{address.netloc}"
    if is_modelscope(origin) and (address.hostname or "").endswith("modelscope.cn"):
        origin = MODELSCOPE
    return Reference(match["name"], revision, origin)
