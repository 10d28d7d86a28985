"""Which words of a question say what it is about."""

from __future__ import annotations

import re

from app.text import STOP_WORDS, has_han, simplified, terms

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_GENERIC = frozenset(
    """example examples detail details explain elaborate summarize summarise summary continue again else
    instead reason reasons mean means happen happens step steps answer question
    例子 举例 举个 详细 具体 说 讲 谈 说说 讲讲 说明 解释 继续 展开 办 做 怎么办 原因 理由 更 更多 多 一点
    点 总结 还有 还 别的 其他 其它 换成 换 改成 这么 那么 如果 要是 够 行 好 对 呀 再 然后 接着 另外 那
    例如 比如 意思 回答 问题 一起 怎么样 怎样""".split()
)

_AMOUNT = re.compile(r"\d+|[kmgt]b|%", re.IGNORECASE)


def content(text: str) -> list[str]:
    """The words of ``text`` that say what it is about, in order, as they are written."""
    words: list[str] = []
    for match in _RUN.finditer(text):
        run = match[0]
        if has_han(run):
            pieces = terms(run)  # search mode gives the parts of a long word as well: only the whole ones count
            words += [piece for piece in pieces if not any(piece != other and piece in other for other in pieces)]
        elif run.casefold() not in STOP_WORDS:
            words.append(run)
    return words


def telling(text: str) -> list[str]:
    """The content words that tell one question from another: ``example`` and ``继续`` do not."""
    return [word for word in content(text) if simplified(word).casefold() not in _GENERIC]


def topical(text: str) -> list[str]:
    """The telling words that can be a topic: a bare amount (``24 GB?``) is none."""
    return [word for word in telling(text) if not _AMOUNT.fullmatch(word)]
