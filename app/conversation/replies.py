"""The question in what a model wrote when it was asked for one: bare, quoted, in JSON, after a preamble."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_ASKED = r"question|query|version|rewrite|rewritten|standalone|output|answer|user|assistant"
_PREAMBLE = re.compile(
    rf"""(?:sure|certainly|of\ course|okay|ok|yes|no|sorry|absolutely)\b[^:?\n]*?[,.!:]\s*
    |(?:here(?:'s|\ is|\ are)|the|your|my|a)\b[^:?\n]{{0,60}}(?:{_ASKED})\b[^:?\n]{{0,20}}(?::|\bis\b:?)\s*
    |\**(?:[a-z]+[\ -]){{0,3}}(?:{_ASKED})\**\s*[:：]\**\s*
    |(?:好的|当然|當然|可以|没问题|沒問題|抱歉|是的)[，,。！!：:]\s*
    |[^：:？?\n]{{0,16}}(?:[改重][写寫]|独立|獨立|完整|问题|問題|回答|用户|用戶|助手|查[询詢])[^：:？?\n]{{0,12}}[：:]\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "「": "」", "『": "』", "`": "`", "《": "》", "*": "*"}
_FENCE = re.compile(r"^```\w*\s*\n?|\n?```$")
_MOST_LINES = 12


def candidates(reply: str) -> Iterator[str]:
    """What in ``reply`` may be the question, the likeliest first."""
    text = _FENCE.sub("", reply.strip()).strip()
    if text[:1] in ("{", "[", '"'):
        try:
            yield from map(_bare, _strings(json.loads(text)))
        except ValueError:
            pass
        except RecursionError:
            return
    for line in [line for line in text.splitlines() if line.strip()][:_MOST_LINES]:
        yield _bare(line)


def _strings(value: object) -> list[str]:
    """The texts in a JSON value; those under a key that speaks of a question first."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: re.search(r"rewrit|standalone|改写|改寫", key) is None)
        keys.sort(key=lambda key: re.search(r"question|query|rewrit|standalone|问题|問題|改写", key) is None)
        return [text for key in keys for text in _strings(value[key])]
    return []


def _bare(text: str) -> str:
    """``text`` without a preamble and the quotes around it."""
    text = text.strip()
    for _ in range(3):
        before = text
        if match := _PREAMBLE.match(text):
            text = text[match.end() :].strip()
        if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[-1] not in text[1:-1]:
            text = text[1:-1].strip()
        text = text.strip("*").strip() if text.startswith("**") else text
        if text == before:
            break
    return text
