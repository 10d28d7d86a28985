"""Two-turn conversations made from any set of questions, by one rule: drop the subject of the second question.

The subject is the longest run of content words that both questions share. In English a pronoun takes its place, or
the phrase that holds it is left out; in Chinese it is left out, or 它/他/其 takes its place. What would not be
grammatical any more, as far as a rule can tell, is no conversation.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.text import STOP_WORDS, has_han, terms

NEAR = 3000
"""Characters between what two questions of one conversation are about, at most."""

_TOKEN = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")
_INSIDE = frozenset("of the and for in de".split())  # stop words that a name may hold in its midst
_AUXILIARIES = frozenset(
    "is are was were do does did has have had can could will would should may might must be been".split()
)
_NO_SUBJECT = frozenset(
    """first last many much year years number percent percentage day days people person kind type types name names
    example examples text study paper article author authors report review specific significant main state states
    president according mention mentioned describe described reported define title use used found identified make made
    cause caused happen happened occur occurred work result results treatment part time total""".split()
)
_BARE_VERB = frozenset("do does did can could will would should may might must".split())
_BEFORE = _AUXILIARIES | frozenset("of in for about at to with on by from during after before under and".split())
_PLURAL = re.compile(r"[a-z]{2,}(?<!s)(?<!u)(?<!i)s$")
_CLASH = re.compile(r"\b(?:it|they|them)\b.*\b(?:it|they|them)\b|\b(?:has|is|was|does) they\b", re.IGNORECASE)
_PERSON = re.compile(r"President|Mr|Mrs|Ms|Dr|Sir|King|Queen|Pope")

_ZH_ASKS = re.compile(r"什么|什麼|怎|哪|谁|誰|几|幾|多少|吗|嗎|何|是否|为|為")
_ZH_LEAD = (
    '的是在有于於与與和及以了被由因对對从從向到将將曾中共最为為会會能可第每年月日、，,。？?！!：:·“”"《》「」（）() '
)
_ZH_EDGE = '的了被由因与與和及、，,：:·“”"「」（）() ？?'


@dataclass(frozen=True)
class Conversation:
    """A question, its answer, and one that goes on: whole (``full``) and as one would type it (``follow_up``)."""

    id: str
    first: str
    answer: str
    full: str
    follow_up: str
    subject: str
    evidence: list[dict[str, Any]]


def conversations(folder: Path) -> list[Conversation]:
    """All that can be made of ``folder``: at most one for each question, always the same ones."""
    with open(folder / "questions.jsonl", encoding="utf-8") as lines:
        items = [json.loads(line) for line in lines if line.strip()]
    by_doc: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        by_doc[item["evidence"][0]["doc"]].append(item)
    made: list[Conversation] = []
    for doc, asked in by_doc.items():
        with open(folder / "corpus" / doc, encoding="utf-8", newline="") as file:
            text = file.read()
        for item in asked:
            found = next(_pairs(item, asked, text), None)
            if found is not None:
                made.append(found)
    return made


def _pairs(item: dict[str, Any], asked: list[dict[str, Any]], text: str) -> Iterator[Conversation]:
    """Conversations that end in ``item``, from the likeliest on: about something else nearby, the nearest first."""
    gold = item["evidence"][0]
    others = [other for other in asked if abs(other["evidence"][0]["start"] - gold["start"]) <= NEAR]
    others.sort(key=lambda other: (abs(other["evidence"][0]["start"] - gold["start"]), other["id"]))
    for other in others:
        said = other["evidence"][0]
        if other["question"] == item["question"] or said["start"] == gold["start"]:
            continue  # the first question alone would find it
        drop = _drop_chinese if has_han(item["question"]) else _drop_english
        turn = zlib.crc32(str(item["id"]).encode())
        dropped = drop(other["question"], item["question"], text, turn)
        if dropped is not None:
            follow_up, subject = dropped
            answer = text[said["start"] : said["end"]].strip()
            yield Conversation(
                str(item["id"]), other["question"], answer, item["question"], follow_up, subject, item["evidence"]
            )


# English


def _drop_english(first: str, second: str, text: str, turn: int) -> tuple[str, str] | None:
    tokens = list(_TOKEN.finditer(second))
    run = _shared_run([_key(token[0]) for token in _TOKEN.finditer(first)], [_key(token[0]) for token in tokens])
    if run is None:
        return None
    begin, end = run
    subject = second[tokens[begin].start() : tokens[end - 1].end()]
    follows = second[tokens[end - 1].end() :]
    possessive = bool(re.search(r"['’]s$", subject)) or follows.startswith(("'", "’"))
    subject = re.sub(r"['’]s$", "", subject)
    article = tokens[begin - 1][0].lower() if begin and tokens[begin - 1][0].lower() in ("the", "a", "an") else ""
    begin -= bool(article)
    before = tokens[begin - 1][0] if begin else ""
    if not _is_phrase(subject, before, tokens[end:], article, possessive) or follows[:1] in ("-", "(", ")", "/"):
        return None
    rest = [token[0].lower() for token in tokens[:begin] + tokens[end:]]
    if not [word for word in rest if word not in STOP_WORDS]:
        return None
    head, tail = second[: tokens[begin].start()], follows.lstrip("'’")
    if (
        head.endswith(("-", "(", "'", '"'))
        or re.search(r"\b(?:between|among|and|or)\s*$", head)
        or re.match(r"\s*(?:and|or)\b", tail)
    ):
        return None
    elided = re.sub(r"\s*\b(?:of|in)\s*$", "", head)
    if turn % 3 == 0 and not possessive and elided != head and re.match(r"\W*$", tail):
        dropped = elided + tail
    else:
        nominative = before.lower() in _AUXILIARIES or not before
        dropped = head + _pronoun(subject, text, nominative=nominative, possessive=possessive) + tail
    if turn % 3 == 1:
        dropped = f"And {dropped[0].lower()}{dropped[1:]}"
    if _CLASH.search(dropped):
        return None
    return re.sub(r"\s+", " ", dropped[0].upper() + dropped[1:]).strip(), subject


def _is_phrase(subject: str, before: str, after: list[re.Match[str]], article: str, possessive: bool) -> bool:
    """Whether a pronoun can stand where ``subject`` stands: it is a whole phrase, not a part of one."""
    named, determined = subject[0].isupper() and bool(before), bool(article)
    following = [token[0] for token in after[:2]]
    if before and before.lower() not in _BEFORE and not (determined and before[0].islower()):
        return False  # "quarterback Peyton Manning", "what location"
    if determined and not named and article != "the":
        return False  # "be an MSP"
    if not named and not determined and not _PLURAL.search(subject):
        return False  # a verb or an adjective, more likely
    if not following or possessive:
        return True
    if following[0][0].isupper() or (following[0] == "of" and not named):
        return False  # "the Super Bowl Halftime", "the goal of a plea"
    if following[0].lower() in STOP_WORDS:
        return True
    if len(following) > 1 and following[1].lower() not in STOP_WORDS:
        return False  # "did the Panthers defense surrender"
    told = following[0].endswith(("ed", "en", "ing", "own"))
    return not told if before.lower() in _BARE_VERB else told and before.lower() in _AUXILIARIES


def _pronoun(subject: str, text: str, *, nominative: bool, possessive: bool) -> str:
    """By what the document calls it: he or she where that follows its name more often than it does."""
    if _PLURAL.search(subject):
        return "their" if possessive else ("they" if nominative else "them")
    near = Counter(
        match[1].lower()
        for match in re.finditer(rf"{re.escape(subject)}[^.?!]{{0,80}}?\b(he|his|she|her|its?)\b", text)
    )
    he, she, it = near["he"] + near["his"], near["she"] + near["her"], near["it"] + near["its"]
    if subject[0].isupper() and (max(he, she) > it or _PERSON.match(subject)):
        if she > he:
            return "her" if possessive or not nominative else "she"
        return "his" if possessive else ("he" if nominative else "him")
    return "its" if possessive else "it"


def _key(token: str) -> str:
    return re.sub(r"['’]s$", "", token).casefold()


def _shared_run(first: list[str], second: list[str]) -> tuple[int, int] | None:
    """The part of ``second`` with most content words that ``first`` holds too, without stop words at its ends."""
    best: tuple[int, int, int] | None = None
    for begin in range(len(second)):
        if not _content(second[begin]):
            continue
        for at in range(len(first)):
            length = 0
            while begin + length < len(second) and at + length < len(first):
                word = second[begin + length]
                if word != first[at + length] or not (_content(word) or word in _INSIDE):
                    break
                length += 1
            while length and not _content(second[begin + length - 1]):
                length -= 1
            words = second[begin : begin + length]
            worth = sum(map(_content, words))
            if worth and not set(words) <= _NO_SUBJECT and (best is None or worth > best[0]):
                best = (worth, begin, begin + length)
    return None if best is None else (best[1], best[2])


def _content(word: str) -> bool:
    return word not in STOP_WORDS and not word.isdigit()


# Chinese


def _drop_chinese(first: str, second: str, text: str, turn: int) -> tuple[str, str] | None:
    subject = _shared_text(first, second)
    if subject is None:
        return None
    at = second.index(subject)
    head, tail = second[:at], second[at + len(subject) :]
    if head.endswith(("《", "「", "“", '"')) and tail.startswith(("》", "」", "”", '"')):
        head, tail = head[:-1], tail[1:]
    if head and not (head.endswith(tuple(_ZH_LEAD)) or _ZH_ASKS.search(head[-2:])):
        return None  # the end of a longer word
    if not (_at_word(second, at) and _at_word(second, at + len(subject))) or tail[:1] in "上中下里时時内外":
        return None
    if not [word for word in terms(head + tail) if len(word) > 1 or word.isdigit()]:
        return None
    person = len(re.findall(f"{re.escape(subject)}[^。]{{0,40}}[他她]", text)) > text.count("它")
    pronoun = "他" if person else "它"
    if tail.startswith("的") and turn % 3 == 0:
        dropped = f"{head}其{tail[1:]}"
    elif turn % 3 == 1 or (head and not head.endswith(("，", ","))):
        dropped = f"{head}{pronoun}{tail}"
    else:
        dropped = head + tail.removeprefix("的")
    return dropped.strip("，, "), subject


def _at_word(text: str, place: int) -> bool:
    """Whether a word begins at ``place``."""
    import jieba

    at = 0
    for word in jieba.cut(text):
        if at >= place:
            break
        at += len(word)
    return at == place


def _shared_text(first: str, second: str) -> str | None:
    best = ""
    for begin in range(len(second)):
        for end in range(len(second), begin + max(len(best), 1), -1):
            part = second[begin:end]
            if part in first:
                if _ZH_ASKS.search(part):
                    part = part[: next(_ZH_ASKS.finditer(part)).start()]
                part = part.strip(_ZH_EDGE)
                part = re.sub(r"[的是在有于於以]+$", "", part)
                if len(part) > max(len(best), 1):
                    best = part
                break
    opened = sum(best.count(mark) for mark in "《「") - sum(best.count(mark) for mark in "》」")
    if opened:
        best = best.strip("《》「」")
    return best if len(re.sub(r"[\d年月日]", "", best)) >= 2 and terms(best) else None
