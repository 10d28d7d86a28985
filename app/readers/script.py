"""Joining what layout took apart: lines of one paragraph, in scripts with and without blanks."""

from __future__ import annotations

import re

# Han, kana, and the punctuation and full-width forms printed with them.
_CJK = r"\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003134f"
_CJK_CHAR = re.compile(f"[{_CJK}]")
_CJK_LINE_BREAK = re.compile(rf"(?<=[{_CJK}])[^\S\n\r]*[\r\n]\s*(?=[{_CJK}])")
_BLANKS = re.compile(r"\s+")


def is_cjk(char: str) -> bool:
    """Whether ``char`` is written without blanks around it."""
    return _CJK_CHAR.match(char) is not None


def fold(text: str) -> str:
    """``text`` on one line: white space becomes a blank, a line break between Chinese characters nothing."""
    return _BLANKS.sub(" ", _CJK_LINE_BREAK.sub("", text)).strip()
