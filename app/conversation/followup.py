"""Whether a question stands on its own, and what a follow-up means, told from its words alone.

No model is asked. Where in doubt a question counts as a follow-up: the words of an earlier question beside it
cost a search little, a missing topic costs it everything.
"""

from __future__ import annotations

import re

from app.conversation.turns import questions
from app.schema import Message
from app.text import STOP_WORDS, has_han, terms

_LOOK_BACK = 20
_LONG = 300
"""Characters; a longer question brings its own topic."""

_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_GENERIC = frozenset(
    """example examples detail details explain elaborate summarize summarise summary continue again else
    instead reason reasons mean means happen happens step steps answer question
    例子 举例 举个 详细 具体 说 讲 谈 说说 讲讲 说明 解释 继续 展开 办 做 怎么办 原因 理由 更 更多 多 一点
    点 总结 还有 还 别的 其他 其它 换成 换 改成 这么 那么 如果 要是 够 行 好 对 呀 再 然后 接着 另外 那
    例如 比如 意思 回答 问题 怎么样 怎样""".split()
)

_AMOUNT = re.compile(r"\d+|[kmgt]b|%", re.IGNORECASE)

_META = r"product|app|application|program|software|tool|project|documents?|files?|guide|manual|collection|library"
_EN_POINTS_BACK = re.compile(
    rf"""\b(?:it|its|they|them|their|theirs|he|she|him|her|his|hers|itself|themselves)\b
    |\bth(?:is|ese)\b(?!\s+(?:{_META})\b)
    |\bth(?:at|ose)\W*$|\b(?:is|was|does|did|do|can|will|would|about|for|of|on|with|in|like|after|before|from|to|by|at|if|and|but|why|how)
        \s+th(?:at|ose)\b
    |\b(?:which|what|that|this|another|other|first|second|last|next|new|old)\s+ones?\b(?!\s+of)
    |\b(?:the\s+)?(?:former|latter|aforementioned)\b|\b(?:mentioned\s+)?above\W*$
    |\b(?:you\s+(?:said|mentioned|wrote)|your\s+(?:last|previous)?\s*answer|(?:last|previous)\s+(?:question|answer))\b
    |\bthe\s+same\b|\b(?:too|as\s+well|instead|either|then|again|otherwise)\W*$|(?<!is\s)(?<!are\s)\bthere\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
# "Is it possible to …", "how long does it take to …": this "it" stands for what follows.
_EN_EMPTY_IT = re.compile(
    r"\bit(?:'s|\s+is|\s+was|\s+be)?\s+(?:possible|safe|necessary|ok|okay|required|true|better|best|worth|allowed|legal|normal"
    r"|important|easy|hard|take|takes|took|cost|costs|mean|means|matter)\s+(?:to|that|if|when|for|\w+ing)\b",
    re.IGNORECASE,
)
_EN_GOES_ON = re.compile(
    r"^\W*(?:and|or|but|also|plus|same|(?:what|how)\s+about|what\s+else|anything\s+else|why\s+not)\b",
    re.IGNORECASE,
)
_EN_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may)\b",
    re.IGNORECASE,
)
_EN_PREPOSITION = re.compile(
    r"^\W*(?:on|in|with|without|for|under|using|via|from|at|by|as|to|over|after|before)\b", re.IGNORECASE
)
# "How to install?", "What is the price?", "Which is faster?": one word of content, of something unsaid.
_EN_OF_SOMETHING = re.compile(
    r"^\W*(?:how|when|where|why|which|whose|(?:what|who)(?:'s|\s+(?:is|are|was|were))\s+the|does|do|did|can|is|are)\b",
    re.IGNORECASE,
)
_EN_BREAK = re.compile(r"[,;:.?!]\s|\b(?:and|or|but|so|because|when|if|before|after|while)\b", re.IGNORECASE)
_EN_THING = re.compile(r"\b(?:the|a|an)\s+\w|(?<=\w\s)[A-Z]\w|\w*\d")
# These may refer to the clause they are in ("What does Biden say in his speech?"), an object seldom does.
_EN_OWNER = re.compile(r"(?:its|their|his|her|he|she|they|itself|himself|herself|themselves)$", re.IGNORECASE)
_EN_OWNER_THING = re.compile(
    rf"{_EN_THING.pattern}|\b(?:which|what|whose|many)\s+(?!is|are|was|were|do|does|did)\w+\s+\w"
)

_ZH_POINTS_BACK = frozenset(
    """它 它们 他 他们 她 她们 其 其中 这 这个 这些 这种 这样 这么 这里 这儿 这款 这位 这次 那个 那些
    那种 那样 那里 那儿 那款 那位 此 前者 后者 上述 以上 刚才 刚刚 同样 两者 二者 之前 上面 前面""".split()
)
_ZH_META = re.compile(r"[这该本](?:个|款|套|份|些)?(?:产品|软件|程序|应用|工具|项目|文档|文件|资料|手册|指南|系统)")
_ZH_THIS = re.compile(r"(?<!应)该(?![怎如不用选把去从在何])")
_ZH_GOES_ON = frozenset(
    "那 那么 还有 另外 此外 以及 而 但 但是 可是 不过 所以 然后 接着 换成 改成 要是 如果是 再".split()
)
_ZH_ASKS = re.compile(r"什么|怎[么样]|哪|谁|几|多[少大长久高远]|吗|为何|如何|是否|何时|有没有|是不是|能不能")
_ZH_OPEN = re.compile(r"^(?:请问)?(?:怎么|如何|为什么|为何|多少|什么时候|在哪|哪|是什么)")
_ZH_OPEN_VERB = re.compile(r"^(?:请问)?(?:需要|支持|有|能|可以|会|是|要|用|包括|属于)")
_ZH_DEFINES = re.compile(r"什么是|谁是|何为|何谓")
_ZH_NAMED = re.compile(r"[A-Za-z0-9]|《|「|“")
_ZH_BREAK = re.compile(r"[，。？！；,?;]")
_ZH_NE = re.compile(r"呢\W*$")


def stands_alone(question: str) -> bool:
    """Whether ``question`` has its own topic: content words, and nothing that points at an earlier turn."""
    text = question.strip()
    if len(text) > _LONG:
        return True
    return _stands_in_chinese(text) if has_han(text) else _stands_in_english(text)


def fold_in(question: str, history: tuple[Message, ...]) -> str:
    """``question`` as it can be searched: a follow-up beside the last question that stood on its own."""
    text = question.strip()
    asked = questions(history, _LOOK_BACK)
    if not asked or stands_alone(text):
        return text
    return _join(next(filter(stands_alone, asked), asked[0]), text)


def _join(earlier: str, question: str) -> str:
    """Both, and the new words once more until they weigh as much as the old: the answer is about them."""
    earlier = earlier[:_LONG]
    old, new = content(earlier), [word for word in content(question) if word.casefold() not in _GENERIC]
    missing = len(old) - len(new) if new else 0
    again = [new[index % len(new)] for index in range(missing)]
    return " ".join([earlier, question, *again])


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


def _own(text: str) -> list[str]:
    """Content words that can be a topic: a bare amount ("24 GB?") is none."""
    return [word for word in content(text) if word.casefold() not in _GENERIC and not _AMOUNT.fullmatch(word)]


def _stands_in_english(text: str) -> bool:
    own = _own(text)
    if not own or _EN_GOES_ON.search(text):
        return False
    asks = _EN_ASKS.search(text) is not None
    if not asks and (len(own) == 1 or (_EN_PREPOSITION.search(text) and len(text.split()) <= 6)):
        return False
    if len(own) == 1 and _EN_OF_SOMETHING.search(text) and not re.search(r"\w\s+[A-Z]|\d", text):
        return False
    shadowed = _EN_EMPTY_IT.sub(lambda match: " " * len(match[0]), text)
    pointer = _EN_POINTS_BACK.search(shadowed)
    if pointer is None:
        return True
    head, rest = text[: pointer.start()], text[pointer.end() :]
    if _EN_OWNER.match(pointer[0]) and rest.strip(" ?.!") and _EN_OWNER_THING.search(head):
        return True
    return _named_before(head)


def _named_before(head: str) -> bool:
    """Whether ``head``, the words before a pronoun, names what the pronoun means, in a clause of its own."""
    breaks = list(_EN_BREAK.finditer(head))
    if not breaks:
        return False
    clause = head[: breaks[-1].start()] or head
    return _EN_THING.search(clause) is not None or len(_own(head)) >= 3


def _stands_in_chinese(text: str) -> bool:
    own = _own(text)
    words = terms(text, keep_stop_words=True)
    if not own or words[0] in _ZH_GOES_ON:
        return False
    asks = _ZH_ASKS.search(text) is not None
    named = _ZH_NAMED.search(text) is not None
    if not asks and (_ZH_NE.search(text) or (len(own) == 1 and not named)):
        return False
    if not named and not _ZH_DEFINES.search(text):
        if len(own) == 1 and _ZH_OPEN.search(text):
            return False
        if len(own) <= 2 and _ZH_OPEN_VERB.search(text):
            return False
    shadowed = _ZH_META.sub(lambda match: "，" * len(match[0]), text)
    pointers = [shadowed.find(word) for word in terms(shadowed, keep_stop_words=True) if word in _ZH_POINTS_BACK]
    pointers += [match.start() for match in _ZH_THIS.finditer(shadowed)]
    if not pointers:
        return True
    # The clause before may name it: 「李白是谁，他…」, 「Ollama 没有启动，怎么启动它」. A mere condition does not.
    *clauses, _ = _ZH_BREAK.split(text[: min(pointers)])
    clause = clauses[-1] if clauses else ""
    return bool(_own(clause)) and bool(_ZH_ASKS.search(clause) or _ZH_NAMED.search(clause))
