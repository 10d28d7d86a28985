"""Choosing the sentences that answer a question, by its words, and by their meaning where that is known.

A sentence is scored as BM25 scores a document (Robertson & Zaragoza 2009), among the sentences of the
passages given, and also gets a part of the weight of question words that it lacks but that stand near it. The
constants were tuned on English and Chinese questions with known answers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.errors import one_line
from app.text import Span, has_han, language, pairs, simplified, statements, terms

MOST = 3
"""At most so many sentences are quoted."""
LONG = 400
"""A sentence of more characters than this is cut at its line breaks: it is a table without full stops."""

K1, B = 1.2, 0.1
NEIGHBOUR, HEADING, ASKED = 0.6, 0.6, 0.8  # share of a word's weight that its surroundings lend a sentence
MEANING = 0.3  # what being as near to the question as its neighbour is to a sentence counts
PAIR = 0.1  # extra weight of two question words that stand side by side
COUPLE, CHARACTER = 0.45, 0.25  # what a pair of Chinese characters, and one of them, counts beside a word
LEAD = 0.1  # for the sentence that opens a document: it says what the document is about
OPENS = 15  # characters at least of such a sentence
NUMBER = 0.2  # share of the question's weight for a number where it asks for one
RANK = 0.2  # how much each place down the ranking of passages costs
CLOSE, GAIN, LEAST = 0.3, 0.1, 0.2  # see _choose
ALONE = 0.7  # of the best score, for a sentence without a word of the question
GOOD = 0.3  # share of the question's weight that makes a sentence good
TITLE = 0.5  # what a line that looks like a title keeps of its score
TITLE_WORDS = 6
SAME = 0.8  # share of common words that makes two sentences the same

_PAIRED, _SINGLE = "+", "-"  # end what is a pair and what is one character; no word ends so
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_COMMON = frozenset("的了是在有和与及或为什么哪谁多少几何如样吗呢个些这那它他她其之于以被由从到对把中上下者等")
_MARKER = re.compile(
    r"(?:#{1,6}\s+|>\s?|[-*+•·]\s+|\d{1,3}[.)]\s+|[（(]?[一二三四五六七八九十\d]{1,3}[)）、]\s*|\|\s*)+"
)
_HEADING = re.compile(r"#{1,6}\s")
_QUESTION = re.compile(r"[?？][\"'”’)）」』]*$")
_PROSE = re.compile(r"[\d:：=|,，、;；]|[.。!！…][\"'”’)\]）】」』]*$")  # what a title has not
_NUMBER = re.compile(r"\d|[一二三四五六七八九十百千万亿两]")
_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|large|big|high|tall)|when)\b"
    r"|\bwhat (?:year|date|percent\w*|number|age)\b"
    r"|多少|几|何时|什么时候|哪一?年|哪天|多[久长大高远重]|日期|时间|年份",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quote:
    """A sentence of passage ``n``, word for word, with its white space folded."""

    n: int
    text: str


@dataclass(frozen=True)
class _Sentence:
    """``near``, ``heading``, ``asked``: the words beside it, above it, and of a question just before it.

    ``meaning``: how near it is to the question, about 0 to 1; 0 where that is not known.
    """

    n: int
    rank: int
    text: str
    words: tuple[str, ...]
    near: frozenset[str]
    heading: frozenset[str]
    asked: frozenset[str]
    answers: bool
    title: bool
    meaning: float
    leads: bool


@dataclass(frozen=True)
class _Scored:
    sentence: _Sentence
    score: float
    covered: frozenset[str]


def best_quotes(question: str, passages: Sequence[Mapping[str, Any]]) -> list[Quote]:
    """The one to three sentences of ``passages`` that answer ``question`` best, the best first.

    ``passages`` have ``n``, ``heading``, ``text``, perhaps ``start`` (where in the document) and ``likeness``, (start,
    end, how near to the question) of their sentences; the best first. Sentences in the question's language go before
    all others where one of them is good. Empty only where the passages hold no text.
    """
    asked = tuple(_words(question))
    every = [sentence for rank, passage in enumerate(passages) for sentence in _sentences(rank, passage)]
    pool = [one for one in every if one.answers and not (one.title and set(one.words) <= set(asked))] or every
    if not pool:
        return []
    weights = _weights(asked, pool)
    scored = [_score(one, question, asked, weights, _mean_length(pool)) for one in pool]
    own = [one for one in scored if language(one.sentence.text) == language(question)]
    if any(_weight(one.covered, weights) >= GOOD for one in own):
        scored = own
    chosen = _choose(sorted(scored, key=lambda one: -one.score), weights)
    return [Quote(one.sentence.n, one.sentence.text) for one in chosen]


def _sentences(rank: int, passage: Mapping[str, Any]) -> Iterator[_Sentence]:
    pieces = list(_pieces(str(passage["text"])))
    words = [tuple(_words(text)) for text, _, _ in pieces]
    likeness = passage.get("likeness") or ()
    above = frozenset(_words(str(passage.get("heading") or "")))
    opening = _opening(pieces) if passage.get("start") == 0 else None
    section: frozenset[str] = frozenset()
    for index, (text, is_heading, (start, end)) in enumerate(pieces):
        if is_heading:
            section = frozenset(words[index])
        before = frozenset(words[index - 1]) if index else frozenset[str]()
        follows_question = index > 0 and _QUESTION.search(pieces[index - 1][0]) is not None
        ends_section = index + 1 == len(pieces) or pieces[index + 1][1]
        after = frozenset[str]() if ends_section else frozenset(words[index + 1])
        yield _Sentence(
            n=int(passage["n"]),
            rank=rank,
            text=text,
            words=words[index],
            near=before | after,
            heading=above | section,
            asked=before if follows_question else frozenset(),
            answers=bool(words[index]) and not is_heading and not _QUESTION.search(text),
            title=sum(not word.endswith((_PAIRED, _SINGLE)) for word in words[index]) <= TITLE_WORDS
            and not _PROSE.search(text),
            meaning=max((near for first, last, near in likeness if first < end and start < last), default=0.0),
            leads=index == opening,
        )


def _opening(pieces: Sequence[tuple[str, bool, Span]]) -> int | None:
    """Which piece is the first sentence below the title."""
    return next((at for at, (text, is_heading, _) in enumerate(pieces) if not is_heading and len(text) >= OPENS), None)


def _words(text: str) -> list[str]:
    """The words of ``text``; of Chinese also pairs of characters, for names that are in no dictionary, and single
    ones, for words that share one (创始人, 创办人)."""
    if not has_han(text):
        return terms(text)
    couples = [f"{pair}{_PAIRED}" for pair in pairs(text, asked=True)]
    singles = [f"{one}{_SINGLE}" for one in _HAN.findall(simplified(text)) if one not in _COMMON]
    return terms(text) + couples + singles


def _pieces(text: str) -> Iterator[tuple[str, bool, Span]]:
    """The sentences of ``text``, ready to be quoted, whether each is a heading, and the span that it is from."""
    for start, end in statements(text):
        at_line_start = text[:start].rstrip(" \t")[-1:] in ("", "\n")
        piece = text[start:end]
        for line in piece.split("\n") if len(piece) > LONG else (piece,):
            marker = _MARKER.match(line) if at_line_start or line is not piece else None
            words = one_line(line[marker.end() :] if marker else line).rstrip(" |")
            if words:
                yield words, _HEADING.match(line) is not None, (start, end)


def _weights(asked: Sequence[str], pool: Sequence[_Sentence]) -> dict[str, float]:
    """Each question word's share of the question: the rarer in the passages, the more. They sum to 1."""
    found = Counter(word for one in pool for word in set(one.words))
    weights = {word: math.log(1 + (len(pool) - found[word] + 0.5) / (found[word] + 0.5)) for word in asked}
    counts = {_PAIRED: COUPLE, _SINGLE: CHARACTER}
    weights = {word: weight * counts.get(word[-1], 1.0) for word, weight in weights.items()}
    whole = sum(weights.values()) or 1.0
    return {word: weight / whole for word, weight in weights.items()}


