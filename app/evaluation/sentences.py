"""Sentences of documents that a question can be made of: whole, with something to say, and in running text."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.evaluation.documents import Documents
from app.schema import OnProgress, Progress
from app.text import STOP_WORDS, Language, has_han, language, sentences, terms

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:[_.,:’'\-/][^\W_{_HAN}]+)*%?")
_NUMBER = re.compile(r"\d[\d.,:/\-]*%?")
_FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_NO_PROSE = re.compile(  # headings, lists, tables, links, columns
    r"^\s*(?:#|[-*+>|]\s|\d+[.)、]\s|!\[|\[\d|[(（]?[一二三四五六七八九十\d]+[)）、])|[|\t]|https?://| {3,}\S"
)
_ENDS = re.compile(r"[.!。！][\"'”’)）」』]*$")
_LENGTHS: dict[Language, tuple[int, int]] = {"en": (45, 320), "zh": (16, 160)}  # characters
_FEWEST_WORDS = 5  # that say something
_ENOUGH = 60  # documents that are looked at at least
_OF_A_DOCUMENT = 40  # sentences, chosen at random


@dataclass(frozen=True)
class Word:
    """A word that says something, as it stands in a sentence: offsets within it, and its index term or terms."""

    start: int
    end: int
    text: str
    term: str

    @property
    def is_number(self) -> bool:
        """Whether it is written in digits."""
        return _NUMBER.fullmatch(self.text) is not None

    @property
    def is_name(self) -> bool:
        """Whether it begins as names do in languages that have capital letters."""
        return self.text[0].isupper()


@dataclass(frozen=True)
class Sentence:
    """A sentence of a document: offsets in the document's text, and its words that say something."""

    doc: str
    start: int
    end: int
    text: str
    language: Language
    words: tuple[Word, ...]


def words(text: str) -> tuple[Word, ...]:
    """The words of ``text`` that say something, in order; of Chinese the longest that jieba knows."""
    found: list[Word] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if has_han(token):
            found += _chinese(token, match.start())
        elif token.casefold() not in STOP_WORDS and (known := terms(token)):
            found.append(Word(match.start(), match.end(), token, " ".join(known)))
    return tuple(found)


def _chinese(run: str, offset: int) -> Iterator[Word]:
    """Index terms hold the parts of a long word too: only the whole ones that stand here are taken."""
    known = terms(run)
    at = 0
    for word in known:
        if any(word != other and word in other for other in known):
            continue
        begin = run.find(word, at)
        if begin >= 0:
            at = begin + len(word)
            yield Word(offset + begin, offset + at, word, word)


def usable(doc: str, text: str) -> list[Sentence]:
    """The sentences of a text that a question can be made of."""
    fenced = [match.span() for match in _FENCE.finditer(text)]
    spans = sentences(text)
    times = Counter(text[start:end] for start, end in spans)
    found = []
    for start, end in spans:
        sentence = text[start:end]
        if times[sentence] > 1 or any(first < end and start < last for first, last in fenced):
            continue
        spoken = language(sentence)
        shortest, longest = _LENGTHS[spoken]
        if not shortest <= len(sentence) <= longest or not _ENDS.search(sentence) or _NO_PROSE.search(sentence):
            continue
        known = words(sentence)
        if len(known) >= _FEWEST_WORDS:
            found.append(Sentence(doc, start, end, sentence, spoken, known))
    return found


def sample(documents: Documents, wanted: int, draw: random.Random, on_progress: OnProgress) -> list[Sentence]:
    """Sentences in the order in which questions should be made: one of each document, then a second of each, ….

    Of a large collection as many documents as are needed are looked at, chosen by ``draw``.
    """
    names = sorted(documents.known)
    draw.shuffle(names)
    names = names[: max(_ENOUGH, 2 * wanted)]
    by_document: list[list[Sentence]] = []
    told: set[str] = set()
    for number, doc in enumerate(names):
        on_progress(Progress("choosing", number, len(names), doc))
        fresh = [sentence for sentence in usable(doc, documents.text(doc)) if sentence.text not in told]
        told.update(sentence.text for sentence in fresh)  # the same words in two documents would be two answers
        by_document.append(draw.sample(fresh, min(len(fresh), _OF_A_DOCUMENT)))
    return [sentence for turn in zip_longest(*by_document) for sentence in turn if sentence is not None]


def frequencies(found: Sequence[Sentence]) -> Counter[str]:
    """In how many of these sentences each index term stands."""
    return Counter(term for sentence in found for term in {word.term for word in sentence.words})
