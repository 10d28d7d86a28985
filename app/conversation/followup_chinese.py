"""Follow-ups in Chinese, Simplified and Traditional: what gives one away, a question's subject, names in a text.

A subject that was said before is simply left out in Chinese (「由哪个公司建设？」), so besides words that point back
the beginning of a question tells: one that opens with its verb, or with an attribute (「总面积是多少？」), has none.
Everything here reads Simplified characters; what is given back is written as it was.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from app.conversation.followup_words import topical
from app.text import has_han, simplified, terms

_POINTS_BACK = frozenset(
    """它 它们 他 他们 她 她们 其 其中 这 这个 这些 这种 这样 这么 这里 这儿 这款 这位 这次 那个 那些
    那种 那样 那里 那儿 那款 那位 此 前者 后者 上述 以上 刚才 刚刚 同样 两者 二者 之前 上面 前面""".split()
)
_META = re.compile(r"[这该本](?:个|款|套|份|些)?(?:产品|软件|程序|应用|工具|项目|文档|文件|资料|手册|指南|系统)")
_POINTER = re.compile(
    r"(?:^|[，,、在由被把对与和从给向让于是])(?:其(?![他它实余次])|[它他她])|的是[它他她]"
    r"|[这那](?:[一二两几三]|[部座位条家项本首场类支只艘件届台辆幅段期门所间])"
)
_THIS = re.compile(r"(?<!应)该(?![怎如不选用把去从在何])")
_GOES_ON = frozenset("那 那么 还有 另外 此外 以及 而 但 但是 可是 不过 所以 然后 接着 换成 改成 要是 如果是 再".split())
_ASKS = re.compile(r"什么|怎[么样]|哪|谁|几|多[少大长久高远]|吗|为何|如何|是否|何时|何[地人处]|有没有|是不是|能不能")
_OPEN = re.compile(r"^(?:请问)?(?:怎么|如何|为什么|为何|多少|什么时候|何时|在哪|哪|是什么)")
_OPEN_VERB = re.compile(r"^(?:请问)?(?:需要|支持|有|能|可以|会|是|要|用|包括|属于)")
_DEFINES = re.compile(r"什么是|谁是|何为|何谓|什么叫")
_NAMED = re.compile(r"[A-Za-z0-9]|《|「|“")
_TITLE = re.compile(r"[《「『“](.{1,40}?)[》」』”]")
_BREAK = re.compile(r"[，。？！；,?;]")
_NE = re.compile(r"呢\W*$")
_WHEN = re.compile(
    r"^(?:请问)?(?:在|自|从|到|于|直到|截至)?[\d一二三四五六七八九十〇零两]+(?:世纪|年代|年|月|日|号|岁)[^，,？?]{0,12}?[，,]"
    r"|^(?:请问)?(?:在|自|从|到|于|直到|截至)?(?:[\d一二三四五六七八九十〇零两]+(?:世纪|年代|年度|年|月份|月|日|号|岁))+(?:初|中|末|底|间|后|前|时|以后|以前)?"
    r"(?:[-~—至到]+[\d一二三四五六七八九十]+[年月日])?"
)
_CONDITION = re.compile(r"^[一-龥A-Za-z ]{2,12}?(?:时|需要|的话|的时候)")
_WHEN_ASKED = re.compile(r"^(?:什么时候|何时|哪一?年|哪一?天|哪个?月|几岁|几时|几点|多少岁|多久|最早|最初|何年)")
_WHY = re.compile(r"^(?:为什么|为何|为啥|怎么|怎样|如何)")
_DROPPED = re.compile(
    r"^(?:曾(?:[效任在于经获担参出入做为是被与和]|$)|[还又也均都共由被以因与没不未已将可能会要应需是有叫称为获除位凭]|主要|大多|一共|总共|最[早初终后]|首次|首先|后来|以前|之后|目前|现在|当时|作为"
    r"|[一-龥]{1,2}[于过了]|[一-龥]{2}(?:在|于|到|过|了)?(?:什么|哪|谁|几[个位年岁]))"
)
"""Openings of a sentence without its subject: 「曾…」, 「成立于…」, 「擅长什么」."""
_OPENERS = frozenset("p d c uj ul uz u f".split())
"""Kinds of words, as jieba names them, that no subject begins with: prepositions, adverbs, particles."""
_VERBLESS = frozenset(
    """是 有 叫 叫做 称 称为 位于 属于 建于 始于 来自 为 曾 可 可以 能 能够 会 要 需要 获得 获 不 没 没有 被
    由""".split()
)
_PROPER = frozenset("nr nrt nrfg ns nt nz".split())
_ATTRIBUTE = re.compile(
    r"(?:面积|时间|时期|时代|名称|名字|方式|方法|数量|人数|人口|长度|高度|特[点征色]|原因|作者|地点|地区|范围|价格|费用|标准"
    r"|风格|期限|籍贯|对手|专辑|(?:[中英日法德]文|[本别俗原真全简旧艺笔])名|[别谥庙神]号|[俗简别]称)$"
)
_STOPS = frozenset("v p d c uj ul uz u r y".split())
_PRONOUNS = re.compile(r"[他她它其]|这|那|该")


def stands_alone(question: str) -> bool:
    """Whether ``question`` has its own topic, and nothing that points at an earlier turn."""
    text = simplified(question)
    own = topical(text)
    words = terms(text, keep_stop_words=True)
    if not own or words[0] in _GOES_ON:
        return False
    asks = _ASKS.search(text) is not None
    named = _NAMED.search(_WHEN.sub("", text)) is not None
    if not asks and (_NE.search(text) or (len(own) == 1 and not named)):
        return False
    if not named and not _DEFINES.search(text):
        if len(own) == 1 and _OPEN.search(text):
            return False
        if len(own) <= 2 and _OPEN_VERB.search(text):
            return False
    return not _points_back(text) and (not asks or has_subject(text))


def _points_back(text: str) -> bool:
    shadowed = _META.sub(lambda match: "，" * len(match[0]), text)
    pointers = [shadowed.find(word) for word in terms(shadowed, keep_stop_words=True) if word in _POINTS_BACK]
    pointers += [match.end() - 1 for match in _POINTER.finditer(shadowed)]
    pointers += [match.start() for match in _THIS.finditer(shadowed)]
    if not pointers:
        return False
    # The clause before may name it: 「李白是谁，他…」, 「Ollama 没有启动，怎么启动它」. A mere condition does not.
    *clauses, _ = _BREAK.split(text[: min(pointers)])
    clause = clauses[-1] if clauses else ""
    return not (topical(clause) and (_ASKS.search(clause) or _NAMED.search(clause)))


def has_subject(question: str) -> bool:
    """Whether ``question`` begins with what it is about, rather than with a verb or a mere attribute of it."""
    text = simplified(question).strip()
    if _DEFINES.search(text) or _META.match(text) or _TITLE.search(text):
        return True
    text = _WHEN.sub("", text).lstrip("，, ")
    how = _WHY.match(text)
    when = _WHEN_ASKED.match(text)
    text = text[how.end() :] if how else text[when.end() :] if when else text
    tagged = _tagged(text)
    if not tagged:
        return False
    word, kind = tagged[0]
    if word in _VERBLESS or kind in _OPENERS or _DROPPED.match(text):
        return kind in _PROPER and word[-1] not in "于过了在" and not _DROPPED.match(text[len(word) :])
    if kind.startswith("v") and not kind.startswith("vn"):
        return how is not None or (not when and _CONDITION.match(text) is not None)
    if kind.startswith(("r", "m")):
        return word.startswith("我") or _is_name(tagged)  # 「哪些国家参加了联合国？」
    if how and how[0] not in ("为什么", "为何", "为啥") and len(topical(text)) > 1:
        return True  # 「如何备份数据？」
    return _is_name(_subject_of(tagged))


def _is_name(words: list[tuple[str, str]]) -> bool:
    """Whether these words name one thing: a proper name, a word that no dictionary has, a long one."""
    for word, kind in words:
        if not has_han(word):
            if word.isalnum():
                return True
            continue
        if kind in _PROPER and not (len(word) == 2 and _ATTRIBUTE.search(word)):
            return True
        if (not _known(word) and len(word) >= 2) or (len(word) >= 4 and not _ATTRIBUTE.search(word)):
            return True
    return False


def _subject_of(tagged: list[tuple[str, str]]) -> list[tuple[str, str]]:
    taken: list[tuple[str, str]] = []
    for word, kind in tagged:
        if taken and kind in _STOPS and len("".join(part for part, _ in taken)) > 1:
            break
        if _ASKS.match(word) or word in ("的", "是", "在", "有"):
            break
        taken.append((word, kind))
    return taken


def subject(question: str) -> str:
    """What ``question`` is about, as it is written: titles, or what stands before its verb; "" when unclear."""
    text = simplified(question).strip()
    written = question.strip()
    if len(text) != len(written):
        written = text
    if titles := _TITLE.findall(written):
        return " ".join(dict.fromkeys(titles))
    if defined := re.match(r"^\W*(?:请问)?(?:什么是|谁是|何为|何谓|什么叫)", text):
        return written[defined.end() :].strip("？?。 ")
    begin = 0
    for opening in (_WHEN, _WHY, _WHEN_ASKED):
        if match := opening.match(text[begin:]):
            begin += match.end()
    begin += len(text[begin:]) - len(text[begin:].lstrip("，, "))
    taken = _subject_of(_tagged(text[begin:]))
    length = len("".join(word for word, _ in taken))
    found = written[begin : begin + length].strip("，, ").rstrip("有是在的曾被由")
    return found if len(found) >= 2 and topical(found) and _is_name(taken) else ""


def is_elliptical(text: str) -> bool:
    """Whether ``text`` leaves out what is asked, not only of whom: 「那 Windows 呢？」, 「为什么？」."""
    plain = simplified(text)
    return not topical(plain) or not _ASKS.search(plain)


def points_at_a_person(text: str) -> bool:
    """Whether ``text`` says 他 or 她 of someone."""
    return re.search(r"[他她]", text) is not None


def asks(text: str) -> bool:
    """Whether ``text`` holds a word that asks."""
    return _ASKS.search(simplified(text)) is not None


def points(text: str) -> bool:
    """Whether ``text`` holds a pronoun."""
    return _PRONOUNS.search(simplified(text)) is not None


def asks_for_a_name(text: str, *, person: bool) -> bool:
    """Whether the answer to ``text`` may name what the next question's pronoun means; a ``person``, in particular."""
    return re.search(r"谁|哪[一几]?位|何人" if person else r"哪[一几]?[个家座所种款本部]", simplified(text)) is not None


def names(text: str) -> list[str]:
    """Proper names and titles in ``text``, in order, as they are written."""
    plain = simplified(text)
    written = text if len(plain) == len(text) else plain
    found, at = list(_TITLE.findall(written)), 0
    for word, kind in _tagged(plain):
        at = max(plain.find(word, at), at)
        if (kind in _PROPER or (len(word) > 1 and has_han(word) and not _known(word))) and len(word) > 1:
            found.append(written[at : at + len(word)])
    return list(dict.fromkeys(found))


def _tagged(text: str) -> list[tuple[str, str]]:
    """Words with their kinds, as jieba names them."""
    return [(pair.word, pair.flag) for pair in _tagger().cut(text) if pair.word.strip()]


def _known(word: str) -> bool:
    import jieba

    return bool(jieba.get_FREQ(word))


@lru_cache(maxsize=1)
def _tagger() -> Any:
    import jieba
    import jieba.posseg

    jieba.setLogLevel(logging.WARNING)  # it prints its loading to stderr otherwise
    return jieba.posseg
