"""The titles that a chunk stands under."""

from __future__ import annotations

_LONGEST = 200  # characters of a path of titles; its end says most


def titled(doc: str, heading: str, text: str) -> str:
    """What is embedded, searched, judged and reranked: the chunk under the titles above it."""
    title = heading or doc.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("_", " ").replace("-", " ")
    return f"{title[-_LONGEST:]}\n{text}"
