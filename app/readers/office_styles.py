"""What the styles of a Word document say of its paragraphs: which are headings, which belong to lists."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
"""The namespace of Word's elements, as lxml writes it."""

_HEADING_NAME = re.compile(r"(?:heading|标题|標題) ?([1-9])$", re.IGNORECASE)
_TITLE_NAMES = ("title", "标题", "標題")
_MOST_PARENTS = 20  # styles inherit from each other, in damaged files in a circle
_BODY_TEXT = 9  # as an outline level


class Style(NamedTuple):
    """``level`` of a heading, from 1 (0: none); the list's id (empty: none) and the depth in it, from 0."""

    level: int
    list_id: str
    depth: int


class Styles:
    """The paragraph styles of a document."""

    def __init__(self, root: Any) -> None:
        """``root``: the root element of the styles part."""
        self._styles = {element.get(f"{W}styleId"): element for element in root.iter(f"{W}style")}

    def of(self, properties: Any | None) -> Style:
        """What holds for a paragraph with these properties (``w:pPr``): its own word, else its styles'."""
        level = list_id = depth = None
        for says, name in self._chain(properties):
            level = _level(says, name) if level is None else level
            list_id = _text(says, "numPr/numId") if list_id is None else list_id
            depth = _text(says, "numPr/ilvl") if depth is None else depth
        return Style(level or 0, "" if list_id in (None, "0") else str(list_id), whole(depth, 0))

    def _chain(self, properties: Any | None) -> list[tuple[Any | None, str]]:
        """The paragraph's properties, its style's, that style's parent's: each with the style's name."""
        chain = [(properties, "")]
        style_id = _text(properties, "pStyle")
        while style_id in self._styles and len(chain) <= _MOST_PARENTS:
            style = self._styles[style_id]
            chain.append((style.find(f"{W}pPr"), child_value(style, "name") or ""))
            style_id = child_value(style, "basedOn")
        return chain


def _level(properties: Any | None, style: str) -> int | None:
    """The heading level that these properties or their style's name give; ``None`` where they are silent."""
    if outline := _text(properties, "outlineLvl"):
        depth = whole(outline, _BODY_TEXT)
        return depth + 1 if depth < _BODY_TEXT else 0
    if named := _HEADING_NAME.match(style):
        return int(named[1])
    return 1 if style.lower() in _TITLE_NAMES else None


def _text(properties: Any | None, path: str) -> str | None:
    if properties is None:
        return None
    *parents, last = path.split("/")
    for parent in parents:
        properties = properties.find(f"{W}{parent}")
        if properties is None:
            return None
    return child_value(properties, last)


def child_value(element: Any, name: str) -> str | None:
    """The ``w:val`` of the child ``w:name`` of an element; ``None`` without such a child."""
    child = element.find(f"{W}{name}")
    return None if child is None else str(child.get(f"{W}val", ""))


def whole(number: str | None, default: int) -> int:
    """``number`` as an integer from 0; ``default`` where it is none."""
    return int(number) if number and number.isascii() and number.isdigit() and len(number) < 10 else default
