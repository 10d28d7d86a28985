"""The numbers and bullets that Word draws before list items and headings: a file holds only their rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from app.readers.office_styles import W, child_value, whole

_LARGEST = 9_999  # a count beyond it is nobody's numbering, and would grow long as letters
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


class _Level(NamedTuple):
    format: str
    template: str
    start: int


class Numbering:
    """Labels of a document's list items: each call of :meth:`label` counts one item."""

    def __init__(self, root: Any) -> None:
        """``root``: the root element of the numbering part."""
        self._counts: dict[str, list[int]] = {}
        rules = {
            element.get(f"{W}abstractNumId"): _levels(element) for element in root.iter(f"{W}abstractNum")
        }
        self._lists = {
            element.get(f"{W}numId"): rules.get(child_value(element, "abstractNumId"), {})
            for element in root.iter(f"{W}num")
        }

    def label(self, list_id: str, depth: int) -> str:
        """The next label at ``depth`` (from 0) of a list: ``-`` for a bullet, empty where it has no rule."""
        levels = self._lists.get(list_id, {})
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(list_id, [])
        del counts[depth + 1 :]
        while len(counts) <= depth:
            start = levels[len(counts)].start if len(counts) in levels else 1
            counts.append(start - 1 if len(counts) == depth else start)
        counts[depth] = min(counts[depth] + 1, _LARGEST)
        if levels[depth].format == "bullet":
            return "-"

        def number(place: re.Match[str]) -> str:
            above = int(place[1]) - 1
            known = above in levels and above < len(counts)
            return _FORMATS.get(levels[above].format, str)(counts[above]) if known else ""

        return re.sub(r"%([1-9])", number, levels[depth].template).strip()


def _levels(rules: Any) -> dict[int, _Level]:
    return {
        whole(level.get(f"{W}ilvl"), 0): _Level(
            child_value(level, "numFmt") or "decimal",
            child_value(level, "lvlText") or "",
            min(whole(child_value(level, "start"), 1), _LARGEST),
        )
        for level in rules.iter(f"{W}lvl")
    }


def _letters(number: int) -> str:
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1) if number else ""


def _roman(number: int) -> str:
    letters = []
    for size, letter in _ROMAN:
        count, number = divmod(number, size)
        letters.append(letter * count)
    return "".join(letters)


def _han(number: int) -> str:
    """``number`` (0-9999) in Chinese: 一百零五."""
    digits = [int(digit) for digit in str(number)]
    words = ""
    for digit, unit in zip(digits, ["千", "百", "十", ""][-len(digits) :], strict=True):
        words += "零一二三四五六七八九"[digit] + (unit if digit else "")
    words = re.sub("零+", "零", words)
    return re.sub("^一十", "十", words.rstrip("零") or "零")


_FORMATS: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalZero": lambda number: f"{number:02d}",
    "none": lambda number: "",
    **dict.fromkeys(
        ("chineseCounting", "chineseCountingThousand", "japaneseCounting", "ideographDigital"), _han
    ),
}
