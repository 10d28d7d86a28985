"""The address of a document: ``hotswap://documents/COLLECTION/DOC``, both names percent-encoded, slashes too.

The names stand behind a fixed host: clients may write a host in lower case, and fold ``..`` between slashes.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

_BEGINNING = "hotswap://documents/"
TEMPLATE = _BEGINNING + "{collection}/{doc}"


def uri_of(collection: str, doc: str) -> str:
    """The address of a document."""
    return f"{_BEGINNING}{quote(collection, safe='')}/{quote(doc, safe='')}"


def names_of(uri: str) -> tuple[str, str] | None:
    """The collection and the document of an address; None for an address of something else."""
    collection, slash, doc = uri.removeprefix(_BEGINNING).partition("/")
    if not uri.startswith(_BEGINNING) or not slash or not collection or not doc:
        return None
    try:
        return unquote(collection, errors="strict"), unquote(doc, errors="strict")
    except UnicodeDecodeError:
        return None
