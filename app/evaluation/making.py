"""Questions made from the documents themselves, without a model: sentences with a gap.

Of a sentence that carries information the most telling word is taken out (a number before a name before the rarest
word), and a question word stands in its place, as people ask back: "The lighthouse was built in what by …?". Chinese
asks so anyway: 「灯塔由林海生于什么主持修建？」. Of the other words that say something three stay, chosen by chance;
"…" stands for the rest, so that the sentence is not found by all of its own words. The evidence is the sentence, the
answer is the word.

A reader does not know the document's words: use these questions to see that nothing is broken and to compare settings,
and questions of your own to know how good search is.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from app.evaluation.questions import Place, Question
from app.evaluation.sentences import Sentence, Word, frequencies

_KEPT = 3  # words that say something beside the gap; with more, every sentence is found (docs/log.md)
_GAP = "…"
_YEAR = re.compile(r"1\d{3}|20\d{2}")
_AT_END = re.compile(r"[.。!！;；,，、\s]+$")


def cloze(found: Sequence[Sentence], wanted: int, draw: random.Random) -> list[Question]:
    """At most ``wanted`` questions, each of another sentence."""
    rarity = frequencies(found)
    questions: list[Question] = []
    for sentence in found:
        if len(questions) >= wanted:
            break
        gap = _most_telling(sentence, rarity)
        if gap is not None:
            questions.append(_question(sentence, gap, f"made-{len(questions) + 1}", draw))
    return questions


def _most_telling(sentence: Sentence, rarity: Counter[str]) -> list[Word] | None:
    """Neighbouring names are one: ``Ingrid Halvorsen``."""
    inside = [word for word in sentence.words if word.start > 0]  # a first word has its capital letter anyway
    numbers = [word for word in inside if word.is_number]
    if numbers:
        return [min(numbers, key=lambda word: (rarity[word.term], -len(word.text)))]
    names = [word for word in inside if word.is_name]
    if names:
        return _with_neighbours(min(names, key=lambda word: rarity[word.term]), names, sentence.text)
    long = [word for word in inside if len(word.text) >= (2 if sentence.language == "zh" else 4)]
    return [min(long, key=lambda word: (rarity[word.term], -len(word.text)))] if long else None


def _with_neighbours(name: Word, names: Sequence[Word], text: str) -> list[Word]:
    whole = [name]
    for word in names[names.index(name) + 1 :]:
        if text[whole[-1].end : word.start] != " ":
            break
        whole.append(word)
    for word in reversed(names[: names.index(name)]):
        if text[word.end : whole[0].start] != " ":
            break
        whole.insert(0, word)
    return whole


def _question(sentence: Sentence, gap: list[Word], name: str, draw: random.Random) -> Question:
    start, end = gap[0].start, gap[-1].end
    others = [word for word in sentence.words if word not in gap]
    kept = draw.sample(others, min(_KEPT, len(others)))
    pieces = [(start, end, _question_word(sentence, gap)), *_left_out(sentence, [*kept, *gap])]
    asked, at = "", 0
    for first, last, words in sorted(pieces):
        asked += sentence.text[at:first] + words
        at = last
    asked += sentence.text[at:]
    return Question(
        id=name,
        question=_tidied(asked) + ("？" if sentence.language == "zh" else "?"),
        evidence=(Place(sentence.doc, sentence.start, sentence.end),),
        answers=(sentence.text[start:end],),
    )


def _left_out(sentence: Sentence, stay: Sequence[Word]) -> list[tuple[int, int, str]]:
    """From each word that does not stay to the last one before a word that does, with all that is between them."""
    stretches: list[tuple[int, int, str]] = []
    before = False
    for word in sentence.words:
        if word in stay:
            before = False
            continue
        start = stretches.pop()[0] if before else word.start
        stretches.append((start, word.end, _GAP))
        before = True
    return stretches


def _question_word(sentence: Sentence, gap: list[Word]) -> str:
    """Stop words all: they add nothing that search would look for."""
    if sentence.language == "zh":
        return "多少" if gap[0].is_number else "什么"
    if not gap[0].is_number:
        return "what"
    year = _YEAR.fullmatch(gap[0].text)
    counted = re.match(r"\s+[^\W\d]", sentence.text[gap[0].end :])
    return "how many" if counted and not year else "what"


def _tidied(text: str) -> str:
    text = re.sub(r"[*`]+", "", re.sub(r"\s+", " ", text))
    text = re.sub(rf"(?:{_GAP}\s*)+{_GAP}", _GAP, text)
    return _AT_END.sub("", text).strip()
