"""Text from models and documents as Markdown that cannot break the page, fetch a picture or turn into formulas."""

from __future__ import annotations

import re

# A fence that is still open while the answer streams reaches to the end.
_CODE = re.compile(r"(^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"(`[^`\n]+`)")
_FORMULA = re.compile(r"(\$\$.+?\$\$)", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~$:&])")
_NUMBERED = re.compile(r"^(\s*\d+)([.)])")
_PICTURE = re.compile(r"!\[")
_DIRECTIVE = re.compile(r":(?=[A-Za-z][\w-]*[\[:/])")  # `:red[…]` and `:material/…:` are Streamlit's own
_DOLLAR = re.compile(r"(?<!\\)\$")


def plain(text: str) -> str:
    """``text`` so that it is shown as it stands."""
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text.lstrip()))


def quoted(text: str) -> str:
    """Quotations, one on each line, as they stand; only `code` keeps its look."""
    return "\n\n".join(_quoted_line(line) for line in text.splitlines() if line.strip())


def _quoted_line(line: str) -> str:
    parts = _INLINE_CODE.split(line.strip())
    return "".join(part if index % 2 else _escaped(part, first=index == 0) for index, part in enumerate(parts))


def _escaped(text: str, first: bool) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text)
    return _NUMBERED.sub(r"\1\\\2", escaped) if first else escaped


def written(text: str) -> str:
    """A model's Markdown: kept, but a lone ``$`` is money, and pictures, which a browser would fetch, are text."""
    parts = _CODE.split(text)
    return "".join(part if index % 2 else _tamed(part) for index, part in enumerate(parts))


def _tamed(text: str) -> str:
    text = _DIRECTIVE.sub(r"\\:", _PICTURE.sub(r"!\\[", text))
    parts = _FORMULA.split(text)
    return "".join(part if index % 2 else _DOLLAR.sub(r"\\$", part) for index, part in enumerate(parts))