def _mean_length(pool: Sequence[_Sentence]) -> float:
    return sum(len(one.words) for one in pool) / len(pool) or 1.0


def _score(
    one: _Sentence, question: str, asked: Sequence[str], weights: Mapping[str, float], mean_length: float
) -> _Scored:
    counts = Counter(one.words)
    damping = K1 * (1 - B + B * len(one.words) / mean_length)
    score = 0.0
    for word, weight in weights.items():
        if counts[word]:
            score += weight * counts[word] * (K1 + 1) / (counts[word] + damping)
        else:
            score += weight * _borrowed(one, word)
    side_by_side = set(pairwise(asked)) & set(pairwise(one.words))
    score += PAIR * sum((weights[left] + weights[right]) / 2 for left, right in side_by_side)
    if _ASKS_NUMBER.search(question) and _NUMBER.search(one.text):
        score += NUMBER
    score += MEANING * one.meaning + LEAD * one.leads
    score *= (TITLE if one.title else 1.0) / (1 + RANK * one.rank)
    return _Scored(one, score, frozenset(word for word in weights if counts[word]))


def _borrowed(one: _Sentence, word: str) -> float:
    if word in one.asked:
        return ASKED
    if word in one.near:
        return NEIGHBOUR
    return HEADING if word in one.heading else 0.0


def _weight(words: frozenset[str], weights: Mapping[str, float]) -> float:
    return sum(weights[word] for word in words)


def _choose(ranked: Sequence[_Scored], weights: Mapping[str, float]) -> list[_Scored]:
    """The best, then those that score close to it or, scoring something, cover more words of the question."""
    chosen: list[_Scored] = []
    covered: frozenset[str] = frozenset()
    for one in ranked:
        if len(chosen) == MOST:
            break
        if any(_same(one.sentence, other.sentence) for other in chosen):
            continue
        if chosen:
            share = one.score / chosen[0].score if chosen[0].score else 1.0
            if not one.covered and share < ALONE:
                continue
            brings_more = _weight(one.covered - covered, weights) >= GAIN
            if share < CLOSE and not (brings_more and share >= LEAST):
                continue
        chosen.append(one)
        covered |= one.covered
    return chosen


def _same(one: _Sentence, other: _Sentence) -> bool:
    left, right = set(one.words), set(other.words)
    return one.text == other.text or len(left & right) >= SAME * max(1, min(len(left), len(right)))
