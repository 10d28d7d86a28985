"""What the product knows of written language: script, sentences, index terms, token estimates.

English and Chinese are both first class; any other language gets whole words, unstemmed stop words and all.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

Language = Literal["en", "zh"]
Span = tuple[int, int]
_STATEMENT = 200  # characters of joined clauses at most: a list that goes on and on is no statement

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_HAN_CHAR = re.compile(f"[{_HAN}]")
_WORD = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")

_ASKING = "如何|怎[么麼样樣]|[什甚][么麼]|为何|為何|为啥|哪|多少"
_ASKS_AT_START = re.compile(rf"\W*(?:{_ASKING}|请|請)")
_ASKS_AT_END = re.compile(rf"(?:{_ASKING}|[吗嗎呢])[{_HAN}]{{0,6}}\W*$")

# What begins a line of a chat or a log: a time, or who says it.
_TURN = (
    r"\[?(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2})(?:[\]\s:T]|:\d)"
    rf"|[A-Z{_HAN}][\w .'’-]{{0,30}}[:：](?=[ \t]*\S)"
)

# Closing quotes and brackets belong to the sentence that they end. A ? or ! of ASCII inside a word (an address, an
# operator) ends none.
_CLOSERS = "\"'”’)\\]）】」』》〉"
_BOUNDARY = re.compile(
    rf"(?P<zh>[。！？；…][。！？!?；…]*[{_CLOSERS}]*)|(?P<ask>(?<![!?])[!?]++[。！？!?；…]*+[{_CLOSERS}]*+(?=[\s{_HAN}]|$))"
    rf"|(?P<dot>\.[{_CLOSERS}]*)(?=\s|$)"
    rf"|(?P<head>^#{{1,6}}\s[^\n]*\n)|(?P<line>\n\s*\n|\n(?=\s*(?:[-*+#>|]|\d+[.)]\s|{_TURN})))",
    re.MULTILINE,
)
_BEFORE_DOT = re.compile(r"(?:\w+\.)*\w+$")
_VISIBLE = re.compile(r"\S")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st vs etc e.g i.e cf al eq vol pp inc ltd co corp dept approx gen col lt"
    " sgt capt rev hon jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m u.s u.k u.n ph.d".split()
)
_BEFORE_NUMBERS = frozenset("no nos fig figs p sec ch".split())  # words of their own where no number follows
STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here hers
    herself him himself his how i if in into is it its itself just me more most my myself no nor not of off on once
    only or other our ours ourselves out over own same she should so some such than that the their theirs them
    themselves then there these they this those through to too under until up very was we were what when where which
    while who whom why will with would you your yours yourself yourselves s t d ll m o re ve y also many much may might
    must shall upon us within without name named called tell please give
    的 了 是 在 和 与 及 或 有 也 都 就 而 被 把 对 从 到 于 之 其 这 那 这个 那个 哪 哪个 哪些 什么 怎么 怎样
    如何 为什么 为何 吗 呢 吧 啊 呀 多少 几 谁 何 何时 哪里 哪儿 个 中 上 下 里 我 你 他 她 它 我们 你们 他们 请 请问
    可以 能 会 要 一个 一种 一下 以及 因为 所以 但是 并 并且 还 又 很 等 该 此 由 向 用 让 给
    几年 几天 几点 几个 几次 几岁 几种 多久 多长 多长时间 多大 多高 多远 多重 意思 不
    是什么 有什么 什么样 怎么办 怎么样 该怎么办 叫 做 时 时候""".split()
)


def has_han(text: str) -> bool:
    """Whether ``text`` holds a Chinese character."""
    return _HAN_CHAR.search(text) is not None


def language(text: str) -> Language:
    """``zh`` when a reader would call ``text`` Chinese, else ``en``.

    A Chinese sentence full of product names stays Chinese: one English word weighs as much as one character, and
    what asks in Chinese about an English message (``CUDA out of memory 怎么办``) is Chinese.
    """
    sample = text[:20_000]
    han = len(_HAN_CHAR.findall(sample))
    if not han:
        return "en"
    asks = _ASKS_AT_START.match(sample.lstrip()[:20]) or _ASKS_AT_END.search(sample.rstrip()[-20:])
    return "zh" if asks or han >= len(_LATIN_WORD.findall(sample)) else "en"


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """The sentences of ``text[start:end]`` as spans without surrounding white space, in order.

    Blank lines, list items and headings end a sentence as full stops do.
    """
    stop = len(text) if end is None else end
    spans: list[Span] = []
    begin = start
    for match in _BOUNDARY.finditer(text, start, stop):
        if match.lastgroup == "dot" and not _ends_sentence(text, match.start(), match.end(), stop):
            continue
        _append_trimmed(spans, text, begin, match.end())
        begin = match.end()
    _append_trimmed(spans, text, begin, stop)
    return spans


