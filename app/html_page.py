"""A report as one HTML page: no script, and nothing that would be fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from html import escape
from pathlib import Path

from app.text import Language

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser is to allow: the page's own style and nothing else, whatever a report's texts hold."""


def document(title: str, body: Iterable[str], of: Language) -> str:
    """The whole page around ``body``, which is HTML; ``title`` is text."""
    tag = "zh-CN" if of == "zh" else "en"
    page = (
        f'<!doctype html>\n<html lang="{tag}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_css()}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # a file's name may hold what UTF-8 does not


@lru_cache(maxsize=1)
def _css() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
