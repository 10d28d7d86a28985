"""The front door for Python users: a chat model, a retriever, and an answer with its sources.

from app.llm_utils import build_llm, build_retriever, get_response

response = get_response("How much memory does it need?", retriever=build_retriever(), llm=build_llm())
for text in response:
    print(text, end="", flush=True)
print(response.citations)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from app.conversation import rewrite
from app.conversation.request import Request, Writer
from app.conversation.response import Response
from app.conversation.turns import check_question, turns

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever

    from app.config import Settings
    from app.conversation.turns import Turn
    from app.engines.base import Engine

    Model = BaseChatModel | Callable[[], BaseChatModel]

__all__ = ["Response", "build_llm", "build_retriever", "contextualize_query", "get_response"]


def build_llm(settings: Settings | None = None) -> BaseChatModel:
    """The chat model of the engine that the settings choose; the process's own settings when none are given.

    Raises:
        ConfigError: a setting is wrong.
        EngineError: the engine cannot be used.
    """
    return _chosen(settings).chat_model()


def build_retriever(settings: Settings | None = None, collection: str | None = None) -> BaseRetriever:
    """A retriever over the documents in ``DATA_DIR``; make it once. It reads, also beside a running server.

    It gives no documents at all for a question that they are not about.

    Raises:
        ConfigError: a setting is wrong.
        DataFolderError: the folder cannot be used.
        CollectionError: there is no such collection.
    """
    from app import offline
    from app.config import get_settings
    from app.knowledge import open_knowledge

    current = settings or get_settings()
    offline.prepare(current)
    return cast("BaseRetriever", open_knowledge(current).retriever(collection))


def contextualize_query(question: str, history: Iterable[Turn], llm: Model | None = None) -> str:
    """``question`` so that it can be searched without the conversation before it.

    Without ``history`` it stays as it is. ``llm`` rewrites it; without one, or when its reply is no sane
    question or does not come, a follow-up is joined with what the last question that stood alone was about.

    Raises:
        QuestionError: the question is empty or far too long.
        UsageError: ``history`` holds something else than messages.
    """
    text, said = check_question(question), turns(history)
    if not said:
        return text
    try:
        return rewrite.rewritten(text, said, None if llm is None else _model(llm))
    except Exception as error:  # a model's failure only costs the better rewrite
        return rewrite.by_rule(error, text, said)


def get_response(
    question: str,
    history: Iterable[Turn] = (),
    *,
    retriever: BaseRetriever | None = None,
    llm: Model | None = None,
    documents: bool = True,
    context_window: int | Callable[[], int] = 8192,
    engine: str = "",
    model: str = "",
) -> Response:
    """The answer to ``question``, as a :class:`Response` that works while it is read.

    Args:
        question: what the user wrote.
        history: the turns before it: schema.Message, (role, content) pairs or LangChain messages.
        retriever: where to look; by default the documents in ``DATA_DIR``. When it finds nothing the answer
            is a refusal and no engine is asked for one.
        llm: who writes, or a callable that gives it when it is needed; by default the engine that the
            settings choose.
        documents: false for plain chat, without passages and citations.
        context_window: of ``llm``, in tokens, or a callable that tells it when it is needed.
        engine: the name of ``llm``'s engine, and
        model: its model, as the answer shall name them.

    Raises:
        QuestionError: the question is empty or far too long.
        UsageError: ``history`` holds something else than messages.
    """

    def writer() -> Writer:
        if llm is None:
            chosen = _chosen(None)
            return Writer(chosen.chat_model(), chosen.name, chosen.check().model, chosen.context_window())
        window = context_window if isinstance(context_window, int) else context_window()
        return Writer(_model(llm), engine, model, window)

    where = (lambda: retriever) if retriever is not None else _default_retriever
    request = Request(
        question=check_question(question),
        history=turns(history),
        retriever=where if documents else None,
        writer=writer,
        engine=engine,
        model=model,
    )
    return Response(request)


def _chosen(settings: Settings | None) -> Engine:
    from app.config import get_settings
    from app.engines.registry import ENGINES, choose, create

    current = settings or get_settings()
    return choose(current.llm_engine, {name: create(name, current) for name in ENGINES}).engine


def _model(llm: Model) -> BaseChatModel:
    """A chat model is told from a callable by what it can do, so that nothing heavy is imported to ask."""
    if callable(llm) and not hasattr(llm, "invoke"):
        return llm()
    return cast("BaseChatModel", llm)


@lru_cache(maxsize=1)
def _default_retriever() -> BaseRetriever:
    return build_retriever()