def statements(text: str) -> list[Span]:
    """The sentences of ``text``, Chinese clauses that semicolons join on a line as one of them."""
    spans: list[Span] = []
    for start, end in sentences(text):
        first, last = spans[-1] if spans else (0, 0)
        if text[first:last].endswith("；") and end - first <= _STATEMENT and "\n" not in text[last:start]:
            spans[-1] = first, end
        else:
            spans.append((start, end))
    return spans


def _ends_sentence(text: str, dot: int, after: int, stop: int) -> bool:
    following = _VISIBLE.search(text, after, stop)
    first = following[0] if following else ""
    word = _BEFORE_DOT.search(text[max(0, dot - 24) : dot])
    if word:
        folded = word[0].lower()
        if folded in _ABBREVIATIONS or (folded in _BEFORE_NUMBERS and first.isdigit()):
            return False
        if len(folded) == 1 and word[0].isupper():
            return False
        if folded.isdigit() and len(folded) <= 2 and _at_line_start(text, dot - len(folded)):
            return False  # "1." opens a list item
    return not first.islower()


def _at_line_start(text: str, index: int) -> bool:
    return text[max(0, index - 12) : index].rsplit("\n", 1)[-1].strip() == ""


def _append_trimmed(spans: list[Span], text: str, start: int, end: int) -> None:
    span = trim(text, start, end)
    if span[0] < span[1]:
        spans.append(span)


def trim(text: str, start: int, end: int) -> Span:
    """``start`` and ``end`` moved inwards past white space."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def terms(text: str, *, keep_stop_words: bool = False) -> list[str]:
    """Index terms of ``text``, the same for documents and questions, in order and with repeats.

    Chinese is cut into words by jieba's search mode, Traditional characters as their Simplified ones; other words are
    folded (case, width, accents) and stemmed.
    """
    return [word for run in _runs(text) for word in _words(run, keep_stop_words)]


def pairs(text: str, *, asked: bool = False) -> list[str]:
    """Index terms of two that stand side by side: characters in Chinese, elsewhere words that say something.

    They tell ``red blood`` from a text with both words apart, and find Chinese names that no dictionary knows.
    Of a question (``asked``) the stop words give none; of a text they do, for a name may hold what looks like one.
    """
    found: list[str] = []
    before = ""
    for run in _runs(text):
        if _HAN_CHAR.match(run):
            for part in _between_stop_words(run) if asked else (run,):
                found += [part[index : index + 2] for index in range(len(part) - 1)]
            before = ""
            continue
        for word in _words(run, False):
            if before:
                found.append(f"{before}_{word}")
            before = word
    return found


def _between_stop_words(run: str) -> Iterator[str]:
    words = _jieba().cut(run)
    for is_stop_word, group in groupby(words, STOP_WORDS.__contains__):
        if not is_stop_word:
            yield "".join(group)


def _runs(text: str) -> list[str]:
    """Words, and runs of Chinese, in one spelling each."""
    folded = strip_accents(unicodedata.normalize("NFKC", text).casefold())
    return _WORD.findall(simplified(folded))


def _words(run: str, keep_stop_words: bool) -> Iterator[str]:
    for word in _jieba().cut_for_search(run) if _HAN_CHAR.match(run) else (run,):
        if keep_stop_words or word not in STOP_WORDS:
            yield _stem(word)


def strip_accents(text: str) -> str:
    """``text`` without combining marks: ``é`` becomes ``e``."""
    if text.isascii():
        return text
    return "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))


_STEMMING = threading.Lock()  # the stemmer keeps the word at hand in itself


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    if not word.isascii():
        return word
    with _STEMMING:
        return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


_CONVERTING = threading.Lock()  # the converter says nothing of threads


def simplified(text: str) -> str:
    """``text`` with Simplified for Traditional characters, each in its place."""
    if not has_han(text):
        return text
    with _CONVERTING:
        return str(_converter().convert(text))


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


@lru_cache(maxsize=1)
def _jieba() -> Any:
    import jieba

    jieba.setLogLevel(logging.WARNING)  # it prints its loading to stderr otherwise
    return jieba


def estimate_tokens(text: str) -> int:
    """A cautious (high) estimate of a model's tokens: one per Chinese character, one per three others."""
    han = len(_HAN_CHAR.findall(text))
    return han + (len(text) - han + 2) // 3
