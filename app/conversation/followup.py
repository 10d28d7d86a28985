"""Whether a question stands on its own, and what a follow-up means, told from its words alone.

No model is asked. Where in doubt a question counts as a follow-up: the words of an earlier question beside it
cost a search little, a missing topic costs it everything.

What is folded in, each way by what it gained (docs/log.md, "Follow-ups"):

- an ellipsis (``and on Windows?``) brings the last question that stood alone, whole: it misses the verb too;
- another follow-up in English brings the words of that question that tell something, and says its own once more, for
  the answer is about them;
- in Chinese it brings the subject of that question alone, where one can be told, else the question;
- a pronoun whose meaning only the answer named (``Who founded it?`` - ``When did he die?``) brings that name.
"""

from __future__ import annotations

from types import ModuleType

from app.conversation import followup_chinese, followup_english
from app.conversation.followup_words import content, telling, topical
from app.schema import Message
from app.small_talk import is_small_talk
from app.text import has_han

__all__ = ["asks", "content", "fold_in", "points_back", "stands_alone"]

_LOOK_BACK = 20
_LONG = 300
"""Characters; a longer question brings its own topic."""
_ANSWER = 400
"""Characters of an answer that are looked at for names: what was asked for stands at its beginning."""


def stands_alone(question: str) -> bool:
    """Whether ``question`` has its own topic: content words, and nothing that points at an earlier turn."""
    text = question.strip()
    return len(text) > _LONG or bool(_rules(text).stands_alone(text))


def asks(text: str) -> bool:
    """Whether ``text`` holds a word that asks."""
    return bool(_rules(text).asks(text))


def points_back(text: str) -> bool:
    """Whether ``text`` holds a pronoun, or another word that may point at an earlier turn."""
    return bool(_rules(text).points(text))


def fold_in(question: str, history: tuple[Message, ...]) -> str:
    """``question`` as it can be searched: a follow-up beside what it leaves unsaid."""
    text = question.strip()
    asked = _asked(history)
    if not asked or is_small_talk(text) or stands_alone(text):
        return text
    at = next((at for at, (earlier, _) in enumerate(asked) if stands_alone(earlier)), _first(asked))
    earlier = asked[at][0][:_LONG]
    between = asked[:at]  # newest first
    rules = _rules(text)
    if rules.is_elliptical(text):
        return _beside(earlier, text, between)
    parts = [*_new_subjects(between), *_named_in_answer(text, asked), text]
    if has_han(text):
        topic = followup_chinese.subject(earlier) if has_han(earlier) and len(topical(text)) > 1 else ""
        return " ".join([topic or earlier, *parts])
    return " ".join([*telling(earlier), *parts, *telling(text)])


def _first(asked: list[tuple[str, str]]) -> int:
    """Where none tells that it stands alone: the oldest, which had nothing to lean on, or the newest."""
    oldest = asked[-1][0]
    leans = not topical(oldest) or _rules(oldest).is_elliptical(oldest) or _rules(oldest).points(oldest)
    return 0 if leans else len(asked) - 1


def _rules(text: str) -> ModuleType:
    return followup_chinese if has_han(text) else followup_english


def _asked(history: tuple[Message, ...]) -> list[tuple[str, str]]:
    """The last questions with their answers, newest first; small talk is none."""
    found: list[tuple[str, str]] = []
    answer = ""
    for message in reversed(history):
        if message.role != "user":
            answer = answer or message.content
            continue
        if not is_small_talk(message.content):
            found.append((message.content.strip(), answer[:_ANSWER]))
        answer = ""
        if len(found) == _LOOK_BACK:
            break
    return found


def _beside(earlier: str, question: str, between: list[tuple[str, str]]) -> str:
    """Both, and the new words once more until they weigh as much as the old: the answer is about them."""
    old, new, turned = content(earlier), telling(question), _new_subjects(between) if points_back(question) else []
    if not topical(question) and between:
        turned = telling(between[0][0][:_LONG])  # "why?", of the question just before
    missing = len(old) - len(new) - len(turned) if new else 0
    return " ".join([earlier, question, *turned, *(new[index % len(new)] for index in range(missing))])


def _new_subjects(between: list[tuple[str, str]]) -> list[str]:
    """What an ellipsis in between turned to: after ``What about Bonn?`` its "it" is Bonn."""
    for question, _ in between:
        if _rules(question).is_elliptical(question):
            return topical(question)[:4]
    return []


def _named_in_answer(question: str, asked: list[tuple[str, str]]) -> list[str]:
    """Names that the last answer gave to a question for one, when ``question`` points at something."""
    earlier, answer = asked[0]
    rules = _rules(question)
    if not answer or not rules.points(question):
        return []
    person = rules.points_at_a_person(question)
    if not _rules(earlier).asks_for_a_name(earlier, person=person):
        return []
    said = earlier.casefold()
    return [name for name in _rules(answer).names(answer) if name.casefold() not in said][: 2 if person else 1]
