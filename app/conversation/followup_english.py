"""Follow-ups in English: what gives one away, and the names in a text."""

from __future__ import annotations

import re

from app.conversation.followup_words import topical
from app.text import STOP_WORDS

_META = r"product|app|application|program|software|tool|project|documents?|files?|guide|manual|collection|library"
_POINTS_BACK = re.compile(
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
_EMPTY_IT = re.compile(
    r"\bit(?:'s|\s+is|\s+was|\s+be)?\s+(?:possible|safe|necessary|ok|okay|required|true|better|best|worth|allowed|legal|normal"
    r"|important|easy|hard|take|takes|took|cost|costs|mean|means|matter)\s+(?:to|that|if|when|for|\w+ing)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"^\W*(?:and|or|but|also|plus|same|(?:what|how)\s+about|what\s+else|anything\s+else|why\s+not)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"^\W*(?:on|in|with|without|for|under|using|via|from|at|by|as|to|over|after|before)\b", re.IGNORECASE
)
# "How to install?", "What is the price?", "Which is faster?": one word of content, of something unsaid.
_OF_SOMETHING = re.compile(
    r"^\W*(?:how|when|where|why|which|whose|(?:what|who)(?:'s|\s+(?:is|are|was|were))\s+the|does|do|did|can|is|are)\b",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[,;:.?!]\s|\b(?:and|or|but|so|because|when|if|before|after|while)\b", re.IGNORECASE)
_THING = re.compile(r"\b(?:the|a|an)\s+\w|(?<=\w\s)[A-Z]\w|\w*\d")
# These may refer to the clause they are in ("What does Biden say in his speech?"), an object seldom does.
_OWNER = re.compile(r"(?:its|their|his|her|he|she|they|itself|himself|herself|themselves)$", re.IGNORECASE)
_OWNER_THING = re.compile(
    r"\b(?:does|do|did|can|has|have|will|would|should|may|is|are|was|were)\s+[A-Z]\w"
    r"|\b(?:does|do|did|can|has|have|will|would|should|may)\s+(?:the|a|an|this|each|every)\s+\w|^\W*(?:the|a|an|every)\s+\w"
    r"|^\W*(?:which|what)\s+(?!is|are|was|were|do|does|did|has|have|can|will|would)\w+"
    r"\s+(?!is|are|was|were|do|does|did|has|have|can|will|would|in|of|on|for|to|from)\w+\s*$"
)
# "Who was the first chair?", "What are the recent activities?": of something unsaid, unless a superlative says it all.
_UNSAID = re.compile(
    r"^\W*(?:what|who)(?:'s|\s+(?:is|are|was|were))\s+the\s+(?!\w+est\b|most\b|least\b)(?:[a-z]\w*\s+)?[a-z]\w*\W*$"
    r"|^\W*how\s+many\s+(?:[a-z]+\s+){1,4}(?:are|were|was|can|could)(?:\s+be)?(?:\s+\w+(?:ed|en|und|nown))?\W*$"
    r"|^\W*(?:when|where|how|why)\s+(?:is|was|were|are)\s+the\s+(?:[a-z]\w*)(?:\s+\w+ed|\s+held|\s+built)?\W*$",
    re.IGNORECASE,
)


def stands_alone(text: str) -> bool:
    own = topical(text)
    if not own or _GOES_ON.search(text):
        return False
    asks = _ASKS.search(text) is not None
    if not asks and (len(own) == 1 or (_PREPOSITION.search(text) and len(text.split()) <= 6)):
        return False
    if len(own) == 1 and _OF_SOMETHING.search(text) and not re.search(r"\w\s+[A-Z]|\d", text):
        return False
    if _UNSAID.search(text) and not re.search(r"\w\s+[A-Z]|\d", text):
        return False
    shadowed = _EMPTY_IT.sub(lambda match: " " * len(match[0]), text)
    pointer = _POINTS_BACK.search(shadowed)
    if pointer is None:
        return True
    head, rest = text[: pointer.start()], text[pointer.end() :]
    if _PERSON.fullmatch(pointer[0]) and not re.search(r"(?<=\w\s)[A-Z]\w|\b(?:the|a|an|every|each)\s+\w+", head):
        return False  # nobody has been named
    if _OWNER.match(pointer[0]) and rest.strip(" ?.!") and _OWNER_THING.search(head):
        return True
    return _named_before(head)


def _named_before(head: str) -> bool:
    """Whether ``head``, the words before a pronoun, names what the pronoun means, in a clause of its own."""
    breaks = list(_BREAK.finditer(head))
    if not breaks:
        return False
    last = breaks[-1]
    clause, rest = head[: last.start()] or head, head[last.end() :]
    asks = _ASKS.match(rest.lstrip()) is not None or last.start() == 0
    if last[0].lower() in ("and", "or") and not asks and len(rest.split()) > 1:
        return False  # "the initial and revised budgets for it": no clause of its own
    return _THING.search(clause) is not None or (asks and len(topical(head)) >= 3)


_ASKING_VERBS = frozenset("tell explain describe list compare summarize summarise show give name find define".split())
_WORD = re.compile(r"[^\W_]+(?:[-'’.&][^\W_]+)*")
_ASKS_FOR_A_THING = re.compile(
    r"^\W*(?:in\s+|on\s+|at\s+|for\s+)?(?:which|what)\s+(?!is|are|was|were|do|does|did|has|have|can|will|would|should)\w+",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^\W*(?:(?:and|or|but|also|plus|so)\b\s*)?(?:(?:what|how)\s+about\b)?", re.IGNORECASE)
_PARTICLES = frozenset("of the de von van".split())
_ASKS_FOR_A_PERSON = re.compile(rf"\b(?:who|whom|whose)\b|\bname\s+of\b|{_ASKS_FOR_A_THING.pattern}", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
_POINTER = re.compile(r"\b(?:it|its|they|them|their|he|she|him|her|his|hers|this|that|these|those)\b", re.IGNORECASE)


def is_elliptical(text: str) -> bool:
    """Whether ``text`` leaves out what is asked, not only of whom: ``and on Windows?``, ``why?``."""
    bare = re.sub(
        r"^\W*(?:(?:and|or|but|also|plus|so)\b\s*)?(?:(?:what|how)\s+about\b)?", "", text, flags=re.IGNORECASE
    )
    return not topical(bare) or not (_ASKS.search(bare) or _POINTER.search(bare))


def points_at_a_person(text: str) -> bool:
    """Whether ``text`` says he or she of someone."""
    return _PERSON.search(text) is not None


def asks(text: str) -> bool:
    """Whether ``text`` holds a word that asks."""
    return _ASKS.search(text) is not None


def points(text: str) -> bool:
    """Whether ``text`` holds a pronoun."""
    return _POINTER.search(text) is not None


def asks_for_a_name(text: str, *, person: bool) -> bool:
    """Whether the answer to ``text`` may name what the next question's pronoun means; a ``person``, in particular."""
    return (_ASKS_FOR_A_PERSON if person else _ASKS_FOR_A_THING).search(text) is not None


def names(text: str) -> list[str]:
    """Runs of words written like names (``Marlee Matlin``, ``Windows 11``, ``SARS-CoV-2``), in order."""
    found: list[str] = []
    for sentence in re.split(r"(?<=[.?!:;,()\[\]])\s+|[\"“”()\[\]]", text):
        run: list[str] = []
        tokens = list(_WORD.finditer(sentence))
        for index, match in enumerate(tokens):
            word = re.sub(r"['’]s$", "", match[0])
            named = any(letter.isupper() for letter in word)
            if index == 0 and (word.casefold() in STOP_WORDS | _ASKING_VERBS or (len(tokens) > 1 and _common(word))):
                named = False
            following = tokens[index + 1][0] if index + 1 < len(tokens) else ""
            if named or (run and (word.isdigit() or (word in _PARTICLES and following[:1].isupper()))):
                run.append(word)
            elif run:
                found.append(" ".join(run))
                run = []
        if run:
            found.append(" ".join(run))
    return list(dict.fromkeys(found))


def _common(word: str) -> bool:
    """Whether ``word`` at a sentence's beginning is more likely written large for that alone."""
    return word[1:].islower() and word.endswith(("ing", "ly", "ed"))
