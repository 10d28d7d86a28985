"""Questions that an engine writes: one for a sentence, shown in the passage around it, and checked before it counts.

The evidence is the sentence, so that nobody has to believe the engine where the answer stands. A reply that is no
usable question costs nothing but time: the next sentence has its turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.conversation.thinking import without_thinking
from app.errors import EvaluationError
from app.evaluation.questions import Place, Question
from app.evaluation.sentences import Sentence
from app.schema import OnProgress, Progress
from app.text import Language, language, terms

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_AROUND = 400  # characters of the passage on either side of the sentence
_LONGEST = 300  # characters of a question
_TRIES = 3  # sentences for each question that is wanted
_PROMPTS: dict[Language, str] = {
    "en": (
        "Here is part of a document:\n\n{passage}\n\nWrite one question that a reader might ask, and that this sentence"
        " answers:\n\n{sentence}\n\nThe question must make sense to someone who does not see the document: name what it"
        " is about. Do not mention the text, the passage or the document, and do not give the answer. Reply with the"
        " question alone, in English."
    ),
    "zh": (
        "下面是文档的一部分：\n\n{passage}\n\n请写一个读者可能会问、并且由下面这句话回答的问题：\n\n{sentence}\n\n"
        "没有看到文档的人也要能看懂这个问题，所以要写明问的是什么。不要提到“文中”“本文”“这段文字”或“文档”，也不要写出答案。"
        "只回复问题本身，用中文。"
    ),
}
_POINTS_AT_TEXT = re.compile(
    r"\b(?:passages?|texts?|excerpts?|(?:this|the|above|given)\s+(?:document|sentence|paragraph|article|author))\b"
    r"|文中|本文|上文|下文|文章|段落|文本|文段|原文|这句话|这段|该句|作者",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^\W*(?:question|q|问题|提问|问)\s*\d*\s*[:：]\s*", re.IGNORECASE)
_QUOTES = "\"'“”‘’「」『』*`"
_ASKS = re.compile(r"[?？]$")


def write(
    llm: BaseChatModel,
    found: Sequence[Sentence],
    text_of: Callable[[str], str],
    wanted: int,
    on_progress: OnProgress,
) -> list[Question]:
    """At most ``wanted`` questions by ``llm``.

    Raises:
        EngineError: the engine did not answer.
        EvaluationError: none of its replies was a usable question.
    """
    questions: list[Question] = []
    for sentence in found[: _TRIES * wanted]:
        if len(questions) >= wanted:
            break
        on_progress(Progress("writing", len(questions), wanted, sentence.doc))
        passage = _passage(text_of(sentence.doc), sentence)
        prompt = _PROMPTS[sentence.language].format(passage=passage, sentence=sentence.text)
        asked = question_in(str(llm.invoke(prompt).text), sentence, passage)
        if asked is not None and all(asked != other.question for other in questions):
            at = Place(sentence.doc, sentence.start, sentence.end)
            questions.append(Question(f"written-{len(questions) + 1}", asked, (at,)))
    if found and not questions:
        raise EvaluationError(
            "The engine wrote no usable question.",
            "Choose a larger model, or leave the engine out for sentences with a gap.",
        )
    return questions


def _passage(text: str, sentence: Sentence) -> str:
    start, end = max(0, sentence.start - _AROUND), min(len(text), sentence.end + _AROUND)
    return text[start:end].strip()


def question_in(reply: str, sentence: Sentence, passage: str) -> str | None:
    """The question that ``reply`` is; None where it is not one alone, is too long, or not about the sentence."""
    lines = [line.strip() for line in without_thinking(reply).strip().splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    text = _LABEL.sub("", lines[0]).strip(_QUOTES + " ")
    if not _ASKS.search(text) or len(re.findall(r"[?？]", text)) != 1 or len(text) > _LONGEST:
        return None
    if _POINTS_AT_TEXT.search(text) or language(text) != sentence.language:
        return None
    asked = set(terms(text))
    if len(asked) < 2 or not asked & set(terms(passage)) or sentence.text.strip() in text:
        return None
    return text
