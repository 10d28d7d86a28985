"""Telling small talk from questions: whoever says hello wants no search."""

from __future__ import annotations

import re
import unicodedata

from app.text import simplified

_TALK = frozenset(
    """
    hi|hello|hey|hi there|hello there|hey there|hi all|hello all|hello everyone|greetings|howdy|good morning
    good afternoon|good evening|good night|good day|how are you|how are you today|how are you doing|how do you do
    how is it going|hows it going|how's it going|whats up|what's up|sup|nice to meet you|pleased to meet you
    thanks|thank you|thanks a lot|thank you very much|thank you so much|many thanks|thx|ty|cheers|much appreciated
    ok|okay|ok thanks|okay thanks|ok thank you|great|great thanks|cool|nice|perfect|awesome|got it|i see|understood
    all right|alright|well done|good job|sorry|my bad|never mind|nevermind|no problem|youre welcome|you're welcome
    bye|goodbye|bye bye|see you|see you later|take care|have a nice day|good luck|who are you|what are you
    what is your name|what's your name|whats your name|are you a robot|are you human|are you there|anyone there
    can you help me|help me|please help|help me please|tell me a joke|test|testing|lol|haha|yes|no|yeah|yep|nope|hmm
    i love you|can you hear me|do you speak english|do you speak chinese
    你好|您好|你好啊|你好呀|您好啊|大家好|嗨|哈喽|哈啰|哈罗|喂|早|早安|早上好|上午好|中午好|下午好|晚上好|晚安|午安
    你好吗|您好吗|你怎么样|最近怎么样|最近好吗|最近还好吗|吃了吗|你吃了吗|吃饭了吗|在吗|在么|你在吗|有人吗|有人在吗
    谢谢|谢谢你|谢谢您|谢谢啦|谢啦|谢了|多谢|多谢了|非常感谢|十分感谢|感谢|感谢你|感谢您|辛苦了|辛苦啦|麻烦你了
    好|好的|好吧|好啊|好呀|行|可以|嗯|嗯嗯|哦|噢|明白|明白了|知道了|懂了|了解|了解了|收到|没事|没事了|没关系
    不客气|不用谢|对不起|抱歉|不好意思|再见|拜拜|回头见|明天见|下次见|祝你好运|太好了|太棒了|真棒|厉害|不错|很好
    你是谁|您是谁|你叫什么|你叫什么名字|你的名字是什么|你是机器人吗|你是人吗|你会说中文吗|你会说英语吗|你能听到我吗
    帮帮我|帮我一下|请帮帮我|你能帮我吗|可以帮我吗|讲个笑话|讲个笑话吧|说个笑话|给我讲个笑话|测试|测试一下|哈哈|哈哈哈|呵呵
    是|是的|对|对的|不是|不|没有|我爱你|很高兴认识你|见到你很高兴|新年快乐|生日快乐
    """.replace("\n", "|").split("|")
)  # fmt: skip
_PHRASES = frozenset(" ".join(phrase.split()) for phrase in _TALK if phrase.strip())
_NAME = re.compile(r"(?:\b(?:bot|friends?|assistant|hotswap|buddy|man|everybody|sir|madam)|朋友们?|小?助手)$")
_NO_WORD = re.compile(r"[^\w'\u4e00-\u9fff]+")


def is_small_talk(text: str) -> bool:
    """Whether ``text`` says nothing but hello, thanks, goodbye and the like, in English or Chinese."""
    folded = simplified(unicodedata.normalize("NFKC", text[:200]).casefold()).replace("’", "'")
    parts = [words for part in re.split(r"[,.!?;，。！？；、~～…\n]+", folded) if (words := _words(part))]
    said = [words for words in map(_unnamed, parts) if words]
    return bool(said) and len(text) <= 200 and all(words in _PHRASES for words in said)


def _unnamed(words: str) -> str:
    """Without the name of whoever is spoken to; nothing where it is a name alone."""
    return words if words in _PHRASES else _NAME.sub("", words).strip()


def _words(part: str) -> str:
    return " ".join(_NO_WORD.sub(" ", part).split())
